package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/discovery/bootstrap"
	"github.com/earshot-audio/earshot/node/reach"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// Doctor examines how this node and others reach each other; of names another
// node, by a room, a peer or an address, or nobody.
func (n *Node) Doctor(ctx context.Context, of string) (web.Diagnosis, error) {
	began := time.Now()
	target, err := n.target(ctx, of)
	if err != nil {
		return web.Diagnosis{}, err
	}
	d := n.reach.Diagnose(ctx, n.knows(), target)
	if err := ctx.Err(); err != nil {
		return web.Diagnosis{}, err
	}
	out := web.Diagnosis{Headline: d.Headline, OK: d.OK, Findings: []web.Finding{}, Reach: shownReach(d.State), Seconds: time.Since(began).Seconds()}
	for _, f := range d.Findings {
		out.Findings = append(out.Findings, web.Finding(f))
	}
	return out, nil
}

// knows counts the other nodes that this one has an address of.
func (n *Node) knows() int {
	known := map[protocol.PeerID]bool{}
	for _, p := range n.store.Remembered(rememberedPeers) {
		known[p.ID] = true
	}
	for _, a := range n.cfg.Bootstrap {
		if info, err := peer.AddrInfoFromP2pAddr(a); err == nil {
			known[info.ID] = true
		}
	}
	delete(known, n.self)
	return len(known)
}

// target finds the node that a person asks about; nil: nobody in particular. Of
// a room it is who relays it, as far as that is known.
func (n *Node) target(ctx context.Context, of string) (*peer.AddrInfo, error) {
	if of == "" {
		return nil, nil
	}
	if of[0] == '/' {
		info, err := bootstrap.Parse(of)
		return &info, err
	}
	if p, err := n.peerNamed(ctx, of); err == nil {
		return &peer.AddrInfo{ID: p, Addrs: n.host.Peerstore().Addrs(p)}, nil
	}
	e, err := n.find(of)
	if p, ok := errors.AsType[*protocol.Problem](err); ok && p.Code == protocol.CodeUnknownRoom {
		return nil, &protocol.Problem{Code: protocol.CodeUnknownPeer, Message: fmt.Sprintf("nobody here is called %q, nor is there such a room", of),
			Hint: "give a peer ID, an address or a room's link", Cause: err}
	}
	if err != nil {
		return nil, err
	}
	if c := n.room(e.id); c != nil {
		if v, err := c.room.View(ctx); err == nil && v.Relay != "" && v.Relay != n.self {
			return &peer.AddrInfo{ID: v.Relay, Addrs: n.host.Peerstore().Addrs(v.Relay)}, nil
		}
	}
	for _, s := range e.seeds {
		if s.ID != n.self {
			return &s, nil
		}
	}
	return nil, &protocol.Problem{Code: protocol.CodeUnknownPeer, Message: "this node carries that room itself", Hint: "earshot doctor, without a room, examines it"}
}

// shownReach puts what is known of this node's reach into the API's words.
func shownReach(s reach.State) web.Reach {
	out := web.Reach{Reach: string(s.Reach), Confirmed: s.Confirmed, NAT: string(s.NAT), UDP: string(s.UDP), IPv4: string(s.IPv4), IPv6: string(s.IPv6),
		Addresses: texts(s.Reachable), Seen: texts(s.Seen), Mapped: texts(s.Mapped), Circuits: []string{},
		Serves: web.Serves{Policy: string(s.Serves.Policy), Running: s.Serves.Running, Reservations: s.Serves.Reservations,
			Circuits: s.Serves.Circuits, Refused: s.Serves.Refused, Bytes: s.Serves.Bytes}}
	for _, c := range s.Circuits {
		out.Circuits = append(out.Circuits, c.Relay.String())
	}
	return out
}

func texts[T interface{ String() string }](all []T) []string {
	out := make([]string, 0, len(all))
	for _, one := range all {
		out = append(out, one.String())
	}
	return out
}
