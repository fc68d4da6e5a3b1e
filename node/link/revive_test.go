package link

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multiaddr"
)

// TestSlowRelaysKeepTheirConnections has a peer that fell silent name relays: one
// that answers late, as it always did, and one that does not answer any more.
func TestSlowRelaysKeepTheirConnections(t *testing.T) {
	t.Parallel()
	near, slow, dead := newHome(t, transports["quic"]...), newHome(t, transports["quic"]...), newHome(t, transports["quic"]...)
	answers := func(h host.Host, after func() <-chan time.Time) {
		h.SetStreamHandler(ping.ID, func(s network.Stream) {
			defer s.Reset()
			for b := make([]byte, ping.PingSize); ; {
				if _, err := io.ReadFull(s, b); err != nil {
					return
				}
				select {
				case <-after():
				case <-t.Context().Done():
					return
				}
				if _, err := s.Write(b); err != nil {
					return
				}
			}
		})
	}
	var silent atomic.Bool
	answers(slow, func() <-chan time.Time { return time.After(doubt + 200*time.Millisecond) })
	answers(dead, func() <-chan time.Time {
		if silent.Load() {
			return nil
		}
		return time.After(0)
	})
	l := New(Config{Host: near})
	l.mayBlock = func(network.Conn) bool { return true }
	enemy, err := peer.IDFromPrivateKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []host.Host{slow, dead} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := near.Connect(ctx, info(h)); err != nil {
			t.Fatal(err)
		}
		if r := <-ping.Ping(ctx, near, h.ID()); r.Error != nil {
			t.Fatal(r.Error)
		}
		near.Peerstore().AddAddr(enemy, h.Addrs()[0].Encapsulate(multiaddr.StringCast("/p2p/"+h.ID().String()+"/p2p-circuit")), time.Hour)
	}
	silent.Store(true)
	l.revive(t.Context(), enemy)
	for _, h := range []host.Host{slow, dead} {
		if there := near.Network().Connectedness(h.ID()) == network.Connected; there != (h == slow) {
			t.Errorf("the slow one: %v, still connected: %v", h == slow, there)
		}
	}
}
