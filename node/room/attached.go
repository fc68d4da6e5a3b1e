package room

import (
	"math/rand/v2"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// A key costs nothing, a link does: a node has few places for them, and few of one
// address. So who is attached to this node, or to the relay by the relay's word, keeps
// a place among the members, whoever else there is.

// hasLink says whether a node is attached: here, or where the relay says so.
func (r *Room) hasLink(p protocol.PeerID, now time.Duration) bool {
	path, at := r.paths[p], r.attachments[p]
	return p == r.cfg.Self || path != nil && path.child || at != 0 && now-at <= protocol.PresenceLife
}

// isAttached says whether somebody is at the end of a link: by their own node, or as the
// guest of one.
func (r *Room) isAttached(p protocol.PeerID, now time.Duration) bool {
	return r.hasLink(p, now) || r.hasLink(r.doorOf(p), now)
}

// byAttached is isAttached for who says m, which may be the first that is heard of them.
func (r *Room) byAttached(m *protocol.Message, now time.Duration) bool {
	return r.isAttached(m.From, now) || m.Presence != nil && r.hasLink(m.Presence.Door, now)
}

// believes says whether the node on a link is believed when it says who is attached:
// the relay, or the parent that this node has instead.
func (r *Room) believes(id protocol.PeerID) bool {
	return r.isParent(id) && (id == r.relay || !r.isParent(r.relay))
}

// noteAttached takes a parent's word that somebody is attached.
func (r *Room) noteAttached(p protocol.PeerID, now time.Duration) {
	if _, known := r.attachments[p]; known || len(r.attachments) < protocol.MaxMembers {
		r.attachments[p] = now
	}
}

// keepsPlace says who makes way for nobody: those for whom the room stands, those of
// whom this node's person keeps a note, and nodes with a link.
func (r *Room) keepsPlace(p protocol.PeerID, now time.Duration) bool {
	return r.standsFor(p, now) || r.noted(p) || r.hasLink(p, now)
}

// share is those who have the places together that are left by those who keep theirs:
// the guests of one attached node, who has been heard here for long, or newcomers.
type share struct {
	door protocol.PeerID
	new  bool
}

func (r *Room) shareOf(p protocol.PeerID, now time.Duration) share {
	if door := r.doorOf(p); r.hasLink(door, now) {
		return share{door: door}
	}
	return share{new: r.isNew(p, now)}
}

// admit says whether there is a place among the members for one more. When all are
// taken, one of the largest share makes way, by lot. So no crowd keeps everybody else
// out, however long it stays, and one that goes on growing costs others little once it
// is the largest.
func (r *Room) admit(p protocol.PeerID, now time.Duration) bool {
	if len(r.members) < protocol.MaxMembers || r.standsFor(p, now) {
		return true
	}
	shares, largest := map[share][]protocol.PeerID{}, share{}
	for q := range r.members {
		if r.keepsPlace(q, now) {
			continue
		}
		s := r.shareOf(q, now)
		if shares[s] = append(shares[s], q); len(shares[s]) > len(shares[largest]) {
			largest = s
		}
	}
	among := shares[largest]
	if len(among) == 0 {
		return false
	}
	r.evict(among[rand.IntN(len(among))], now)
	return true
}

// evict forgets a member who has not left: what they say is still heard.
func (r *Room) evict(p protocol.PeerID, now time.Duration) {
	r.drop("members made way")
	delete(r.members, p)
	r.dismiss(p, now)
	r.changed()
}

// arrives says whether m is the word of somebody new to a full list, who is not
// attached: each may cost another's place.
func (r *Room) arrives(m *protocol.Message, now time.Duration) bool {
	comes := r.senders[m.From] == nil || m.Presence != nil && r.members[m.From] == nil
	return comes && len(r.members) >= protocol.MaxMembers && !r.byAttached(m, now)
}
