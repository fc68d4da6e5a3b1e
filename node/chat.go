package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// chatPace is the shortest time between two looks for one who reads along.
const chatPace = 100 * time.Millisecond

// Chat gives what was written in a room that this node is in.
func (n *Node) Chat(ctx context.Context, name string, after uint64) (web.Chat, error) {
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return web.Chat{}, err
	}
	return c.chat(ctx, after)
}

func (c *carried) chat(ctx context.Context, after uint64) (web.Chat, error) {
	t, err := c.room.Talk(ctx, after)
	if err != nil {
		return web.Chat{}, err
	}
	chat := web.Chat{Room: c.id.String(), Revision: t.Revision, Reactions: t.Reactions, MayHide: t.MayHide, CaptionsAllowed: c.captions.Load()}
	for _, m := range t.Remarks {
		line := web.ChatLine{ID: messageID(m.ID), Order: m.Order, Peer: m.ID.From.String(), Name: string(m.Name),
			Text: m.Text, Said: m.Said.UTC(), Hidden: m.Hidden, Guest: m.Guest, You: m.ID.From == c.n.self, Revision: m.Revision}
		note := c.n.people.Of(m.ID.From)
		if line.Petname, line.Blocked = note.Petname, note.Blocked; line.Blocked {
			line.Text = ""
		}
		chat.Messages = append(chat.Messages, line)
	}
	for _, p := range t.Captions {
		note := c.n.people.Of(p.From)
		if note.Blocked {
			continue
		}
		chat.Captions = append(chat.Captions, web.CaptionLine{ID: messageID(protocol.MessageID{From: p.From, Boot: p.Boot, Sequence: uint64(p.Utterance)}),
			Peer: p.From.String(), Name: string(p.Name), Petname: note.Petname, Language: p.Language, Text: p.Text, Final: p.Final})
	}
	return chat, nil
}

// messageID writes a message's name for scripts and the page.
func messageID(id protocol.MessageID) string {
	return fmt.Sprintf("%s-%d-%d", id.From, id.Boot, id.Sequence)
}

func parseMessageID(s string) (id protocol.MessageID, err error) {
	parts := strings.Split(s, "-")
	if len(parts) != 3 {
		return id, protocol.ErrMalformed
	}
	if id.From, err = peer.Decode(parts[0]); err != nil {
		return id, err
	}
	if id.Boot, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return id, err
	}
	if id.Sequence, err = strconv.ParseUint(parts[2], 10, 64); err == nil && id.Sequence == 0 {
		err = protocol.ErrMalformed
	}
	return id, err
}

// Write joins a room and says text to all in it.
func (n *Node) Write(ctx context.Context, name, text string) (web.Written, error) {
	if _, err := protocol.CleanChat(text); err != nil {
		return web.Written{}, badRequest(fmt.Sprintf("a message has 1 to %d bytes of text", protocol.MaxChatBytes), err)
	}
	c, err := n.join(ctx, name)
	if err != nil {
		return web.Written{}, err
	}
	c.uses(func(*room.Use) {}) // it leaves soon, unless something else is done here
	id, err := c.room.Write(ctx, text, n.cfg.Wall())
	if err != nil {
		return web.Written{}, chatProblem(err)
	}
	return web.Written{Room: c.id.String(), ID: messageID(id)}, nil
}

// HideChat takes what somebody wrote out of sight, or shows it again.
func (n *Node) HideChat(ctx context.Context, name string, r web.HideRequest) error {
	var of protocol.MessageID
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return err
	}
	if r.Message != "" {
		if of, err = parseMessageID(r.Message); err != nil {
			return noMessage(err)
		}
	} else if of.From, err = n.writer(ctx, c, name, r.Peer); err != nil {
		return err
	}
	switch err := c.room.Hide(ctx, of, r.Shown); {
	case errors.Is(err, room.ErrNoMessage):
		return noMessage(err)
	case errors.Is(err, protocol.ErrNoRight):
		return &protocol.Problem{Code: protocol.CodeNotAllowed, Message: "only the room's host and its moderators hide what others wrote, and what the host wrote, the host alone",
			Hint: "not to read somebody yourself: earshot block", Cause: err}
	default:
		return err
	}
}

func noMessage(cause error) error {
	return badRequest("there is no such message in this room", cause)
}

