package room

import (
	"context"
	"errors"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// A guest has a browser and no node. What it says it signs by a key of its own, as
// everybody does; the node at whose door it is sends that on, and brings its voice.
// That it is this node's guest both say: the guest by Presence.Door, the node by
// Presence.Guests, so that neither can be pressed on the other.

var (
	// ErrGuestsFull is for one guest more than a node may name.
	ErrGuestsFull = errors.New("as many guests as may ask to speak do")
	// ErrHurry is for a guest that is to be named before the room would hear of it.
	ErrHurry = errors.New("too soon after the last one")
)

// GuestLaw is what of a room's law the door of a node keeps.
type GuestLaw struct {
	Shut   bool              // locked or paused: nobody new comes in
	Banned []protocol.PeerID // who is kept out
}

// GuestLaw gives it as it stands; nothing while nobody told of the room.
func (r *Room) GuestLaw(ctx context.Context) (law GuestLaw, err error) {
	err = r.ask(ctx, func(r *Room) { law = r.guestLaw(r.cfg.Now()) })
	return law, err
}

func (r *Room) guestLaw(now time.Duration) (law GuestLaw) {
	if r.lawful == nil {
		return law
	}
	law.Shut = r.shut()
	for _, p := range r.lawful.Banned() {
		if r.banned(p, now) {
			law.Banned = append(law.Banned, p)
		}
	}
	return law
}

// namedBy gives the guests that a node names.
func (r *Room) namedBy(p protocol.PeerID) protocol.NamedGuests {
	if p == r.cfg.Self {
		return r.guests
	}
	if m := r.members[p]; m != nil {
		return m.presence.Guests.Named
	}
	return protocol.NamedGuests{}
}

// doorOf gives the node whose guest p is; "": p is nobody's.
func (r *Room) doorOf(p protocol.PeerID) protocol.PeerID {
	m := r.members[p]
	if m == nil || !r.namedBy(m.presence.Door).Has(p) {
		return ""
	}
	return m.presence.Door
}

// bringer gives whose link brings p's voice: its own, or that of its door's node.
func (r *Room) bringer(p protocol.PeerID) protocol.PeerID {
	if door := r.doorOf(p); door != "" {
		return door
	}
	return p
}

// dismiss forgets the guests that a node does not name any more.
func (r *Room) dismiss(door protocol.PeerID, now time.Duration) {
	named := r.namedBy(door)
	for p, m := range r.members {
		if m.presence.Door == door && !named.Has(p) {
			delete(r.hands, p)
			r.forget(p, now)
		}
	}
}

// GuestSays takes what a guest of this node says: presence, hand, chat, reaction, or of a voice
// that OpenGuestVoice opened that it goes on, or ended. The first presence names the
// guest to the room. The error is ErrBanned for one who is kept out, ErrNoRight for
// what it may not say, ErrStale for what is old or too often, ErrGuestsFull and
// ErrHurry for one that can't be named (yet).
func (r *Room) GuestSays(ctx context.Context, m *protocol.Message) (err error) {
	if e := r.ask(ctx, func(r *Room) { err = r.guestSays(m, r.cfg.Now()) }); e != nil {
		return e
	}
	return err
}

func (r *Room) guestSays(m *protocol.Message, now time.Duration) error {
	banned := r.banned(m.From, now)
	if r.genesis == nil || m.From == r.cfg.Self || !banned && !r.mayPassOn(m) {
		return protocol.ErrNoRight
	}
	if err := m.Verify(r.cfg.Room); err != nil {
		return err
	}
	if banned {
		return ErrBanned
	}
	if !r.fresh(m, now) {
		return protocol.ErrStale
	}
	if m.Presence != nil && !m.Presence.Leaving {
		if err := r.nameGuest(m.From, now); err != nil {
			return err
		}
	}
	r.remember(m, now)
	if !r.take(m, m.From, now) {
		return protocol.ErrStale
	}
	r.sayFor(m, now)
	if m.Presence != nil && m.Presence.Leaving {
		r.guestGone(m.From, now)
	}
	return nil
}

// mayPassOn says whether a message is of the few kinds that a door passes on for its
// guests, and of a guest who is named, or is to be.
func (r *Room) mayPassOn(m *protocol.Message) bool {
	if m.Presence != nil {
		return m.Presence.Door == r.cfg.Self
	}
	if r.doorOf(m.From) != r.cfg.Self {
		return false
	}
	switch {
	case m.Voice != nil:
		return r.voices[protocol.SourceOf(r.cfg.Room, m.From, m.Voice.Session)] != nil
	case m.Reaction != nil:
		return r.chatRights().MayWrite(m.From)
	case m.Chat != nil: // under the name by which the room knows the guest
		return r.chatRights().MayWrite(m.From) && m.Chat.Name == r.members[m.From].presence.Name
	}
	return m.Hand != nil
}

// nameGuest tells the room of a guest before the guest itself does.
func (r *Room) nameGuest(p protocol.PeerID, now time.Duration) error {
	if r.guests.Has(p) {
		return nil
	}
	for i, named := range r.guests {
		if named != "" {
			continue
		}
		if now-r.presentAt < presentEach {
			return ErrHurry
		}
		r.guests[i] = p
		r.presentNow(now)
		return nil
	}
	return ErrGuestsFull
}

// sayFor sends out what a guest said, as say does this node's own words: who has a
// duty is published where it is, the audience by a parent.
func (r *Room) sayFor(m *protocol.Message, now time.Duration) {
	if r.root || r.onStage(m.From, now) {
		r.cfg.Topic.Publish(m.Raw)
	}
	r.feed(m, "", true)
}

// OpenGuestVoice opens the source of a guest that says so, if it may speak here.
func (r *Room) OpenGuestVoice(ctx context.Context, m *protocol.Message) (s protocol.Source, err error) {
	if e := r.ask(ctx, func(r *Room) { s, err = r.openGuestVoice(m, r.cfg.Now()) }); e != nil {
		return 0, e
	}
	return s, err
}

func (r *Room) openGuestVoice(m *protocol.Message, now time.Duration) (protocol.Source, error) {
	if m.Voice == nil || m.Voice.Ended || r.doorOf(m.From) != r.cfg.Self || !r.maySpeak(m.From, now) {
		return 0, protocol.ErrNoRight
	}
	s := protocol.SourceOf(r.cfg.Room, m.From, m.Voice.Session)
	if r.voices[s] != nil || !r.fresh(m, now) {
		return 0, protocol.ErrStale
	}
	if err := r.openHeard(m, now); err != nil { // which verifies it
		return 0, err
	}
	r.remember(m, now)
	r.sayFor(m, now)
	return s, nil
}

// sendAway has this node's door end the visit of a guest whom the room takes out.
func (r *Room) sendAway(p protocol.PeerID, banned bool, now time.Duration) {
	r.guestGone(p, now)
	if r.cfg.SendAway != nil {
		r.cfg.SendAway(p, banned)
	}
}

// GuestGone says that a guest of this node has left, or was sent away: the room
// forgets it at once.
func (r *Room) GuestGone(p protocol.PeerID) {
	r.post(func(r *Room) { r.guestGone(p, r.cfg.Now()) })
}

func (r *Room) guestGone(p protocol.PeerID, now time.Duration) {
	for i, named := range r.guests {
		if named == p && p != "" {
			r.guests[i] = ""
			r.dismiss(r.cfg.Self, now)
		}
	}
}
