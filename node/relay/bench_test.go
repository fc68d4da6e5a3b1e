package relay

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// counting is a sink that counts.
type counting struct{ frames int }

func (c *counting) Send(*protocol.Frame) bool { c.frames++; return true }
func (c *counting) Beat(protocol.Beat)        {}

// stage is a forwarder without a goroutine: the test does what Run would, on a
// clock of its own. Source 1 is open and bound by all its live sinks.
type stage struct {
	*Forwarder
	clock time.Duration
	frame protocol.Frame
	sink  counting
}

func newStage(sinks int) *stage {
	s := &stage{}
	s.Forwarder = New(Config{Now: func() time.Duration { return s.clock }})
	s.timer = time.NewTimer(never)
	s.timer.Stop()
	s.OpenSource(1, ana)
	s.drain()
	for i := range sinks {
		s.AddSink(SinkID(i), protocol.PeerID(fmt.Sprintf("12D3KooW%030d", i)), Live, &s.sink)
		s.Enable(SinkID(i), 1)
		s.drain()
	}
	s.frame = *frameOf(1, 0)
	s.frame.Packet = make([]byte, 80)
	return s
}

func (s *stage) drain() {
	for len(s.inbox) > 0 {
		s.take(<-s.inbox)
	}
}

// pass sends the source's next frame to all sinks.
func (s *stage) pass() {
	s.Push(ana, &s.frame)
	s.drain()
	s.clock += frameSpan
	s.frame.Timestamp += frameTicks
	s.frame.Counter++
}

func TestForwardAllocatesNothing(t *testing.T) {
	for _, sinks := range []int{1, 100} {
		s := newStage(sinks)
		for range 2 * inboxFrames { // each parcel and slot has its buffer then
			s.pass()
		}
		if got := testing.AllocsPerRun(1000, s.pass); got != 0 {
			t.Errorf("%d sinks: %v allocations a frame", sinks, got)
		}
		if want := sinks * s.sources[1].ring.n; s.sink.frames < want {
			t.Errorf("%d frames sent, want more than %d", s.sink.frames, want)
		}
	}
}

func TestFullInboxDrops(t *testing.T) {
	s := newStage(1)
	for range 3 * inboxFrames {
		s.Push(ana, &s.frame)
	}
	s.drain()
	s.Push(ana, &s.frame) // there is room again
	s.Heard(ana, protocol.Alive)
	s.drain()
	if got := s.snapshot().Dropped.Inbox; got != 2*inboxFrames {
		t.Errorf("%d dropped, want %d", got, 2*inboxFrames)
	}
}

func BenchmarkForward(b *testing.B) {
	for _, sinks := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("sinks=%d", sinks), func(b *testing.B) {
			s := newStage(sinks)
			for range 2 * inboxFrames {
				s.pass()
			}
			b.ReportAllocs()
			for b.Loop() {
				s.pass()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*sinks), "ns/sink")
		})
	}
}

// BenchmarkPush has many links push into one forwarder at work.
func BenchmarkPush(b *testing.B) {
	start := time.Now()
	f := New(Config{Now: func() time.Duration { return time.Since(start) }})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	f.OpenSource(1, ana)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		fr := frameOf(1, 0)
		fr.Packet = make([]byte, 80)
		for pb.Next() {
			f.Push(budi, fr)
		}
	})
	cancel()
	<-ended
}

// BenchmarkDuplicate is what a second parent costs.
func BenchmarkDuplicate(b *testing.B) {
	s := newStage(100)
	s.pass()
	last := s.frame
	last.Timestamp -= frameTicks
	b.ReportAllocs()
	for b.Loop() {
		s.Push(budi, &last)
		s.drain()
	}
}
