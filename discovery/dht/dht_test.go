package dht

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// listen gives a host on loopback.
func listen(t testing.TB) host.Host {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	must(t, err)
	limits, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(rcmgr.InfiniteLimits))
	must(t, err)
	h, err := libp2p.New(libp2p.Identity(key), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.ResourceManager(limits))
	must(t, err)
	t.Cleanup(func() { must(t, h.Close()) })
	return h
}

// take has a host take part until the test ends.
func take(t testing.TB, h host.Host, network string) *DHT {
	t.Helper()
	d := New(Config{Host: h, Network: network})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
	})
	return d
}

func connect(t testing.TB, a, b host.Host) {
	t.Helper()
	must(t, a.Connect(t.Context(), *host.InfoFromHost(b)))
}

// star gives hosts that all know the first one only.
func star(t testing.TB, many int) (hosts []host.Host, tables []*DHT) {
	t.Helper()
	for i := range many {
		hosts = append(hosts, listen(t))
		tables = append(tables, take(t, hosts[i], ""))
		if i > 0 {
			connect(t, hosts[i], hosts[0])
		}
	}
	return hosts, tables
}

// finds waits until d finds h under a room's ID, where it really is.
func (d *DHT) finds(t testing.TB, room protocol.RoomID, h host.Host) {
	t.Helper()
	for late := time.Now().Add(10 * time.Second); time.Now().Before(late); {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		for info := range d.Find(ctx, room) {
			if info.ID == h.ID() && slices.ContainsFunc(info.Addrs, h.Addrs()[0].Equal) {
				cancel()
				return
			}
		}
		cancel()
		<-time.After(20 * time.Millisecond) // it is not provided yet
	}
	t.Fatal("never found")
}

func TestARoomIsFoundByItsIDAlone(t *testing.T) {
	t.Parallel()
	hosts, tables := star(t, 5)
	room, other := protocol.RoomID{1}, protocol.RoomID{2}
	tables[1].Provide(room)
	tables[4].finds(t, room, hosts[1])
	tables[0].finds(t, room, hosts[1])
	for range tables[4].Find(t.Context(), other) {
		t.Fatal("found what nobody provides")
	}
	tables[2].Provide(room)
	tables[4].finds(t, room, hosts[2])
}

func TestARoomIsProvidedToTheFirstWhoComes(t *testing.T) {
	t.Parallel()
	alone, comes, late := listen(t), listen(t), listen(t)
	room := protocol.RoomID{1}
	d := take(t, alone, "")
	d.Provide(room)
	take(t, comes, "")
	<-d.ready
	<-time.After(50 * time.Millisecond) // it has failed for once
	connect(t, comes, alone)
	connect(t, late, comes)
	take(t, late, "").finds(t, room, alone)
}

func TestNetworksAreApart(t *testing.T) {
	t.Parallel()
	a, b := listen(t), listen(t)
	one, other := take(t, a, "one"), take(t, b, "other")
	connect(t, a, b)
	one.Provide(protocol.RoomID{1})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	for range other.Find(ctx, protocol.RoomID{1}) {
		t.Fatal("found across networks")
	}
	if one.speaks(b.ID()) || other.speaks(a.ID()) {
		t.Fatal("one network's table has nodes of another")
	}
}

func TestFindEnds(t *testing.T) {
	h := listen(t)
	d := New(Config{Host: h})
	early := d.Find(t.Context(), protocol.RoomID{1}) // before Run
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	for range early {
		t.Fatal("found something")
	}
	waits := d.Find(t.Context(), protocol.RoomID{2})
	cancel()
	must(t, <-done)
	for range waits {
	}
	for range d.Find(t.Context(), protocol.RoomID{1}) {
		t.Fatal("found something after the end")
	}
	if p := h.Mux().Protocols(); slices.Contains(p, d.prefix+"/kad/1.0.0") {
		t.Fatalf("still serves %v", p)
	}
}

