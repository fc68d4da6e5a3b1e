package room

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// say signs what this node has to say, and sends it out.
func (r *Room) say(m *protocol.Message) { r.sayBut(m, "") }

// sayBut is say, but not over the link to one.
func (r *Room) sayBut(m *protocol.Message, to protocol.PeerID) {
	if m.Boot == 0 {
		r.sequence++
		m.Boot, m.Sequence = r.cfg.Boot, r.sequence
	}
	if err := m.Seal(r.cfg.Room, r.cfg.Key); err != nil {
		r.cfg.Log.Error("sign a room message", "err", err)
		return
	}
	now := r.cfg.Now()
	if r.publishes(now) && r.newsForTopic(m, now) {
		r.cfg.Topic.Publish(m.Raw)
	}
	r.feed(m, to, true)
}

// publishes says whether this node says what it says on the topic. One that is only
// coming does not: where the room is locked it would pass for somebody who is in it.
func (r *Room) publishes(now time.Duration) bool {
	return r.onStage(r.cfg.Self, now) && (r.inside || r.root || r.mayCarry(r.cfg.Self, now))
}

// How often claims and pulses that say nothing new go to the topic while the
// links carry each of them: where everybody has a link, flooding them all would
// be most of a silent room's traffic. Claims are what the halves of a healed
// partition find each other by.
const (
	claimsOnTopic = 1100 * time.Millisecond
	pulsesOnTopic = 4 * time.Second
)

// news is what went to the topic last.
type news struct {
	claim            protocol.Claim
	pulse            protocol.Pulse
	claimAt, pulseAt time.Duration
}

// newsForTopic says whether a message of this node belongs on the topic too.
func (r *Room) newsForTopic(m *protocol.Message, now time.Duration) bool {
	n := &r.told
	switch {
	case m.Claim != nil:
		c := m.Claim.Claim
		c.Sequence = 0
		if c == n.claim && now-n.claimAt < claimsOnTopic && r.linked(now) {
			return false
		}
		n.claim, n.claimAt = c, now
	case m.Pulse != nil:
		p := *m.Pulse
		p.Sequence = 0
		if p == n.pulse && now-n.pulseAt < pulsesOnTopic && r.linked(now) {
			return false
		}
		n.pulse, n.pulseAt = p, now
	}
	return true
}

// linked says whether the links reach everyone who votes: those of the relay,
// each candidate that it hears; another's, the relay.
func (r *Room) linked(now time.Duration) bool {
	if !r.root {
		p := r.parents[r.relay]
		return p != nil && p.accepted && r.machine.Live(now)
	}
	for id, m := range r.members {
		if p := r.paths[id]; m.pulseAt != 0 && (p == nil || !p.child) {
			return false
		}
	}
	return true
}

// onStage says whether p publishes for itself.
func (r *Room) onStage(p protocol.PeerID, now time.Duration) bool {
	return r.maySpeak(p, now) || r.mayCarry(p, now)
}

// pass sends on what came: down to children, from the standby up to its relay,
// and for the audience, whom the topic does not hear, to the topic.
func (r *Room) pass(m *protocol.Message, from protocol.PeerID) {
	if p := r.paths[from]; from != "" && p != nil && p.child && !r.onStage(m.From, r.cfg.Now()) {
		r.cfg.Topic.Publish(m.Raw)
	}
	r.feed(m, from, from != "")
}

// feed sends a message along the links: to children, and up if up.
func (r *Room) feed(m *protocol.Message, from protocol.PeerID, up bool) {
	now := r.cfg.Now()
	msg := &pb.LinkMessage{What: &pb.LinkMessage_Feed{Feed: &pb.Feed{Room: r.cfg.Room[:], Message: m.Raw, Attached: r.hasLink(m.From, now)}}}
	for id, p := range r.paths {
		parent := r.parents[id]
		above := parent != nil && parent.accepted
		switch {
		case id == from, id == m.From, !above && !p.child, above && !p.child && !up:
		case m.Pulse != nil && !r.needsPulse(id, from, now):
		default:
			r.cfg.Links.Send(id, msg)
		}
	}
}

// needsPulse says whether a pulse that came from another is worth passing on:
// only to those who vote; and since each voter tells relay and standby of
// itself, only by the relay and not to the standby, while the relay lives.
func (r *Room) needsPulse(to, from protocol.PeerID, now time.Duration) bool {
	switch {
	case !r.mayCarry(to, now):
		return false
	case from == "" || !r.machine.Live(now):
		return true
	}
	return r.root && to != r.standby
}
