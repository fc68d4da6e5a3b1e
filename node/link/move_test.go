package link

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// chatter sends numbered messages to a peer until stop is called, which says how
// many.
func chatter(t *testing.T, from node, to protocol.PeerID, every time.Duration) (stop func() int) {
	t.Helper()
	quit, sent := make(chan struct{}), make(chan int)
	go func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for n := 0; ; {
			select {
			case <-ticker.C:
				if from.Send(to, feed(fmt.Sprint(n))) {
					n++
				}
			case <-quit:
				sent <- n
				return
			}
		}
	}()
	return func() int { close(quit); return <-sent }
}

// heard takes what happened, up to so many messages: they must be numbered in
// order, and nothing else may have happened than moves, which it counts.
func (i inbox) heard(t *testing.T, messages int, within time.Duration) (moves int) {
	t.Helper()
	for n, timeout := 0, time.After(within); n < messages; {
		select {
		case h := <-i:
			switch h.what {
			case "moved":
				moves++
			case "message":
				if got := string(h.message.GetFeed().Message); got != fmt.Sprint(n) {
					t.Fatalf("message %d is %s", n, got)
				}
				n++
			default:
				t.Fatalf("%s after %d messages: %v", h.what, n, h.err)
			}
		case <-timeout:
			t.Fatalf("%d messages of %d", n, messages)
		}
	}
	return moves
}

// TestLinkLeavesCircuit: when there is a direct connection the link goes on
// there, and the packets do; nothing is lost, and the relay is not needed.
func TestLinkLeavesCircuit(t *testing.T) {
	t.Parallel()
	through, near, far := newRelay(t), newHome(t, transports["quic"]...), newHome(t, transports["quic"]...)
	toA, toB := make(packets, 4096), make(packets, 4096)
	a, b := run(t, near, usual, toA.take), run(t, far, usual, toB.take)
	a.Want(reserve(t, far, through))
	a.wait(t, "up", 5*time.Second)
	b.wait(t, "up", time.Second)
	before, _ := a.Peer(far.ID())
	if !before.Circuit {
		t.Fatal("no circuit")
	}
	stopA, stopB := chatter(t, a, far.ID(), 5*time.Millisecond), chatter(t, b, near.ID(), 5*time.Millisecond)
	frames := a.Frames(far.ID())
	frames.Send(numbered(0))
	if toB.wait(t, time.Second) != 0 {
		t.Error("another packet")
	}

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := near.Connect(network.WithForceDirectDial(ctx, "test"), info(far)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	eventually(t, 3*time.Second, "the move", func() bool {
		x, _ := a.Peer(far.ID())
		y, _ := b.Peer(near.ID())
		return !x.Circuit && !y.Circuit && x.Since == before.Since
	})
	t.Log("moved after", time.Since(began))
	packets := 1
	eventually(t, 3*time.Second, "packets going there", func() bool {
		frames.Send(numbered(packets))
		packets++
		s, _ := a.Peer(far.ID())
		return s.Frames.Open && !s.Frames.Circuit
	})
	for i := 1; i < packets; i++ {
		if got := toB.wait(t, time.Second); got != i {
			t.Errorf("packet %d is %d", i, got)
		}
	}
	through.Close()
	time.Sleep(200 * time.Millisecond)
	sentA, sentB := stopA(), stopB()
	if x, y := a.heard(t, sentB, time.Second), b.heard(t, sentA, time.Second); x != 1 || y != 1 {
		t.Errorf("moved %d and %d times", x, y)
	}
	if c := a.Counts(); c.Moved != 1 || c.Blocked != 0 || c.Down != 0 {
		t.Errorf("%+v", c)
	}
}

// TestLinkFallsBack: when the direct connection is closed the link goes on
// through the circuit that is still there.
func TestLinkFallsBack(t *testing.T) {
	t.Parallel()
	through, near, far := newRelay(t), newHome(t, transports["tcp"]...), newHome(t, transports["tcp"]...)
	a, b := run(t, near, usual), run(t, far, usual)
	a.Want(reserve(t, far, through))
	a.wait(t, "up", 5*time.Second)
	b.wait(t, "up", time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := near.Connect(network.WithForceDirectDial(ctx, "test"), info(far)); err != nil {
		t.Fatal(err)
	}
	a.wait(t, "moved", 3*time.Second)
	b.wait(t, "moved", time.Second)
	stopA, stopB := chatter(t, a, far.ID(), 5*time.Millisecond), chatter(t, b, near.ID(), 5*time.Millisecond)
	for _, c := range near.Network().ConnsToPeer(far.ID()) {
		if !circuit(c) {
			c.Close()
		}
	}
	eventually(t, time.Second, "the way back", func() bool {
		x, _ := a.Peer(far.ID())
		y, _ := b.Peer(near.ID())
		return x.Circuit && y.Circuit && len(a.inbox) > 10 && len(b.inbox) > 10
	})
	sentA, sentB := stopA(), stopB()
	if x, y := a.heard(t, sentB, time.Second), b.heard(t, sentA, time.Second); x != 1 || y != 1 {
		t.Errorf("moved %d and %d times", x, y)
	}
}

// dam is a UDP socket through which nothing comes or goes while cut is set.
type dam struct {
	*net.UDPConn
	cut *atomic.Bool
}

func (d dam) WriteTo(b []byte, to net.Addr) (int, error) {
	if d.cut.Load() {
		return len(b), nil
	}
	return d.UDPConn.WriteTo(b, to)
}

func (d dam) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := d.UDPConn.ReadFrom(b)
		if err != nil || !d.cut.Load() {
			return n, from, err
		}
	}
}

