package gossip

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// Implementation: how neighbours tell of their neighbours.
const (
	// acquaintancesTold is how many an answer tells of, at most.
	acquaintancesTold = 6
	// acquaintancesBytes is what they take in it, at most.
	acquaintancesBytes = acquaintancesTold * 640

	// heeded and heedInterval bound the hints that are taken from one
	// neighbour: so many at once, and one more each interval.
	heeded       = 2 * acquaintancesTold
	heedInterval = 30 * time.Second

	// few neighbours: one of them is asked now and then whom else it knows.
	few = 4
	// seekInterval is how long a neighbour is not asked for that again.
	seekInterval = 30 * time.Second
)

// whereabouts is where connected neighbours say that they listen (identify).
// The peerstore will not do: it also holds what others say of them.
type whereabouts struct {
	mu sync.Mutex
	of map[peer.ID][]multiaddr.Multiaddr
}

func newWhereabouts() *whereabouts {
	return &whereabouts{of: make(map[peer.ID][]multiaddr.Multiaddr)}
}

func (w *whereabouts) note(p peer.ID, addrs []multiaddr.Multiaddr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[p] = addrs
}

func (w *whereabouts) forget(p peer.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.of, p)
}

func (w *whereabouts) has(p peer.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.of[p] != nil
}

// all gives them in random order.
func (w *whereabouts) all() []peer.AddrInfo {
	w.mu.Lock()
	defer w.mu.Unlock()
	infos := make([]peer.AddrInfo, 0, len(w.of))
	for p, addrs := range w.of {
		infos = append(infos, peer.AddrInfo{ID: p, Addrs: addrs})
	}
	rand.Shuffle(len(infos), func(i, j int) { infos[i], infos[j] = infos[j], infos[i] })
	return infos
}

// acquaintances gives a few neighbours, at random, as asker at remote may reach
// them: so that a federation which began as a star outlives its centre.
// GossipSub's own peer exchange does not do that: it happens only upon PRUNE,
// with signed records that identify does not keep.
func (g *Gossip) acquaintances(asker peer.ID, remote multiaddr.Multiaddr) (told []*pb.Address) {
	for _, info := range g.whereabouts.all() {
		if info.ID == asker || !g.neighbour(info.ID) {
			continue
		}
		// Where we reached it is true for certain. Where it reached us from is
		// no address to dial. Circuits go last: they are for who can't do without.
		var addrs []multiaddr.Multiaddr
		for _, c := range g.host.Network().ConnsToPeer(info.ID) {
			if c.Stat().Direction == network.DirOutbound {
				addrs = append(addrs, c.RemoteMultiaddr())
			}
		}
		for _, a := range info.Addrs {
			if !multiaddr.Contains(addrs, a) {
				addrs = append(addrs, a)
			}
		}
		a, err := protocol.WireAddress(peer.AddrInfo{ID: info.ID, Addrs: tellable(protocol.DirectFirst(addrs), remote)}, protocol.MaxAddresses)
		if err != nil || len(a.Addresses) == 0 {
			continue
		}
		if told = append(told, a); len(told) == acquaintancesTold {
			break
		}
	}
	return told
}

// neighbour says whether p is a connected Earshot node, be it over a limited
// connection.
func (g *Gossip) neighbour(p peer.ID) bool {
	if g.host.Network().Connectedness(p) == network.NotConnected {
		return false
	}
	speaks, err := g.host.Peerstore().SupportsProtocols(p, protocol.DirectoryStream)
	return err == nil && len(speaks) > 0
}

// tellable keeps those of addrs that a peer at remote may be told, or believed:
// a loopback address only by this machine, a private one only by a private one.
// Else strangers would learn of our network, or have us dial about in it. Names
// are left out, since they may stand for any address. A circuit is where its
// relay is; but who comes by one may be anywhere.
func tellable(addrs []multiaddr.Multiaddr, remote multiaddr.Multiaddr) []multiaddr.Multiaddr {
	far := protocol.IsCircuit(remote)
	return slices.DeleteFunc(slices.Clone(addrs), func(a multiaddr.Multiaddr) bool {
		switch {
		case len(a) == 0 || a[0].Code() != multiaddr.P_IP4 && a[0].Code() != multiaddr.P_IP6:
			return true
		case manet.IsPublicAddr(a):
			return false
		case manet.IsIPLoopback(a):
			return far || !manet.IsIPLoopback(remote)
		case manet.IsPrivateAddr(a) && !manet.IsIP6LinkLocal(a): // which needs a zone, and zones are local
			return far || !manet.IsPrivateAddr(remote) // which loopback is
		}
		return true // nothing that can be dialled
	})
}

// believed reads the neighbours that a peer at remote tells of, leaving out what
// is malformed or not for it to tell.
func believed(told []*pb.Address, remote multiaddr.Multiaddr) (infos []peer.AddrInfo) {
	for _, a := range told {
		info, err := protocol.OpenAddress(a)
		if err != nil {
			continue
		}
		if info.Addrs = tellable(info.Addrs, remote); len(info.Addrs) > 0 {
			infos = append(infos, info)
		}
	}
	return infos
}
