package link

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// stranger is a peer that speaks the protocol by hand, and badly.
type stranger struct {
	network.Stream
	in *reader
}

// approach opens a stream to a node and says Hello if told to.
func approach(t *testing.T, from, to host.Host, hello bool) stranger {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := from.Connect(ctx, info(to)); err != nil {
		t.Fatal(err)
	}
	s, err := from.NewStream(ctx, to.ID(), protocol.LinkStream)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Reset() })
	x := stranger{s, newReader(s)}
	if hello {
		if err := New(Config{Host: from}).sayHello(s, &pb.Hello{}); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

// drain reads until the stream ends, so that nothing blocks.
func (s stranger) drain() chan error {
	done := make(chan error, 1)
	go func() {
		for {
			if _, err := s.in.next(); err != nil {
				done <- err
				return
			}
		}
	}()
	return done
}

func raw(t *testing.T, m *pb.LinkMessage) []byte {
	t.Helper()
	b, err := encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPeersThatMisbehaveAreCutOff(t *testing.T) {
	hello := raw(t, &pb.LinkMessage{What: &pb.LinkMessage_Hello{Hello: &pb.Hello{Version: protocol.Version}}})
	small := raw(t, &pb.LinkMessage{What: &pb.LinkMessage_Pong{Pong: &pb.Pong{}}})
	large := raw(t, feed(strings.Repeat("x", 15<<10)))
	repeat := func(b []byte, n int) []byte { return []byte(strings.Repeat(string(b), n)) }
	for _, c := range []struct {
		name  string
		send  []byte
		want  error
		count func(Counts) uint64
	}{
		{"garbage", []byte{3, 0xff, 0xff, 0xff}, protocol.ErrMalformed, func(c Counts) uint64 { return c.Malformed }},
		{"oversized", []byte{0x81, 0x80, 0x01}, protocol.ErrLarge, func(c Counts) uint64 { return c.Malformed }},
		{"endless length", repeat([]byte{0xff}, 20), protocol.ErrLarge, func(c Counts) uint64 { return c.Malformed }},
		{"second Hello", hello, protocol.ErrMalformed, func(c Counts) uint64 { return c.Malformed }},
		{"took more than was sent", raw(t, &pb.LinkMessage{What: &pb.LinkMessage_Ping{Ping: &pb.Ping{Taken: 1}}}), protocol.ErrMalformed, func(c Counts) uint64 { return c.Malformed }},
		{"flood of messages", repeat(small, 4*messageBurst), ErrFlood, func(c Counts) uint64 { return c.Floods }},
		{"flood of empty messages", repeat([]byte{0}, 4*messageBurst), ErrFlood, func(c Counts) uint64 { return c.Floods }},
		{"flood of bytes", repeat(large, 3*byteBurst/len(large)), ErrFlood, func(c Counts) uint64 { return c.Floods }},
	} {
		t.Run(c.name, func(t *testing.T) {
			low, high := pair(t)
			a := run(t, low)
			s := approach(t, high, low, true)
			a.wait(t, "up", 5*time.Second)
			ended := s.drain()
			s.Write(c.send) // may fail half way: it is cut off
			for h := range a.inbox {
				if h.what == "message" {
					continue
				}
				if h.what != "down" || !errors.Is(h.err, c.want) {
					t.Fatalf("%s: %v, want %v", h.what, h.err, c.want)
				}
				break
			}
			<-ended
			if n := c.count(a.Counts()); n != 1 {
				t.Errorf("counted %d times", n)
			}
			again := approach(t, high, low, true)
			if err := <-again.drain(); !errors.Is(err, ErrClosed) {
				t.Errorf("not held off: %v", err)
			}
			a.none(t, 0)
		})
	}
}

func TestGarbageInsteadOfHello(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]string{
		"garbage":         "\x03\xff\xff\xff",
		"web":             "GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: a browser that lost its way\r\n\r\n",
		"another message": string(raw(t, feed("hello"))),
		"huge agent": string(raw(t, &pb.LinkMessage{What: &pb.LinkMessage_Hello{
			Hello: &pb.Hello{Version: protocol.Version, Agent: strings.Repeat("x", maxAgentBytes+1)}}})),
		"agent that moves the cursor": string(raw(t, &pb.LinkMessage{What: &pb.LinkMessage_Hello{
			Hello: &pb.Hello{Version: protocol.Version, Agent: "\x1b[2J"}}})),
	} {
		t.Run(name, func(t *testing.T) {
			low, high := pair(t)
			a := run(t, low)
			s := approach(t, high, low, false)
			s.Write([]byte(send))
			<-s.drain()
			eventually(t, time.Second, "counted", func() bool { return a.Counts().Malformed == 1 })
			a.none(t, 0)
		})
	}
}

func TestOtherVersionRefused(t *testing.T) {
	low, high := pair(t)
	a := run(t, low)
	s := approach(t, high, low, false)
	s.Write(raw(t, &pb.LinkMessage{What: &pb.LinkMessage_Hello{Hello: &pb.Hello{Version: protocol.Version + 1}}}))
	m, err := s.in.next()
	if err != nil || m.GetHello().GetVersion() != protocol.Version {
		t.Errorf("not told which version: %v, %v", m, err)
	}
	s.CloseWrite()
	eventually(t, time.Second, "counted", func() bool { return a.Counts().OtherVersion == 1 })
	a.none(t, 0)
}

// TestUnknownMessage: what a newer version may add is no reason to hang up.
func TestUnknownMessage(t *testing.T) {
	low, high := pair(t)
	a := run(t, low)
	s := approach(t, high, low, true)
	s.drain()
	a.wait(t, "up", 5*time.Second)
	s.Write([]byte{4, 0xfa, 0x01, 0x01, 'x'}) // field 31, one byte
	s.Write(raw(t, feed("known")))
	a.wait(t, "message", time.Second)
	if n := a.Counts().UnknownMessages; n != 1 {
		t.Errorf("%d unknown messages", n)
	}
}

func TestSlowTakerAndSlowReader(t *testing.T) {
	low, high := pair(t)
	a := run(t, low, func(c *Config) { c.Events = make(inbox, 20) }) // takes ten messages
	b := run(t, high)
	b.Want(info(low))
	b.wait(t, "up", 5*time.Second)
	for i := range 20 {
		b.Send(low.ID(), feed(fmt.Sprint(i)))
	}
	if h := b.wait(t, "down", 2*time.Second); !errors.Is(h.err, ErrClosed) {
		t.Error(h.err)
	}
	eventually(t, time.Second, "full inbox counted", func() bool { return a.Counts().InboxFull == 1 })

	low, high = pair(t)
	a = run(t, low)
	approach(t, high, low, true) // never reads
	a.wait(t, "up", 5*time.Second)
	sent, big := 0, feed(strings.Repeat("x", 15<<10))
	for a.Send(high.ID(), big) {
		if sent++; sent > 100*outboxMessages {
			t.Fatal("an outbox without bounds")
		}
	}
	if h := a.wait(t, "down", 2*time.Second); !errors.Is(h.err, ErrOutboxFull) {
		t.Error(h.err)
	}
}

func TestSilentPeerIsDead(t *testing.T) {
	t.Parallel()
	low, high := pair(t)
	a := run(t, low)
	s := approach(t, high, low, true)
	s.drain() // reads, but neither pings nor answers
	a.wait(t, "up", 5*time.Second)
	began := time.Now()
	h := a.wait(t, "down", 2*time.Second)
	if took := time.Since(began); !errors.Is(h.err, ErrDead) || took < 900*time.Millisecond || took > 1900*time.Millisecond {
		t.Errorf("%v after %v, with Dead at 1 s", h.err, took)
	}
}

// TestDrop: what the rooms find out about a peer counts here too.
func TestDrop(t *testing.T) {
	t.Parallel()
	low, high := pair(t)
	a, b := run(t, low), run(t, high)
	b.Want(info(low))
	a.wait(t, "up", 5*time.Second)
	b.wait(t, "up", 5*time.Second)
	a.Drop(high.ID(), protocol.ErrSignature)
	h := a.wait(t, "down", time.Second)
	if !errors.Is(h.err, ErrDropped) || !errors.Is(h.err, protocol.ErrSignature) {
		t.Error(h.err)
	}
	b.wait(t, "down", time.Second)
	a.none(t, 1500*time.Millisecond) // b dials again, in vain
	if n := a.Counts().Refused; n == 0 {
		t.Error("nothing refused")
	}
}

// TestFarHostComesBack: the far side is killed, not stopped, and comes back at
// the same port.
func TestFarHostComesBack(t *testing.T) {
	t.Parallel()
	for name, listen := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			near := newHost(t, newKey(t), listen...)
			key := newKey(t)
			far := newHost(t, key, listen...)
			a, b := run(t, near), run(t, far)
			a.Want(info(far))
			a.wait(t, "up", 5*time.Second)
			b.wait(t, "up", 5*time.Second)
			addrs := far.Addrs()
			far.Close()
			began := time.Now()
			h := a.wait(t, "down", 2*time.Second)
			t.Logf("down after %v: %v", time.Since(began), h.err)
			b.stop()

			time.Sleep(1300 * time.Millisecond) // some redials fail
			far = newHost(t, key, addrs[0].String())
			b = run(t, far)
			began = time.Now()
			a.wait(t, "up", 3*time.Second)
			b.wait(t, "up", time.Second)
			took := time.Since(began)
			if t.Logf("up again after %v, %d dials", took, a.Counts().Dials); took > 2500*time.Millisecond {
				t.Errorf("up again after %v", took)
			}
			if !a.Send(far.ID(), feed("there?")) {
				t.Error("not sent")
			}
			b.wait(t, "message", time.Second)
		})
	}
}

