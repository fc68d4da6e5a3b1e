package roster

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// tell plays the history of a seed and gives what it broke: people act at their
// nodes, are cut off and heal; a rogue hides what it knows; the founder's key is in
// two places; strangers try.
func tell(seed uint64, trace io.Writer) []string {
	w := newWorld(seed, trace)
	if w.rng.IntN(2) == 0 {
		w.rogue = people[w.rng.IntN(3)]
	}
	w.twice = w.rng.IntN(8) == 0
	for range 6 + w.rng.IntN(10) {
		w.happen()
	}
	w.heal()
	w.orders()
	w.holds(w.all.Roster())
	w.attack()
	w.defy()
	w.purge()
	return w.broken
}

// happen does one thing.
func (w *world) happen() {
	at := w.rng.IntN(len(w.nodes))
	switch r := w.rng.IntN(16); {
	case r < 2:
		w.apart[at] = !w.apart[at]
		w.note("node %d changes sides", at)
	case r < 5 && w.rogue != "" && len(w.all.of(w.rogue).appointed) > 0:
		w.sign(w.forge(w.rogue))
	case r == 5 && w.twice:
		w.sign(w.forge(founder))
	case r == 5:
		w.intrude()
	case r < 10:
		w.act(0, founder)
	default:
		w.act(at, [...]protocol.PeerID{founder, alice, bob, carol}[at])
	}
}

// intrude has somebody without authority sign something: nobody takes it.
func (w *world) intrude() {
	before := len(w.all.nodes)
	a := w.forge(stranger)
	if _, _, err := w.all.Add(a); err != protocol.ErrNoRight || len(w.all.nodes) != before {
		w.breaks("%v from a stranger", err)
	}
}

// heal brings everything to everybody, in any order.
func (w *world) heal() {
	for i, l := range w.nodes {
		w.pour(l, w.pool)
		w.sync(l, w.all)
		if l.Hash() != w.all.Hash() {
			w.breaks("node %d has another hash", i)
		}
		if !l.Roster().same(w.all.Roster()) || l.Roster().Era() != w.all.Roster().Era() {
			w.breaks("node %d has another roster", i)
		}
	}
}

// orders brings the first actions to two logs, and then the rest: one in order, one
// not, each folding once at each end.
func (w *world) orders() {
	some := w.rng.IntN(len(w.pool) + 1)
	one, two := New(room()), New(room())
	for _, part := range [][]*protocol.Action{w.pool[:some], w.pool[some:]} {
		for _, a := range part {
			if err := w.give(one, a); err != nil {
				w.breaks("%s is refused in its order: %v", a.Hash.Short(), err)
			}
		}
		w.pour(two, part)
		w.sync(two, one)
		r, s := one.Roster(), two.Roster()
		if one.Hash() != two.Hash() || !r.same(s) || r.Era() != s.Era() {
			w.breaks("two orders of %d actions, two rosters", some)
		}
		w.holds(r)
	}
	for _, a := range two.waiting {
		if one.Has(a.Hash) {
			w.breaks("%s waits for what is there", a.Hash.Short())
		}
	}
}

// holds holds a roster to what is always so.
func (w *world) holds(r *Roster) {
	_, muted := r.Muted(founder)
	_, removed := r.Removed(founder)
	if r.RoleOf(founder) != protocol.RoleHost || muted || removed || len(r.Bans(founder)) > 0 || !r.MaySpeak(founder) {
		w.breaks("the founder is not the host")
	}
	for _, p := range r.moderators {
		if len(r.bans[p]) > 0 {
			w.breaks("%s is a moderator and banned", p)
		}
		right := r.rights[p]
		if rank := right.Rank(); rank > protocol.MaxRank || slices.Index(right.Above, founder) != rank-1 {
			w.breaks("%s has rank %d below %s", p, rank, right.Above)
		}
	}
	if _, ok := r.rights[stranger]; ok || r.RoleOf(stranger) != protocol.RoleListener {
		w.breaks("the stranger is something")
	}
}

