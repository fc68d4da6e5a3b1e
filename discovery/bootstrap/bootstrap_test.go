package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
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

// key gives the same key for the same number.
func key(t testing.TB, number byte) crypto.PrivKey {
	t.Helper()
	k, _, err := crypto.GenerateEd25519Key(strings.NewReader(strings.Repeat(string(rune('a'+number)), 64)))
	must(t, err)
	return k
}

// listen gives a host on loopback that looks like an Earshot node.
func listen(t testing.TB, number byte, address string) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.Identity(key(t, number)), libp2p.ListenAddrStrings(address), libp2p.DisableRelay())
	must(t, err)
	h.SetStreamHandler(protocol.DirectoryStream, func(s network.Stream) { s.Reset() })
	t.Cleanup(func() { h.Close() })
	return h
}

const anyPort = "/ip4/127.0.0.1/tcp/0"

func whole(h host.Host) multiaddr.Multiaddr {
	addrs, _ := peer.AddrInfoToP2pAddrs(host.InfoFromHost(h))
	return addrs[0]
}

// run runs a Bootstrap until the test ends.
func run(t testing.TB, c Config) *Bootstrap {
	t.Helper()
	b := New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
	})
	return b
}

// connects waits until h is connected to p.
func connects(t testing.TB, h host.Host, p peer.ID) {
	t.Helper()
	await(t, h, p, network.Connected)
}

func await(t testing.TB, h host.Host, p peer.ID, want network.Connectedness) {
	t.Helper()
	change := make(chan struct{}, 1)
	poke := func(network.Network, network.Conn) {
		select {
		case change <- struct{}{}:
		default:
		}
	}
	notifiee := &network.NotifyBundle{ConnectedF: poke, DisconnectedF: poke}
	h.Network().Notify(notifiee)
	defer h.Network().StopNotify(notifiee)
	late := time.After(10 * time.Second)
	for h.Network().Connectedness(p) != want {
		select {
		case <-change:
		case <-late:
			t.Fatalf("%v was never %v", p, want)
		}
	}
}

