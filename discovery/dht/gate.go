package dht

import (
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2p "github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// visits are open at once, and visitsOfPeer of one peer: whoever asks keeps its
// stream for a minute, and asks several things on it.
const (
	visits       = 256
	visitsOfPeer = 8
)

// gate is the host as Kademlia sees it: its table always serves, and the gate
// lets others in only while they can reach this node. Kademlia's own mode follows
// EvtLocalReachabilityChanged, AutoNAT v1's verdict on the node as a whole, which
// comes late and not at all in small federations.
type gate struct {
	host.Host

	mu       sync.Mutex
	open     bool
	handlers map[libp2p.ID]network.StreamHandler
	visits   int
	visitors map[peer.ID]int // their visits
}

func newGate(h host.Host) *gate {
	return &gate{Host: h, handlers: make(map[libp2p.ID]network.StreamHandler), visitors: make(map[peer.ID]int)}
}

// enter counts a visit, if there may be one more.
func (g *gate) enter(p peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.visits >= visits || g.visitors[p] >= visitsOfPeer {
		return false
	}
	g.visits++
	g.visitors[p]++
	return true
}

func (g *gate) leave(p peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.visits--
	if g.visitors[p]--; g.visitors[p] == 0 {
		delete(g.visitors, p)
	}
}

// SetStreamHandler keeps a handler until the gate opens.
func (g *gate) SetStreamHandler(p libp2p.ID, handle network.StreamHandler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handlers[p] = func(s network.Stream) {
		p := s.Conn().RemotePeer()
		if !g.enter(p) {
			_ = s.ResetWithError(network.StreamRateLimited) // it may be gone already
			return
		}
		defer g.leave(p)
		handle(s)
	}
	if g.open {
		g.Host.SetStreamHandler(p, g.handlers[p])
	}
}

// RemoveStreamHandler forgets a handler.
func (g *gate) RemoveStreamHandler(p libp2p.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.handlers, p)
	g.Host.RemoveStreamHandler(p)
}

// set opens or closes the gate; identify tells others.
func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if open == g.open {
		return
	}
	g.open = open
	for p, handle := range g.handlers {
		if open {
			g.Host.SetStreamHandler(p, handle)
		} else {
			g.Host.RemoveStreamHandler(p)
		}
	}
}

// reachable says whether others can be told of this node as one that answers: an
// address was confirmed (AutoNAT v2); or an interface has a public one and nobody
// denies it, since in a small federation there may be nobody to confirm it; or
// all neighbours are on its own network, from which none of them looks in vain.
func reachable(h host.Host, seen event.EvtHostReachableAddrsChanged) bool {
	if len(seen.Reachable) > 0 {
		return true
	}
	own, err := h.Network().InterfaceListenAddresses()
	if err == nil && slices.ContainsFunc(own, func(a multiaddr.Multiaddr) bool {
		return manet.IsPublicAddr(a) && !multiaddr.Contains(seen.Unreachable, a)
	}) {
		return true
	}
	return len(h.Network().Conns()) > 0 && scopeOf(h) != world
}
