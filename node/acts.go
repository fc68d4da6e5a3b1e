package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// Act does one thing in a room that its log keeps.
func (n *Node) Act(ctx context.Context, name string, r web.ActRequest) error {
	c, e, err := n.carriedRoom(name)
	if c == nil && e.genesis != nil && e.genesis.Founder == n.self {
		return n.actWhileClosed(e.id, r)
	}
	if err != nil {
		return err
	}
	if aboutSomebody(r) {
		var p protocol.PeerID
		if c, p, err = n.memberNamed(ctx, name, r.Peer); err != nil {
			return err
		}
		return n.actOn(ctx, c, p, r)
	}
	if r.Act == web.ActNext {
		if _, err := n.timeToCome(r.At); err != nil {
			return err
		}
	}
	deed, err := roomDeed(r)
	if err != nil {
		return err
	}
	return c.act(ctx, deed)
}

// aboutSomebody says whether an act needs somebody whom it is about.
func aboutSomebody(r web.ActRequest) bool {
	switch r.Act {
	case web.ActGrant, web.ActRevoke, web.ActRemove, web.ActBan, web.ActUnban:
		return true
	case web.ActMute, web.ActUnmute:
		return r.Peer != ""
	}
	return false
}

// actOn does something about somebody.
func (n *Node) actOn(ctx context.Context, c *carried, p protocol.PeerID, r web.ActRequest) error {
	switch r.Act {
	case web.ActGrant:
		role, err := givenRole(r.Role)
		if err != nil {
			return err
		}
		return c.act(ctx, protocol.Grant{Peer: p, Role: role})
	case web.ActRevoke:
		if r.Role == "" {
			return c.seatInAudience(ctx, p)
		}
		role, err := givenRole(r.Role)
		if err != nil {
			return err
		}
		return c.act(ctx, protocol.Revoke{Peer: p, Role: role})
	case web.ActRemove:
		return c.act(ctx, protocol.Remove{Peer: p})
	case web.ActBan:
		life := time.Duration(r.ForMS) * time.Millisecond
		if r.ForMS < 0 || r.ForMS > protocol.MaxBan.Milliseconds() {
			return badRequest(fmt.Sprintf("a ban lasts at most %.0f days; without a time, until it is lifted", protocol.MaxBan.Hours()/24), nil)
		}
		return c.act(ctx, protocol.Ban{Peer: p, Life: (life + time.Second - 1).Truncate(time.Second)})
	case web.ActUnban:
		return c.act(ctx, protocol.Unban{Peer: p})
	case web.ActUnmute:
		return c.act(ctx, protocol.Unmute{Peer: p})
	}
	return c.act(ctx, protocol.Mute{Peer: p, MayUnmute: r.MayUnmute})
}

// roomDeed reads an act about the room itself, or everybody in it.
func roomDeed(r web.ActRequest) (protocol.Deed, error) {
	text, err := protocol.CleanTitle(r.Text) // title has the longest texts but pin's
	switch r.Act {
	case web.ActMute:
		return protocol.Mute{MayUnmute: r.MayUnmute}, nil
	case web.ActUnmute:
		return protocol.Unmute{}, nil
	case web.ActLock, web.ActUnlock:
		return protocol.Lock(r.Act == web.ActLock), nil
	case web.ActPause, web.ActResume:
		return protocol.Pause(r.Act == web.ActPause), nil
	case web.ActPin:
		return protocol.Pin(strings.TrimSpace(r.Text)), nil
	case web.ActNext:
		if r.At == nil {
			return protocol.Next{}, nil
		}
		return protocol.Next{At: *r.At}, nil
	case web.ActTopics:
		return cleanTopics(r.Topics)
	case web.ActStage:
		if r.Text == protocol.StageModerators.String() {
			return protocol.StageModerators, nil
		}
		stage, err := protocol.ParseStage(r.Text)
		if err != nil || r.Text == "" {
			return nil, badRequest("a stage is open, host or moderators", err)
		}
		return stage, nil
	case web.ActTitle:
		if err != nil || text == "" {
			return nil, badRequest(fmt.Sprintf("a title has 1 to %d bytes of printable text", protocol.MaxTitleBytes), err)
		}
		return protocol.Title(text), nil
	case web.ActLanguage:
		if err != nil {
			return nil, badRequest("a language is like en or pt-BR", err)
		}
		return protocol.Language(text), nil
	}
	return nil, badRequest(fmt.Sprintf("there is no act %q", r.Act), nil)
}

