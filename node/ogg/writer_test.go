package ogg

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/opus"
)

// What was spoken is in the file to the byte, and this package reads it again.
func TestOneSpeaker(t *testing.T) {
	c, out := newClock(), &bytes.Buffer{}
	w := NewWriter(out, c.options())
	v := newVoice(7)
	for range 500 {
		c.pass(v.speak(t, w))
	}
	must(t, w.Close())
	streams, links := demux(t, out.Bytes())
	if len(streams) != 1 || links != 1 || streams[0].serial != 7 || !streams[0].ended {
		t.Fatalf("%d streams in %d links", len(streams), links)
	}
	same(t, streams[0], v.sent)
	if !slices.Equal(streams[0].granules, v.ends) {
		t.Errorf("granule positions differ")
	}
	read, err := collect(out)
	if err != io.EOF || !slices.EqualFunc(read, v.sent, func(p Packet, b []byte) bool { return bytes.Equal(p.Data, b) && p.Gap == 0 }) {
		t.Errorf("read again: %d packets of %d, %v", len(read), len(v.sent), err)
	}
}

func TestTags(t *testing.T) {
	out := &bytes.Buffer{}
	w := NewWriter(out, Options{Title: "Why the sky is dark"})
	must(t, w.Packet(1, "a", "Ana", 0, celt(9)))
	must(t, w.Close())
	streams, _ := demux(t, out.Bytes())
	for _, want := range []string{"Earshot", "TITLE=Ana", "ARTIST=Ana", "ALBUM=Why the sky is dark"} {
		if !strings.Contains(streams[0].tags, want) {
			t.Errorf("no %s in %q", want, streams[0].tags)
		}
	}
}

// A pause is a jump of the granule position, of the page that begins after it;
// timestamps may wrap.
func TestPause(t *testing.T) {
	c, out := newClock(), &bytes.Buffer{}
	w := NewWriter(out, c.options())
	timestamp := uint32(0xffffffff - 2000)
	for i := range 6 {
		if i == 3 {
			timestamp += 48000 * 5
		}
		must(t, w.Packet(1, "a", "Ana", timestamp, celt(9, byte(i))))
		timestamp += 960
	}
	must(t, w.Close())
	streams, _ := demux(t, out.Bytes())
	if want := []int64{960, 1920, 2880, 243840, 244800, 245760}; !slices.Equal(streams[0].granules, want) {
		t.Errorf("granule positions %v, want %v", streams[0].granules, want)
	}
	read, err := collect(out)
	if err != io.EOF || len(read) != 6 || read[3].Gap != 5*time.Second || read[4].Gap != 0 {
		t.Errorf("read again: %d packets, %v", len(read), err)
	}
}

// A pause is filled with packets of one byte, but for what is shorter than any packet
// (RFC 7845 section 4.1).
func TestFilledPause(t *testing.T) {
	for _, toc := range []byte{31 << 3, 16 << 3, 9<<3 | 4, 11 << 3, 12 << 3} {
		out := &bytes.Buffer{}
		w := NewWriter(out, Options{FillPauses: true})
		p := []byte{toc, 1, 2, 3}
		samples, _ := opus.Samples(p)
		must(t, w.Packet(1, "a", "Ana", 0, p))
		must(t, w.Packet(1, "a", "Ana", uint32(samples)+48000+840+7, p))
		must(t, w.Close())
		streams, _ := demux(t, out.Bytes())
		end := int64(0)
		for i, p := range streams[0].packets {
			n, _ := opus.Samples(p)
			if p[0]&4 != toc&4 { // RFC 6716 section 3.1
				t.Errorf("%02x: packet %d changes the channels", toc, i)
			}
			end += int64(n)
			if i == len(streams[0].packets)-1 {
				end += 7 // shorter than any packet
			}
			if streams[0].granules[i] != end {
				t.Fatalf("%02x: packet %d ends at %d, want %d", toc, i, streams[0].granules[i], end)
			}
		}
		if n := len(streams[0].packets); n != 2+50+3 {
			t.Errorf("%02x: %d packets", toc, n)
		}
	}
}

