package room

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// profileEach is how often a profile that says anything is said again: what has
// changed goes out at once, and newcomers are given it with the presences.
const profileEach = time.Minute

// Describe changes what this node's person is called, and says of themselves.
func (r *Room) Describe(name protocol.Name, p protocol.Profile) {
	r.post(func(r *Room) {
		r.cfg.Name, r.cfg.Profile = name, p
		r.describe(r.cfg.Now())
		r.changed()
	})
}

// describe says the profile, if it has not been said, or not for long. It goes with
// the presence, since of who is not there it is not taken.
func (r *Room) describe(now time.Duration) {
	news := r.cfg.Profile != r.described
	again := r.described != (protocol.Profile{}) && now-r.describedAt >= profileEach
	if r.genesis == nil || now-r.describedAt < presentEach || !news && !again {
		return
	}
	own := r.cfg.Profile
	r.described, r.describedAt = own, now
	r.say(&protocol.Message{Profile: &own})
}

// takeProfile keeps what somebody in the room says of themselves; false: they are
// not here, or said nothing new.
func (r *Room) takeProfile(m *protocol.Message) bool {
	s := r.members[m.From]
	if s == nil || s.raw == nil {
		return false
	}
	changed := s.profile != *m.Profile
	s.profile, s.profileRaw = *m.Profile, m.Raw
	if changed {
		r.changed()
	}
	return true
}
