package node

import (
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// gate lets connections through until it is shut: a node that ends dials nobody.
// A host that closes just when a dial of one of its services begins, such as one
// through a punched hole, has libp2p 0.51 ask a transport that it no longer has, and
// panic.
type gate struct{ shut atomic.Bool }

// InterceptPeerDial says whether somebody may be dialled.
func (g *gate) InterceptPeerDial(peer.ID) bool { return !g.shut.Load() }

// InterceptAddrDial says whether an address may be: libp2p asks when a dial begins.
func (g *gate) InterceptAddrDial(peer.ID, multiaddr.Multiaddr) bool { return !g.shut.Load() }

// InterceptAccept lets all come: who is too many, the resource manager knows.
func (g *gate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured lets all stay.
func (g *gate) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool { return true }

// InterceptUpgraded lets all stay.
func (g *gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }
