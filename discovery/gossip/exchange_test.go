package gossip

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/multiformats/go-multiaddr"
	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

func TestTellable(t *testing.T) {
	const (
		loopback  = "/ip4/127.0.0.1/tcp/1"
		loopback6 = "/ip6/::1/udp/1/quic-v1"
		private   = "/ip4/192.168.1.9/tcp/1"
		private6  = "/ip6/fd00::1/tcp/1"
		public    = "/ip4/8.8.8.8/udp/1/quic-v1"
		public6   = "/ip6/2a00::1/tcp/1"
		relay     = "/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf/p2p-circuit"
	)
	never := []string{"/dns4/localhost/tcp/1", "/dnsaddr/earshot.example", "/ip4/0.0.0.0/tcp/1", "/ip4/224.0.0.1/udp/1/quic-v1",
		"/ip6/fe80::1/tcp/1", "/ip6zone/eth0/ip6/fe80::1/tcp/1", "/ip6/::ffff:10.0.0.1/tcp/1"}
	for _, s := range never {
		never = append(never, s+relay)
	}
	all := append(never, loopback, loopback6, loopback+relay, private, private6, private+relay, public, public6, public+relay)
	var addrs []multiaddr.Multiaddr
	for _, s := range all {
		addrs = append(addrs, multiaddr.StringCast(s))
	}
	for remote, want := range map[string][]string{
		"/ip4/127.0.0.1/tcp/9":         {loopback, loopback6, loopback + relay, private, private6, private + relay, public, public6, public + relay},
		"/ip6/::1/tcp/9":               {loopback, loopback6, loopback + relay, private, private6, private + relay, public, public6, public + relay},
		"/ip4/10.0.0.1/tcp/9":          {private, private6, private + relay, public, public6, public + relay},
		"/ip4/10.0.0.1/tcp/9" + relay:  {public, public6, public + relay}, // a router's mapping lets strangers come by that relay
		"/ip4/127.0.0.1/tcp/9" + relay: {public, public6, public + relay},
		"/ip4/8.8.4.4/tcp/9":           {public, public6, public + relay},
		"/ip4/8.8.4.4/tcp/9" + relay:   {public, public6, public + relay},
		"/ip6/2a00::9/tcp/9":           {public, public6, public + relay},
		"/ip4/203.0.113.9/tcp/9":       {public, public6, public + relay}, // in no range at all
		"/dns4/example.org/tcp/9":      {public, public6, public + relay},
		"/ip6/fd00::9/udp/9/quic":      {private, private6, private + relay, public, public6, public + relay},
		"/ip4/169.254.7.7/tcp/999":     {private, private6, private + relay, public, public6, public + relay},
	} {
		var got []string
		for _, a := range tellable(addrs, multiaddr.StringCast(remote)) {
			got = append(got, a.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("to %s is told %v, should be %v", remote, got, want)
		}
	}
}

// joining gives a Found that connects, as long as the test lasts.
func (n *node) joining(t testing.TB) func(peer.AddrInfo) {
	found := make(chan peer.AddrInfo, 64)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case info := <-found:
				_ = n.host.Connect(ctx, info)
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return func(info peer.AddrInfo) { found <- info }
}

// meets waits until n is connected to all others.
func (n *node) meets(t testing.TB, others ...*node) {
	t.Helper()
	n.awaits(t, func() bool {
		return !slices.ContainsFunc(others, func(o *node) bool {
			return o != n && n.host.Network().Connectedness(o.host.ID()) != network.Connected
		})
	})
}

// awaits waits for what a change of n's neighbours brings about.
func (n *node) awaits(t testing.TB, ok func() bool) {
	t.Helper()
	changes, err := n.host.EventBus().Subscribe([]any{new(event.EvtPeerConnectednessChanged),
		new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated)}, eventbus.BufSize(64))
	must(t, err)
	defer changes.Close()
	late := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-changes.Out():
		case <-late:
			t.Fatalf("never; %d neighbours", len(n.host.Network().Peers()))
		}
	}
}

func TestStarOutlivesItsCentre(t *testing.T) {
	hub := newNode(t)
	var leaves []*node
	for range 4 {
		leaf := bare(t)
		leaf.run(t, leaf.joining(t))
		leaf.connect(t, hub)
		leaf.learns(t, hub.open(t), 2*time.Second) // it is asked and told
		leaves = append(leaves, leaf)
	}
	for _, leaf := range leaves {
		leaf.meets(t, leaves...)
	}
	must(t, hub.host.Close())
	room := leaves[0].open(t)
	for _, leaf := range leaves[1:] {
		leaf.learns(t, room, 2*time.Second)
	}
}

func TestTellsOnlyWhatNeighboursSayOfThemselves(t *testing.T) {
	hub, leaf, asker := newNode(t), newNode(t), bare(t)
	leaf.connect(t, hub)
	hub.learns(t, leaf.open(t), 2*time.Second)
	// What others say of a neighbour is not passed on as if it were true.
	hub.host.Peerstore().AddAddr(leaf.host.ID(), multiaddr.StringCast("/ip4/8.8.8.8/tcp/1"), peerstore.PermanentAddrTTL)
	asker.connect(t, hub)
	m, err := asker.ask(t, hub, []byte{0})
	must(t, err)
	infos := believed(m.Neighbours, hub.host.Addrs()[0])
	if len(infos) != 1 || infos[0].ID != leaf.host.ID() || len(infos[0].Addrs) != 1 || !infos[0].Addrs[0].Equal(leaf.host.Addrs()[0]) {
		t.Fatalf("told %v of %v", infos, leaf.host.Addrs())
	}
}

