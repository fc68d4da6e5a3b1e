package node

import (
	"errors"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

// TestGate has one of a host's services dial, as through a punched hole, while the
// node runs, and once it ends.
func TestGate(t *testing.T) {
	ana, budi := start(t, "ana"), start(t, "budi")
	dial := func() error {
		ctx := network.WithForceDirectDial(t.Context(), "a punched hole")
		return ana.host.Connect(ctx, peer.AddrInfo{ID: budi.self, Addrs: budi.host.Addrs()})
	}
	must(t, dial())
	must(t, ana.host.Network().ClosePeer(budi.self))
	ana.gate.shut.Store(true)
	if err := dial(); !errors.Is(err, swarm.ErrGaterDisallowedConnection) {
		t.Errorf("a node that ends dials: %v", err)
	}
	ana.gate.shut.Store(false)
	must(t, dial())
	ana.stop()
	if !ana.gate.shut.Load() {
		t.Error("a node has ended with its gate open")
	}
}
