package reach

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// internet is what counts as the Internet in these tests; homes are elsewhere on
// loopback.
var internet = netip.MustParsePrefix("127.1.0.0/16")

func ofInternet(a multiaddr.Multiaddr) bool {
	ip, ok := protocol.IPOf(a)
	return ok && internet.Contains(ip)
}

const (
	home  = "127.0.0.1"
	first = "127.1.0.1"
	other = "127.1.0.2"
	third = "127.1.0.3"
)

func newHost(t *testing.T, at string, options ...libp2p.Option) host.Host {
	t.Helper()
	h, err := libp2p.New(append(options, libp2p.ListenAddrStrings("/ip4/"+at+"/udp/0/quic-v1"), libp2p.Transport(libp2pquic.NewTransport),
		libp2p.EnableAutoNATv2(), libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableMetrics())...)
	must(t, err)
	t.Cleanup(func() { h.Close() })
	return h
}

// node is a host with a Reach.
type node struct {
	host.Host
	*Reach
	t       *testing.T
	changed chan struct{}
	stop    func() // and waits
}

func newNode(t *testing.T, at string, edit ...func(*Config)) *node {
	t.Helper()
	n := &node{Host: newHost(t, at), t: t, changed: make(chan struct{}, 1)}
	n.SetStreamHandler(protocol.DirectoryStream, func(s network.Stream) { s.Reset() })
	cfg := Config{Host: n.Host, Policy: All, Public: ofInternet,
		Neighbour: func(p peer.ID) bool {
			speaks, err := n.Peerstore().SupportsProtocols(p, protocol.DirectoryStream)
			return err == nil && len(speaks) > 0
		},
		Changed: func() {
			select {
			case n.changed <- struct{}{}:
			default:
			}
		}}
	for _, e := range edit {
		e(&cfg)
	}
	n.Reach = New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	var stopped atomic.Bool
	n.stop = func() {
		if stopped.Swap(true) {
			return
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	}
	t.Cleanup(n.stop)
	return n
}

func (n *node) info() peer.AddrInfo { return peer.AddrInfo{ID: n.ID(), Addrs: n.Addrs()} }

func (n *node) connect(to *node) {
	n.t.Helper()
	must(n.t, n.Connect(n.t.Context(), to.info()))
}

// becomes waits until State shows something.
func (n *node) becomes(what string, is func(State) bool) {
	n.t.Helper()
	late := time.After(5 * time.Second)
	for !is(n.State()) {
		select {
		case <-n.changed:
		case <-late:
			n.t.Fatalf("not %s: %+v", what, n.State())
		}
	}
}

func (n *node) holds(relays ...*node) {
	n.t.Helper()
	n.becomes("held by its relays", func(s State) bool {
		return len(s.Circuits) == len(relays) && !slices.ContainsFunc(relays, func(r *node) bool {
			return !slices.ContainsFunc(s.Circuits, func(c Circuit) bool { return c.Relay == r.ID() })
		})
	})
}

// serves waits for counts, which tell nobody that they change.
func (n *node) serves(what string, is func(Serves) bool) {
	n.t.Helper()
	for late := time.Now().Add(5 * time.Second); !is(n.State().Serves); {
		if time.Now().After(late) {
			n.t.Fatalf("not %s: %+v", what, n.State().Serves)
		}
		time.Sleep(time.Millisecond)
	}
}

// circuit gives the addresses of n through a relay.
func (n *node) circuit() peer.AddrInfo {
	n.t.Helper()
	info := peer.AddrInfo{ID: n.ID()}
	for _, c := range n.Circuits() {
		info.Addrs = append(info.Addrs, c.Addrs...)
	}
	if len(info.Addrs) == 0 {
		n.t.Fatal("no circuit")
	}
	return info
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
