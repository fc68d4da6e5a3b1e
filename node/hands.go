package node

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
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

// Grant lets somebody on the stage of a room of this node's own. Other roles,
// and taking one back, wait for rooms to have a log.
func (n *Node) Grant(ctx context.Context, name, who, role string) error {
	switch role {
	case "speaker":
	case "listener":
		return &protocol.Problem{Code: protocol.CodeNeedsLog, Message: "a place on the stage can't be taken back yet: that needs the room's log",
			Hint: fmt.Sprintf("it ends by itself within %.0f hours; closing the room silences everyone", protocol.CertificateLife.Hours())}
	case "moderator", "carrier":
		return &protocol.Problem{Code: protocol.CodeNeedsLog, Message: "nobody can be made " + role + " yet: that needs the room's log", Hint: "speaker is the role that can be given"}
	default:
		return badRequest("a role is speaker, moderator, carrier or listener", nil)
	}
	c, p, err := n.memberNamed(ctx, name, who)
	if err != nil {
		return err
	}
	return notAllowed(c.room.Act(ctx, protocol.Grant{Peer: p, Role: protocol.RoleSpeaker}))
}

// Lower takes somebody's hand down in a room of this node's own.
func (n *Node) Lower(ctx context.Context, name, who string) error {
	c, p, err := n.memberNamed(ctx, name, who)
	if err != nil {
		return err
	}
	switch err := c.room.Lower(ctx, p); {
	case errors.Is(err, protocol.ErrNoRight):
		return notHost(err)
	case errors.Is(err, room.ErrHandDown):
		return nil // as was wanted
	default:
		return err
	}
}

// notAllowed says what stood against something that the log was to keep.
func notAllowed(err error) error {
	switch {
	case errors.Is(err, protocol.ErrNoRight):
		return notHost(err)
	case errors.Is(err, roster.ErrShare):
		return &protocol.Problem{Code: protocol.CodeFullLog, Message: "you have done all that you may in this room", Hint: "ask its host to make you a moderator anew", Cause: err}
	}
	return err
}

// memberNamed gives a room that this node is in, and somebody there, by name or
// by the beginning of their peer ID. Whoever is named by their whole ID need not
// be there.
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
	var found []protocol.PeerID
	for _, m := range v.Members {
		if strings.EqualFold(string(m.Presence.Name), who) || len(who) >= 8 && strings.HasPrefix(m.Peer.String(), who) {
			found = append(found, m.Peer)
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