// writer finds who is meant: somebody in the room, or who wrote and has gone.
func (n *Node) writer(ctx context.Context, c *carried, name, who string) (protocol.PeerID, error) {
	_, p, err := n.memberNamed(ctx, name, who)
	if err == nil {
		return p, nil
	}
	t, terr := c.room.Talk(ctx, 0)
	if terr != nil {
		return "", terr
	}
	found := map[protocol.PeerID]bool{}
	for _, m := range t.Remarks {
		if strings.EqualFold(string(m.Name), who) {
			found[m.ID.From] = true
		}
	}
	for p := range found {
		if len(found) == 1 {
			return p, nil
		}
	}
	return "", err
}

// React shows an emoji to all in a room that this node is in.
func (n *Node) React(ctx context.Context, name, emoji string) error {
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return err
	}
	err = c.room.React(ctx, emoji)
	if errors.Is(err, protocol.ErrText) {
		return &protocol.Problem{Code: protocol.CodeBadRequest, Message: "that is not one of the reactions", Hint: "they are " + strings.Join(protocol.Reactions(), " "), Cause: err}
	}
	return chatProblem(err)
}

// AllowCaptions is the person's word on whether programs here may say for them,
// as text, what they say in a room. It holds while this node is in the room.
func (n *Node) AllowCaptions(ctx context.Context, name string, allowed bool) error {
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return err
	}
	c.captions.Store(allowed)
	n.changed()
	return nil
}

// Caption says what this node's person says in a room, as text.
func (n *Node) Caption(ctx context.Context, name string, r web.CaptionRequest) error {
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return err
	}
	if !r.Typed && !c.captions.Load() {
		return &protocol.Problem{Code: protocol.CodeNoConsent, Message: "this node's person has not allowed captions in that room",
			Hint: "they may: earshot captions " + c.id.Short() + " --allow"}
	}
	err = c.room.Caption(ctx, r.Language, r.Text, r.Final == nil || *r.Final)
	if errors.Is(err, protocol.ErrText) {
		return badRequest(fmt.Sprintf("a caption has 1 to %d bytes of text on one line, and a language like id or zh-Hant", protocol.MaxCaptionBytes), err)
	}
	if errors.Is(err, room.ErrMuted) {
		return c.hushed(ctx, err)
	}
	if errors.Is(err, protocol.ErrNoRight) {
		return &protocol.Problem{Code: protocol.CodeNotOnStage, Message: "only who may speak here is captioned", Hint: "raise your hand: earshot hand up " + c.id.Short(), Cause: err}
	}
	return chatProblem(err)
}

// chatProblem says for a person why something was not said.
func chatProblem(err error) error {
	switch {
	case errors.Is(err, room.ErrTooFast):
		return &protocol.Problem{Code: protocol.CodeTooFast, Message: "that is more at once than the room takes", Hint: "wait a few seconds", Cause: err}
	case errors.Is(err, protocol.ErrNoRight):
		return paused(err) // else everybody may
	}
	return err
}

// chatFollowing is one who reads along in a room, and so is in it.
type chatFollowing struct {
	c       *carried
	changed <-chan struct{}
	stop    func()
	pace    *time.Ticker
	seen    web.Chat
	begun   bool
}

// FollowChat joins a room and reads along.
func (n *Node) FollowChat(ctx context.Context, name string) (web.ChatFollowing, error) {
	c, err := n.join(ctx, name)
	if err != nil {
		return nil, err
	}
	f := &chatFollowing{c: c, pace: time.NewTicker(chatPace)}
	f.changed, f.stop = n.changes.watch()
	c.uses(func(u *room.Use) { u.Reading++ })
	return f, nil
}

// Next gives first all that was written, then what is new.
func (f *chatFollowing) Next(ctx context.Context) (web.Chat, error) {
	for {
		if f.begun {
			select {
			case <-f.changed:
			case <-f.c.ended:
				return web.Chat{}, io.EOF
			case <-ctx.Done():
				return web.Chat{}, ctx.Err()
			}
			select {
			case <-f.pace.C:
			case <-ctx.Done():
				return web.Chat{}, ctx.Err()
			}
		}
		now, err := f.c.chat(ctx, f.seen.Revision)
		switch {
		case err != nil && ctx.Err() == nil:
			return web.Chat{}, io.EOF // the room has ended
		case err != nil:
			return web.Chat{}, err
		case f.begun && !now.Differs(f.seen):
			continue
		}
		f.begun, f.seen = true, now
		return now, nil
	}
}

// Close leaves, if nothing else is done in the room.
func (f *chatFollowing) Close() {
	f.stop()
	f.pace.Stop()
	f.c.uses(func(u *room.Use) { u.Reading-- })
}