func TestBelieved(t *testing.T) {
	good, err := protocol.WireAddress(peer.AddrInfo{ID: bare(t).host.ID(), Addrs: []multiaddr.Multiaddr{
		multiaddr.StringCast("/ip4/8.8.8.8/tcp/1"), multiaddr.StringCast("/ip4/10.0.0.1/tcp/22")}}, protocol.MaxAddresses)
	must(t, err)
	private := &pb.Address{Peer: good.Peer, Addresses: good.Addresses[1:]}
	none := &pb.Address{Peer: good.Peer}
	malformed := &pb.Address{Peer: good.Peer[1:], Addresses: good.Addresses}
	large := &pb.Address{Peer: good.Peer, Addresses: [][]byte{make([]byte, protocol.MaxAddressBytes+1)}}
	infos := believed([]*pb.Address{nil, {}, private, none, malformed, large, good}, multiaddr.StringCast("/ip4/8.8.4.4/tcp/1"))
	if len(infos) != 1 || len(infos[0].Addrs) != 1 || infos[0].Addrs[0].String() != "/ip4/8.8.8.8/tcp/1" {
		t.Fatalf("believes %v", infos)
	}
}

func TestOneNeighbourIsHeededSoMuch(t *testing.T) {
	n := bare(t)
	var found []peer.AddrInfo
	n.gossip = &Gossip{host: n.host, found: func(i peer.AddrInfo) { found = append(found, i) }}
	a := &asker{gossip: n.gossip}
	one, other := &teller{heeded: rate.NewLimiter(rate.Every(heedInterval), heeded)}, &teller{heeded: rate.NewLimiter(rate.Every(heedInterval), heeded)}
	var many []peer.AddrInfo
	for i := range 10 * heeded {
		many = append(many, peer.AddrInfo{ID: peerID(i)})
	}
	a.heed(one, append([]peer.AddrInfo{{ID: n.host.ID()}}, many...)) // this node itself doesn't count
	if len(found) != heeded || n.gossip.Counters().Unheeded != uint64(len(many)-heeded) {
		t.Fatalf("%d hints heeded of one neighbour, %+v", len(found), n.gossip.Counters())
	}
	a.heed(other, many[:1])
	if len(found) != heeded+1 {
		t.Fatal("another one is not heeded")
	}
}

// idle gives an asker that only the test drives.
func idle(t *testing.T) (*node, *asker) {
	t.Helper()
	n := bare(t)
	gossip, err := New(Config{Host: n.host, Directory: discovery.New(discovery.Config{})})
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := cancelled()
		defer cancel()
		must(t, gossip.Run(ctx))
	})
	n.gossip = gossip
	a := &asker{gossip: gossip, tellers: make(map[peer.ID]*teller), answers: make(chan answer, 64), returns: rate.NewLimiter(rate.Every(returnPause), returnsAtOnce)}
	t.Cleanup(func() {
		for ; a.asking > 0; a.asking-- {
			<-a.answers
		}
	})
	return n, a
}

// comes has a neighbour connect, and the asker of n consider it.
func (a *asker) comes(t *testing.T, n, neighbour *node) *teller {
	t.Helper()
	neighbour.connect(t, n)
	n.awaits(t, func() bool { return n.gossip.neighbour(neighbour.host.ID()) })
	a.consider(t.Context(), neighbour.host.ID())
	return a.tellers[neighbour.host.ID()]
}

func (a *asker) goes(t *testing.T, n, neighbour *node) {
	t.Helper()
	must(t, n.host.Network().ClosePeer(neighbour.host.ID()))
	neighbour.awaits(t, func() bool { return len(neighbour.host.Network().Peers()) == 0 })
	a.lost(neighbour.host.ID())
}

func TestReturningNeighbourIsAsked(t *testing.T) {
	n, a := idle(t)
	var others []*node
	for range enough + 1 + returnsAtOnce {
		other := bare(t)
		other.host.SetStreamHandler(protocol.DirectoryStream, func(s network.Stream) { s.Reset() })
		others = append(others, other)
	}
	for i, other := range others {
		teller := a.comes(t, n, other)
		if teller.asking != (i < enough) {
			t.Fatalf("neighbour %d: asked %v", i, teller.asking)
		}
	}
	last := others[len(others)-1]
	a.goes(t, n, last)
	teller := a.comes(t, n, last)
	if !teller.asking {
		t.Fatal("who came back is not asked")
	}
	// It answers, and comes and goes.
	a.heard(t.Context(), answer{from: last.host.ID()})
	a.asking++ // the real answer still comes
	a.goes(t, n, last)
	if a.comes(t, n, last); teller.asking {
		t.Fatalf("asked again within %v", returnInterval)
	}
	teller.asked = teller.asked.Add(-returnInterval)
	if a.consider(t.Context(), last.host.ID()); !teller.asking {
		t.Fatal("not asked again later")
	}
	// All come back at once.
	asked := a.asking
	for _, other := range others[enough : len(others)-1] {
		a.goes(t, n, other)
		a.comes(t, n, other)
	}
	if more := a.asking - asked; more >= returnsAtOnce {
		t.Fatalf("%d of those who came back are asked at once", more)
	}
}

func TestGoneNeighboursAreForgotten(t *testing.T) {
	_, a := idle(t)
	for i := range 2 * tellersKept {
		p := peer.ID(fmt.Sprint("gone ", i))
		a.tellers[p] = &teller{met: time.Now()}
		a.lost(p)
	}
	if len(a.tellers) > tellersKept || a.tellers[peer.ID(fmt.Sprint("gone ", 2*tellersKept-1))] == nil {
		t.Fatalf("%d kept", len(a.tellers))
	}
}
