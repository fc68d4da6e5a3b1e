package node

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"

	"github.com/earshot-audio/earshot/discovery/bootstrap"
	"github.com/earshot-audio/earshot/discovery/dht"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// meetPatience is how long those that were named, or are near, may take to
// answer: a dial that meets a closed router takes some seconds.
const meetPatience = 8 * time.Second

// Meet looks for other nodes in the one way that r names.
func (n *Node) Meet(ctx context.Context, r web.MeetRequest) (web.Met, error) {
	before := n.neighbours()
	wanted := func(p protocol.PeerID) bool { return !before[p] } // who was not there before
	met := web.Met{Peers: []string{}}
	var err error
	switch {
	case r.Link != "":
		var e entry
		if e, err = n.findLink(r.Link); err == nil {
			met.Room = e.id.String()
			wanted, err = n.meetThese(ctx, e.seeds)
		}
	case r.Address != "":
		var info peer.AddrInfo
		if info, err = bootstrap.Parse(r.Address); err == nil {
			wanted, err = n.meetThese(ctx, []peer.AddrInfo{info})
		}
	case r.Local:
		n.bootstrap.Look()
		err = n.await(ctx, meetPatience, wanted, nil)
	case r.Public:
		err = n.meetStrangers(ctx, wanted)
	}
	now := n.neighbours()
	for p := range now {
		if wanted(p) {
			met.Peers = append(met.Peers, p.String())
		}
	}
	met.Found, met.Neighbors = len(met.Peers), len(now)
	return met, err
}

// meetThese waits for the first of some nodes, and says who is one of them.
func (n *Node) meetThese(ctx context.Context, these []peer.AddrInfo) (func(protocol.PeerID) bool, error) {
	named := map[protocol.PeerID]bool{}
	for _, p := range these {
		if p.ID != n.self {
			named[p.ID] = true
			n.bootstrap.Add(p)
		}
	}
	wanted := func(p protocol.PeerID) bool { return named[p] }
	if len(named) == 0 { // a link to a room of this node's own
		return wanted, nil
	}
	return wanted, n.await(ctx, meetPatience, wanted,
		&protocol.Problem{Code: protocol.CodeUnreachable, Message: "nobody there answers", Hint: "earshot doctor ADDRESS says whose side it is"})
}

// meetStrangers asks libp2p's public network, as the person wished.
func (n *Node) meetStrangers(ctx context.Context, wanted func(protocol.PeerID) bool) error {
	cfg := dht.PublicConfig{Host: n.host, Network: n.cfg.Network, Found: n.bootstrap.Add, Log: n.log}
	if n.cfg.RelayOnly {
		cfg.Host = nil // it only looks
	}
	found, err := dht.Public(ctx, cfg)
	switch {
	case errors.Is(err, dht.ErrNoEntry):
		return &protocol.Problem{Code: protocol.CodeUnreachable, Message: "the public network's entrances don't answer", Hint: "is this machine on the Internet? earshot doctor looks", Cause: err}
	case err != nil || found == 0:
		return err
	}
	return n.await(ctx, meetPatience, wanted, nil)
}

// await waits until somebody wanted is connected; else it gives otherwise.
func (n *Node) await(ctx context.Context, patience time.Duration, wanted func(protocol.PeerID) bool, otherwise error) error {
	events, err := n.host.EventBus().Subscribe([]any{new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated)},
		eventbus.Name("earshot meet"), eventbus.BufSize(64))
	if err != nil {
		return err
	}
	defer events.Close()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		for p := range n.neighbours() {
			if wanted(p) {
				return nil
			}
		}
		select {
		case <-events.Out():
		case <-late.C:
			return otherwise
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// neighbours gives the Earshot nodes that are connected.
func (n *Node) neighbours() map[protocol.PeerID]bool {
	out := map[protocol.PeerID]bool{}
	for _, p := range n.host.Network().Peers() {
		if n.earshot(p) {
			out[p] = true
		}
	}
	return out
}