// newDammedHost makes a host with QUIC and TCP whose UDP can be cut off.
func newDammedHost(t *testing.T) (host.Host, *atomic.Bool) {
	t.Helper()
	cut := new(atomic.Bool)
	var sockets *quicreuse.ConnManager
	h, err := libp2p.New(libp2p.Identity(newKey(t)),
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"),
		libp2p.QUICReuse(func(reset quic.StatelessResetKey, token quic.TokenGeneratorKey, opts ...quicreuse.Option) (m *quicreuse.ConnManager, err error) {
			sockets, err = quicreuse.NewConnManager(reset, token, append(opts, quicreuse.OverrideListenUDP(func(network string, at *net.UDPAddr) (net.PacketConn, error) {
				c, err := net.ListenUDP(network, at)
				return struct{ net.PacketConn }{dam{c, cut}}, err
			}))...)
			return sockets, err
		}),
		libp2p.EnableRelay(), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Close()
		sockets.Close()
	})
	return h, cut
}

// anyUDP is overUDP for tests, which don't leave the machine.
func anyUDP(c network.Conn) bool {
	_, err := c.RemoteMultiaddr().ValueForProtocol(multiaddr.P_UDP)
	return err == nil
}

// over gives the addresses of a peer that are over one transport.
func over(to peer.AddrInfo, transport int) peer.AddrInfo {
	to.Addrs = slices.DeleteFunc(slices.Clone(to.Addrs), func(a multiaddr.Multiaddr) bool {
		_, err := a.ValueForProtocol(transport)
		return err != nil
	})
	return to
}

// TestUDPBlocked: a link over QUIC whose UDP dies goes on over TCP, or through a
// relay over TCP, in time for speech, and nothing is lost.
func TestUDPBlocked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		far   []string // where the far side listens
		first func(direct, circuit peer.AddrInfo) peer.AddrInfo
		then  func(direct, circuit peer.AddrInfo) peer.AddrInfo // what is known besides
	}{
		{"direct, then direct", append(transports["quic"], transports["tcp"]...),
			func(direct, _ peer.AddrInfo) peer.AddrInfo { return over(direct, multiaddr.P_UDP) },
			func(direct, _ peer.AddrInfo) peer.AddrInfo { return direct }},
		{"direct, then circuit", transports["quic"],
			func(direct, _ peer.AddrInfo) peer.AddrInfo { return direct },
			func(_, circuit peer.AddrInfo) peer.AddrInfo { return circuit }},
		{"circuit, then circuit", nil,
			func(_, circuit peer.AddrInfo) peer.AddrInfo { return over(circuit, multiaddr.P_UDP) },
			func(_, circuit peer.AddrInfo) peer.AddrInfo { return circuit }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			near, cut := newDammedHost(t)
			far, through := newHome(t, c.far...), newRelay(t, relay.WithInfiniteLimits())
			direct, circuit := info(far), reserve(t, far, through)
			if err := near.Connect(t.Context(), over(info(through), multiaddr.P_UDP)); err != nil {
				t.Fatal(err)
			}
			near.Peerstore().AddAddrs(through.ID(), through.Addrs(), peerstore.PermanentAddrTTL)
			survive(t, near, far, cut, c.first(direct, circuit), c.then(direct, circuit))
		})
	}
}

// survive has two hosts talk, cuts one's UDP off, and sees the link and its
// packets go on.
func survive(t *testing.T, near, far host.Host, cut *atomic.Bool, first, then peer.AddrInfo) {
	t.Helper()
	toA, toB := make(packets, 4096), make(packets, 4096)
	var came atomic.Uint64
	media := func(c *Config) {
		c.Media = func(protocol.PeerID) Media { return Media{Received: came.Load()} }
	}
	a, b := run(t, near, usual, media, toA.take), run(t, far, usual, media, toB.take)
	a.mayBlock, b.mayBlock = anyUDP, anyUDP
	a.Want(first)
	a.wait(t, "up", 5*time.Second)
	b.wait(t, "up", time.Second)
	near.Peerstore().AddAddrs(then.ID, then.Addrs, peerstore.PermanentAddrTTL)
	stopA, stopB := chatter(t, a, far.ID(), 20*time.Millisecond), chatter(t, b, near.ID(), 20*time.Millisecond)
	frames := b.Frames(near.ID())
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for i := range 25 {
		<-ticker.C
		frames.Send(numbered(i))
		if got := toA.wait(t, time.Second); got != i {
			t.Errorf("packet %d is %d", i, got)
		}
		came.Add(1)
	}
	began := time.Now()
	cut.Store(true)
	eventually(t, 5*time.Second, "packets again", func() bool {
		frames.Send(numbered(1000))
		time.Sleep(15 * time.Millisecond)
		return len(toA) > 0
	})
	took := time.Since(began)
	if t.Logf("packets again after %v", took); took > 2*time.Second {
		t.Errorf("packets again after %v", took)
	}
	sentA, sentB := stopA(), stopB()
	if x, y := a.heard(t, sentB, 2*time.Second), b.heard(t, sentA, 2*time.Second); x != 1 || y != 1 {
		t.Errorf("moved %d and %d times", x, y)
	}
}

