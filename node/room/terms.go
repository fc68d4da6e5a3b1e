package room

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/election"
)

// terms are those that this node may claim: up to one that is stored. A term
// above it is not claimed, since after a restart it might be claimed twice. The
// disk has its own time, in which the room goes on.
type terms struct {
	stored, wanted, saving mark
	busy                   bool // saving is being stored
	failedAt               time.Duration
	held                   *protocol.Claim // waits for wanted
}

// mark is a key in an era.
type mark struct {
	era uint32
	key protocol.Key
}

// tryStoringAgain is how long after a failure.
const tryStoringAgain = time.Second

func (t *terms) want(era uint32, k protocol.Key) { t.wanted = mark{era, k} }

// allow says whether a claim's term is covered by what is stored.
func (t *terms) allow(c *protocol.Claim) bool {
	return t.stored.era == c.Era && c.Term <= t.stored.key.Term
}

// saveTerm has the wanted term stored, unless one is being stored already.
func (r *Room) saveTerm(now time.Duration) {
	t := &r.terms
	if t.busy || t.wanted == t.stored || t.failedAt > 0 && now-t.failedAt < tryStoringAgain {
		return
	}
	t.saving, t.busy = t.wanted, true
	r.cfg.SaveTerm(t.saving.era, t.saving.key, func(err error) { r.saved <- err })
}

// termSaved lets a claim go that waited for its term.
func (r *Room) termSaved(err error, now time.Duration) {
	t := &r.terms
	t.busy = false
	if err != nil {
		t.failedAt = now
		r.cfg.Log.Error("store a term", "err", err)
		return
	}
	t.stored, t.failedAt = t.saving, 0
	if c := t.held; c != nil && t.allow(c) {
		t.held = nil
		if best := r.machine.Best(); best.Key == c.Key && best.Era == c.Era {
			r.send(election.Out{Claim: c})
		}
	}
	r.saveTerm(now)
}

// saveLastTerm stores what was really used, when the room ends here.
func (r *Room) saveLastTerm() {
	r.cfg.SaveTerm(r.terms.wanted.era, r.terms.wanted.key, func(error) {})
}
