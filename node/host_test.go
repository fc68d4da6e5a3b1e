package node

import (
	"crypto/rand"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	libp2pprotocol "github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	"github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/node/reach"
	"github.com/earshot-audio/earshot/protocol"
)

// newReachableHost opens a host on loopback as a node would elsewhere.
func newReachableHost(t *testing.T, cfg Config) host.Host {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var s sockets
	h, err := libp2p.New(append(reachOptions(cfg, &s, reach.NewDialBacks()), libp2p.Identity(key), libp2p.Transport(s.tcp),
		libp2p.Transport(libp2pquic.NewTransport), libp2p.QUICReuse(s.manager), libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Close()
		s.close()
	})
	return h
}

// throughRelay tells a host of an address through a relay, as node/reach does,
// and gives it back.
func throughRelay(t *testing.T, h host.Host) multiaddr.Multiaddr {
	t.Helper()
	a := multiaddr.StringCast("/ip4/11.0.0.2/tcp/41641/p2p/" + h.ID().String() + "/p2p-circuit")
	updates, err := h.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated))
	if err != nil {
		t.Fatal(err)
	}
	defer updates.Close()
	tell, err := h.EventBus().Emitter(new(event.EvtAutoRelayAddrsUpdated))
	if err != nil {
		t.Fatal(err)
	}
	defer tell.Close()
	if err := tell.Emit(event.EvtAutoRelayAddrsUpdated{RelayAddrs: []multiaddr.Multiaddr{a}}); err != nil {
		t.Fatal(err)
	}
	for !slices.ContainsFunc(h.Addrs(), a.Equal) {
		select {
		case <-updates.Out():
		case <-t.Context().Done():
			t.Fatal("the host does not tell of its circuit")
		}
	}
	return a
}

// TestReachableHost also holds, by the package's TestMain, that the second host,
// from which addresses are tried, ends with the first.
func TestReachableHost(t *testing.T) {
	h := newReachableHost(t, Config{PortMap: true})
	if !slices.Contains(h.Mux().Protocols(), autonatv2.DialProtocol) {
		t.Errorf("it tries no addresses for others: %v", h.Mux().Protocols())
	}
	throughRelay(t, h)
	if !slices.ContainsFunc(h.Addrs(), func(a multiaddr.Multiaddr) bool { return !protocol.IsCircuit(a) }) {
		t.Errorf("%v", h.Addrs())
	}
}

func TestHiddenHost(t *testing.T) {
	h := newReachableHost(t, Config{PortMap: true, RelayOnly: true})
	through := throughRelay(t, h)
	if got := h.Addrs(); len(got) != 1 || !got[0].Equal(through) {
		t.Errorf("it says that it is at %v", got)
	}
	if got := h.Peerstore().Addrs(h.ID()); len(got) != 1 {
		t.Errorf("it tells others that it is at %v", got)
	}
	for _, p := range []string{autonatv2.DialProtocol, "/libp2p/dcutr"} {
		if slices.Contains(h.Mux().Protocols(), libp2pprotocol.ID(p)) {
			t.Errorf("it speaks %s", p)
		}
	}
}