// attack has one of the people go rogue for good, hiding what it knows as it likes.
func (w *world) attack() {
	r := people[w.rng.IntN(len(people))]
	before, cuts := w.all.Roster(), w.cutOff(r)
	rank, guarded := protocol.MaxRank+1, w.all.judge
	for i, v := range guarded.verdicts {
		if n := guarded.nodes[i]; v.counts && n.peer == r && slices.Contains(guarded.of(r).appointed, i) {
			rank = min(rank, v.rank+1)
		}
	}
	w.note("%s goes rogue; rank %d, cut off %v", r, rank, cuts)
	for range 4 {
		w.sign(w.forge(r))
	}
	after := w.all.Roster()
	if cuts && !before.same(after) {
		w.breaks("%s changes the room without authority", r)
	}
	if w.allCount() && after.Era() < before.Era() {
		w.breaks("the era falls from %d to %d", before.Era(), after.Era())
	}
	for _, p := range before.moderators {
		if _, ok := after.rights[p]; !ok && p != r && before.rights[p].Rank() <= rank && !before.MayEnd(r, p) {
			w.breaks("%s of rank %d ends %s of rank %d", r, rank, p, before.rights[p].Rank())
		}
	}
	for p, bans := range before.bans {
		for _, b := range bans {
			v := guarded.verdicts[guarded.index[b.Action]]
			if b.By != r && v.rank <= rank && !slices.Contains(after.bans[p], b) {
				w.breaks("%s of rank %d undoes the ban %s of rank %d", r, rank, b.Action.Short(), v.rank)
			}
		}
	}
	w.holds(after)
}

// openly has p act behind everything that it can name, and says whether that is all
// there is.
func (w *world) openly(p protocol.PeerID, deed protocol.Deed) bool {
	a, err := w.all.Draft(p)
	if err != nil {
		return false
	}
	heads := w.all.Heads()
	a.Hash, a.Deed = w.hash(), deed
	w.sign(a)
	return len(heads) == len(a.Parents) && w.all.Has(a.Hash)
}

// defy has a moderator turn against the others, knowing of all: it ends nobody but
// those below it.
func (w *world) defy() {
	before := w.all.Roster()
	if len(before.moderators) < 2 {
		return
	}
	r := before.moderators[w.rng.IntN(len(before.moderators))]
	victim := before.moderators[w.rng.IntN(len(before.moderators))]
	ends := []protocol.Deed{protocol.Remove{Peer: victim}, protocol.Ban{Peer: victim}, protocol.Revoke{Peer: victim, Role: protocol.RoleModerator}}
	if victim == r || !w.openly(r, ends[w.rng.IntN(len(ends))]) {
		return
	}
	after := w.all.Roster()
	for _, p := range before.moderators {
		if p == victim && before.MayEnd(r, victim) && !after.MayModerate(victim) {
			continue
		}
		if !after.MayModerate(p) {
			w.breaks("%s ends %s, which is not below it", r, p)
		}
	}
	if before.MayEnd(r, victim) && w.only(victim) && after.MayModerate(victim) {
		w.breaks("%s does not end %s, whom it alone appointed", r, victim)
	}
}

// only says whether p was appointed once.
func (w *world) only(p protocol.PeerID) bool { return len(w.all.of(p).appointed) == 1 }

// purge has the founder remove a moderator, knowing of all: what that one did
// stands. Of what was signed beyond a share, other things may count now that the
// founder knows of them (rule 4).
func (w *world) purge() {
	before, within := w.all.Roster(), w.allCount()
	if len(before.moderators) == 0 {
		return
	}
	victim := before.moderators[w.rng.IntN(len(before.moderators))]
	if !w.openly(founder, protocol.Remove{Peer: victim}) {
		return
	}
	after := w.all.Roster()
	if after.MayModerate(victim) || after.Has(victim, protocol.RoleSpeaker) {
		w.breaks("%s is removed and stays", victim)
	}
	for _, p := range before.moderators {
		if p != victim && !after.MayModerate(p) {
			w.breaks("%s goes with %s", p, victim)
		}
	}
	if within && (!maps.EqualFunc(before.bans, after.bans, slices.Equal) || before.title != after.title || before.locked != after.locked) {
		w.breaks("what %s did goes with it", victim)
	}
}

