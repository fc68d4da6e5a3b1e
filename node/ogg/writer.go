package ogg

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/opus"
)

const (
	// pageSpan is the most sound that waits for its page to be written.
	pageSpan = 200 * time.Millisecond

	// quiet is how long a peer's source has been silent when another one of the
	// same peer takes its place in the same stream.
	quiet = time.Second

	// gone is how long a stream has been silent when a new link leaves it out.
	gone = 10 * time.Second
)

// What Writer refuses without being harmed by it.
var (
	ErrOrder  = errors.New("not newer than the packet before it")
	ErrClosed = errors.New("the recording is closed")
)

// Options of a recording. The zero value will do.
type Options struct {
	Title string // of the room

	// At is the output again, if what was written can be written over: a
	// regular file that the recording begins at the start of. Then speakers who
	// come late are entered at the file's start; else they begin a new link of
	// a chain. If it has os.File's Truncate, a page that a full disk cut is
	// taken back.
	At io.WriterAt

	// Gather is how long, without At, the start is held back, so that speakers
	// who begin together share it.
	Gather time.Duration

	// FillPauses fills a speaker's pauses with packets that ask the decoder to
	// conceal a loss (RFC 7845 section 4.1). Else pauses are told by granule
	// positions alone, and the recording holds what was spoken and nothing more.
	FillPauses bool

	Now func() time.Time // nil: time.Now
}

// Writer records speakers into one Ogg file, each in a logical Opus stream of
// its own. It belongs to one goroutine.
type Writer struct {
	out     io.Writer
	options Options
	start   time.Time // of the recording: when its first packet came

	sources map[uint32]*stream // that are bound
	peers   map[string]*stream // the latest of each
	serials map[uint32]bool    // used
	link    link

	pages   []byte // finished, to be written
	written int64  // bytes
	err     error
}

// NewWriter records to w. Nothing is written before the first packet.
func NewWriter(w io.Writer, options Options) *Writer {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Writer{
		out:     w,
		options: options,
		sources: make(map[uint32]*stream),
		peers:   make(map[string]*stream),
		serials: make(map[uint32]bool),
	}
}

// Packet records one packet of peer's source as it is. Those of a source come
// in order; timestamp is its RTP timestamp at 48 kHz, and what it skips is
// silence. A source's first packet stands at the time when it came.
//
// ErrOrder, protocol.ErrLarge and the errors of package opus are about this
// packet, which is left out. Any other is the output's, and final.
func (w *Writer) Packet(source uint32, peer, name string, timestamp uint32, packet []byte) error {
	if w.err != nil {
		return w.err
	}
	samples, err := opus.Samples(packet)
	if err != nil {
		return err
	}
	if len(packet) > protocol.MaxPacketBytes {
		return protocol.ErrLarge
	}
	now := w.options.Now()
	if w.start.IsZero() {
		w.start = now
	}
	s := w.sources[source]
	if s == nil {
		s = w.bind(source, peer, name, now)
		s.at = max(s.end, samplesOf(now.Sub(w.start)))
	} else {
		step := int32(timestamp - s.timestamp)
		if step <= 0 {
			return ErrOrder
		}
		s.at += int64(step)
	}
	s.timestamp, s.heard = timestamp, now
	w.pause(s)
	w.append(s, packet, samples)
	return w.overdue(now)
}

// pause brings s to where its next packet stands. A page's granule position
// tells of its end, so a jump needs a page to begin with.
func (w *Writer) pause(s *stream) {
	if s.at <= s.end { // sound that overlaps moves back
		return
	}
	if w.options.FillPauses && s.spoken {
		w.fill(s)
	}
	if s.at > s.end {
		w.turn(s, 0)
		s.end = s.at
	}
}

// append puts a packet on the stream's page, and finishes full ones.
func (w *Writer) append(s *stream, packet []byte, samples int) {
	if s.segments+segmentsOf(len(packet)) > maxSegments {
		w.turn(s, 0)
	}
	if len(s.sizes) == 0 {
		s.since, s.begin = s.heard, s.end
	}
	s.segments += segmentsOf(len(packet))
	s.sizes = append(s.sizes, len(packet))
	s.data = append(s.data, packet...)
	s.end += int64(samples)
	s.toc, s.spoken = packet[0], true
	if s.end-s.begin >= samplesOf(pageSpan) {
		w.turn(s, 0)
	}
}

// overdue finishes the pages of those who stopped in the middle of one.
func (w *Writer) overdue(now time.Time) error {
	for _, s := range w.link.streams {
		if len(s.sizes) > 0 && now.Sub(s.since) >= pageSpan {
			w.turn(s, 0)
		}
	}
	return w.drain(now)
}

// Flush writes what waits for its page to fill. Call it every 200 ms or so
// while nobody speaks, that the last words don't wait for the next ones.
func (w *Writer) Flush() error {
	if w.err != nil {
		return w.err
	}
	for _, s := range w.link.streams {
		if len(s.sizes) > 0 {
			w.turn(s, 0)
		}
	}
	return w.drain(w.options.Now())
}

// Close ends all streams. It leaves the output open. A recording in which
// nobody spoke stays empty.
func (w *Writer) Close() error {
	if errors.Is(w.err, ErrClosed) {
		return nil
	}
	if w.err == nil && !w.start.IsZero() {
		w.endLink()
		w.drain(w.start.Add(w.options.Gather))
	}
	err := w.err
	if err == nil {
		w.err = ErrClosed
	}
	return err
}

// drain writes finished pages, the link's first ones before them.
func (w *Writer) drain(now time.Time) error {
	if w.err != nil || w.start.IsZero() {
		return w.err
	}
	if !w.link.begun {
		if w.options.At == nil && now.Sub(w.start) < w.options.Gather {
			return nil
		}
		w.beginLink(0)
	}
	if len(w.pages) == 0 {
		return nil
	}
	n, err := w.out.Write(w.pages)
	if err == nil && n < len(w.pages) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = fmt.Errorf("recording: %w", err)
		w.takeBack(n)
		return w.err
	}
	w.written += int64(n)
	w.pages = w.pages[:0]
	return nil
}

// takeBack removes what was written of a page that was not written whole.
func (w *Writer) takeBack(n int) {
	file, ok := w.options.At.(interface{ Truncate(size int64) error })
	if !ok {
		return
	}
	whole := 0
	for rest := w.pages; len(rest) > 0; rest = w.pages[whole:] {
		p, count := parseHeader(rest)
		p.segments = rest[headerBytes:][:count]
		size := headerBytes + count
		for _, s := range p.segments {
			size += int(s)
		}
		if whole+size > n {
			break
		}
		whole += size
	}
	if err := file.Truncate(w.written + int64(whole)); err != nil {
		w.err = errors.Join(w.err, err)
	}
}

// samplesOf gives a time in samples at 48 kHz.
func samplesOf(d time.Duration) int64 { return d.Microseconds() * (opus.Rate / 1000) / 1000 }
