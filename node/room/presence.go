package room

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Use is what programs on this machine do with the room: how many of each.
type Use struct {
	Listening, Speaking, Recording int
	Reading                        int  // along what people write
	Guests                         int  // of those who listen
	Muted                          bool // those who speak have turned their microphones off
}

// presentEach is the shortest time between two presences: receivers take three a
// second, and the last one has to be among them.
const presentEach = 500 * time.Millisecond

// present tells the others of this node: when something changed, and regularly.
func (r *Room) present(now time.Duration) {
	wait := protocol.PresenceBeat
	if *r.ownPresence() != r.presented {
		wait = presentEach
	}
	if now-r.presentAt >= wait {
		r.presentNow(now)
	}
	r.describe(now)
}

func (r *Room) presentNow(now time.Duration) {
	if r.genesis == nil {
		return
	}
	r.moderated(r.cfg.Self, now)
	own := r.ownPresence()
	r.presentAt, r.presented = now, *own
	r.say(&protocol.Message{Presence: own})
	r.sayVoices()
	r.repeatHands(now)
}

func (r *Room) ownPresence() *protocol.Presence {
	p := &protocol.Presence{Name: r.cfg.Name, Offers: r.cfg.Lends, Listening: r.use.Listening > r.use.Guests,
		Speaking: r.use.Speaking > 0, Recording: r.use.Recording > 0}
	if r.genesis == nil {
		return p
	}
	p.Muted = r.seated(r.cfg.Self, r.cfg.Now()) && (r.use.Speaking == 0 || r.use.Muted)
	p.LiveParent, p.WarmParent = r.shownParents()
	p.Guests = protocol.Guests{Count: r.use.Guests, Named: r.guests}
	return p
}

// shownParents gives whose sound this node takes, or would, and who stands by
// for that. A node that hides tells of nobody but the relay, which knows.
func (r *Room) shownParents() (live, warm protocol.PeerID) {
	for _, id := range []protocol.PeerID{r.relay, r.standby} {
		p := r.parents[id]
		switch {
		case p == nil || !p.accepted || r.cfg.RelayOnly && id != r.relay:
		case id == r.live:
			live = id
		default:
			warm = id
		}
	}
	return live, warm
}

// takePresence takes what somebody says of themselves; false: there is no place for
// them among the members.
func (r *Room) takePresence(m *protocol.Message, now time.Duration) bool {
	if m.Presence.Leaving {
		delete(r.hands, m.From)
		r.forget(m.From, now)
		return true
	}
	if r.members[m.From] == nil && !r.admit(m.From, now) {
		r.drop("more members than this node remembers")
		return false
	}
	r.senders[m.From].name, r.senders[m.From].door = m.Presence.Name, m.Presence.Door
	s := r.meet(m.From, now)
	r.moderated(m.From, now)
	was := s.presence
	s.lost = s.lost && m.Presence.LiveParent == "" // else it follows another; a relay's word of before may come late
	if s.presence, s.raw = *m.Presence, m.Raw; s.presence == was {
		return true
	}
	if was.Door != s.presence.Door { // another link brings its voice
		r.endVoices(m.From, now)
	}
	r.dismiss(m.From, now)
	r.changed()
	return true
}
