package gossip

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// node is a real host on loopback with a directory and gossip.
type node struct {
	host      host.Host
	key       crypto.PrivKey
	directory *discovery.Directory
	gossip    *Gossip
	changes   <-chan discovery.Change
	stop      func()
}

// newNode runs a node until the test ends.
func newNode(t testing.TB) *node {
	t.Helper()
	return bare(t).run(t, nil)
}

// run makes a host a node, which hands on to found whom its neighbours know.
func (n *node) run(t testing.TB, found func(peer.AddrInfo)) *node {
	t.Helper()
	n.directory = discovery.New(discovery.Config{})
	gossip, err := New(Config{Host: n.host, Directory: n.directory, Found: found})
	must(t, err)
	n.gossip = gossip

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = n.directory.Run(ctx) })
	running.Go(func() {
		if err := gossip.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	n.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(n.stop)
	n.changes, _ = n.directory.Watch()
	return n
}

// bare is a host with a key and nothing else.
func bare(t testing.TB) *node {
	t.Helper()
	return bareWith(t, libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay())
}

func bareWith(t testing.TB, options ...libp2p.Option) *node {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	must(t, err)
	h, err := libp2p.New(append(options, libp2p.Identity(key), libp2p.ResourceManager(generous(t)))...)
	must(t, err)
	t.Cleanup(func() { must(t, h.Close()) })
	return &node{host: h, key: key}
}

func (n *node) connect(t testing.TB, to *node) {
	t.Helper()
	must(t, n.host.Connect(t.Context(), peer.AddrInfo{ID: to.host.ID(), Addrs: to.host.Addrs()}))
}

// found gives the genesis of a new room of n's.
func (n *node) found(t testing.TB) *protocol.Genesis {
	t.Helper()
	g := &protocol.Genesis{Title: "Tea", Created: time.Unix(1_700_000_000, 0)}
	_, err := rand.Read(g.Salt[:])
	must(t, err)
	must(t, g.Seal(n.key))
	return g
}

// seal gives an announcement of g by n that lives a minute.
func (n *node) seal(t testing.TB, g *protocol.Genesis, sequence uint64) []byte {
	t.Helper()
	b, err := (&protocol.Announcement{Genesis: g, Sequence: sequence, Life: time.Minute, Addresses: n.host.Addrs()}).Seal(n.key)
	must(t, err)
	return b
}

// open announces a new room of n's.
func (n *node) open(t testing.TB) protocol.RoomID {
	t.Helper()
	g := n.found(t)
	must(t, n.gossip.Announce(t.Context(), n.seal(t, g, 1)))
	return g.Room
}

// learns waits until n's directory has the room.
func (n *node) learns(t testing.TB, room protocol.RoomID, within time.Duration) {
	t.Helper()
	late := time.After(within)
	for {
		if _, ok := n.directory.Room(room); ok {
			return
		}
		select {
		case <-n.changes:
		case <-late:
			t.Fatalf("an announcement did not arrive within %v; gossip %+v, directory %+v",
				within, n.gossip.Counters(), n.directory.Counters())
		}
	}
}

func TestAnnouncementReachesANeighbour(t *testing.T) {
	a, b := newNode(t), newNode(t)
	a.connect(t, b)
	b.learns(t, a.open(t), 2*time.Second)
	a.learns(t, b.open(t), 2*time.Second)
}

func TestAnnouncementWaitsForTheFirstNeighbour(t *testing.T) {
	a, b := newNode(t), newNode(t)
	room := a.open(t)
	a.connect(t, b)
	b.learns(t, room, 2*time.Second)
}

func TestStarLearns(t *testing.T) {
	hub := newNode(t)
	var spokes []*node
	for range 4 {
		s := newNode(t)
		s.connect(t, hub)
		spokes = append(spokes, s)
	}
	room := spokes[0].open(t)
	start := time.Now()
	for _, n := range append(spokes[1:], hub) {
		n.learns(t, room, 2*time.Second-time.Since(start))
	}
}