func cleanTopics(topics []string) (protocol.Topics, error) {
	out := protocol.Topics{}
	for _, t := range topics {
		t, err := protocol.CleanTopic(t)
		if err != nil || t == "" || len(out) == protocol.MaxTopics {
			return nil, badRequest(fmt.Sprintf("there are at most %d topics, each of 1 to %d bytes of printable text", protocol.MaxTopics, protocol.MaxTopicBytes), err)
		}
		out = append(out, t)
	}
	return out, nil
}

// givenRole reads a role that the log gives and takes.
func givenRole(s string) (protocol.Role, error) {
	for _, r := range []protocol.Role{protocol.RoleSpeaker, protocol.RoleModerator, protocol.RoleCarrier} {
		if s == r.String() {
			return r, nil
		}
	}
	return 0, badRequest("a role is speaker, moderator or carrier", nil)
}

// seatInAudience takes from somebody what they may speak by. Where everybody may,
// they are muted, and may not end it.
func (c *carried) seatInAudience(ctx context.Context, p protocol.PeerID) error {
	_, lawful, err := c.room.Log(ctx)
	if err != nil {
		return err
	}
	if lawful == nil {
		return notAllowed(protocol.ErrNoRight)
	}
	if lawful.MayModerate(p) {
		if err := c.act(ctx, protocol.Revoke{Peer: p, Role: protocol.RoleModerator}); err != nil {
			return err
		}
	}
	if lawful.Has(p, protocol.RoleSpeaker) {
		if err := c.act(ctx, protocol.Revoke{Peer: p, Role: protocol.RoleSpeaker}); err != nil {
			return err
		}
	}
	if m, muted := lawful.Muted(p); lawful.Stage() != protocol.StageOpen || muted && !m.MayUnmute || p == c.n.self {
		return nil
	}
	return c.act(ctx, protocol.Mute{Peer: p})
}

// act does a deed if it would have an effect, as far as this node knows: the log
// takes others too, and they would stand there for nothing.
func (c *carried) act(ctx context.Context, deed protocol.Deed) error {
	_, lawful, err := c.room.Log(ctx)
	switch {
	case err != nil:
		return err
	case lawful == nil || !lawful.MayModerate(c.n.self):
		return notAllowed(protocol.ErrNoRight)
	}
	if err := holds(lawful, c.n.self, deed); err != nil {
		return err
	}
	return notAllowed(c.room.Act(ctx, deed))
}

// holds says why a deed of a moderator would have no effect.
func holds(lawful *roster.Roster, by protocol.PeerID, deed protocol.Deed) error {
	above := &protocol.Problem{Code: protocol.CodeNotAllowed, Message: "who opened the room, or made you moderator, is not yours to mute, move or remove", Hint: "the room's host can do it"}
	switch d := deed.(type) {
	case protocol.Grant:
		if len(lawful.Bans(d.Peer)) > 0 {
			return &protocol.Problem{Code: protocol.CodeBanned, Message: "they are banned from this room", Hint: "lift that first: earshot stage unban"}
		}
		if d.Role == protocol.RoleModerator && !mayAppoint(lawful, by) {
			return &protocol.Problem{Code: protocol.CodeNotAllowed, Message: "whom you made moderator would moderate nothing: too many stand between you and the host", Hint: "ask who made you moderator"}
		}
	case protocol.Revoke:
		right, moderates := lawful.Right(d.Peer)
		if d.Role == protocol.RoleModerator && moderates && d.Peer != by && !slices.Contains(right.Above, by) {
			return above
		}
	case protocol.Remove:
		if !lawful.MayEnd(by, d.Peer) {
			return above
		}
	case protocol.Ban:
		if !lawful.MayEnd(by, d.Peer) {
			return above
		}
	case protocol.Mute:
		if d.Peer != "" && !lawful.MayEnd(by, d.Peer) {
			return above
		}
	case protocol.Unban:
		return mayLift(lawful, by, d.Peer)
	}
	return nil
}