func TestProvisionsAreRenewed(t *testing.T) {
	p := &provider{dht: New(Config{Host: listen(t)}), rooms: make(map[protocol.RoomID]*provision), results: make(chan result, providesAtOnce)}
	for i := range 2 * provided {
		p.take(offer{protocol.RoomID{byte(i)}, true})
	}
	if len(p.rooms) != provided {
		t.Fatalf("%d rooms are provided", len(p.rooms))
	}
	for id := range p.rooms {
		if id != (protocol.RoomID{1}) {
			p.take(offer{id, false})
		}
	}
	r := p.rooms[protocol.RoomID{1}]
	ends := func(err error, want time.Duration) {
		t.Helper()
		r.busy, p.busy = true, 1
		p.ended(result{protocol.RoomID{1}, err})
		if wait := time.Until(r.due); r.busy || p.busy != 0 || wait < want*8/10 || wait > want*12/10 {
			t.Fatalf("again in %v, should be about %v", wait, want)
		}
	}
	ends(nil, reprovide)
	ends(errUnreachable, provideRetry)
	ends(nil, reprovide)
	p.moved()
	if wait := time.Until(r.due); wait > settling {
		t.Fatalf("new addresses are told in %v", wait)
	}
	r.busy, p.busy = true, 1
	p.moved()
	p.ended(result{room: protocol.RoomID{1}})
	if wait := time.Until(r.due); wait > settling {
		t.Fatalf("addresses that came meanwhile are told in %v", wait)
	}
	p.take(offer{protocol.RoomID{1}, false})
	p.ended(result{room: protocol.RoomID{1}}) // which is nobody's any more
}

// A host whose connections and addresses are the test's.
type (
	hostAt struct {
		host.Host
		network networkAt
	}
	networkAt struct {
		network.Network
		own, others []string
	}
	connTo struct {
		network.Conn
		remote multiaddr.Multiaddr
	}
)

func (h hostAt) Network() network.Network             { return h.network }
func (c connTo) RemoteMultiaddr() multiaddr.Multiaddr { return c.remote }

func (n networkAt) InterfaceListenAddresses() (addrs []multiaddr.Multiaddr, err error) {
	for _, s := range n.own {
		addrs = append(addrs, multiaddr.StringCast(s))
	}
	return addrs, nil
}

func (n networkAt) Conns() (conns []network.Conn) {
	for _, s := range n.others {
		conns = append(conns, connTo{remote: multiaddr.StringCast(s)})
	}
	return conns
}

const (
	loopback = "/ip4/127.0.0.1/tcp/1"
	private  = "/ip4/192.168.1.9/tcp/1"
	public   = "/ip4/8.8.8.8/udp/1/quic-v1"
	public2  = "/ip4/8.8.4.4/udp/1/quic-v1"
	circuit  = "/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf/p2p-circuit"
)

