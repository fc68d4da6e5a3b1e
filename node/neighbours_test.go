package node

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/node/link"
	"github.com/earshot-audio/earshot/node/reach"
	"github.com/earshot-audio/earshot/protocol"
)

func TestFederationOutlivesItsFirstNode(t *testing.T) {
	hub := start(t, "hub")
	var leaves []*running
	for i := range 4 {
		leaves = append(leaves, start(t, fmt.Sprint("leaf", i), hub))
		leaves[i].eventually("the first node", func() bool {
			return leaves[i].host.Network().Connectedness(hub.self) == network.Connected
		})
	}
	for _, leaf := range leaves {
		leaf.eventually("the other leaves", func() bool {
			for _, other := range leaves {
				if other != leaf && leaf.host.Network().Connectedness(other.self) != network.Connected {
					return false
				}
			}
			return true
		})
	}
	hub.Kill()
	room := leaves[0].open(t.Context(), "Tea", "open").Room
	for _, leaf := range leaves[1:] {
		leaf.eventually("the room", leaf.sees(room))
	}
}

// newTestHost opens a host on loopback, as a node would.
func newTestHost(t testing.TB) host.Host {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var s sockets
	h, err := newHost(Config{Listen: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/udp/0/quic-v1"), multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")}}, key, &s, &gate{}, reach.NewDialBacks())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Close()
		s.close()
	})
	return h
}

func TestManyNodesOfOneMachine(t *testing.T) {
	const many = 20
	centre := newTestHost(t)
	var dials sync.WaitGroup
	for range many {
		h := newTestHost(t)
		dials.Go(func() {
			if err := h.Connect(t.Context(), *host.InfoFromHost(centre)); err != nil {
				t.Error(err)
			}
		})
	}
	dials.Wait()
	if n := len(centre.Network().Peers()); n != many {
		t.Fatalf("%d of %d connected", n, many)
	}
}

func TestConnectionsOfOneAddress(t *testing.T) {
	for _, c := range []struct {
		name, address string // the n-th
		limit         int
	}{
		{"an IPv4 address", "/ip4/203.0.113.7/udp/%d/quic-v1", connectionsOfAddress},
		{"an IPv6 /56", "/ip6/2a00:1:2:3400::%x/tcp/1", connectionsOfAddress},
		{"an IPv6 address of this machine", "/ip6/::1/tcp/%d", 0}, // none
		{"an address of this machine", "/ip4/127.0.0.1/tcp/%d", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := resourceManager()
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			// Connections that others have dialled and that are not yet anybody's
			// have a limit of their own, so each is given to a peer.
			open := func(i int) error {
				scope, err := m.OpenConnection(network.DirInbound, false, multiaddr.StringCast(fmt.Sprintf(c.address, i)))
				if err != nil {
					return err
				}
				t.Cleanup(scope.Done)
				return scope.SetPeer(protocol.PeerID(fmt.Sprint("peer ", i)))
			}
			many := c.limit
			if many == 0 {
				many = 2 * connectionsOfAddress
			}
			for i := range many {
				if err := open(i + 1); err != nil {
					t.Fatalf("connection %d: %v", i+1, err)
				}
			}
			if c.limit > 0 && open(c.limit+1) == nil {
				t.Fatalf("more than %d connections", c.limit)
			}
		})
	}
}

// A claim, a redirect or a link may name any node at any address.
func TestRoomWantsNewNodesSlowly(t *testing.T) {
	h := newTestHost(t)
	n := &Node{log: slog.New(slog.DiscardHandler), host: h, links: link.New(link.Config{Host: h})}
	p := newPairs(n)
	r := &links{pairs: p, of: protocol.RoomID{1}}
	for range 10 * wantsAtOnce {
		_, id, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		stranger, err := peer.IDFromPublicKey(id)
		if err != nil {
			t.Fatal(err)
		}
		r.Want(peer.AddrInfo{ID: stranger})
		r.Release(stranger) // which makes no room for another
		r.Want(peer.AddrInfo{ID: stranger})
	}
	if many := len(p.wants); many == 0 || many > wantsAtOnce {
		t.Fatalf("%d new nodes wanted at once", many)
	}
	p.peers["linked"] = &pair{}
	if !r.begin("linked") {
		t.Fatal("nothing has to be dialled for a node that is linked")
	}
	other := &links{pairs: p, of: protocol.RoomID{2}}
	if !other.begin("new") {
		t.Fatal("another room pays for it")
	}
}
