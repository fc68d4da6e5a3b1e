package gossip

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-msgio/pbio"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// behind connects fresh hosts by a circuit through a relay that is no Earshot
// node; nothing else leads from one to the other.
func behind(t *testing.T, options ...relay.Option) (a, c *node) {
	t.Helper()
	middle := bareWith(t, libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay())
	service, err := relay.New(middle.host, options...)
	must(t, err)
	t.Cleanup(func() { must(t, service.Close()) })
	a, c = bareWith(t, libp2p.NoListenAddrs, libp2p.EnableRelay()), bareWith(t, libp2p.NoListenAddrs, libp2p.EnableRelay())
	a.connect(t, middle)
	c.connect(t, middle)
	_, err = client.Reserve(t.Context(), c.host, peer.AddrInfo{ID: middle.host.ID(), Addrs: middle.host.Addrs()})
	must(t, err)
	return a, c
}

// circuit connects a to c through the relay that both are connected to.
func circuit(t *testing.T, a, c *node) {
	t.Helper()
	middle := a.host.Network().Conns()[0]
	through, err := multiaddr.NewMultiaddr(fmt.Sprintf("%s/p2p/%s/p2p-circuit", middle.RemoteMultiaddr(), middle.RemotePeer()))
	must(t, err)
	must(t, a.host.Connect(network.WithAllowLimitedConn(t.Context(), "test"), peer.AddrInfo{ID: c.host.ID(), Addrs: []multiaddr.Multiaddr{through}}))
}

// brief announces a new room of n's for a few seconds only.
func (n *node) brief(t *testing.T, life time.Duration) protocol.RoomID {
	t.Helper()
	g := n.found(t)
	envelope, err := (&protocol.Announcement{Genesis: g, Sequence: 1, Life: life}).Seal(n.key)
	must(t, err)
	must(t, n.gossip.Announce(t.Context(), envelope))
	return g.Room
}

// forgets waits until n's directory has the room no longer.
func (n *node) forgets(t *testing.T, room protocol.RoomID, within time.Duration) {
	t.Helper()
	late := time.After(within)
	for {
		if _, ok := n.directory.Room(room); !ok {
			return
		}
		select {
		case <-n.changes:
		case <-late:
			t.Fatalf("still there after %v", within)
		}
	}
}

func TestRoomsAreSeenThroughACircuit(t *testing.T) {
	for name, c := range map[string]struct {
		options []relay.Option
		gossip  bool
	}{
		"with libp2p's limits": {nil, false},
		"without limits":       {[]relay.Option{relay.WithInfiniteLimits()}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asker, opener := behind(t, c.options...)
			asker.run(t, nil)
			opener.run(t, nil)
			before := opener.open(t)
			circuit(t, asker, opener)
			asker.learns(t, before, 4*time.Second)
			if reached := asker.gossip.reaches(opener.host.ID()); reached != c.gossip {
				t.Fatalf("gossip reaches it: %v", reached)
			}
			// It is told of a later one before it asks again, in both directions.
			room := opener.brief(t, 4*time.Second)
			asker.learns(t, room, 4*time.Second)
			opener.learns(t, asker.open(t), 4*time.Second)
			opener.stop()
			asker.forgets(t, room, 8*time.Second)
		})
	}
}

func TestWhoIsCutOffIsSpokenFor(t *testing.T) {
	away, public := behind(t)
	away.run(t, nil)
	public.run(t, nil)
	far := newNode(t) // which knows nothing of away
	public.host.Peerstore().AddAddrs(far.host.ID(), far.host.Addrs(), time.Hour)
	public.connect(t, far)
	circuit(t, away, public)
	far.learns(t, public.open(t), 4*time.Second) // gossip is up
	far.learns(t, away.open(t), 4*time.Second)
	if n := public.gossip.Counters().PassedOn; n != 1 {
		t.Fatalf("spoken for %d times", n)
	}
	if away.gossip.reaches(public.host.ID()) {
		t.Fatal("gossip reached it after all")
	}
}

