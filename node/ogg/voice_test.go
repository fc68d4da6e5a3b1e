package ogg

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol/opus"
)

// clock is a time that tests move.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{now: time.Unix(1_800_000_000, 0)} }

func (c *clock) Now() time.Time        { return c.now }
func (c *clock) pass(d time.Duration)  { c.now = c.now.Add(d) }
func (c *clock) options() Options      { return Options{Now: c.Now} }
func (c *clock) at(f *os.File) Options { return Options{Now: c.Now, At: f} }

// celt gives a packet of 20 ms that nobody listens to: fill, and n zeros.
func celt(n int, fill ...byte) []byte {
	return append(append([]byte{31 << 3}, fill...), make([]byte, n)...)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file is one to write to, and content what it holds.
func file(t testing.TB) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "recording.ogg"))
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func content(t testing.TB, f *os.File) []byte {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	must(t, err)
	return b
}

// voice makes packets of all sizes and durations that frames have.
type voice struct {
	random    *rand.Rand
	source    uint32
	timestamp uint32
	sent      [][]byte
	ends      []int64 // in samples after the first one's start
}

func newVoice(source uint32) *voice {
	return &voice{random: rand.New(rand.NewPCG(1, uint64(source))), source: source, timestamp: source * 7919}
}

func (v *voice) speak(t testing.TB, w *Writer) time.Duration {
	t.Helper()
	toc := []byte{31 << 3, 30 << 3, 9 << 3, 11<<3 | 4, 13 << 3}[v.random.IntN(5)]
	p := append([]byte{toc}, make([]byte, v.random.IntN(opus.MaxFrameBytes))...)
	for i := range p[1:] {
		p[1+i] = byte(v.random.Uint32())
	}
	must(t, w.Packet(v.source, "peer"+string(rune('a'+v.source)), "name", v.timestamp, p))
	samples, _ := opus.Samples(p)
	end := int64(samples)
	if len(v.ends) > 0 {
		end += v.ends[len(v.ends)-1]
	}
	v.sent, v.ends = append(v.sent, p), append(v.ends, end)
	v.timestamp += uint32(samples)
	d, _ := opus.Duration(p)
	return d
}

// same checks that a stream of a file holds what was spoken.
func same(t testing.TB, s *heard, sent [][]byte) {
	t.Helper()
	if !slices.EqualFunc(s.packets, sent, bytes.Equal) {
		t.Fatalf("stream %08x has %d packets, not the %d that were spoken", s.serial, len(s.packets), len(sent))
	}
}
