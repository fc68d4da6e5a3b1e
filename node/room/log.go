package room

import (
	"encoding/binary"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// The room's log on this node. New actions come as room messages; exchange.go has
// those that were missed.

const (
	// strangersActions is how many signatures a second are checked of those who may
	// not act, as far as this node knows.
	strangersActions, strangersAtOnce = 8, 64
)

// logLimits bounds the log's traffic, apart for those who could else use up each
// other's.
type logLimits struct {
	duty, crowd *rate.Limiter // answers to those who have a duty in the room, and to the rest
	strange     *rate.Limiter // actions of strangers, and of the wasteful
	long        *rate.Limiter // long exchanges with those who are no parents of this node

	// wasteful are those who were given a share, and signed beyond it: each such
	// action costs a judgement of the whole log.
	wasteful map[protocol.PeerID]bool
}

func newLogLimits() logLimits {
	return logLimits{
		duty: rate.NewLimiter(logsASecond, logsAtOnce), crowd: rate.NewLimiter(logsASecond, logsAtOnce),
		strange: rate.NewLimiter(strangersActions, strangersAtOnce), long: rate.NewLimiter(rate.Every(longEach), longAtOnce),
		wasteful: map[protocol.PeerID]bool{},
	}
}

// logHash is what claims say of the log.
func (r *Room) logHash() uint64 {
	sum := r.log.Hash()
	return binary.BigEndian.Uint64(sum[:8])
}

// openLog begins with what this node stored.
func (r *Room) openLog(now time.Duration) {
	var stored []*protocol.Action
	for _, w := range r.cfg.Actions {
		if a, err := protocol.ParseAction(r.cfg.Room, w); err == nil && a.Verify() == nil {
			stored = append(stored, a)
		}
	}
	r.log = roster.Restore(r.genesis, stored)
	r.logLimits = newLogLimits()
	r.leases, r.sentences = r.cfg.Lives.Resume(r.cfg.LivesAgo, now)
	r.livesKept, r.livesAt = r.cfg.Lives, now
	r.abide(now)
}

// abide takes what the log comes to now.
func (r *Room) abide(now time.Duration) {
	r.lawful = r.log.Roster()
	r.moderators.Store(r.lawful)
	r.leases.Set(r.lawful, now)
	r.sentences.Set(r.lawful, now)
}

// takeAction takes an action that a message carries; false if it is not worth
// passing on.
func (r *Room) takeAction(w *pb.SignedAction, from protocol.PeerID, now time.Duration) bool {
	a := r.parseAction(w)
	if a == nil || !r.sound(a, r.log.MayAct(a.Actor) && !r.logLimits.wasteful[a.Actor], now) {
		return false
	}
	added, missing, err := r.log.Add(a)
	if err != nil {
		r.drop("action without right")
		return false
	}
	if len(missing) > 0 {
		r.askLog(r.whomToAsk(from), false, now)
	}
	return len(r.logged(added, true, now)) > 0
}

// parseAction reads an action that this node may lack; nil: it has it, or it is none.
func (r *Room) parseAction(w *pb.SignedAction) *protocol.Action {
	a, err := protocol.ParseAction(r.cfg.Room, w)
	if err != nil {
		r.drop("malformed action")
		return nil
	}
	if r.log.Has(a.Hash) {
		return nil
	}
	return a
}

// sound checks who signed an action. Of those whose actor is not known to have a right
// to it, few are worth that.
func (r *Room) sound(a *protocol.Action, known bool, now time.Duration) bool {
	switch {
	case !known && !r.strange(now):
		r.drop("action without right")
		return false
	case a.Verify() != nil:
		r.drop("wrongly signed")
		return false
	}
	return true
}

// strange says whether an action of somebody who may not act, as far as this
// node knows, is worth its signature's check: few are.
func (r *Room) strange(now time.Duration) bool { return r.logLimits.strange.AllowN(instant(now), 1) }

// logged does what follows from new actions, and gives those that the log keeps: what
// is beyond its actor's share is not worth storing nor saying again. fresh ones were
// done just now, others long ago for all this node knows.
func (r *Room) logged(added []*protocol.Action, fresh bool, now time.Duration) []*protocol.Action {
	if len(added) == 0 {
		return nil
	}
	before := r.lawful
	r.abide(now)
	added = slices.DeleteFunc(added, func(a *protocol.Action) bool {
		if r.log.Has(a.Hash) {
			return false
		}
		r.logLimits.wasteful[a.Actor] = true
		r.drop("actions beyond a share")
		return true
	})
	if len(added) == 0 {
		return nil
	}
	r.store(added)
	r.rosterChanged(now)
	for _, a := range added {
		r.carryOut(a, fresh, now)
	}
	r.enforce(now)
	r.bindPending(now)
	if before.Stage() != r.lawful.Stage() {
		r.tendHands(now)
	}
	r.changed()
	return added
}

// store keeps new actions in the home. Who has a role here can wake the room when all
// are gone who know more of it.
func (r *Room) store(added []*protocol.Action) {
	if !r.stored {
		r.stored = true
		r.cfg.SaveGenesis(r.genesis)
	}
	r.cfg.SaveActions(signed(added))
}

// settleIn notes that this node has had the whole log once: from then on what it
// hears is new. To one who comes anybody may repeat a ban that was lifted since, so
// until then only the others can say whether it is to go.
func (r *Room) settleIn(now time.Duration) {
	r.settled = r.settled || r.joined(now) && r.knowsLog(r.live)
}

func signed(actions []*protocol.Action) (out []*pb.SignedAction) {
	for _, a := range actions {
		out = append(out, a.Signed())
	}
	return out
}
