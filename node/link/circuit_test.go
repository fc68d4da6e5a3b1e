package link

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/multiformats/go-multiaddr"
)

// newHome makes a host that can use circuits; without addresses it listens
// nowhere.
func newHome(t testing.TB, listen ...string) host.Host {
	t.Helper()
	where := libp2p.NoListenAddrs
	if len(listen) > 0 {
		where = libp2p.ListenAddrStrings(listen...)
	}
	h, err := libp2p.New(libp2p.Identity(newKey(t)), where, libp2p.EnableRelay(), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// newRelay makes a host that serves circuits.
func newRelay(t testing.TB, opts ...relay.Option) host.Host {
	t.Helper()
	h := newHost(t, newKey(t))
	r, err := relay.New(h, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return h
}

// reserve has a host listen through a relay, and gives where it is found then.
func reserve(t testing.TB, h, through host.Host) peer.AddrInfo {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := client.Reserve(ctx, h, info(through)); err != nil {
		t.Fatal(err)
	}
	to := peer.AddrInfo{ID: h.ID()}
	circuit := multiaddr.StringCast("/p2p/" + through.ID().String() + "/p2p-circuit")
	for _, a := range through.Addrs() {
		to.Addrs = append(to.Addrs, a.Encapsulate(circuit))
	}
	return to
}

// TestCircuit: through a relay, and beside addresses that don't answer, a link
// comes up within about a second, and packets go both ways.
func TestCircuit(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]relay.Option{
		"unlimited": {relay.WithInfiniteLimits()},
		"limited":   nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			through, near, far := newRelay(t, opts...), newHome(t), newHome(t)
			toA, toB := make(packets, 4096), make(packets, 4096)
			a, b := run(t, near, usual, toA.take), run(t, far, usual, toB.take)
			to := reserve(t, far, through)
			to.Addrs = append(to.Addrs,
				multiaddr.StringCast("/ip4/192.0.2.1/udp/41641/quic-v1"), multiaddr.StringCast("/ip4/192.0.2.1/tcp/41641"),
				multiaddr.StringCast("/ip4/127.0.0.1/udp/9/quic-v1"), multiaddr.StringCast("/ip4/127.0.0.1/tcp/9"))
			began := time.Now()
			a.Want(to)
			a.wait(t, "up", 5*time.Second)
			took := time.Since(began)
			b.wait(t, "up", time.Second)
			if t.Logf("up after %v", took); took > 1500*time.Millisecond {
				t.Errorf("up after %v", took)
			}
			eventually(t, 3*time.Second, "round trips", func() bool {
				_, ok := a.RTT(far.ID())
				_, also := b.RTT(near.ID())
				return ok && also
			})
			const seconds = 3
			there, back := a.Frames(far.ID()), b.Frames(near.ID())
			ticker := time.NewTicker(20 * time.Millisecond)
			defer ticker.Stop()
			for i := range 50 * seconds {
				<-ticker.C
				there.Send(numbered(i))
				back.Send(numbered(i))
			}
			for i := range 50 * seconds {
				if x, y := toA.wait(t, time.Second), toB.wait(t, time.Second); x != i || y != i {
					t.Fatalf("packet %d is %d and %d", i, x, y)
				}
			}
			s, _ := a.Peer(far.ID())
			if !s.Circuit || !s.Frames.Circuit || s.Frames.Dropped != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}