// TestFarSideStartsAnew: a stream of a peer that has forgotten its link takes
// the old one's place.
func TestFarSideStartsAnew(t *testing.T) {
	t.Parallel()
	low, high := pair(t)
	a := run(t, low, func(c *Config) { c.Dead = 10 * time.Second })
	approach(t, high, low, true)
	a.wait(t, "up", 5*time.Second)
	approach(t, high, low, true)
	if h := a.wait(t, "down", time.Second); !errors.Is(h.err, ErrReplaced) {
		t.Error(h.err)
	}
	a.wait(t, "up", time.Second)
	a.none(t, 100*time.Millisecond)
	if n := len(a.Peers()); n != 1 {
		t.Errorf("%d links", n)
	}
}

// TestLateCrossing: the far side's own stream may arrive when the link that won
// over it is up already. It is refused; some seconds later it is believed.
func TestLateCrossing(t *testing.T) {
	t.Parallel()
	low, high := pair(t)
	high.SetStreamHandler(protocol.LinkStream, func(s network.Stream) {
		New(Config{Host: high}).sayHello(s, &pb.Hello{})
		<-stranger{s, newReader(s)}.drain()
	})
	a := run(t, low, func(c *Config) { c.Dead = 10 * time.Second })
	a.Want(info(high))
	a.wait(t, "up", 5*time.Second)
	up := time.Now()
	var reset *network.StreamError
	err := <-approach(t, high, low, true).drain()
	if !errors.As(err, &reset) || reset.ErrorCode != network.StreamSupplanted {
		t.Error("not refused as crossed:", err)
	}
	a.none(t, time.Until(up.Add(settle)))
	approach(t, high, low, true)
	a.wait(t, "down", time.Second)
	a.wait(t, "up", time.Second)
}

func TestMediaCountsTravel(t *testing.T) {
	low, high := pair(t)
	a := run(t, low)
	b := run(t, high, func(c *Config) {
		c.Media = func(p protocol.PeerID) Media { return Media{Received: 300, Lost: 100} }
	})
	a.Want(info(high))
	a.wait(t, "up", 5*time.Second)
	b.wait(t, "up", 5*time.Second)
	eventually(t, time.Second, "counts", func() bool {
		l, ok := a.Peer(high.ID())
		return ok && l.Far == Media{Received: 300, Lost: 100}
	})
}

func TestHandshakesAreBounded(t *testing.T) {
	low, high := pair(t)
	a := run(t, low)
	var held []stranger
	for range maxHandshakesOfPeer + 3 {
		s := approach(t, high, low, false)
		s.Write([]byte{200}) // one byte of a Hello, so that the handler runs
		held = append(held, s)
	}
	eventually(t, time.Second, "refusals", func() bool { return a.Counts().Refused == 3 })
	for _, s := range held {
		s.Reset()
	}
}