func TestOnlyOnesOwnIsPublished(t *testing.T) {
	server := newNode(t)
	envelope := func(n *node) []byte { return n.seal(t, n.found(t), 1) }
	forge := func(n *node) []byte {
		b := envelope(n)
		b[len(b)-1] ^= 1
		return b
	}
	for _, c := range []struct {
		name string
		own  func(*node) [][]byte
		ok   bool
	}{
		{"own", func(n *node) [][]byte { return [][]byte{envelope(n), envelope(n)} }, true},
		{"another's", func(*node) [][]byte { return [][]byte{envelope(bare(t))} }, false},
		{"forged", func(n *node) [][]byte { return [][]byte{forge(n)} }, false},
		{"malformed", func(*node) [][]byte { return [][]byte{{1, 2, 3}} }, false},
		{"too many", func(n *node) [][]byte { return bytes.SplitN(bytes.Repeat([]byte("x,"), maxOwn), []byte(","), maxOwn+1) }, false},
	} {
		asker := bare(t)
		asker.connect(t, server)
		before := len(server.directory.Rooms())
		own := c.own(asker)
		var request bytes.Buffer
		must(t, pbio.NewDelimitedWriter(&request).WriteMsg(&pb.DirectoryRequest{Own: own}))
		_, err := asker.ask(t, server, request.Bytes())
		if now := len(server.directory.Rooms()); (err == nil) != c.ok || c.ok != (now > before) {
			t.Errorf("%s: answered %v, %d rooms after %d", c.name, err, now, before)
		}
	}
	if n := server.gossip.Counters().PassedOn; n != 2 {
		t.Errorf("spoken for %d", n)
	}
}

func TestAnnouncedIsBounded(t *testing.T) {
	a := newAnnounced()
	for i := range 3 * maxOwn {
		a.put(protocol.RoomID{byte(i)}, []byte{byte(i)}, time.Minute)
		a.put(protocol.RoomID{byte(i)}, []byte{byte(i), 2}, time.Minute)
	}
	a.put(protocol.RoomID{99}, []byte{99}, -1)
	own := a.live()
	if len(own) != maxOwn-1 || !bytes.Equal(own[0], []byte{3*maxOwn - 1, 2}) {
		t.Fatalf("%d of our own travel, newest %v", len(own), own[0])
	}
}

func TestRoundsArePaced(t *testing.T) {
	server, c := behind(t)
	c.run(t, nil)
	server.directory = discovery.New(discovery.Config{})
	circuit(t, server, c)
	g := &Gossip{host: server.host, announced: newAnnounced(), whereabouts: newWhereabouts(), directory: shelf{}, log: c.gossip.log}
	a := &asker{gossip: g, tellers: make(map[peer.ID]*teller), answers: make(chan answer, 64)}
	server.awaits(t, func() bool { return g.neighbour(c.host.ID()) })
	teller := a.meet(c.host.ID())
	for range 10 * asksAtOnce {
		if a.round(t.Context()); teller.asking {
			a.asking--
			<-a.answers
			teller.asking, teller.told = false, true
		}
	}
	if n := g.Counters().Asked; n != asksAtOnce {
		t.Fatalf("asked %d times at once, it answers %d", n, asksAtOnce)
	}
}

func FuzzSpeakFor(f *testing.F) {
	sealed := func(seed string) (peer.ID, []byte) { // the same in each of the fuzzer's processes
		key, _, err := crypto.GenerateEd25519Key(strings.NewReader(strings.Repeat(seed, 64)))
		must(f, err)
		g := &protocol.Genesis{Title: "Tea", Created: time.Unix(1_700_000_000, 0)}
		must(f, g.Seal(key))
		envelope, err := (&protocol.Announcement{Genesis: g, Sequence: 1, Life: time.Minute}).Seal(key)
		must(f, err)
		return g.Founder, envelope
	}
	asker, own := sealed("a")
	_, others := sealed("b")
	f.Add(own, true)
	f.Add(others, false)
	f.Add([]byte{10, 0}, true)
	f.Fuzz(func(t *testing.T, envelope []byte, twice bool) {
		offered := 0
		g := &Gossip{directory: offers(func(b []byte, _ time.Duration) discovery.Verdict {
			offered++
			if _, announcer, _, err := protocol.PeekAnnouncement(b); err != nil || announcer != asker {
				t.Fatalf("another's is offered: %v, %v", announcer, err)
			}
			return discovery.Ignore
		})}
		all := [][]byte{envelope}
		if twice {
			all = append(all, envelope)
		}
		if ok := g.speakFor(asker, all); ok != (offered == len(all)) {
			t.Fatalf("%d of %d offered, and it is %v", offered, len(all), ok)
		}
	})
}
