package room

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// hand is somebody who asks to speak: who says so, or of whom the relay does.
type hand struct {
	at      time.Duration  // when that was said last
	since   time.Duration  // when it went up, by the relay's count once it is stamped
	order   int            // in which hands became known here: what a relay stamps by
	stamp   protocol.Stamp // Term 0: it has no place in the queue yet
	lowered bool           // by a moderator, as long as it is not raised anew
	boot    uint64         // of who asks, and the number of the raising; 0: not heard yet
	raised  uint64
}

func (h *hand) placed() bool { return h.stamp.Term != 0 && !h.lowered }

// ownHand is what this node says of its own.
type ownHand struct {
	up   bool
	said bool          // in this life: before, the relay may know better
	at   time.Duration // when it was said last

	raised uint64 // the number of the raising
}

// How often a node takes note anew of hands of people for whom the room does not
// stand: of all together, and of each, so that few who raise and lower theirs as
// fast as they can leave nothing to the rest. Who is left out says it again with
// its next presence.
const (
	strangersASecond = 8
	raisingEach      = protocol.PresenceBeat
	raisingsAtOnce   = 2
)

var (
	// ErrSeated is for one who asks to speak and may.
	ErrSeated = errors.New("already on the stage")
	// ErrHandDown is for one whose hand can't be lowered, being down.
	ErrHandDown = errors.New("the hand is not up")
)

// Hand raises or lowers this node's hand.
func (r *Room) Hand(ctx context.Context, up bool) (err error) {
	if e := r.ask(ctx, func(r *Room) { err = r.setHand(up, r.cfg.Now()) }); e != nil {
		return e
	}
	return err
}

// Lower takes somebody's hand down; who moderates may.
func (r *Room) Lower(ctx context.Context, p protocol.PeerID) (err error) {
	if e := r.ask(ctx, func(r *Room) { err = r.lower(p, r.cfg.Now()) }); e != nil {
		return e
	}
	return err
}

func (r *Room) setHand(up bool, now time.Duration) error {
	switch {
	case r.genesis == nil:
		return protocol.ErrNoRight
	case up && r.seated(r.cfg.Self, now):
		return ErrSeated
	case up && r.own.up && r.hands[r.cfg.Self] != nil && r.hands[r.cfg.Self].placed():
		return nil
	}
	r.own.up = up
	if up {
		r.own.raised = r.sequence + 1
		r.noteHand(r.cfg.Self, now)
	} else {
		delete(r.hands, r.cfg.Self)
	}
	r.sayHand(now)
	r.tendHands(now)
	r.changed()
	return nil
}

func (r *Room) sayHand(now time.Duration) {
	r.own.said, r.own.at = true, now
	r.say(&protocol.Message{Hand: &protocol.Hand{Up: r.own.up, Raised: r.own.raised}})
}

// lower is a moderator's word that a hand goes down.
func (r *Room) lower(p protocol.PeerID, now time.Duration) error {
	if r.genesis == nil || !r.lawful.MayModerate(r.cfg.Self) {
		return protocol.ErrNoRight
	}
	h := r.hands[p]
	if h == nil || !h.placed() {
		return ErrHandDown
	}
	stamp := h.stamp
	stamp.Waited = 0
	r.say(&protocol.Message{Lowered: &stamp})
	r.takeLowered(stamp, now)
	return nil
}

// seated says whether p need not ask: it has a place, or it speaks and may.
func (r *Room) seated(p protocol.PeerID, now time.Duration) bool {
	if r.placed(p, now) {
		return true
	}
	m := r.members[p]
	speaks := p == r.cfg.Self && r.use.Speaking > 0 || m != nil && m.presence.Speaking
	return speaks && r.maySpeak(p, now)
}

