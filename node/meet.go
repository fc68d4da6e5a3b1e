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
	met := web.Met{Peers: []string{}}
	var err error
	switch {
	case r.Link != "":
		err = n.meetLink(ctx, r.Link, &met)
	case r.Address != "":
		var info peer.AddrInfo
		if info, err = bootstrap.Parse(r.Address); err == nil {
			err = n.meetThese(ctx, []peer.AddrInfo{info})
		}
	case r.Local:
		n.bootstrap.Look()
		err = n.meetAny(ctx, before, meetPatience)
	case r.Public:
		err = n.meetStrangers(ctx, before)
	}
	now := n.neighbours()
	for p := range now {
		if !before[p] {
			met.Peers = append(met.Peers, p.String())
		}
	}
	met.Found, met.Neighbors = len(met.Peers), len(now)
	return met, err
}

// meetLink meets those whom a link names.
func (n *Node) meetLink(ctx context.Context, name string, met *web.Met) error {
	e, err := n.findLink(name)
	if err != nil {
		return err
	}
	met.Room = e.id.String()
	return n.meetThese(ctx, e.seeds)
}

// meetThese waits for the first of some nodes.
func (n *Node) meetThese(ctx context.Context, these []peer.AddrInfo) error {
	wanted := map[protocol.PeerID]bool{}
	for _, p := range these {
		if p.ID != n.self {
			wanted[p.ID] = true
			n.bootstrap.Add(p)
		}
	}
	return n.await(ctx, meetPatience, func(now map[protocol.PeerID]bool) bool {
		for p := range now {
			if wanted[p] {
				return true
			}
		}
		return len(wanted) == 0
	}, &protocol.Problem{Code: protocol.CodeUnreachable, Message: "nobody there answers", Hint: "earshot doctor ADDRESS says whose side it is"})
}

// meetAny waits for a node that was not there before; that nobody comes is no
// error.
func (n *Node) meetAny(ctx context.Context, before map[protocol.PeerID]bool, patience time.Duration) error {
	return n.await(ctx, patience, func(now map[protocol.PeerID]bool) bool {
		for p := range now {
			if !before[p] {
				return true
			}
		}
		return false
	}, nil)
}

// meetStrangers asks libp2p's public network, as the person wished.
func (n *Node) meetStrangers(ctx context.Context, before map[protocol.PeerID]bool) error {
	cfg := dht.PublicConfig{Host: n.host, Network: n.cfg.Network, Bootstrap: n.cfg.PublicDHT, Found: n.bootstrap.Add, Log: n.log}
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
	return n.meetAny(ctx, before, meetPatience)
}

// await waits until the neighbours are as wished; else it gives otherwise.
func (n *Node) await(ctx context.Context, patience time.Duration, wished func(map[protocol.PeerID]bool) bool, otherwise error) error {
	events, err := n.host.EventBus().Subscribe([]any{new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated)},
		eventbus.Name("earshot meet"), eventbus.BufSize(64))
	if err != nil {
		return err
	}
	defer events.Close()
	late := time.NewTimer(patience)
	defer late.Stop()
	for !wished(n.neighbours()) {
		select {
		case <-events.Out():
		case <-late.C:
			return otherwise
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
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
