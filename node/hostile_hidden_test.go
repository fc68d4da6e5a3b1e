package node

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// hide starts a node that hides. That enemies connect to it at its own address
// stands for a circuit: they act as if they did not know where that leads.
func hide(t *testing.T, from ...*running) *running {
	return startWith(t, "hidden", func(c *Config) { c.RelayOnly = true }, from...)
}

// TestStrangersGetNoDescriptionOfAHiddenNode has strangers open links to a node
// that hides: an offer or an answer would hold its addresses, and the checks that
// an offer of theirs asks for would come from there.
func TestStrangersGetNoDescriptionOfAHiddenNode(t *testing.T) {
	t.Parallel()
	hidden, ana := hide(t), start(t, "ana")
	var told atomic.Int64
	lower, higher := false, false // by turns the one or the other offers
	for range 16 {
		h := newEnemy(t)
		if h.id < hidden.self && lower || h.id > hidden.self && higher {
			continue
		}
		lower, higher = lower || h.id < hidden.self, higher || h.id > hidden.self
		hears := func(_ protocol.PeerID, m *pb.LinkMessage) bool {
			if m.GetDescription() != nil {
				told.Add(1)
			}
			return false
		}
		h.hears.Store(&hears)
		h.links.Want(peer.AddrInfo{ID: hidden.self, Addrs: hidden.host.Addrs()})
		if lower && higher {
			break
		}
	}
	time.Sleep(time.Second) // both descriptions were there within a tenth of it
	if n := told.Load(); n > 0 {
		t.Errorf("strangers got %d descriptions of it", n)
	}
	// Whom it wants hears it.
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	o, err := ana.Open(ctx, web.OpenRequest{Title: "Tea", Unlisted: true})
	must(t, err)
	e, err := hidden.Listen(ctx, o.Link, false)
	must(t, err)
	e.Close()
}

// TestAHiddenNodeCallsNobodyBack has a stranger come and go, which is an Earshot
// node by its own word and says where it can be dialled.
func TestAHiddenNodeCallsNobodyBack(t *testing.T) {
	t.Parallel()
	hidden, h := hide(t), newEnemy(t)
	h.host.SetStreamHandler(protocol.DirectoryStream, func(s network.Stream) { s.Reset() })
	called := make(chan struct{}, 16)
	h.host.Network().Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
		if c.Stat().Direction == network.DirInbound {
			called <- struct{}{}
		}
	}})
	must(t, h.host.Connect(t.Context(), peer.AddrInfo{ID: hidden.self, Addrs: hidden.host.Addrs()}))
	h.eventually("each knows the other", func() bool {
		return slices.Contains(h.host.Network().Peers(), hidden.self) && hidden.earshot(h.id)
	})
	time.Sleep(200 * time.Millisecond) // it remembers whom it means to
	must(t, h.host.Network().ClosePeer(hidden.self))
	select {
	case <-called:
		t.Error("it dialled a stranger who had come and gone")
	case <-time.After(2 * time.Second):
	}
}