// TestMovesUnderFire cuts the network again and again while both sides talk: the
// link moves each time, and each message comes once and in order.
func TestMovesUnderFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		low, high, cut := distant(t)
		a, b := run(t, low, usual), run(t, high, usual)
		a.mayBlock, b.mayBlock = anyUDP, anyUDP
		a.Want(info(high))
		a.wait(t, "up", 5*time.Second)
		b.wait(t, "up", 5*time.Second)
		// A way that is never gone, so that there is another than UDP.
		low.Peerstore().AddAddr(high.ID(), multiaddr.StringCast("/ip4/1.0.0.9/tcp/1/p2p/"+low.ID().String()+"/p2p-circuit"), peerstore.PermanentAddrTTL)
		stopA, stopB := chatter(t, a, high.ID(), 100*time.Millisecond), chatter(t, b, low.ID(), 130*time.Millisecond)
		const cuts = 20
		for i := range cuts {
			time.Sleep(blockAgain + 5*time.Second + time.Duration(i)*37*time.Millisecond)
			cut.Store(true)
			time.Sleep(1100*time.Millisecond + time.Duration(i)*45*time.Millisecond)
			cut.Store(false)
		}
		time.Sleep(5 * time.Second)
		sentA, sentB := stopA(), stopB()
		x, y := a.heard(t, sentB, time.Second), b.heard(t, sentA, time.Second)
		t.Logf("moved %d and %d times; %d and %d messages", x, y, sentA, sentB)
		if x < cuts/2 || y < cuts/2 {
			t.Error("hardly moved")
		}
	})
}

// TestMovesRefused: a move of a link that is not there, or not like that, leaves
// things as they were; so does one after too many.
func TestMovesRefused(t *testing.T) {
	move := func(t *testing.T, from, to host.Host, h *pb.Hello) (stranger, error) {
		t.Helper()
		s := approach(t, from, to, false)
		h.Moves = true
		if err := New(Config{Host: from}).sayHello(s, h); err != nil {
			t.Fatal(err)
		}
		_, err := s.in.hello("")
		return s, err
	}
	low, high := pair(t)
	a := run(t, low, func(c *Config) { c.Dead = 10 * time.Second })
	if _, err := move(t, high, low, &pb.Hello{}); err == nil {
		t.Error("moved without a link")
	}
	s := approach(t, high, low, false)
	if err := New(Config{Host: high}).sayHello(s, &pb.Hello{Link: 7}); err != nil {
		t.Fatal(err)
	}
	s.drain()
	a.wait(t, "up", 5*time.Second)
	for name, h := range map[string]*pb.Hello{
		"another link":            {Link: 8},
		"took more than was sent": {Link: 7, Taken: 1},
	} {
		if _, err := move(t, high, low, h); err == nil {
			t.Error("moved:", name)
		}
	}
	a.none(t, 0)
	s.Write(raw(t, feed("still here")))
	a.wait(t, "message", time.Second)

	s, err := move(t, high, low, &pb.Hello{Link: 7})
	if err != nil {
		t.Fatal(err)
	}
	s.drain()
	a.wait(t, "moved", time.Second)
	s.Write(raw(t, feed("here now")))
	a.wait(t, "message", time.Second)
	moves := 1
	for err == nil {
		if _, err = move(t, high, low, &pb.Hello{Link: 7, Taken: 0}); err == nil {
			a.wait(t, "moved", time.Second)
			moves++
		}
	}
	if moves != moveBurst {
		t.Errorf("%d moves at once", moves)
	}
}

// TestOnlyTheOpenerMoves a link.
func TestOnlyTheOpenerMoves(t *testing.T) {
	low, high := pair(t)
	names := make(chan uint64, 1)
	high.SetStreamHandler(protocol.LinkStream, func(s network.Stream) {
		x := stranger{s, newReader(s)}
		if h, err := x.in.hello(""); err == nil {
			names <- h.Link
		}
		New(Config{Host: high}).sayHello(s, &pb.Hello{})
		<-x.drain()
	})
	a := run(t, low, func(c *Config) { c.Dead = 10 * time.Second })
	a.Want(info(high))
	a.wait(t, "up", 5*time.Second)
	s := approach(t, high, low, false)
	if err := New(Config{Host: high}).sayHello(s, &pb.Hello{Link: <-names, Moves: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.in.hello(""); err == nil {
		t.Error("moved by the other side")
	}
	a.none(t, 0)
}