// rank is 0 for the founder, 1 for whom it appointed; 0 also for who is neither.
func rank(lawful *roster.Roster, p protocol.PeerID) int {
	right, _ := lawful.Right(p)
	return right.Rank()
}

func mayAppoint(lawful *roster.Roster, p protocol.PeerID) bool {
	return lawful.MayModerate(p) && rank(lawful, p) < protocol.MaxRank
}

// mayLift says why a ban would stay.
func mayLift(lawful *roster.Roster, by, p protocol.PeerID) error {
	bans := lawful.Bans(p)
	if len(bans) == 0 {
		return &protocol.Problem{Code: protocol.CodeBadRequest, Message: "they are not banned from this room"}
	}
	for _, b := range bans {
		if b.By != by && by != lawful.Founder() && lawful.MayModerate(b.By) && rank(lawful, by) >= rank(lawful, b.By) {
			return &protocol.Problem{Code: protocol.CodeNotAllowed, Message: "they are banned by somebody whose bans are not yours to lift", Hint: "who banned them can, and the room's host"}
		}
	}
	return nil
}

// notAllowed says what stood against something that the log was to keep.
func notAllowed(err error) error {
	switch {
	case errors.Is(err, protocol.ErrNoRight):
		return &protocol.Problem{Code: protocol.CodeNotAllowed, Message: "only the room's host and its moderators can do that", Hint: "its host can make you one: earshot stage grant ROOM YOU --role moderator", Cause: err}
	case errors.Is(err, roster.ErrShare):
		return &protocol.Problem{Code: protocol.CodeFullLog, Message: "you have done all that you may in this room", Hint: "ask its host to make you a moderator anew", Cause: err}
	case errors.Is(err, protocol.ErrText), errors.Is(err, protocol.ErrMalformed), errors.Is(err, protocol.ErrLarge):
		return badRequest("that is too long, or no printable text", err)
	}
	return err
}

// keptAway says for a person why this node is not in a room, or not any more; nil
// if nobody wants it away.
func keptAway(err error) error {
	switch {
	case errors.Is(err, room.ErrBanned):
		return &protocol.Problem{Code: protocol.CodeBanned, Message: "you are banned from this room", Hint: "its host or a moderator can lift that", Cause: err}
	case errors.Is(err, room.ErrRemoved):
		return &protocol.Problem{Code: protocol.CodeRemoved, Message: "you were removed from the room", Hint: "you may come again, to listen", Cause: err}
	case errors.Is(err, room.ErrLocked):
		return &protocol.Problem{Code: protocol.CodeLocked, Message: "the room is locked: it takes nobody new", Hint: "try again later, or ask its host", Cause: err}
	}
	return nil
}

// unproven says for a person whose word it is that they are kept out of a room, where
// the room's log does not show it.
func unproven(v room.View) error {
	name := string(v.Names[v.KeptOut.By])
	if name == "" {
		name = v.KeptOut.By.String()
	}
	p := &protocol.Problem{Code: protocol.CodeBanned, Message: name + " says that you are banned, but shows nothing for it",
		Hint: "try again in a moment, or ask for a link of somebody else who is there", Cause: v.KeptOut}
	if errors.Is(v.KeptOut.Why, room.ErrLocked) {
		p.Code, p.Message = protocol.CodeLocked, name+" says that the room is locked, but shows nothing for it"
	}
	return p
}

// hushed says for a person why they are not heard.
func (c *carried) hushed(ctx context.Context, cause error) error {
	if _, lawful, err := c.room.Log(ctx); err == nil && lawful != nil && lawful.Paused() {
		return paused(cause)
	}
	return &protocol.Problem{Code: protocol.CodeMuted, Message: "you are muted in this room", Hint: "its host or a moderator can lift that", Cause: cause}
}

func paused(cause error) error {
	return &protocol.Problem{Code: protocol.CodePaused, Message: "the room is paused: nobody is heard, and nobody writes", Hint: "its host or a moderator can let it go on", Cause: cause}
}
