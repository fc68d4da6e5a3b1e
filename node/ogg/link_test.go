package ogg

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol/opus"
)

// In a file, each speaker has one stream in one link, whenever they begin.
func TestLateSpeakersInAFile(t *testing.T) {
	c, f := newClock(), file(t)
	w := NewWriter(f, c.at(f))
	var voices []*voice
	began := map[uint32]int64{}
	start := c.now
	for i := range 30 {
		voices = append(voices, newVoice(uint32(1+i)))
		began[uint32(1+i)] = samplesOf(c.now.Sub(start))
		for range 20 {
			for _, v := range voices {
				v.speak(t, w)
			}
			c.pass(20 * time.Millisecond)
		}
		if i%8 == 0 {
			demux(t, content(t, f))
		}
	}
	must(t, w.Close())
	streams, links := demux(t, content(t, f))
	if len(streams) != len(voices) || links != 1 {
		t.Fatalf("%d streams in %d links", len(streams), links)
	}
	for i, s := range streams {
		same(t, s, voices[i].sent)
		first, _ := opus.Samples(s.packets[0])
		if got := s.granules[0] - int64(first); s.serial != voices[i].source || got != began[s.serial] {
			t.Errorf("stream %d begins at %d, want %d", s.serial, got, began[s.serial])
		}
	}
}

// Names of all lengths make first pages of all sizes.
func TestFirstPagesFitTheirRoom(t *testing.T) {
	for n := range 300 {
		c, f := newClock(), file(t)
		w := NewWriter(f, c.at(f))
		must(t, w.Packet(1, "a", strings.Repeat("a", n%7), 0, celt(3)))
		must(t, w.Packet(2, "b", strings.Repeat("b", n), 0, celt(4)))
		must(t, w.Packet(3, "c", "", 0, celt(5)))
		must(t, w.Close())
		if streams, links := demux(t, content(t, f)); len(streams) != 3 || links != 1 {
			t.Fatalf("name of %d bytes: %d streams in %d links", n, len(streams), links)
		}
		f.Close()
	}
}

// When the room at the start is used up, a new link has more.
func TestMoreSpeakersThanRoom(t *testing.T) {
	c, f := newClock(), file(t)
	w := NewWriter(f, c.at(f))
	var sent [100][]byte
	for i := range sent {
		sent[i] = celt(3, byte(i))
		must(t, w.Packet(uint32(i+1), string(rune('a'+i)), "somebody", 0, sent[i]))
		c.pass(time.Second)
	}
	must(t, w.Close())
	streams, links := demux(t, content(t, f))
	if links < 2 || links > 4 {
		t.Errorf("%d links", links)
	}
	var got [][]byte
	for _, s := range streams {
		got = append(got, s.packets...)
	}
	slices.SortFunc(got, func(a, b []byte) int { return int(a[1]) - int(b[1]) })
	if !slices.EqualFunc(got, sent[:], bytes.Equal) {
		t.Errorf("%d packets of %d", len(got), len(sent))
	}
}

// In a pipe, those who speak at once share the first link; who comes later begins
// another, and the timeline goes on.
func TestLateSpeakersInAPipe(t *testing.T) {
	c, out := newClock(), &bytes.Buffer{}
	o := c.options()
	o.Gather = 100 * time.Millisecond
	w := NewWriter(out, o)
	must(t, w.Packet(1, "a", "Ana", 0, celt(3, 1)))
	c.pass(20 * time.Millisecond)
	must(t, w.Packet(2, "b", "Budi", 0, celt(3, 3)))
	c.pass(20 * time.Millisecond)
	must(t, w.Packet(3, "c", "Citra", 0, celt(3, 2)))
	if out.Len() != 0 {
		t.Fatalf("%d bytes too early", out.Len())
	}
	c.pass(80 * time.Millisecond)
	must(t, w.Flush())
	if _, links := demux(t, out.Bytes()); links != 1 {
		t.Fatalf("%d links", links)
	}
	c.pass(time.Second)
	must(t, w.Packet(4, "d", "Dewi", 0, celt(3, 4)))
	must(t, w.Packet(1, "a", "Ana", 53760, celt(3, 5)))
	must(t, w.Close())
	streams, links := demux(t, out.Bytes())
	if links != 2 || len(streams) != 3+4 {
		t.Fatalf("%d streams in %d links", len(streams), links)
	}
	same(t, streams[0], [][]byte{celt(3, 1)})
	same(t, streams[1], [][]byte{celt(3, 3)})
	same(t, streams[2], [][]byte{celt(3, 2)})
	same(t, streams[3], [][]byte{celt(3, 5)})
	same(t, streams[6], [][]byte{celt(3, 4)})
	if got := streams[3].granules[0]; got != 54720 {
		t.Errorf("Ana goes on at %d", got)
	}
	if got := streams[6].granules[0]; got != 53760+960 {
		t.Errorf("Dewi begins with %d", got)
	}
}

func TestAppendingFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "recording.ogg")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer f.Close()
	c := newClock()
	w := NewWriter(f, c.at(f))
	must(t, w.Packet(1, "a", "Ana", 0, celt(3, 1)))
	must(t, w.Packet(2, "b", "Budi", 0, celt(3, 2)))
	must(t, w.Close())
	if streams, links := demux(t, content(t, f)); links != 2 || len(streams) != 3 {
		t.Errorf("%d streams in %d links", len(streams), links)
	}
}
