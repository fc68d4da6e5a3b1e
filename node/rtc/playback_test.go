package rtc

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// What is handed in comes out on the player's own clock, in order; of four who
// talk at once, three.
func TestPlaybackSwitchesTheLoudest(t *testing.T) {
	p := NewPlayback()
	packet := []byte{0xf8, 0xff, 0xfe} // 20 ms
	const rounds = 5
	for n := range uint32(rounds) {
		for source := protocol.Source(1); source <= 4; source++ {
			marks := protocol.Marks(0)
			if n == 0 {
				marks = protocol.Start
			}
			f := protocol.Frame{Source: source, Timestamp: 7000*uint32(source) + 960*n, Counter: uint16(n), Level: uint8(20 * source), Marks: marks, Packet: packet}
			if !p.Send(&f) {
				t.Fatal("dropped")
			}
		}
	}
	last := map[protocol.Source]uint32{}
	for range 3 * rounds {
		f, err := p.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if before, begun := last[f.Source]; begun && f.Timestamp != before+960 {
			t.Errorf("source %d: %d after %d", f.Source, f.Timestamp, before)
		}
		last[f.Source] = f.Timestamp
	}
	for source, at := range last {
		if at > uint32(protocol.ClockRate)*60 || source == 4 {
			t.Errorf("source %d is at %d", source, at)
		}
	}
	if len(last) != maxSlots {
		t.Errorf("heard %v", last)
	}
}

func TestPlaybackEnds(t *testing.T) {
	p := NewPlayback()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := p.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with nothing to hear: %v", err)
	}
	p.Close()
	p.Close()
	if _, err := p.Next(t.Context()); err != io.EOF {
		t.Errorf("after its end: %v", err)
	}
	if large := (protocol.Frame{Packet: make([]byte, protocol.MaxPacketBytes+1)}); p.Send(&large) {
		t.Error("took a frame that is too large")
	}
}

// Nobody who does not call Next holds a forwarder up.
func TestPlaybackDropsWhatDoesNotFit(t *testing.T) {
	p := NewPlayback()
	f := protocol.Frame{Source: 1, Packet: []byte{0xf8, 0xff, 0xfe}}
	for range inboxFrames {
		if !p.Send(&f) {
			t.Fatal("dropped before the inbox was full")
		}
	}
	if p.Send(&f) {
		t.Error("the inbox holds more than it should")
	}
}
