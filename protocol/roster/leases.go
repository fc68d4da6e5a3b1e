package roster

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Times of the protocol: all nodes of a room agree on them.
const (
	LeaseLife = 15 * time.Minute // of a speaker's grant, from when it is first seen or was renewed
	LeaseRest = time.Hour        // for which lives pause at most while no moderator is heard

	// Silence is after how long without a word of any moderator, the founder
	// included, none is heard.
	Silence = 15 * time.Second
)

// Leases are the lives of speakers' grants as one node counts them. A grant lives
// LeaseLife from when the node first sees it; a moderator who says so renews it,
// also after it ran out, as long as the log has it. While no moderator is heard,
// lives pause, for LeaseRest at most: a room whose moderators are gone for a while
// does not fall silent.
//
// Every time that it is given is the node's own monotonic clock and must not go
// back.
type Leases struct {
	left    map[protocol.PeerID]lease
	now     time.Duration                         // up to which lives are counted
	heard   time.Duration                         // the last word of a moderator
	resumed map[protocol.ActionHash]time.Duration // left of grants by an earlier run, until the first Set
}

type lease struct {
	grant protocol.ActionHash
	left  time.Duration
}

// NewLeases gives leases without grants; it takes a moderator to be heard now.
func NewLeases(now time.Duration) *Leases {
	return &Leases{left: map[protocol.PeerID]lease{}, now: now, heard: now}
}

// Set takes the grants of a roster: new ones begin their lives.
func (l *Leases) Set(r *Roster, now time.Duration) {
	for _, p := range r.Speakers() {
		h, _ := r.Granted(p, protocol.RoleSpeaker)
		if left, ok := l.resumed[h]; ok {
			l.left[p] = lease{h, min(left, LeaseLife)}
		}
	}
	l.resumed = nil
	l.advance(now)
	for p, held := range l.left {
		if h, ok := r.Granted(p, protocol.RoleSpeaker); !ok || h != held.grant {
			delete(l.left, p)
		}
	}
	for _, p := range r.Speakers() {
		if _, ok := l.left[p]; !ok {
			h, _ := r.Granted(p, protocol.RoleSpeaker)
			l.left[p] = lease{h, LeaseLife}
		}
	}
}

// Heard says that a moderator was heard, whatever they said.
func (l *Leases) Heard(now time.Duration) {
	l.advance(now)
	l.heard = now
}

// Renew gives p's grant, if there is one, another life: a moderator said so.
func (l *Leases) Renew(p protocol.PeerID, now time.Duration) {
	l.Heard(now)
	if held, ok := l.left[p]; ok {
		l.left[p] = lease{held.grant, LeaseLife}
	}
}

// Holds says whether p has a grant that lives.
func (l *Leases) Holds(p protocol.PeerID, now time.Duration) bool {
	return l.Left(p, now) > 0
}

// Left gives what is left of the life of p's grant.
func (l *Leases) Left(p protocol.PeerID, now time.Duration) time.Duration {
	l.advance(now)
	return max(0, l.left[p].left)
}

// Tick gives those whose grants have run out since the last Tick, sorted.
func (l *Leases) Tick(now time.Duration) (lapsed []protocol.PeerID) {
	l.advance(now)
	for p, held := range l.left {
		if held.left <= 0 && held.left != over {
			lapsed = append(lapsed, p)
			l.left[p] = lease{held.grant, over}
		}
	}
	slices.Sort(lapsed)
	return lapsed
}

// over is what is left of a life whose end Tick has told.
const over = time.Duration(-1 << 63)

// advance counts lives down to now, less what was paused.
func (l *Leases) advance(now time.Duration) {
	if now <= l.now {
		return
	}
	from, to := l.heard+Silence, l.heard+Silence+LeaseRest // the pause
	passed := now - l.now - max(0, min(now, to)-max(l.now, from))
	for p, held := range l.left {
		if held.left > 0 {
			l.left[p] = lease{held.grant, max(0, held.left-passed)}
		}
	}
	l.now = now
}

// Sentences are the lives of bans as one node counts them: from its own first
// sight, on its own monotonic clock. Nothing else is the same for all whatever
// clocks say; so a ban may last longer at a node that learnt of it late.
type Sentences struct {
	since map[protocol.ActionHash]time.Duration
}

// NewSentences gives none.
func NewSentences() *Sentences { return &Sentences{map[protocol.ActionHash]time.Duration{}} }

// Set takes the bans of a roster: new ones begin.
func (s *Sentences) Set(r *Roster, now time.Duration) {
	since := map[protocol.ActionHash]time.Duration{}
	for _, bans := range r.bans {
		for _, b := range bans {
			at, ok := s.since[b.Action]
			if !ok {
				at = now
			}
			since[b.Action] = at
		}
	}
	s.since = since
}

// Out says whether one of p's bans in the roster holds.
func (s *Sentences) Out(r *Roster, p protocol.PeerID, now time.Duration) bool {
	return slices.ContainsFunc(r.bans[p], func(b Ban) bool {
		at, ok := s.since[b.Action]
		return b.Life == 0 || !ok || now-at < b.Life
	})
}
