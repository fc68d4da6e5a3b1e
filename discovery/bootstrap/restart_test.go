package bootstrap

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
)

// memory remembers peers as a node's store does: newest first.
type memory struct {
	mu    sync.Mutex
	peers []peer.AddrInfo
}

func (m *memory) remember(info peer.AddrInfo) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.peers = slices.DeleteFunc(m.peers, func(o peer.AddrInfo) bool { return o.ID == info.ID })
	m.peers = slices.Insert(m.peers, 0, info)
}

func (m *memory) remembered() []peer.AddrInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.peers)
}

// member is a node of a federation that can be restarted.
type member struct {
	number byte
	where  string // it listens
	memory memory
	host   host.Host
	kill   func()
}

func (m *member) start(t *testing.T, from ...multiaddr.Multiaddr) {
	t.Helper()
	m.host = listen(t, m.number, m.where)
	m.where = m.host.Addrs()[0].String()
	b := New(Config{Host: m.host, Addrs: from, Remember: m.memory.remember, Remembered: m.memory.remembered})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	m.kill = sync.OnceFunc(func() {
		m.host.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(m.kill)
}

// knows waits until m remembers another.
func (m *member) knows(t *testing.T, other *member) {
	t.Helper()
	late := time.After(5 * time.Second)
	for !slices.ContainsFunc(m.memory.remembered(), func(i peer.AddrInfo) bool { return i.ID == other.host.ID() }) {
		select {
		case <-late:
			t.Fatal("not remembered")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestAllButOneRestart(t *testing.T) {
	t.Parallel()
	for _, where := range []string{anyPort, "/ip4/127.0.0.1/udp/0/quic-v1"} {
		first := &member{number: 1, where: where}
		first.start(t)
		var all []*member
		for i := range byte(3) {
			m := &member{number: 2 + i, where: where}
			m.start(t, whole(first.host))
			connects(t, m.host, first.host.ID())
			all = append(all, m)
		}
		for i, m := range all { // as neighbours tell of neighbours
			for _, other := range all[:i] {
				must(t, m.host.Connect(t.Context(), *host.InfoFromHost(other.host)))
				m.knows(t, other)
				other.knows(t, m)
			}
		}
		first.kill() // for good
		for _, m := range all[1:] {
			m.kill()
		}
		start := time.Now()
		for _, m := range all[1:] {
			m.start(t)
		}
		for _, m := range all {
			for _, other := range all {
				if m != other {
					connects(t, m.host, other.host.ID())
				}
			}
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Fatalf("together again after %v", took)
		}
		for _, m := range all {
			m.kill()
		}
	}
}

// Only the one that stayed dials.
func TestLostNeighbourIsDialledAgain(t *testing.T) {
	t.Parallel()
	stays, goes := &member{number: 1, where: anyPort}, listen(t, 2, anyPort)
	stays.start(t)
	where := goes.Addrs()[0].String()
	must(t, goes.Connect(t.Context(), *host.InfoFromHost(stays.host)))
	stays.knows(t, &member{host: goes})
	must(t, goes.Close())
	await(t, stays.host, goes.ID(), network.NotConnected)
	<-time.After(2500 * time.Millisecond) // it is tried a few times, in vain
	back := listen(t, 2, where)
	start := time.Now()
	connects(t, stays.host, back.ID())
	if took := time.Since(start); took > 2*time.Second {
		t.Fatalf("dialled again after %v", took)
	}
}

func TestWhoDropsUsIsNotDialledWithoutEnd(t *testing.T) {
	t.Parallel()
	m, rude := &member{number: 1, where: anyPort}, listen(t, 2, anyPort)
	dials := make(chan struct{}, 1000)
	rude.Network().Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
		dials <- struct{}{}
		c.Close()
	}})
	m.memory.remember(*host.InfoFromHost(rude))
	m.start(t)
	<-time.After(2500 * time.Millisecond)
	if n := len(dials); n == 0 || n > 8 {
		t.Fatalf("dialled %d times", n)
	}
}

func TestStrangersAreNoNeighbours(t *testing.T) {
	h := listen(t, 1, anyPort)
	b := New(Config{Host: h})
	for i := range byte(enough) {
		stranger := listen(t, 2+i, anyPort)
		stranger.RemoveStreamHandler(protocol.DirectoryStream)
		identified(t, h, stranger, false)
	}
	if n := b.connections(); n != 0 {
		t.Fatalf("%d strangers count as neighbours", n)
	}
	identified(t, h, listen(t, 10, anyPort), true)
	if n := b.connections(); n != 1 {
		t.Fatalf("%d neighbours", n)
	}
}

func TestCircuitsAreRememberedLast(t *testing.T) {
	t.Parallel()
	middle := listen(t, 3, anyPort)
	service, err := relay.New(middle)
	must(t, err)
	t.Cleanup(func() { service.Close() })
	asker, err := libp2p.New(libp2p.Identity(key(t, 1)), libp2p.NoListenAddrs, libp2p.EnableRelay())
	must(t, err)
	t.Cleanup(func() { asker.Close() })
	behind, err := libp2p.New(libp2p.Identity(key(t, 2)), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.EnableRelay())
	must(t, err)
	t.Cleanup(func() { behind.Close() })
	behind.SetStreamHandler(protocol.DirectoryStream, func(s network.Stream) { s.Reset() })
	must(t, behind.Connect(t.Context(), *host.InfoFromHost(middle)))
	_, err = client.Reserve(t.Context(), behind, *host.InfoFromHost(middle))
	must(t, err)

	through := multiaddr.Join(whole(middle), multiaddr.StringCast("/p2p-circuit"))
	remembered := make(chan peer.AddrInfo, 8)
	b := run(t, Config{Host: asker, Remember: func(i peer.AddrInfo) { remembered <- i }})
	b.Add(peer.AddrInfo{ID: behind.ID(), Addrs: []multiaddr.Multiaddr{through}})
	for late := time.After(5 * time.Second); ; {
		select {
		case i := <-remembered:
			if i.ID != behind.ID() {
				continue
			}
			if n := len(i.Addrs); n < 2 || !i.Addrs[0].Equal(behind.Addrs()[0]) || !i.Addrs[n-1].Equal(through) {
				t.Fatalf("remembers %v of %v", i, behind.Addrs())
			}
			return
		case <-late:
			t.Fatal("not remembered")
		}
	}
}
