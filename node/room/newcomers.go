package room

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Keys are free, so whoever is sent away may come again under another one. What
// people without a duty may do together, those who are new here may do half of: the
// other half is for those who have been here for a while, whatever a crowd of new
// keys does. Who is new each node says for itself, by what it has heard.

// newFor is how long somebody is new after they were first heard in the room.
const newFor = 10 * time.Minute

const (
	newHandsASecond = strangersASecond / 2
	newChats        = crowdChats / 2 // a second
)

// isNew says whether somebody has neither a duty, nor been heard here for long, nor
// is anybody of whom this node's person keeps a note.
func (r *Room) isNew(p protocol.PeerID, now time.Duration) bool {
	if r.hasDuty(p, now) || r.cfg.Noted != nil && r.cfg.Noted(p) {
		return false
	}
	s := r.senders[p]
	return s == nil || now-s.since < newFor
}
