package link

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	"github.com/quic-go/quic-go"
)

// here is where a simulated host sends from.
type here net.IP

func (h here) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) { return net.IP(h), nil }

// newSimulatedHost makes a host with QUIC on a simulated network.
func newSimulatedHost(t *testing.T, sim *simnet.Simnet, ip string) host.Host {
	t.Helper()
	var sockets *quicreuse.ConnManager
	speed := simnet.LinkSettings{BitsPerSecond: 20_000_000}
	h, err := libp2p.New(
		libp2p.Identity(newKey(t)),
		libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", ip)),
		libp2p.QUICReuse(
			func(reset quic.StatelessResetKey, token quic.TokenGeneratorKey, opts ...quicreuse.Option) (m *quicreuse.ConnManager, err error) {
				sockets, err = quicreuse.NewConnManager(reset, token, opts...)
				return sockets, err
			},
			quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return here(net.ParseIP(ip)), nil }),
			quicreuse.OverrideListenUDP(func(_ string, at *net.UDPAddr) (net.PacketConn, error) {
				return sim.NewEndpoint(at, simnet.NodeBiDiLinkSettings{Downlink: speed, Uplink: speed}), nil
			}),
		),
		libp2p.DisableIdentifyAddressDiscovery(), // it stalls in a bubble
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableMetrics(),
		libp2p.DisableRelay(),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Close()
		sockets.Close()
	})
	return h
}

// distant gives two hosts 100 ms of simulated network apart, the one with the
// lower peer ID first. While cut is set, what they send is lost.
func distant(t *testing.T) (low, high host.Host, cut *atomic.Bool) {
	t.Helper()
	cut = new(atomic.Bool)
	const oneWay, never = 100 * time.Millisecond, 1000 * time.Hour
	sim := &simnet.Simnet{LatencyFunc: func(*simnet.Packet) time.Duration {
		if cut.Load() {
			return never
		}
		return oneWay
	}}
	t.Cleanup(sim.Close)
	low, high = newSimulatedHost(t, sim, "1.0.0.1"), newSimulatedHost(t, sim, "1.0.0.2")
	sim.Start()
	if high.ID() < low.ID() {
		low, high = high, low
	}
	return low, high, cut
}

// TestCrossing opens from both ends, the second at every moment of the first
// one's handshakes: libp2p's, multistream's and ours.
func TestCrossing(t *testing.T) {
	for offset := -1200 * time.Millisecond; offset <= 1200*time.Millisecond; offset += 60 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			low, high, _ := distant(t)
			a, b := run(t, low), run(t, high)
			time.AfterFunc(2*time.Second, func() { a.Want(info(high)) })
			time.AfterFunc(2*time.Second+offset, func() { b.Want(info(low)) })
			time.Sleep(10 * time.Second)
			synctest.Wait()
			x, y := a.Counts(), b.Counts()
			if x.Up != 1 || y.Up != 1 || x.Down != 0 || y.Down != 0 {
				t.Errorf("offset %v: links up %d and %d, down %d and %d", offset, x.Up, y.Up, x.Down, y.Down)
			}
			if rtt, ok := a.RTT(high.ID()); !ok || rtt < 200*time.Millisecond || rtt > 220*time.Millisecond {
				t.Errorf("offset %v: round trip %v", offset, rtt)
			}
		})
	}
}

// TestPartition: both sides notice within Dead, and find each other soon after.
func TestPartition(t *testing.T) {
	for length, within := range map[time.Duration]time.Duration{
		4 * time.Second:  4 * time.Second,
		20 * time.Second: 4 * time.Second,
		2 * time.Minute:  longestRedial + 4*time.Second, // both redial: one is early
	} {
		synctest.Test(t, func(t *testing.T) {
			low, high, cut := distant(t)
			a, b := run(t, low, usual), run(t, high, usual)
			a.Want(info(high))
			b.Want(info(low))
			time.Sleep(10 * time.Second)
			if len(a.Peers()) != 1 {
				t.Fatal("no link")
			}
			cut.Store(true)
			<-a.inbox
			<-b.inbox
			for _, n := range []node{a, b} {
				if h := n.wait(t, "down", dead+200*time.Millisecond); !errors.Is(h.err, ErrDead) {
					t.Error(h.err)
				}
			}
			time.Sleep(length)
			cut.Store(false)
			healed := time.Now()
			a.wait(t, "up", time.Minute)
			b.wait(t, "up", time.Minute)
			took := time.Since(healed)
			if t.Logf("cut for %v: up again after %v", dead+length, took); took > within {
				t.Error("too late")
			}
			a.none(t, 10*time.Second)
		})
	}
}
