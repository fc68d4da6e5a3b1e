package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/node/web/client"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

func frame(packet string) *pb.LocalEvent {
	return &pb.LocalEvent{What: &pb.LocalEvent_Frame{Frame: &pb.LocalFrame{Source: 9, Packet: []byte(packet)}}}
}

// heard reads a listening to its end: the packets, then the JSON events.
func heard(t *testing.T, l *client.Listening) (packets []string, events []string) {
	t.Helper()
	for {
		e, err := l.Next()
		if err == io.EOF {
			return packets, events
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.GetFrame() != nil {
			packets = append(packets, string(e.GetFrame().GetPacket()))
			continue
		}
		var told struct{ Event string }
		if err := json.Unmarshal([]byte(e.GetEvent()), &told); err != nil {
			t.Fatalf("event %q: %v", e.GetEvent(), err)
		}
		events = append(events, told.Event)
	}
}

func TestListenUntilTheRoomCloses(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	l, err := c.Listen(t.Context(), "7k2m", true)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// Each event arrives at once, not with the next one.
	for _, packet := range []string{"one", "two"} {
		b.listening.events <- frame(packet)
		if e, err := l.Next(); err != nil || string(e.GetFrame().GetPacket()) != packet {
			t.Fatalf("got %v, %v", e, err)
		}
	}
	close(b.listening.events)
	if packets, events := heard(t, l); len(packets) != 0 || !slices.Equal(events, []string{"summary"}) {
		t.Fatalf("heard %q and %q at the end", packets, events)
	}
	if !slices.Equal(b.did, []string{"record 7k2m"}) {
		t.Errorf("did %q", b.did)
	}
}

func TestListenUntilItIsEnough(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	l, err := c.Listen(t.Context(), "7k2m", false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Enough()
	if _, events := heard(t, l); !slices.Equal(events, []string{"summary"}) {
		t.Fatalf("heard %q", events)
	}
	await(t, b.listening.closed)
}

func TestListenBreaksOff(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	b.listening.fault = unknownRoom
	close(b.listening.events)
	l, err := c.Listen(t.Context(), "7k2m", false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, events := heard(t, l); !slices.Equal(events, []string{"error", "summary"}) {
		t.Fatalf("heard %q", events)
	}
}

func TestListenerGoes(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	l, err := c.Listen(ctx, "7k2m", false)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	await(t, b.listening.closed)
	if _, err := l.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("Next after the end of its context: %v", err)
	}
}

func TestListenersEndWithTheNode(t *testing.T) {
	b := newBackend()
	server, stop := alone(t, b)
	c := client.New(server.Address(), token)
	l, err := c.Listen(t.Context(), "7k2m", false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	events, err := c.Events(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	b.speaking.refuse = 0
	speaking, err := c.Speak(t.Context(), "7k2m")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	stop()
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("Run took %v to end open streams", took)
	}
	await(t, b.listening.closed)
	await(t, b.speaking.closed)
	if _, said := heard(t, l); !slices.Equal(said, []string{"summary"}) {
		t.Errorf("the listener's last words: %q", said)
	}
	if _, err := speaking.Finish(); err != nil {
		t.Errorf("the speaker's end: %v", err)
	}
}

func TestSpeak(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	s, err := c.Speak(t.Context(), "7k2m")
	if err != nil {
		t.Fatal(err)
	}
	for i, packet := range []string{"a", "b", "c"} {
		if err := s.Packet([]byte(packet), time.Duration(i)*20*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	summary, err := s.Finish()
	if err != nil || summary.Frames != 3 {
		t.Fatalf("summary %+v, %v", summary, err)
	}
	if !slices.Equal(b.speaking.packets, []string{"a", "b", "c"}) {
		t.Errorf("spoke %q", b.speaking.packets)
	}
	if !slices.Equal(b.speaking.gaps, []time.Duration{0, 20 * time.Millisecond, 40 * time.Millisecond}) {
		t.Errorf("gaps %v", b.speaking.gaps)
	}
}

func TestSpeakIsStopped(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	b.speaking.refuse = 3
	s, err := c.Speak(t.Context(), "7k2m")
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = s.Packet([]byte("x"), 0)
	}
	if p, ok := errors.AsType[*protocol.Problem](err); !ok || p.Code != protocol.CodeNotOnStage {
		t.Errorf("the packet's error: %v", err)
	}
	summary, err := s.Finish()
	if summary.Frames != 3 || err == nil {
		t.Errorf("summary %+v, %v", summary, err)
	}
}

func TestSpeakIsRefused(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	b.fault = notOnStage
	_, err := c.Speak(t.Context(), "7k2m")
	if p, ok := errors.AsType[*protocol.Problem](err); !ok || p.Code != protocol.CodeNotOnStage {
		t.Fatalf("got %v", err)
	}
}

func TestSpeakerGoes(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := c.Speak(ctx, "7k2m")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Packet([]byte("a"), 0); err != nil {
		t.Fatal(err)
	}
	cancel()
	await(t, b.speaking.closed)
	if _, err := s.Finish(); !errors.Is(err, context.Canceled) {
		t.Errorf("Finish after the end of its context: %v", err)
	}
}

func TestSpeakTakesNoOddFrames(t *testing.T) {
	for name, packet := range map[string][]byte{
		"empty": {}, "too long": make([]byte, protocol.MaxPacketBytes+1), "far too long": make([]byte, 64<<10),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend()
			_, c := up(t, b)
			s, err := c.Speak(t.Context(), "7k2m")
			if err != nil {
				t.Fatal(err)
			}
			s.Packet([]byte("good"), 0)
			s.Packet(packet, 0)
			summary, err := s.Finish()
			if p, ok := errors.AsType[*protocol.Problem](err); !ok || p.Code != protocol.CodeBadRequest {
				t.Errorf("got %v", err)
			}
			if summary.Frames != 1 {
				t.Errorf("spoke %d frames of one good one", summary.Frames)
			}
		})
	}
}

var _ web.Backend = (*backend)(nil)
