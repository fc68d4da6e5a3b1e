package link

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/earshot-audio/earshot/protocol"
)

// packets is a Config.Frame that keeps copies of what comes, while there is room.
type packets chan []byte

func (c packets) take(cfg *Config) {
	cfg.Frame = func(_ protocol.PeerID, packet []byte) {
		select {
		case c <- append([]byte(nil), packet...):
		default:
		}
	}
}

// wait gives the number in the next packet, or fails the test.
func (c packets) wait(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case p := <-c:
		return int(binary.BigEndian.Uint32(p))
	case <-time.After(within):
		t.Fatalf("no packet within %v", within)
		panic("unreachable")
	}
}

// numbered is a packet of usual size with a number in it.
func numbered(i int) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(i)), make([]byte, 176)...)
}

// framed is a pair of nodes with a link, that take packets.
func framed(t *testing.T, low, high host.Host, change ...func(*Config)) (a, b node, toA, toB packets) {
	t.Helper()
	toA, toB = make(packets, 4096), make(packets, 4096)
	a, b = run(t, low, append(change, toA.take)...), run(t, high, append(change, toB.take)...)
	a.Want(info(high))
	a.wait(t, "up", 5*time.Second)
	b.wait(t, "up", 5*time.Second)
	return a, b, toA, toB
}