// What is refused leaves the stream as it was.
func TestRefused(t *testing.T) {
	out := &bytes.Buffer{}
	w := NewWriter(out, Options{})
	must(t, w.Packet(1, "a", "Ana", 9600, celt(9)))
	for _, test := range []struct {
		timestamp uint32
		packet    []byte
		want      error
	}{
		{9600, celt(9), ErrOrder},
		{8640, celt(9), ErrOrder},
		{10560, nil, opus.ErrEmpty},
		{10560, []byte{3}, opus.ErrMalformed},
		{10560, append([]byte{31<<3 | 1}, make([]byte, protocol.MaxPacketBytes/2*2)...), protocol.ErrLarge}, // two frames
	} {
		if err := w.Packet(1, "a", "Ana", test.timestamp, test.packet); !errors.Is(err, test.want) {
			t.Errorf("at %d: %v, want %v", test.timestamp, err, test.want)
		}
	}
	must(t, w.Packet(1, "a", "Ana", 10560, celt(8)))
	must(t, w.Close())
	if err := w.Packet(1, "a", "Ana", 20000, celt(8)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	must(t, w.Close())
	streams, _ := demux(t, out.Bytes())
	same(t, streams[0], [][]byte{celt(9), celt(8)})
}

func TestNobodySpoke(t *testing.T) {
	out := &bytes.Buffer{}
	w := NewWriter(out, Options{})
	must(t, w.Flush())
	must(t, w.Close())
	if out.Len() != 0 {
		t.Errorf("%d bytes", out.Len())
	}
}

// What has been written is whole pages, at most pageSpan behind, and what lags
// is there after Flush.
func TestWhileBeingWritten(t *testing.T) {
	c, out := newClock(), &bytes.Buffer{}
	w := NewWriter(out, c.options())
	a, b := newVoice(1), newVoice(2)
	b.speak(t, w)
	for range 200 {
		d := a.speak(t, w)
		streams, _ := demux(t, out.Bytes())
		written := int64(0)
		if n := len(streams[0].granules); n > 0 {
			written = streams[0].granules[n-1]
		}
		if lag := a.ends[len(a.ends)-1] - written; streams[0].serial == 1 && lag >= samplesOf(pageSpan) {
			t.Fatalf("%d samples behind", lag)
		}
		c.pass(d)
	}
	streams, _ := demux(t, out.Bytes())
	for _, s := range streams {
		if s.serial == 2 {
			same(t, s, b.sent)
		}
	}
	must(t, w.Flush())
	streams, _ = demux(t, out.Bytes())
	n := 0
	for _, s := range streams {
		n += len(s.packets)
	}
	if n != len(a.sent)+len(b.sent) {
		t.Errorf("%d packets after Flush, want %d", n, len(a.sent)+len(b.sent))
	}
}

// A peer that speaks again, as a new source, goes on in its stream; one that
// speaks as two sources at once has two.
func TestSourcesOfAPeer(t *testing.T) {
	c, f := newClock(), file(t)
	w := NewWriter(f, c.at(f))
	must(t, w.Packet(1, "a", "Ana", 0, celt(3, 1)))
	c.pass(5 * time.Second)
	must(t, w.Packet(2, "a", "Ana", 77, celt(3, 2)))
	c.pass(20 * time.Millisecond)
	must(t, w.Packet(3, "a", "Ana", 0, celt(3, 3)))
	must(t, w.Close())
	streams, links := demux(t, content(t, f))
	if len(streams) != 2 || links != 1 {
		t.Fatalf("%d streams in %d links", len(streams), links)
	}
	same(t, streams[0], [][]byte{celt(3, 1), celt(3, 2)})
	same(t, streams[1], [][]byte{celt(3, 3)})
	if want := []int64{960, 240960}; !slices.Equal(streams[0].granules, want) {
		t.Errorf("granule positions %v, want %v", streams[0].granules, want)
	}
}

// FuzzWriter feeds speakers' packets by a script of bytes; whatever comes of
// it is a file by the rules, which holds each packet once.
func FuzzWriter(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 250, 251, 252, 253, 254, 255}, uint8(0))
	f.Add([]byte{9, 9, 1, 130, 240, 255, 8, 77, 200, 1, 2}, uint8(3))
	f.Fuzz(func(t *testing.T, script []byte, way uint8) {
		c := newClock()
		o := Options{Now: c.Now, Gather: time.Duration(way>>4) * 100 * time.Millisecond}
		var out io.Writer
		buffer := &bytes.Buffer{}
		out = buffer
		if way&1 != 0 {
			seekable := &memory{}
			out, o.At = seekable, seekable
		}
		w := NewWriter(out, o)
		timestamps := map[uint32]uint32{}
		spoken := 0
		for i, b := range script {
			if i > 2000 {
				break
			}
			source := uint32(b&15) + 1
			c.pass(time.Duration(b>>4) * 30 * time.Millisecond)
			if b == 255 {
				must(t, w.Flush())
			}
			timestamps[source] += uint32(b>>4) * 960
			err := w.Packet(source, "p"+string(rune('0'+b&3)), "x", timestamps[source], celt(3, byte(i), byte(i>>8)))
			switch {
			case err == nil:
				spoken++
			case !errors.Is(err, ErrOrder):
				t.Fatal(err)
			}
		}
		must(t, w.Close())
		b := buffer.Bytes()
		if m, ok := out.(*memory); ok {
			b = m.b
		}
		streams, links := demux(t, b)
		if o.At != nil && links > 1 {
			t.Fatalf("%d links", links)
		}
		for _, s := range streams {
			spoken -= len(s.packets)
			if !s.ended {
				t.Fatalf("%08x has no end", s.serial)
			}
		}
		if spoken != 0 {
			t.Fatalf("%d packets missing", spoken)
		}
	})
}

// memory is a file without a disk.
type memory struct{ b []byte }

func (m *memory) Write(b []byte) (int, error) { m.b = append(m.b, b...); return len(b), nil }

func (m *memory) WriteAt(b []byte, at int64) (int, error) { return copy(m.b[at:], b), nil }

func BenchmarkWriter(b *testing.B) {
	w := NewWriter(io.Discard, Options{})
	p := celt(60)
	b.ReportAllocs()
	timestamp := uint32(0)
	for b.Loop() {
		if err := w.Packet(1, "a", "Ana", timestamp, p); err != nil {
			b.Fatal(err)
		}
		timestamp += 960
	}
}
