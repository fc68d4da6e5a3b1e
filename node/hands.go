package node

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// Hand raises this node's hand in a room that it is in, or lowers it.
func (n *Node) Hand(ctx context.Context, name string, up bool) error {
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return err
	}
	switch err := c.room.Hand(ctx, up); {
	case errors.Is(err, room.ErrSeated):
		return &protocol.Problem{Code: protocol.CodeBadRequest, Message: "you are on the stage already", Hint: "turn your microphone on to speak", Cause: err}
	case errors.Is(err, protocol.ErrNoRight):
		return &protocol.Problem{Code: protocol.CodeUnreachable, Message: "nobody who carries this room answers", Hint: "try again in a moment", Cause: err}
	default:
		return err
	}
}

// Grant gives somebody a role in a room; "listener" takes them to the audience.
func (n *Node) Grant(ctx context.Context, name, who, role string) error {
	r := web.ActRequest{Act: web.ActGrant, Peer: who, Role: role}
	if role == protocol.RoleListener.String() {
		r = web.ActRequest{Act: web.ActRevoke, Peer: who}
	}
	return n.Act(ctx, name, r)
}

// Lower takes somebody's hand down.
func (n *Node) Lower(ctx context.Context, name, who string) error {
	c, p, err := n.memberNamed(ctx, name, who)
	if err != nil {
		return err
	}
	switch err := c.room.Lower(ctx, p); {
	case errors.Is(err, protocol.ErrNoRight):
		return notAllowed(err)
	case errors.Is(err, room.ErrHandDown):
		return nil // as was wanted
	default:
		return err
	}
}

// memberNamed gives a room that this node is in, and somebody there, by name or
// by the beginning of their peer ID; else somebody who was there. Whoever is named
// by their whole ID need not have been.
func (n *Node) memberNamed(ctx context.Context, name, who string) (*carried, protocol.PeerID, error) {
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return nil, "", err
	}
	if p, err := peer.Decode(who); err == nil {
		if _, err := protocol.PeerKey(p); err == nil {
			return c, p, nil
		}
	}
	v, err := c.room.View(ctx)
	if err != nil {
		return nil, "", err
	}
	is := func(p protocol.PeerID, name protocol.Name) bool {
		return strings.EqualFold(string(name), who) || len(who) >= 8 && strings.HasPrefix(p.String(), who)
	}
	var found []protocol.PeerID
	for _, m := range v.Members {
		if is(m.Peer, m.Presence.Name) {
			found = append(found, m.Peer)
		}
	}
	if len(found) == 0 {
		for p, name := range v.Names {
			if is(p, name) {
				found = append(found, p)
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, "", &protocol.Problem{Code: protocol.CodeUnknownPeer, Message: fmt.Sprintf("nobody in the room is called %q", who), Hint: "earshot room " + name + " lists who is here"}
	case 1:
		return c, found[0], nil
	}
	return nil, "", &protocol.Problem{Code: protocol.CodeUnknownPeer, Message: fmt.Sprintf("%d in the room are called %q", len(found), who), Hint: "give the peer ID: earshot room " + name + " --json"}
}
