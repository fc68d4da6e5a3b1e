package dht

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/earshot-audio/earshot/protocol"
)

// scope is how far a node's connections go.
type scope uint8

const (
	world   scope = iota // or there is none
	site                 // all are with private addresses
	machine              // all are with this machine
)

func scopeOf(h host.Host) scope {
	conns := h.Network().Conns()
	if len(conns) == 0 {
		return world
	}
	far := machine
	for _, c := range conns {
		switch a := c.RemoteMultiaddr(); {
		case protocol.IsCircuit(a): // wherever its relay is
			return world
		case manet.IsIPLoopback(a):
		case manet.IsPrivateAddr(a):
			far = site
		default:
			return world
		}
	}
	return far
}

// keeps says whether an address is of use, and of no harm, in a scope: strangers
// are told nothing of the network that this node is in, and have it dial nobody
// there. A circuit is where its relay is; names may stand for any address.
func (s scope) keeps(a multiaddr.Multiaddr) bool {
	switch {
	case len(a) == 0 || a[0].Code() != multiaddr.P_IP4 && a[0].Code() != multiaddr.P_IP6:
		return false
	case manet.IsPublicAddr(a):
		return true
	case manet.IsIPLoopback(a):
		return s == machine
	}
	return s >= site && manet.IsPrivateAddr(a) && !manet.IsIP6LinkLocal(a) // which needs a zone, and zones are local
}

// filter gives what keeps the addresses that h may tell others and believe.
func filter(h host.Host) func([]multiaddr.Multiaddr) []multiaddr.Multiaddr {
	return func(addrs []multiaddr.Multiaddr) []multiaddr.Multiaddr {
		s := scopeOf(h)
		return slices.DeleteFunc(slices.Clone(addrs), func(a multiaddr.Multiaddr) bool { return !s.keeps(a) })
	}
}