func TestFramesBothWays(t *testing.T) {
	for name, listen := range transports {
		t.Run(name, func(t *testing.T) {
			low, high := pair(t, listen...)
			a, b, toA, toB := framed(t, low, high)
			if s, _ := a.Peer(high.ID()); s.Frames.Open {
				t.Error("a stream before the first packet")
			}
			for i := range 300 {
				if !a.Frames(high.ID()).Send(numbered(i)) || !b.Frames(low.ID()).Send(numbered(-i)) {
					t.Fatal("dropped:", i)
				}
			}
			for i := range 300 {
				if got := toB.wait(t, time.Second); got != i {
					t.Fatalf("packet %d is %d", i, got)
				}
				if got := toA.wait(t, time.Second); int32(got) != int32(-i) {
					t.Fatalf("packet %d is %d", -i, got)
				}
			}
			s, _ := a.Peer(high.ID())
			if f := s.Frames; !f.Open || f.Circuit || f.Transport == "" || f.Sent != 300 || f.Taken != 300 || f.Dropped != 0 {
				t.Errorf("%+v", f)
			}
			if c := b.Counts(); c.FramesSent != 300 || c.FramesTaken != 300 || c.FramesDropped != 0 || c.FramesRefused != 0 {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestFramesEndWithTheirLink(t *testing.T) {
	low, high := pair(t)
	a, b, _, toB := framed(t, low, high)
	f := a.Frames(high.ID())
	f.Send(numbered(1))
	toB.wait(t, time.Second)
	b.stop()
	a.wait(t, "down", time.Second)
	if f.Send(numbered(2)) {
		t.Error("taken after the end")
	}
	if a.Frames(high.ID()) != nil {
		t.Error("frames without a link")
	}
}

// frames opens a stream of packets by hand.
func frames(t *testing.T, from, to host.Host) network.Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := from.Connect(ctx, info(to)); err != nil {
		t.Fatal(err)
	}
	s, err := from.NewStream(ctx, to.ID(), protocol.FramesStream)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Reset() })
	return s
}

func TestStreamsOfFramesRefused(t *testing.T) {
	var flood []byte
	for range (frameBurst + 1) * int(framePackets) {
		flood = append(flood, 0, 0) // null packets
	}
	for _, c := range []struct {
		name string
		link bool
		send []byte
		ends bool // after what it sent
	}{
		{"no link", false, []byte{0, 1, 'x'}, false},
		{"oversized", true, binary.BigEndian.AppendUint16(nil, maxFrameBytes+1), false},
		{"cut off", true, []byte{0, 10, 'x'}, true},
		{"flood", true, flood, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			low, high := pair(t)
			toA := make(packets, 16)
			a := run(t, low, toA.take)
			if c.link {
				approach(t, high, low, true).drain()
				a.wait(t, "up", 5*time.Second)
			}
			s := frames(t, high, low)
			s.Write(c.send) // may fail half way
			if c.ends {
				s.CloseWrite()
			}
			if _, err := s.Read(make([]byte, 1)); err == nil {
				t.Error("not refused")
			}
			eventually(t, time.Second, "counted", func() bool { return a.Counts().FramesRefused == 1 })
			if len(toA) > 0 {
				t.Error("a packet was taken")
			}
		})
	}
}

// TestNewerStreamOfFrames: what the older one holds comes first.
func TestNewerStreamOfFrames(t *testing.T) {
	low, high := pair(t)
	toA := make(packets, 16)
	a := run(t, low, toA.take)
	approach(t, high, low, true).drain()
	a.wait(t, "up", 5*time.Second)
	frame := func(i int) []byte {
		p := numbered(i)
		return append(binary.BigEndian.AppendUint16(nil, uint16(len(p))), p...)
	}
	older, newer := frames(t, high, low), frames(t, high, low)
	older.Write(frame(1))
	if toA.wait(t, time.Second) != 1 {
		t.Fatal("another packet")
	}
	newer.Write(frame(3))
	older.Write(frame(2))
	for want := 2; want <= 3; want++ {
		if got := toA.wait(t, time.Second); got != want {
			t.Errorf("packet %d, want %d", got, want)
		}
	}
	if _, err := older.Read(make([]byte, 1)); err == nil {
		t.Error("the older stream goes on")
	}
}

// TestStalledFrames: a far side that does not read makes packets drop, then the
// stream end; another is opened.
func TestStalledFrames(t *testing.T) {
	t.Parallel()
	for name, listen := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			low, high := pair(t, listen...)
			a, b := run(t, low), run(t, high)
			opened := make(chan network.Stream, 16)
			high.SetStreamHandler(protocol.FramesStream, func(s network.Stream) { opened <- s })
			a.Want(info(high))
			a.wait(t, "up", 5*time.Second)
			b.wait(t, "up", 5*time.Second)
			f := a.Frames(high.ID())
			began := time.Now()
			eventually(t, 2*maxFrameStall, "a second stream", func() bool {
				for range 20 {
					f.Send(make([]byte, maxFrameBytes))
				}
				return len(opened) == 2
			})
			if took := time.Since(began); took < maxFrameStall || f.state().Dropped == 0 {
				t.Errorf("after %v: %+v", took, f.state())
			}
			for len(opened) > 0 {
				(<-opened).Reset()
			}
		})
	}
}

func TestSendingFramesAllocatesNothing(t *testing.T) {
	low, high := pair(t)
	a, _, _, _ := framed(t, low, high)
	f, packet := a.Frames(high.ID()), numbered(1)
	var b backlog
	batch := make([]byte, 0, batchBytes)
	now := time.Now()
	if n := testing.AllocsPerRun(1000, func() {
		b.push(packet, now)
		b.push(packet, now)
		batch, _, _ = b.take(batch[:0], now)
	}); n != 0 {
		t.Errorf("%v allocations in the backlog", n)
	}
	if f.Send(nil) || f.Send(make([]byte, maxFrameBytes+1)) {
		t.Error("taken")
	}
}

func BenchmarkFramesSend(b *testing.B) {
	low, high := pair(b)
	got := make(chan struct{}, 1)
	n := run(b, low)
	far := run(b, high, func(c *Config) {
		c.Frame = func(protocol.PeerID, []byte) {
			select {
			case got <- struct{}{}:
			default:
			}
		}
	})
	n.Want(info(high))
	<-n.inbox
	<-far.inbox
	f, packet := n.Frames(high.ID()), numbered(1)
	b.ReportAllocs()
	for b.Loop() {
		f.Send(packet)
	}
	<-got
}
