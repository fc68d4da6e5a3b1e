package node

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/node/reach"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/protocol"
)

// newReach makes what finds out how this node can be reached.
func (n *Node) newReach(dialBacks *reach.DialBacks) *reach.Reach {
	policy := reach.Policy(n.cfg.Circuits)
	if policy == "" {
		policy = reach.All
	}
	r := reach.New(reach.Config{Host: n.host, DialBacks: dialBacks, Neighbour: n.earshot, Policy: policy, InRoom: n.shares,
		MediaPort: func() uint16 { return n.media.Addr().Port() },
		STUNPorts: n.media.STUNPorts,
		Ask:       n.ask,
		Ports:     n.sockets.ports,
		Hidden:    n.cfg.RelayOnly,
		Carrying:  func() bool { return len(n.carriedRooms()) > 0 },
		Changed:   n.changed, Log: n.log})
	n.media.SetServers(r.Servers)
	n.media.SetMapped(r.Mapped)
	return r
}

// ask has STUN servers say where they see the socket for sound.
func (n *Node) ask(ctx context.Context, servers []netip.AddrPort) (answers []reach.Answer) {
	for _, a := range n.media.Ask(ctx, servers) {
		answers = append(answers, reach.Answer(a))
	}
	return answers
}

// earshot says whether p is an Earshot node, as far as it has introduced itself.
func (n *Node) earshot(p peer.ID) bool {
	speaks, err := n.host.Peerstore().SupportsProtocols(p, protocol.DirectoryStream)
	return err == nil && len(speaks) > 0
}

// shares says whether p is in a room that this node is in. It waits for the
// rooms, a little.
func (n *Node) shares(p peer.ID) bool {
	ctx, cancel := context.WithTimeout(context.Background(), glance)
	defer cancel()
	for _, c := range n.carriedRooms() {
		v, err := c.room.View(ctx)
		if err == nil && slices.ContainsFunc(v.Members, func(m room.Member) bool { return m.Peer == p }) {
			return true
		}
	}
	return false
}

const glance = time.Second
