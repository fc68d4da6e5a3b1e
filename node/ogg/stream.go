package ogg

import (
	"time"

	"github.com/earshot-audio/earshot/protocol/opus"
)

// stream is a speaker's logical stream in the link that is being written.
type stream struct {
	peer, name string
	source     uint32 // bound to it; 0: none yet
	serial     uint32
	sequence   uint32 // of its next page

	// In samples at 48 kHz since the recording began:
	at  int64 // where its latest packet stands, by its speaker's timestamps
	end int64 // where its latest packet ends

	timestamp uint32    // of its latest packet
	heard     time.Time // when that came
	toc       byte      // its first byte
	spoken    bool      // there is one, in this link

	// The page that is being filled:
	begin    int64     // where it begins, in samples
	since    time.Time // when its first packet came
	data     []byte    // packets, one after the other
	sizes    []int     // theirs
	segments int
}

// bind finds the stream for a source that is new: its peer's, if that has gone
// quiet, else one of its own.
func (w *Writer) bind(source uint32, peer, name string, now time.Time) *stream {
	s := w.peers[peer]
	if s == nil || s.source != 0 && now.Sub(s.heard) < quiet {
		s = w.open(source, peer, name)
		w.enter(s, now)
	}
	delete(w.sources, s.source)
	s.source = source
	w.sources[source] = s
	return s
}

// open makes a stream whose serial number is the one wanted, or the next free.
func (w *Writer) open(serial uint32, peer, name string) *stream {
	s := &stream{peer: peer, name: name, sequence: headPages}
	w.number(s, serial)
	if peer != "" {
		w.peers[peer] = s
	}
	return s
}

// number gives s a serial number that the file does not have yet.
func (w *Writer) number(s *stream, serial uint32) {
	for w.serials[serial] {
		serial++
	}
	w.serials[serial] = true
	s.serial = serial
}

// turn finishes the stream's page, which may be empty if flags say something.
func (w *Writer) turn(s *stream, flags byte) {
	granule := s.end
	if len(s.sizes) == 0 {
		if flags == 0 {
			return
		}
		granule = noGranule
	}
	w.pages = appendPage(w.pages, flags, granule, s.serial, s.sequence, s.data, s.sizes...)
	s.sequence++
	s.data, s.sizes, s.segments = s.data[:0], s.sizes[:0], 0
}

// The longest and the shortest packet of Opus that fill a pause.
const (
	concealed = 20 * time.Millisecond
	shortest  = 2500 * time.Microsecond
)

// fill appends packets of no frames' bytes, each of which asks the decoder to
// conceal the loss of one, until the pause is shorter than any.
func (w *Writer) fill(s *stream) {
	for n := samplesOf(concealed); n >= samplesOf(shortest); n /= 2 {
		for s.at-s.end >= n {
			w.append(s, []byte{concealment(s.toc, int(n))}, int(n))
		}
	}
}

// concealment gives a table-of-contents byte for a lost frame of so many
// samples, in the mode of the packet before it where that has such frames.
func concealment(toc byte, samples int) byte {
	configuration, size := toc>>3, byte(0)
	for n := opus.Rate / 400; n < samples; n *= 2 {
		size++
	}
	switch {
	case configuration >= 16: // CELT: 2.5 to 20 ms
		configuration = configuration&^3 | size
	case size < 3: // neither SILK nor hybrid: full-band CELT
		configuration = 28 | size
	case configuration >= 12: // hybrid of 20 ms
		configuration |= 1
	default: // SILK of 20 ms
		configuration = configuration&^3 | 1
	}
	return configuration<<3 | toc&4
}