func TestParse(t *testing.T) {
	const id = "12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"
	for _, c := range []struct{ address, says string }{
		{"/ip4/192.0.2.7/udp/41641/quic-v1/p2p/" + id, ""},
		{"  /ip6/2001:db8::1/tcp/41641/p2p/" + id + "\n", ""},
		{"/ip6zone/eth0/ip6/fe80::1/tcp/41641/p2p/" + id, ""},
		{"/dns/earshot.example/tcp/41641/p2p/" + id, ""},
		{"/dnsaddr/earshot.example/p2p/" + id, ""},
		{"", "not a multiaddress"},
		{"earshot.example:41641", "not a multiaddress"},
		{"/ip4/192.0.2/tcp/41641/p2p/" + id, "not a multiaddress"},
		{"/ip4/192.0.2.7/tcp/41641", "which node"},
		{"/ip4/192.0.2.7/tcp/41641/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "not an Earshot node"},
		{"/ip4/192.0.2.7/udp/41641/p2p/" + id, "QUIC or TCP"},
		{"/ip4/192.0.2.7/udp/41641/quic-v1/webtransport/p2p/" + id, "QUIC or TCP"},
		{"/ip4/192.0.2.7/tcp/41641/ws/p2p/" + id, "QUIC or TCP"},
		{"/ip4/192.0.2.7/tcp/41641/p2p/" + id + "/p2p-circuit/p2p/" + id, ""},
		{"/dnsaddr/earshot.example/p2p/" + id + "/p2p-circuit/p2p/" + id, ""},
		{"/ip4/192.0.2.7/tcp/41641/p2p-circuit/p2p/" + id, "QUIC or TCP"},
		{"/ip4/192.0.2.7/tcp/41641/p2p/" + id + "/p2p-circuit/p2p/" + id + "/p2p-circuit/p2p/" + id, "QUIC or TCP"},
		{"/ip4/192.0.2.7/tcp/41641/ws/p2p/" + id + "/p2p-circuit/p2p/" + id, "QUIC or TCP"},
		{"/p2p/" + id, "QUIC or TCP"},
		{"/ip6zone/eth0/p2p/" + id, "QUIC or TCP"},
	} {
		info, err := Parse(c.address)
		var p *protocol.Problem
		switch {
		case c.says == "" && (err != nil || info.ID.String() != id || len(info.Addrs) != 1):
			t.Errorf("%q: %v, %v", c.address, info, err)
		case c.says != "" && (!errors.As(err, &p) || !strings.Contains(p.Message, c.says) || p.Hint == "" ||
			p.Code != protocol.CodeBadAddress || strings.Contains(err.Error(), "\n")):
			t.Errorf("%q: %v", c.address, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("/ip4/192.0.2.7/udp/41641/quic-v1/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf")
	f.Add("/ip6zone/eth0")
	f.Fuzz(func(t *testing.T, s string) {
		info, err := Parse(s)
		var p *protocol.Problem
		if err != nil && !errors.As(err, &p) {
			t.Fatalf("an error that people can't read: %v", err)
		}
		if err == nil && (info.ID == "" || len(info.Addrs) != 1) {
			t.Fatalf("taken: %v", info)
		}
	})
}

func TestGivenIsDialledAgain(t *testing.T) {
	a, b := listen(t, 1, anyPort), listen(t, 2, anyPort)
	address := whole(b)
	warned := make(chan string, 8)
	run(t, Config{Host: a, Addrs: []multiaddr.Multiaddr{address}, Warn: func(s string) { warned <- s }})
	connects(t, a, b.ID())

	where := b.Addrs()[0].String()
	must(t, b.Close())
	await(t, a, b.ID(), network.NotConnected)
	if line := <-warned; !strings.Contains(line, "nobody answers") || !strings.Contains(line, address.String()) {
		t.Fatalf("the person reads %q", line)
	}
	back := listen(t, 2, where)
	connects(t, a, back.ID())
	if len(warned) != 0 {
		t.Fatalf("said more than once: %q", <-warned)
	}
}

func TestGivenIsAnotherNode(t *testing.T) {
	for _, address := range []string{anyPort, "/ip4/127.0.0.1/udp/0/quic-v1"} {
		a, b := listen(t, 1, address), listen(t, 2, address)
		wrong, err := peer.IDFromPrivateKey(key(t, 3))
		must(t, err)
		said := make(chan string, 8)
		given, err := multiaddr.NewMultiaddr(fmt.Sprintf("%s/p2p/%s", b.Addrs()[0], wrong))
		must(t, err)
		run(t, Config{Host: a, Addrs: []multiaddr.Multiaddr{given, whole(a)}, Warn: func(s string) { said <- s }})
		if line := <-said; !strings.Contains(line, "this node itself") {
			t.Fatalf("the person reads %q", line)
		}
		if line := <-said; !strings.Contains(line, "another node is there ("+b.ID().String()) {
			t.Fatalf("the person reads %q", line)
		}
	}
}

func TestRemembersEarshotNodes(t *testing.T) {
	a, b, stranger := listen(t, 1, anyPort), listen(t, 2, anyPort), listen(t, 3, anyPort)
	stranger.RemoveStreamHandler(protocol.DirectoryStream)
	remembered := make(chan peer.AddrInfo, 8)
	boot := run(t, Config{Host: a, Remember: func(i peer.AddrInfo) { remembered <- i }})
	boot.Add(*host.InfoFromHost(stranger))
	connects(t, a, stranger.ID())
	boot.Add(*host.InfoFromHost(b))
	if i := <-remembered; i.ID != b.ID() || !i.Addrs[0].Equal(b.Addrs()[0]) {
		t.Fatalf("remembers %v", i)
	}

	// And starts from there next time.
	c := listen(t, 4, anyPort)
	run(t, Config{Host: c, Remembered: func() []peer.AddrInfo { return []peer.AddrInfo{*host.InfoFromHost(b)} }})
	connects(t, c, b.ID())
}

func TestWhoHidesRemembersWhomItReached(t *testing.T) {
	hidden, reached, came := listen(t, 1, anyPort), listen(t, 2, anyPort), listen(t, 3, anyPort)
	b := New(Config{Host: hidden, Hidden: true, MDNS: true, Network: "test of hiding", Remember: func(i peer.AddrInfo) {
		if i.ID != reached.ID() {
			t.Errorf("remembers %v", i)
		}
	}})
	identified(t, hidden, reached, true)
	identified(t, came, hidden, true)
	await(t, hidden, came.ID(), network.Connected)
	for !b.earshot(came.ID()) {
		<-time.After(5 * time.Millisecond)
	}
	b.remember(reached.ID())
	b.remember(came.ID())
	if b.review(); b.neighbours.service != nil {
		b.neighbours.close()
		t.Error("shows itself on the local network")
	}
}

func TestFindsLocalNeighbours(t *testing.T) {
	a, b := listen(t, 1, anyPort), listen(t, 2, anyPort)
	// Where there is no multicast it must do no harm; where there is, it works.
	one := New(Config{Host: a, MDNS: true, Network: "test of neighbours"})
	one.neighbours.refresh()
	works := one.neighbours.service != nil
	one.neighbours.close()

	run(t, Config{Host: a, MDNS: true, Network: "test of neighbours"})
	run(t, Config{Host: b, MDNS: true, Network: "test of neighbours"})
	if !works {
		t.Skip("no multicast here")
	}
	connects(t, a, b.ID())
}

func TestRetryDoublesWithinBounds(t *testing.T) {
	for failures, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		want *= time.Second
		for range 100 {
			if got := retry(failures); got < want*8/10 || got > want*12/10 {
				t.Fatalf("after %d failures %v, should be about %v", failures, got, want)
			}
		}
	}
	if got := retry(1 << 30); got > lastRetry*12/10 {
		t.Fatal(got)
	}
}

func TestHintsAreBounded(t *testing.T) {
	h := listen(t, 1, anyPort)
	b := New(Config{Host: h})
	for i := range 4 * maxTargets {
		id, err := peer.IDFromPublicKey(randomKey(t).GetPublic())
		must(t, err)
		b.aim(peer.AddrInfo{ID: id, Addrs: h.Addrs()}, hinted)
		b.Add(peer.AddrInfo{ID: id, Addrs: h.Addrs()}) // nobody reads: it must not wait
		if len(b.targets) > maxTargets {
			t.Fatalf("%d targets after %d hints", len(b.targets), i)
		}
	}
}

func TestGivenIsNoEarshotNode(t *testing.T) {
	a, b := listen(t, 1, anyPort), listen(t, 2, anyPort)
	b.RemoveStreamHandler(protocol.DirectoryStream)
	warned := make(chan string, 8)
	run(t, Config{Host: a, Addrs: []multiaddr.Multiaddr{whole(b)}, Warn: func(s string) { warned <- s }})
	select {
	case line := <-warned:
		if !strings.Contains(line, "not an Earshot node") || !strings.Contains(line, whole(b).String()) {
			t.Fatalf("the person reads %q", line)
		}
	case <-time.After(introduction + 5*time.Second):
		t.Fatal("the person reads nothing")
	}
}

func TestEarshotNodeMayBeSlow(t *testing.T) {
	a, b := listen(t, 1, anyPort), listen(t, 2, anyPort)
	b.RemoveStreamHandler(protocol.DirectoryStream)
	boot := New(Config{Host: a, Addrs: []multiaddr.Multiaddr{whole(b)}, Warn: func(s string) { t.Error(s) }})
	boot.takeGiven()
	identified(t, a, b, false)
	boot.doubt(b.ID())
	target := boot.targets[b.ID()]
	if target.doubted.IsZero() || boot.doubtDue() > introduction {
		t.Fatal("no doubt that a stranger is an Earshot node")
	}
	b.SetStreamHandler(protocol.DirectoryStream, func(s network.Stream) { s.Reset() })
	identified(t, a, b, true)
	target.doubted = time.Now()
	if boot.doubtDue(); target.stranger || !target.doubted.IsZero() {
		t.Fatal("it has said that it is one")
	}
}

// identified connects a to b and waits until it knows whether b is an Earshot
// node.
func identified(t *testing.T, a, b host.Host, earshot bool) {
	t.Helper()
	events, err := a.EventBus().Subscribe([]any{new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated)})
	must(t, err)
	defer events.Close()
	must(t, a.Connect(t.Context(), *host.InfoFromHost(b)))
	late := time.After(5 * time.Second)
	for {
		protocols, err := a.Peerstore().GetProtocols(b.ID())
		must(t, err)
		if len(protocols) > 0 && slices.Contains(protocols, protocol.DirectoryStream) == earshot {
			return
		}
		select {
		case <-events.Out():
		case <-late:
			t.Fatalf("only %v", protocols)
		}
	}
}

func TestSuggestedIsDialledWhileConnectionsAreFew(t *testing.T) {
	a := listen(t, 1, anyPort)
	var friends []host.Host
	for i := range byte(enough) {
		friend := listen(t, 2+i, anyPort)
		must(t, a.Connect(t.Context(), *host.InfoFromHost(friend)))
		friends = append(friends, friend)
	}
	suggested, hinted := listen(t, 10, anyPort), listen(t, 11, anyPort)
	boot := run(t, Config{Host: a})
	boot.Suggest(*host.InfoFromHost(suggested))
	boot.Add(*host.InfoFromHost(hinted))
	connects(t, a, hinted.ID()) // it comes after the other in all queues
	if a.Network().Connectedness(suggested.ID()) == network.Connected {
		t.Fatal("dialled though there are enough connections")
	}
	must(t, friends[0].Close())
	must(t, friends[1].Close())
	connects(t, a, suggested.ID())
}

func TestSuggestionsAreBounded(t *testing.T) {
	h, ours := listen(t, 1, anyPort), listen(t, 2, anyPort)
	b := New(Config{Host: h, Addrs: []multiaddr.Multiaddr{whole(ours)}})
	b.takeGiven()
	var last peer.ID
	for range 4 * maxTold {
		id, err := peer.IDFromPublicKey(randomKey(t).GetPublic())
		must(t, err)
		b.aim(peer.AddrInfo{ID: id, Addrs: h.Addrs()}, told)
		last = id
	}
	if len(b.targets) != 1+maxTold || b.targets[last] == nil {
		t.Fatalf("%d targets; the last is there: %v", len(b.targets), b.targets[last] != nil)
	}
	for range toldTries {
		b.targets[last].dialling = true
		b.dialling++
		b.dialled(result{last, errors.New("nobody there")})
	}
	if b.targets[last] != nil {
		t.Fatalf("tried more than %d times", toldTries)
	}
	// A neighbour says that our own bootstrap node is elsewhere.
	var lies []multiaddr.Multiaddr
	for i := range 2 * protocol.MaxAddresses {
		lies = append(lies, multiaddr.StringCast(fmt.Sprintf("/ip4/8.8.8.8/tcp/%d", 1+i)))
	}
	for _, s := range []source{told, hinted} {
		b.aim(peer.AddrInfo{ID: ours.ID(), Addrs: lies}, s)
		if t1 := b.targets[ours.ID()]; t1.source != given || !t1.info.Addrs[0].Equal(ours.Addrs()[0]) || len(t1.info.Addrs) > protocol.MaxAddresses {
			t.Fatalf("lies push aside what the person gave: %v", t1.info)
		}
	}
}

func randomKey(t testing.TB) crypto.PrivKey {
	t.Helper()
	k, _, err := crypto.GenerateEd25519Key(nil)
	must(t, err)
	return k
}