// allCount says whether nobody signed beyond a share.
func (w *world) allCount() bool {
	uncounted := func(v verdict) bool { return !v.counts }
	return w.all.Len() == len(w.pool) && !slices.ContainsFunc(w.all.judge.verdicts, uncounted)
}

// cutOff says whether the founder ended all that p ever had.
func (w *world) cutOff(p protocol.PeerID) bool {
	w.all.settle()
	j := w.all.judge
	for _, g := range j.of(p).appointed {
		ended := slices.ContainsFunc(j.of(p).strips, func(b int) bool {
			return j.verdicts[b].stands && j.nodes[b].Actor == founder && !j.before(b, g)
		})
		if !ended {
			return false
		}
	}
	return true
}

// TestHistories holds rosters against random histories: each order of delivery and
// each partition comes to the same; who has no authority changes nothing; a rogue
// ends nobody who is not below it, and undoes no ban of its equals and betters.
//
// EARSHOT_HISTORIES says how many; EARSHOT_SEED replays one of them with a trace.
func TestHistories(t *testing.T) { tellAll(t, histories, tell) }

// tellAll plays histories by the seeds from 0, and says each minute how far it is.
func tellAll(t *testing.T, count int, tell func(seed uint64, trace io.Writer) []string) {
	if seed, ok := number(t, "EARSHOT_SEED"); ok {
		var trace bytes.Buffer
		broken := tell(seed, &trace)
		t.Logf("history %d\n%s", seed, &trace)
		judgeHistory(t, seed, broken)
		return
	}
	if n, ok := number(t, "EARSHOT_HISTORIES"); ok {
		count = int(n)
	}
	var next, failed atomic.Int64
	began := time.Now()
	defer meanwhile(time.Minute, func() {
		fmt.Fprintf(os.Stderr, "%s: %d of %d histories, %d failed, after %v\n",
			t.Name(), min(next.Load(), int64(count)), count, failed.Load(), time.Since(began).Round(time.Second))
	})()
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := next.Add(1) - 1; seed < int64(count) && failed.Load() < 20; seed = next.Add(1) - 1 {
				if broken := tell(uint64(seed), nil); len(broken) > 0 {
					failed.Add(1)
					judgeHistory(t, uint64(seed), broken)
				}
			}
		})
	}
	workers.Wait()
}

// number reads a variable of the environment, if it is set.
func number(t *testing.T, name string) (n uint64, set bool) {
	s := os.Getenv(name)
	if s == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		t.Fatalf("%s=%s is no number: %v", name, s, err)
	}
	return n, true
}

// meanwhile has do called again and again until stop is.
func meanwhile(pause time.Duration, do func()) (stop func()) {
	ticker, done := time.NewTicker(pause), make(chan struct{})
	go func() {
		for {
			select {
			case <-ticker.C:
				do()
			case <-done:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
	}
}

func judgeHistory(t *testing.T, seed uint64, broken []string) {
	for _, b := range broken {
		t.Errorf("history %d: %s\n\treplay: EARSHOT_SEED=%d go test -run '%s$' -v ./protocol/roster", seed, b, seed, t.Name())
	}
}

// The same seed gives the same history, to the byte.
func TestReplay(t *testing.T) {
	for seed := range uint64(20) {
		for _, tell := range []func(uint64, io.Writer) []string{tell, tellForks} {
			var once, again bytes.Buffer
			tell(seed, &once)
			tell(seed, &again)
			if !bytes.Equal(once.Bytes(), again.Bytes()) {
				t.Errorf("history %d differs when told again", seed)
			}
		}
	}
}