// takeHand notes that somebody raised their hand, still has it up, or lowered it.
func (r *Room) takeHand(m *protocol.Message, now time.Duration) {
	p := m.From
	stood := r.hands[p] != nil && r.hands[p].placed()
	if h := r.hands[p]; h != nil && h.anew(m) {
		delete(r.hands, p) // the word that it went down is late, or lost
	}
	switch h := r.hands[p]; {
	case !m.Hand.Up && h == nil:
	case !m.Hand.Up:
		delete(r.hands, p)
		r.changed()
	case h != nil:
		h.at, h.boot, h.raised = now, m.Boot, m.Hand.Raised
	case r.seated(p, now):
	case len(r.hands) >= protocol.MaxHands || !r.standsFor(p, now) && !r.mayQueue(p, now):
		r.drop("more hands than the queue takes")
	case !r.standsFor(p, now) && !r.mayAsk(p, now):
		r.drop("hands too often")
	default:
		h := r.noteHand(p, now)
		h.boot, h.raised = m.Boot, m.Hand.Raised
	}
	if h := r.hands[p]; stood && (h == nil || !h.placed()) && r.queue.left == 0 {
		r.queue.left = now
	}
	r.tendHands(now)
}

// anew says whether m tells of another raising than h. In a later life it is the
// same one, unless that was lowered.
func (h *hand) anew(m *protocol.Message) bool {
	switch {
	case !m.Hand.Up || h.boot == 0:
		return false
	case h.boot != m.Boot:
		return h.lowered
	}
	return m.Hand.Raised > h.raised
}

func (r *Room) noteHand(p protocol.PeerID, now time.Duration) *hand {
	h := r.hands[p]
	if h == nil {
		r.handsSeen++
		h = &hand{since: now, order: r.handsSeen}
		r.hands[p] = h
	}
	h.at = now
	return h
}

// takeLowered takes a moderator's word; false if it is nothing new. It names
// one raising of a hand, so that it lowers no later one when said again.
func (r *Room) takeLowered(s protocol.Stamp, now time.Duration) bool {
	h := r.hands[s.Peer]
	if h == nil || h.lowered || !h.stamp.Same(s) {
		return false
	}
	h.lowered = true
	if s.Peer == r.cfg.Self && r.own.up {
		_ = r.setHand(false, now) // down: always done
	}
	r.tendHands(now)
	r.changed()
	return true
}

// tendHands forgets hands of whom nothing is heard, and of those who got their
// place; the relay stamps new ones, and says what has changed.
func (r *Room) tendHands(now time.Duration) {
	if r.genesis == nil {
		return
	}
	if r.own.up && r.seated(r.cfg.Self, now) {
		_ = r.setHand(false, now) // down: always done
	}
	for p, h := range r.hands {
		if p == r.cfg.Self && r.own.up {
			h.at = now
		}
		if now-h.at > protocol.PresenceLife || r.seated(p, now) && (r.root || h.stamp.Term == 0) {
			delete(r.hands, p)
			r.changed()
		}
	}
	if r.root {
		r.stampHands()
		r.tellQueue(now)
		return
	}
	r.restoreQueue(now)
}

// stampHands gives those who came after the queue their places in it, in the
// order in which they were heard.
func (r *Room) stampHands() {
	var late []protocol.PeerID
	places := protocol.MaxHands
	for p, h := range r.hands {
		switch {
		case h.placed():
			places--
		case h.stamp.Term == 0 && !h.lowered && (p == r.cfg.Self || r.members[p] != nil):
			late = append(late, p)
		}
	}
	slices.SortFunc(late, func(p, q protocol.PeerID) int { return cmp.Compare(r.hands[p].order, r.hands[q].order) })
	for _, p := range late[:min(len(late), max(places, 0))] {
		r.queue.number++
		r.hands[p].stamp = protocol.Stamp{Peer: p, Term: r.term, N: r.queue.number}
		r.changed()
	}
}

// stamps gives the queue in order.
func (r *Room) stamps(now time.Duration) []protocol.Stamp {
	var out []protocol.Stamp
	for _, h := range r.hands {
		if h.placed() {
			s := h.stamp
			s.Waited = now - h.since
			out = append(out, s)
		}
	}
	slices.SortFunc(out, protocol.Stamp.Compare)
	return out
}
