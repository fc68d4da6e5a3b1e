package node

import (
	"context"
	"encoding/hex"
	"errors"
	"sync/atomic"

	"github.com/earshot-audio/earshot/node/guest"
	"github.com/earshot-audio/earshot/node/relay"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/rtc"
	"github.com/earshot-audio/earshot/protocol"
)

// What guests say, write and speak, by their own keys.

// Say passes on what a guest says.
func (r reception) Say(ctx context.Context, id protocol.RoomID, m *protocol.Message) error {
	c, err := r.heard(id)
	if err != nil {
		return err
	}
	return guestProblem(c.room.GuestSays(ctx, m))
}

// guestProblem tells of an error of a room what a guest is to know.
func guestProblem(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, room.ErrHurry), errors.Is(err, protocol.ErrStale):
		return guest.ErrHurry
	case errors.Is(err, room.ErrBanned):
		return &protocol.Problem{Code: protocol.CodeBanned, Message: "this guest is banned from the room", Cause: err}
	case errors.Is(err, room.ErrGuestsFull), errors.Is(err, protocol.ErrLarge):
		return &protocol.Problem{Code: protocol.CodeFullRoom, Message: "no more guests may speak here", Cause: err}
	case errors.Is(err, protocol.ErrNoRight):
		return &protocol.Problem{Code: protocol.CodeNotOnStage, Message: "a guest has no right to that", Cause: err}
	case errors.Is(err, protocol.ErrSignature):
		return badRequest("a guest's word is wrongly signed", err)
	}
	return err
}

// Publish lets a guest speak. Its signature on the session of its voice, which is made
// of the fingerprint in its offer, binds its key to the connection that the offer
// opens.
func (r reception) Publish(ctx context.Context, v guest.Visit, voice *protocol.Message, offer string) (guest.Session, error) {
	c, err := r.heard(v.Room)
	if err != nil {
		return guest.Session{}, err
	}
	fingerprint, err := rtc.Fingerprint(offer)
	if err != nil {
		return guest.Session{}, badOffer(err)
	}
	if voice.Voice == nil || voice.Voice.Session != protocol.GuestSession(fingerprint) {
		return guest.Session{}, badRequest("a guest's voice names another connection", nil)
	}
	source, err := c.room.OpenGuestVoice(ctx, voice)
	if err != nil {
		return guest.Session{}, guestProblem(err)
	}
	s, answer, err := r.n.media.PublishGuest(ctx, rtc.Entry{Offer: offer, At: v.At, From: v.From}, rtc.Publication{
		Source: source,
		Push:   func(f *protocol.Frame) { c.relay.Push("", f) },
		Closed: func() { c.room.CloseVoice(source) },
	})
	if err != nil {
		c.room.CloseVoice(source)
		return guest.Session{}, badOffer(err)
	}
	r.n.keepSession(s, c)
	return guest.Session{ID: s.ID(), Answer: answer, End: s.Close}, nil
}

// Gone has the room forget a guest.
func (r reception) Gone(id protocol.RoomID, p protocol.PeerID) {
	if c := r.n.room(id); c != nil {
		c.room.GuestGone(p)
	}
}

// ears are a guest's: nobody wants to hear themselves.
type ears struct {
	relay.Sink
	c  *carried
	of atomic.Pointer[protocol.PeerID] // nil: has not said
}

// Send passes on what others say.
func (e *ears) Send(f *protocol.Frame) bool {
	if of := e.of.Load(); of != nil {
		if by, _ := e.c.opened.get(f.Source); by.owner == *of {
			return true
		}
	}
	return e.Sink.Send(f)
}

// named gives the guests of this node who have said who they are.
func (n *Node) named(id protocol.RoomID, v room.View) (named []guest.Named) {
	for _, m := range v.Members {
		if m.Presence.Door == n.self {
			named = append(named, guest.Named{Key: keyText(m.Peer), Who: guestsWord(id, m.Peer.String()), Hand: m.Hand, MaySpeak: v.Lawful.MaySpeak(m.Peer)})
		}
	}
	return named
}

// keyText gives a peer's key in hexadecimal.
func keyText(p protocol.PeerID) string {
	key, err := protocol.PeerKey(p)
	if err != nil {
		return "" // no peer of ours
	}
	return hex.EncodeToString(key)
}

// calledIn gives what somebody calls themselves in a room that this node is in.
func (n *Node) calledIn(ctx context.Context, id protocol.RoomID, p protocol.PeerID) protocol.Name {
	c := n.room(id)
	if c == nil {
		return ""
	}
	v, err := c.room.View(ctx)
	if err != nil {
		return ""
	}
	return v.Names[p]
}
