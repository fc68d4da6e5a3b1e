package ogg

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/opus"
)

// maxGap is the longest silence that granule positions may tell of: what
// signed differences of RTP timestamps can.
const maxGap = 12 * time.Hour

// Packet is one Opus packet of an input.
type Packet struct {
	Data     []byte        // untouched; valid until the next call of Next
	Duration time.Duration // by its first bytes; what is trimmed at the end counts
	Gap      time.Duration // silence before it, by the granule positions; mostly 0
	First    bool          // of a link of a chained stream, so of the input too
	Channels int           // as its stream's header says: 1 or 2
}

// Reader reads the packets of one Opus stream out of Ogg, as their bytes come
// in. Of several streams side by side it takes the first that is Opus; when a
// chain's next link begins, the first one there.
type Reader struct {
	in     *bufio.Reader
	buffer []byte // of one page
	offset int64  // of the page in buffer
	next   int64  // offset of the one after it
	err    error  // kept: what ended it

	heads  bool     // among the first pages of a link's streams
	codecs []string // of those passed by
	opened bool     // some link has begun
	heard  bool     // some packet was delivered

	// Of the link's Opus stream:
	chosen   bool
	serial   uint32
	sequence uint32 // of its next page
	channels int
	stage    stage
	first    bool          // its first packet is yet to come
	skip     bool          // what ends here began before the reader joined in
	part     []byte        // packet begun on an earlier page
	page     page          // being taken apart
	clock    int64         // samples so far; unset until a page tells
	set      bool          // clock is set
	gap      time.Duration // before the page's first packet
}

// stage is how far into its stream a reader is.
type stage int

const (
	beforeTags stage = iota
	insideTags
	sound
)

// NewReader reads from r. It blocks only where r does.
func NewReader(r io.Reader) *Reader {
	return &Reader{in: bufio.NewReader(r), buffer: make([]byte, maxPageBytes)}
}

// Next gives the next packet. At the input's end, and only there, the error is
// io.EOF; any other is for Explain. It is the same ever after. All packets that
// are whole come before the error that follows them.
func (r *Reader) Next() (Packet, error) {
	for r.err == nil {
		data, ended, ok := r.page.take()
		switch {
		case !ok && r.page.cut:
			r.err = r.fail(ErrTruncated)
		case !ok:
			r.err = r.turn()
		case r.skip:
			r.skip = !ended
		case r.stage != sound:
			r.err = r.passTags(data, ended)
		case len(r.part)+len(data) > protocol.MaxPacketBytes:
			r.err = &SizeError{}
		case !ended:
			r.part = append(r.part, data...)
		default:
			data = r.whole(data)
			r.part = r.part[:0]
			return r.packet(data)
		}
	}
	return Packet{}, r.err
}

// packet checks one and dresses it.
func (r *Reader) packet(data []byte) (Packet, error) {
	duration, err := opus.Duration(data)
	switch {
	case err != nil:
		r.err = r.fail(ErrPacket)
	case duration < protocol.MinPacketDuration || duration > protocol.MaxPacketDuration:
		r.err = &DurationError{Duration: duration}
	}
	if r.err != nil {
		return Packet{}, r.err
	}
	p := Packet{Data: data, Duration: duration, Gap: r.gap, First: r.first, Channels: r.channels}
	r.gap, r.first, r.heard = 0, false, true
	return p, nil
}

// whole joins what came of a packet before with its end. It leaves r.part.
func (r *Reader) whole(end []byte) []byte {
	if len(r.part) == 0 {
		return end
	}
	return append(r.part, end...)
}

// passTags passes over the OpusTags packet, which may be megabytes of pictures.
func (r *Reader) passTags(data []byte, ended bool) error {
	if r.stage == beforeTags && !bytes.HasPrefix(data, []byte(tagsMagic)) {
		return r.fail(ErrHeader)
	}
	r.stage = insideTags
	if ended {
		r.stage = sound
	}
	return nil
}

// turn goes to the next page of the chosen stream.
func (r *Reader) turn() error {
	for {
		p, err := r.read()
		switch {
		case errors.Is(err, io.EOF):
			return r.end()
		case err != nil:
			return err
		case p.is(firstPage):
			if err := r.begin(p); err != nil {
				return err
			}
			continue
		case !r.opened:
			return ErrMiddle
		case r.heads && !r.chosen:
			return r.noOpus()
		}
		r.heads = false
		if r.chosen && p.serial == r.serial {
			return r.enter(p)
		}
	}
}

// begin looks at a stream's first page. One that comes after other pages begins
// a new link of a chain (RFC 3533 section 4), whether or not the streams before
// it were ended: recordings that were killed have been joined with cat.
func (r *Reader) begin(p page) error {
	if len(r.part) > 0 || r.opened && r.chosen && !r.heads && r.stage != sound {
		return r.fail(ErrTruncated)
	}
	if !r.heads {
		r.heads, r.chosen, r.codecs, r.opened = true, false, nil, true
	}
	head, ended, _ := p.take()
	switch {
	case p.cut:
		return r.fail(ErrTruncated)
	case r.chosen && p.serial == r.serial:
		return r.fail(ErrHeader)
	case r.chosen:
		return nil
	case !bytes.HasPrefix(head, []byte(headMagic)):
		if name := codecOf(head); !slices.Contains(r.codecs, name) && name != skeleton {
			r.codecs = append(r.codecs, name)
		}
		return nil
	case !ended:
		return r.fail(ErrHeader)
	}
	channels, err := parseHead(head)
	if errors.Is(err, ErrHeader) {
		return r.fail(err)
	}
	r.chosen, r.serial, r.sequence, r.channels = true, p.serial, p.sequence+1, channels
	r.stage, r.first, r.skip, r.set, r.gap, r.page = beforeTags, true, false, false, 0, page{}
	return err
}

