package link

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/earshot-audio/earshot/protocol"
)

var transports = map[string][]string{
	"quic": {"/ip4/127.0.0.1/udp/0/quic-v1"},
	"tcp":  {"/ip4/127.0.0.1/tcp/0"},
}

func TestMessagesBothWaysInOrder(t *testing.T) {
	for name, listen := range transports {
		t.Run(name, func(t *testing.T) {
			low, high := pair(t, listen...)
			a, b := run(t, low), run(t, high)
			a.Want(info(high))
			a.wait(t, "up", 5*time.Second)
			b.wait(t, "up", 5*time.Second)
			for i := range 200 {
				if !a.Send(high.ID(), feed(fmt.Sprint(i))) || !b.Send(low.ID(), feed(fmt.Sprint(-i))) {
					t.Fatal("not sent:", i)
				}
			}
			for i := range 200 {
				if got := string(b.wait(t, "message", time.Second).message.GetFeed().Message); got != fmt.Sprint(i) {
					t.Fatalf("message %d is %q", i, got)
				}
				if got := string(a.wait(t, "message", time.Second).message.GetFeed().Message); got != fmt.Sprint(-i) {
					t.Fatalf("message %d is %q", i, got)
				}
			}
			eventually(t, time.Second, "round trip", func() bool {
				x, ok := a.RTT(high.ID())
				y, also := b.RTT(low.ID())
				return ok && also && x < time.Second && y < time.Second
			})
			if p := a.Peers(); len(p) != 1 || p[0].Peer != high.ID() || p[0].Direction != network.DirOutbound || p[0].Agent != "earshot/test" {
				t.Errorf("peers: %+v", p)
			}
		})
	}
}

func TestSendWithoutLink(t *testing.T) {
	low, high := pair(t)
	a := run(t, low)
	if a.Send(high.ID(), feed("")) {
		t.Error("sent to nobody")
	}
	if _, ok := a.RTT(high.ID()); ok {
		t.Error("round trip to nobody")
	}
}

func TestByeIsHeard(t *testing.T) {
	for name, listen := range transports {
		t.Run(name, func(t *testing.T) {
			low, high := pair(t, listen...)
			a, b := run(t, low), run(t, high)
			a.Want(info(high))
			a.wait(t, "up", 5*time.Second)
			b.wait(t, "up", 5*time.Second)
			a.Send(high.ID(), feed("last words"))
			began := time.Now()
			a.stop()
			low.Close()
			if took := time.Since(began); took > time.Second {
				t.Errorf("stopping took %v", took)
			}
			if h := a.wait(t, "down", time.Second); !errors.Is(h.err, ErrStopped) {
				t.Errorf("this side: %v", h.err)
			}
			if h := b.wait(t, "message", time.Second); string(h.message.GetFeed().Message) != "last words" {
				t.Errorf("got %v", h.message)
			}
			if h := b.wait(t, "down", time.Second); !errors.Is(h.err, ErrBye) {
				t.Errorf("far side: %v", h.err)
			}
		})
	}
}

func TestBothOpenAtOnce(t *testing.T) {
	low, high := pair(t)
	for i := range 50 {
		a, b := run(t, low), run(t, high)
		a.Want(info(high))
		b.Want(info(low))
		a.wait(t, "up", 5*time.Second)
		b.wait(t, "up", 5*time.Second)
		a.Send(high.ID(), feed("a"))
		b.Send(low.ID(), feed("b"))
		a.wait(t, "message", time.Second)
		b.wait(t, "message", time.Second)
		if i%10 == 0 {
			a.none(t, 50*time.Millisecond)
			b.none(t, 50*time.Millisecond)
		}
		if len(a.Peers()) != 1 || len(b.Peers()) != 1 {
			t.Fatal("not one link")
		}
		x, y := a.Peers()[0].Direction, b.Peers()[0].Direction
		if x == y {
			t.Fatalf("round %d: both sides hold an %v stream", i, x)
		}
		a.stop()
		b.stop()
		if up := a.Counts().Up; up != 1 {
			t.Fatalf("round %d: %d links came up", i, up)
		}
		if i%2 == 0 { // half of the rounds dial anew
			low.Network().ClosePeer(high.ID())
			high.Network().ClosePeer(low.ID())
		}
	}
}

func TestOtherNetworkRefused(t *testing.T) {
	t.Parallel()
	low, high := pair(t)
	a, b := run(t, low), run(t, high, func(c *Config) { c.Network = "festival" })
	a.Want(info(high))
	eventually(t, 2*time.Second, "refusal known to both", func() bool {
		return errors.Is(a.Trouble(high.ID()), protocol.ErrNetwork) && b.Counts().OtherNetwork == 1
	})
	tried := a.Counts().Dials        // more than once, if the machine was slow
	a.none(t, 1500*time.Millisecond) // held off: no further attempt
	b.none(t, 0)
	if n := a.Counts().Dials; n != tried {
		t.Errorf("%d dials of a peer that is held off", n-tried)
	}
}

func TestReleasedLinkCloses(t *testing.T) {
	t.Parallel()
	low, high := pair(t)
	a, b := run(t, low), run(t, high)
	a.Want(info(high))
	a.wait(t, "up", 5*time.Second)
	b.wait(t, "up", 5*time.Second)
	b.Want(info(low)) // no second stream: there is a link
	a.Release(high.ID())
	a.none(t, 1500*time.Millisecond) // b wants it
	b.Release(low.ID())
	if h := a.wait(t, "down", 2*time.Second); !errors.Is(h.err, ErrReleased) {
		t.Errorf("dialler: %v", h.err)
	}
	if h := b.wait(t, "down", 2*time.Second); !errors.Is(h.err, ErrClosed) {
		t.Errorf("other side: %v", h.err)
	}
	a.none(t, 1200*time.Millisecond) // nobody redials
}
