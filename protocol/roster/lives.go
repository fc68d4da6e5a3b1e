package roster

import (
	"maps"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Lives are what a node has counted of lives, for its next run to go on from: what
// [Leases] and [Sentences] hold.
type Lives struct {
	Served map[protocol.ActionHash]time.Duration // of bans that have a life, and no more than that
	Left   map[protocol.ActionHash]time.Duration // of speakers' grants
	Quiet  time.Duration                         // since a moderator was heard, where there are grants
}

// LivesOf gives what there is to keep at a time, of what the roster has.
func LivesOf(r *Roster, s *Sentences, l *Leases, now time.Duration) Lives {
	l.advance(now)
	out := Lives{Served: map[protocol.ActionHash]time.Duration{}, Left: map[protocol.ActionHash]time.Duration{}}
	for _, bans := range r.bans {
		for _, b := range bans {
			if at, ok := s.since[b.Action]; ok && b.Life > 0 {
				out.Served[b.Action] = min(now-at, b.Life)
			}
		}
	}
	for _, held := range l.left {
		out.Left[held.grant] = max(0, held.left)
	}
	if len(out.Left) > 0 {
		out.Quiet = now - l.heard
	}
	return out
}

// Equal says whether two are the same.
func (l Lives) Equal(m Lives) bool {
	return maps.Equal(l.Served, m.Served) && maps.Equal(l.Left, m.Left) && l.Quiet == m.Quiet
}

// Resume gives leases and sentences that go on from what was kept, when it is now and
// was kept that long ago. The lives of grants pause meanwhile, as while no moderator is
// heard. What was not kept begins when a roster is set.
func (l Lives) Resume(ago, now time.Duration) (*Leases, *Sentences) {
	then := now - ago
	leases, sentences := NewLeases(then), NewSentences()
	leases.heard, leases.resumed = then-l.Quiet, l.Left
	for ban, served := range l.Served {
		sentences.since[ban] = then - served
	}
	return leases, sentences
}