// enter makes p the page to take apart.
func (r *Reader) enter(p page) error {
	// Who joins a live broadcast gets its headers, then the pages of now.
	joined := r.stage == sound && r.first && len(r.part) == 0 && p.sequence != r.sequence
	begun := len(r.part) > 0 || r.stage == insideTags || r.skip
	switch {
	case p.sequence != r.sequence && !joined:
		return r.fail(ErrMissing)
	case begun && !p.is(continued):
		return r.fail(ErrTruncated)
	case !begun && p.is(continued) && !joined:
		return r.fail(ErrMissing)
	}
	if joined {
		r.skip = p.is(continued)
	}
	r.sequence = p.sequence + 1
	r.page = p
	if p.is(lastPage) {
		r.chosen = false // until the next link's
	}
	if r.stage == sound && !p.cut {
		return r.time(p)
	}
	return nil
}

// time compares a page's granule position with its packets. What it is ahead of
// them is silence before the first of them. It may be behind: at the end, where
// players are to trim, and by the rounding of who wrote it; then it is not
// followed, or the next page would seem to be ahead.
func (r *Reader) time(p page) error {
	samples, packets := int64(0), 0
	for {
		data, ended, ok := p.take()
		if !ok || !ended {
			break
		}
		switch {
		case packets == 0 && r.skip:
		case packets == 0:
			data = r.whole(data)
			fallthrough
		default:
			n, _ := opus.Samples(data) // Next tells of an error when it gets there
			samples += int64(n)
		}
		packets++
	}
	if packets == 0 || p.granule == noGranule {
		return nil
	}
	if p.granule < 0 || p.granule > 1<<62 {
		return r.fail(ErrGranule)
	}
	if !r.set { // a start elsewhere than at 0 is a date, not silence
		r.clock, r.set = p.granule-samples, true
	}
	ahead := p.granule - (r.clock + samples)
	r.clock = max(p.granule, r.clock+samples)
	if ahead > int64(maxGap/time.Second)*opus.Rate {
		return r.fail(ErrGranule)
	}
	r.gap += time.Duration(max(0, ahead)) * time.Second / opus.Rate
	return nil
}

// end says what it means that the input ends between two pages.
func (r *Reader) end() error {
	switch {
	case !r.opened:
		return ErrEmpty
	case r.heads && !r.chosen:
		return r.noOpus()
	case len(r.part) > 0 || r.stage == insideTags || r.skip:
		return r.fail(ErrTruncated)
	case !r.heard:
		return ErrNoSound
	}
	return io.EOF
}

func (r *Reader) noOpus() error {
	if len(r.codecs) == 0 {
		return &CodecError{Codecs: []string{skeleton}}
	}
	return &CodecError{Codecs: r.codecs}
}

// read reads one page of whichever stream. One that the input ends inside of is
// given as far as it goes, though no checksum vouches for that: a file that was
// cut is far more common than one that is damaged there, and its last second
// should be heard.
func (r *Reader) read() (page, error) {
	if !r.opened && r.next == 0 {
		if err := r.look(); err != nil {
			return page{}, err
		}
	}
	r.offset = r.next
	header := r.buffer[:headerBytes]
	n, err := io.ReadFull(r.in, header)
	switch {
	case n > 0 && !bytes.HasPrefix(header, []byte(capture[:min(n, len(capture))])):
		return page{}, r.fail(ErrPage)
	case err != nil:
		return page{}, r.cutOff(err)
	case header[len(capture)] != 0: // version
		return page{}, r.fail(ErrPage)
	}
	p, count := parseHeader(header)
	p.segments = r.buffer[headerBytes:][:count]
	if _, err := io.ReadFull(r.in, p.segments); err != nil {
		return page{}, r.cutOff(orUnexpected(err))
	}
	size := 0
	for _, s := range p.segments {
		size += int(s)
	}
	p.body = r.buffer[headerBytes+count:][:size]
	n, err = io.ReadFull(r.in, p.body)
	if err = orUnexpected(err); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return page{}, err
	}
	p.body, p.cut = p.body[:n], n < size
	whole := r.buffer[:headerBytes+count+n]
	r.next += int64(len(whole))
	clear(whole[sumAt:segmentsAt])
	switch {
	case p.cut && bytes.Contains(p.body, []byte(capture)): // rather, its sizes are damaged
		return page{}, r.fail(ErrChecksum)
	case !p.cut && checksum(0, whole) != p.sum:
		return page{}, r.fail(ErrChecksum)
	}
	return p, nil
}

// look says what an input is whose first bytes are not a page's. It waits for
// no more of them than it takes to say.
func (r *Reader) look() error {
	start, err := r.in.Peek(len(capture))
	if bytes.HasPrefix([]byte(capture), start) {
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return nil // a whole one, a cut one or none, as read finds
	}
	r.in.Peek(12)
	start, _ = r.in.Peek(r.in.Buffered())
	return &NotOggError{Looks: lookAt(start)}
}

// orUnexpected tells an end inside a page from one between two.
func orUnexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// cutOff is ErrTruncated for an input that ends inside a page; io.EOF and what
// else went wrong with reading stay as they are.
func (r *Reader) cutOff(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return r.fail(ErrTruncated)
	}
	return err
}

// fail adds the page's place to an error.
func (r *Reader) fail(err error) error { return &PositionError{Offset: r.offset, Err: err} }