func TestReachable(t *testing.T) {
	for _, c := range []struct {
		name          string
		own, others   []string
		confirm, deny string
		want          bool
	}{
		{"nobody is there", []string{private}, nil, "", "", false},
		{"this machine", []string{loopback}, []string{loopback}, "", "", true},
		{"this network", []string{private}, []string{private, loopback}, "", "", true},
		{"a home", []string{private}, []string{private, public}, "", "", false},
		{"a home, by circuit", []string{private}, []string{public + circuit}, "", "", false},
		{"a home with an open port", []string{private}, []string{public}, public2, "", true},
		{"a public address", []string{public2}, []string{public}, "", "", true},
		{"a public address behind a firewall", []string{public2}, []string{public}, "", public2, false},
	} {
		var e event.EvtHostReachableAddrsChanged
		if c.confirm != "" {
			e.Reachable = []multiaddr.Multiaddr{multiaddr.StringCast(c.confirm)}
		}
		if c.deny != "" {
			e.Unreachable = []multiaddr.Multiaddr{multiaddr.StringCast(c.deny)}
		}
		if got := reachable(hostAt{network: networkAt{own: c.own, others: c.others}}, e); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestScope(t *testing.T) {
	all := []string{loopback, loopback + circuit, private, private + circuit, "/ip6/fd00::1/tcp/1", public, public + circuit,
		"/dns4/localhost/tcp/1", "/ip6/fe80::1/tcp/1", "/ip4/0.0.0.0/tcp/1"}
	var addrs []multiaddr.Multiaddr
	for _, s := range all {
		addrs = append(addrs, multiaddr.StringCast(s))
	}
	for name, c := range map[string]struct{ others, want []string }{
		"nobody":       {nil, []string{public, public + circuit}},
		"this machine": {[]string{loopback, "/ip6/::1/tcp/1"}, all[:7]},
		"this network": {[]string{private, loopback}, all[2:7]},
		"the world":    {[]string{private, loopback, public}, all[5:7]},
		"by a circuit": {[]string{loopback, loopback + circuit}, all[5:7]},
	} {
		var got []string
		for _, a := range filter(hostAt{network: networkAt{others: c.others}})(addrs) {
			got = append(got, a.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: keeps %v, should be %v", name, got, c.want)
		}
	}
}

func TestGateOpensAndCloses(t *testing.T) {
	inside, outside := listen(t), listen(t)
	g := newGate(inside)
	g.SetStreamHandler("/test", func(s network.Stream) { s.Close() })
	connect(t, outside, inside)
	enter := func() error {
		s, err := outside.NewStream(t.Context(), inside.ID(), "/test")
		if err != nil {
			return err
		}
		defer s.Reset()
		if _, err := s.Read(make([]byte, 1)); err.Error() != "EOF" {
			return err
		}
		return nil
	}
	for _, open := range []bool{false, true, true, false, true} {
		g.set(open)
		if err := enter(); (err == nil) != open {
			t.Fatalf("open %v: %v", open, err)
		}
	}
	await := func(n int) { // a handler returns a little after its visitor
		for late := time.Now().Add(5 * time.Second); ; <-time.After(time.Millisecond) {
			g.mu.Lock()
			here := g.visits
			g.mu.Unlock()
			if here == n {
				return
			}
			if time.Now().After(late) {
				t.Fatalf("%d visits, should be %d", here, n)
			}
		}
	}
	await(0)
	for i := range visits {
		if !g.enter(peer.ID(fmt.Sprint(i))) {
			t.Fatal("too few visitors")
		}
	}
	if enter() == nil {
		t.Fatal("there is no end to visitors")
	}
	for i := range visits {
		g.leave(peer.ID(fmt.Sprint(i)))
	}
	must(t, enter())
	await(0)
	if len(g.visitors) > 0 {
		t.Fatalf("%d visitors stay for good", len(g.visitors))
	}
}

// One peer opens streams and says nothing on them.
func TestOnePeerIsNotAllVisitors(t *testing.T) {
	t.Parallel()
	serves, enemy, asks := listen(t), listen(t), listen(t)
	g := newGate(serves)
	g.SetStreamHandler("/test", func(s network.Stream) {
		_, _ = s.Write([]byte{1})
		_, _ = s.Read(make([]byte, 1)) // until it ends
		s.Reset()
	})
	g.set(true)
	enters := func(h host.Host) bool {
		s, err := h.NewStream(t.Context(), serves.ID(), "/test")
		if err != nil {
			return false
		}
		t.Cleanup(func() { s.Reset() })
		_, _ = s.Write(nil) // it is opened by what is written first
		_, err = s.Read(make([]byte, 1))
		return err == nil
	}
	connect(t, enemy, serves)
	in := 0
	for range visits {
		if enters(enemy) {
			in++
		}
	}
	connect(t, asks, serves)
	if in != visitsOfPeer || !enters(asks) {
		t.Fatalf("one peer is %d visitors", in)
	}
}

func TestRecordsAreBounded(t *testing.T) {
	r, ctx := newRecords(), t.Context()
	at := func(key, peer int) datastore.Key {
		return datastore.NewKey(fmt.Sprintf("/providers/K%d/P%d", key, peer))
	}
	for i := range 2 * recordsOfPeer {
		if err := r.Put(ctx, at(i, 0), []byte{1}); (err == nil) != (i < recordsOfPeer) {
			t.Fatalf("a peer's record %d: %v", i, err)
		}
	}
	must(t, r.Put(ctx, at(0, 0), []byte{2})) // renewed
	must(t, r.Put(ctx, at(0, 1), []byte{3}))
	if n := list(t, r, "/providers/K0"); n != 2 {
		t.Fatalf("%d records of one key", n)
	}
	if n := list(t, r, "/providers/K1"); n != 1 {
		t.Fatalf("%d records of another, whose name begins others'", n)
	}
	if n := list(t, r, "/providers/"); n != recordsOfPeer+1 {
		t.Fatalf("%d records", n)
	}
	must(t, r.Delete(ctx, at(0, 0)))
	must(t, r.Delete(ctx, at(0, 0)))
	must(t, r.Put(ctx, at(1000, 0), []byte{1}))
	for i := range 2 * recordsMost {
		err := r.Put(ctx, at(0, 2+i), []byte{1})
		if over := r.many > recordsMost; over || (err != nil) != (i >= recordsMost-recordsOfPeer-1) {
			t.Fatalf("record %d: %v", r.many, err)
		}
	}
}

func list(t *testing.T, r *records, prefix string) int {
	t.Helper()
	found, err := r.Query(t.Context(), query.Query{Prefix: prefix})
	must(t, err)
	entries, err := found.Rest()
	must(t, err)
	return len(entries)
}

func TestLookedForIsNotGivenAway(t *testing.T) {
	room := protocol.RoomID{1, 2, 3}
	if k := string(key(room[:]).Hash()); slices.Contains([]string{string(room[:]), "\x12\x20" + string(room[:])}, k) {
		t.Fatal("who is asked learns the room's ID")
	}
}
