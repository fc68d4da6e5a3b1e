package roster

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"math"
	"slices"

	"github.com/earshot-audio/earshot/protocol"
)

// Implementation: ours to tune.
const (
	maxWaiting   = 512 // actions of people with rights, whose parents are missing
	maxStrangers = 64  // the same, of others
	slack        = 256 // actions beyond the shares, until they are dropped
)

// What can be wrong with an action beside its form.
var (
	ErrRoom     = errors.New("of another room")
	ErrSequence = errors.New("its sequence is not one more than its actor's last")
	ErrFull     = errors.New("too many actions before it")
	ErrShare    = errors.New("its actor's share of the log is used up")
)

// A Log is the actions of one room that a node holds, and what they come to. It
// takes them in any order: whoever holds the same actions has the same Hash and
// the same Roster. It is not safe for concurrent use.
type Log struct {
	genesis *protocol.Genesis
	*dag
	waiting []*protocol.Action // in the order of their arrival

	// What was made of the dag; nil once it has grown.
	judge  *judge
	roster *Roster
	limit  int // of nodes, before those beyond the shares are dropped
}

// New gives the log of a room without actions.
func New(g *protocol.Genesis) *Log { return &Log{genesis: g, dag: newDAG(), limit: slack} }

// Restore gives a log of what one held or stored: actions whose signatures were checked.
func Restore(g *protocol.Genesis, actions []*protocol.Action) *Log {
	l := New(g)
	l.Together(func() {
		for _, a := range actions {
			l.Add(a)
		}
	})
	return l
}

// Genesis gives the room's.
func (l *Log) Genesis() *protocol.Genesis { return l.genesis }

// Room gives the room that the log is of.
func (l *Log) Room() protocol.RoomID { return l.genesis.Room }

// MayAct says whether p was ever given the right to sign actions, by what the
// log holds. Ask it before checking the signature of what p signed.
func (l *Log) MayAct(p protocol.PeerID) bool {
	return p == l.genesis.Founder || len(l.of(p).appointed) > 0
}

// Len gives how many actions the log holds.
func (l *Log) Len() int {
	l.settle()
	return len(l.nodes)
}

// Has says whether the log holds an action.
func (l *Log) Has(h protocol.ActionHash) bool {
	_, ok := l.index[h]
	return ok
}

// Follows says whether the log holds h, and behind i in its order, or without i.
func (l *Log) Follows(h, i protocol.ActionHash) bool {
	at, held := l.index[h]
	before, known := l.index[i]
	return held && (!known || l.nodes[before].compare(l.nodes[at]) < 0)
}

// Add takes an action whose signature was checked, and gives what the log now
// holds that it did not before: the action, and those that had waited for it. If
// parents are missing they are given instead, and the action waits, if there is
// place, until they come. An action that was known gives nothing.
//
// An error says that no log takes it: ErrRoom, ErrSequence, ErrFull, or
// protocol.ErrNoRight where, by its own ancestors, its actor may not do that.
func (l *Log) Add(a *protocol.Action) (added []*protocol.Action, missing []protocol.ActionHash, err error) {
	if a.Room != l.genesis.Room {
		return nil, nil, ErrRoom
	}
	if l.Has(a.Hash) {
		return nil, nil, nil
	}
	n, missing := l.place(a)
	if len(missing) > 0 {
		l.wait(a)
		return nil, missing, nil
	}
	if err := l.check(n); err != nil {
		return nil, nil, err
	}
	l.put(n)
	return l.wake([]*protocol.Action{a}), nil, nil
}

// put adds a checked node.
func (l *Log) put(n *node) {
	l.dag.put(n)
	l.judge, l.roster = nil, nil
	if len(l.nodes) > l.limit {
		l.settle()
	}
}

// Together has the log drop nothing until add has returned, which calls Add: an
// action may count only with one that comes behind it. It gives what the log drops
// then, ancestors first, which may count with what comes later still.
func (l *Log) Together(add func()) (dropped []*protocol.Action) {
	l.limit = math.MaxInt
	add()
	return l.settle()
}

// check holds an action to what its ancestors allow (rules 2 and 3).
func (l *Log) check(n *node) error {
	last, appointed := uint32(0), n.Actor == l.genesis.Founder
	for _, i := range l.of(n.Actor).actions {
		if n.past.has(i) {
			last = max(last, l.nodes[i].Sequence)
		}
	}
	for _, g := range l.of(n.Actor).appointed {
		appointed = appointed || n.past.has(g)
	}
	_, closes := n.Deed.(protocol.Close)
	_, revokes := n.Deed.(protocol.Revoke)
	switch {
	case !appointed, n.peer == l.genesis.Founder, n.peer == n.Actor && !revokes,
		closes && n.Actor != l.genesis.Founder:
		return protocol.ErrNoRight
	case n.Sequence != last+1:
		return ErrSequence
	case n.past.count() > protocol.MaxAncestors:
		return ErrFull
	}
	return nil
}

// wait keeps an action for when its parents come; the oldest makes way.
func (l *Log) wait(a *protocol.Action) {
	if slices.ContainsFunc(l.waiting, func(b *protocol.Action) bool { return a.Hash == b.Hash }) {
		return
	}
	may, most, like := l.MayAct(a.Actor), maxStrangers, 0
	if may {
		most = maxWaiting
	}
	for _, b := range l.waiting {
		if l.MayAct(b.Actor) == may {
			like++
		}
	}
	if like >= most {
		oldest := slices.IndexFunc(l.waiting, func(b *protocol.Action) bool { return l.MayAct(b.Actor) == may })
		l.waiting = slices.Delete(l.waiting, oldest, oldest+1)
	}
	l.waiting = append(l.waiting, a)
}

// wake adds what waited for the last of added, and so on; what is refused is
// dropped.
func (l *Log) wake(added []*protocol.Action) []*protocol.Action {
	for at := 0; at < len(added) && len(l.waiting) > 0; at++ {
		parent := added[at].Hash
		l.waiting = slices.DeleteFunc(l.waiting, func(a *protocol.Action) bool {
			if !slices.Contains(a.Parents, parent) {
				return false
			}
			n, missing := l.place(a)
			if len(missing) > 0 {
				return false
			}
			if l.check(n) == nil {
				l.put(n)
				added = append(added, a)
			}
			return true
		})
	}
	return added
}

// Missing gives the actions that others wait for and the log does not hold, in
// the order of their hashes.
func (l *Log) Missing() (out []protocol.ActionHash) {
	for _, a := range l.waiting {
		for _, p := range a.Parents {
			if !l.Has(p) && !slices.ContainsFunc(l.waiting, func(b *protocol.Action) bool { return b.Hash == p }) {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, protocol.ActionHash.Compare)
	return slices.Compact(out)
}

// settle judges and folds what the log holds, and drops, and gives, what does not
// count and is no ancestor of what does.
func (l *Log) settle() (dropped []*protocol.Action) {
	if l.roster != nil {
		return nil
	}
	j := newJudge(l.dag, l.genesis.Founder)
	j.admit()
	if j.kept.count() < len(l.nodes) {
		l.dag, dropped = l.part(j.kept)
		j = newJudge(l.dag, l.genesis.Founder)
		j.admit()
	}
	j.stand()
	l.judge, l.roster = j, fold(j, l.genesis)
	l.limit = len(l.nodes) + slack
	return dropped
}

// part gives a dag of some of the nodes, with all their ancestors, and the rest.
func (d *dag) part(kept set) (of *dag, rest []*protocol.Action) {
	of = newDAG()
	for _, i := range d.order {
		if !kept.has(i) {
			rest = append(rest, d.nodes[i].Action)
			continue
		}
		n, _ := of.place(d.nodes[i].Action)
		of.put(n)
	}
	return of, rest
}

// Roster gives what the actions come to.
func (l *Log) Roster() *Roster {
	l.settle()
	return l.roster
}

// Heads gives the hashes of the actions that no other one follows, ascending.
func (l *Log) Heads() []protocol.ActionHash {
	l.settle()
	return l.heads()
}

// Hash is the same for those who hold the same actions, and for nobody else: the
// SHA-256 of "earshot-log", the room and the heads in ascending order.
func (l *Log) Hash() [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte("earshot-log"))
	h.Write(l.genesis.Room[:])
	for _, head := range l.Heads() {
		h.Write(head[:])
	}
	var sum [sha256.Size]byte
	return [sha256.Size]byte(h.Sum(sum[:0]))
}

// Since gives, ancestors first, the actions that somebody who holds heads, and
// so all their ancestors, may lack. Heads that the log does not hold say nothing.
func (l *Log) Since(heads []protocol.ActionHash) (out []*protocol.Action) {
	l.settle()
	var theirs set
	for _, h := range heads {
		if i, ok := l.index[h]; ok {
			theirs.add(i)
			theirs.union(l.nodes[i].past)
		}
	}
	for _, i := range l.order {
		if !theirs.has(i) {
			out = append(out, l.nodes[i].Action)
		}
	}
	return out
}

// An Entry is an action and what became of it.
type Entry struct {
	*protocol.Action
	Stands bool                // nobody above its actor voided it
	Grant  protocol.ActionHash // the appointment by which it stands; zero: the founder's
}

// Entries gives all actions, ancestors first.
func (l *Log) Entries() []Entry {
	l.settle()
	out := make([]Entry, 0, len(l.order))
	for _, i := range l.order {
		e := Entry{Action: l.nodes[i].Action, Stands: l.judge.verdicts[i].stands}
		if by := l.judge.verdicts[i].by; e.Stands && by != none {
			e.Grant = l.nodes[by].Hash
		}
		out = append(out, e)
	}
	return out
}

// Draft gives an action of p's in its place: behind what p did before, what gives
// p the right, and as many other heads as fit. At, Deed and the seal are to be
// added. ErrNoRight says that p may not act, ErrShare that it has used up its share.
func (l *Log) Draft(p protocol.PeerID) (*protocol.Action, error) {
	l.settle()
	if !l.roster.MayModerate(p) {
		return nil, protocol.ErrNoRight
	}
	if l.Left(p) == 0 {
		return nil, ErrShare
	}
	var need set
	if right, ok := l.roster.rights[p]; ok {
		need.add(l.index[right.Grant])
	}
	for _, i := range l.of(p).actions {
		need.add(i)
	}
	a := &protocol.Action{Room: l.genesis.Room, Actor: p}
	past := l.gather(a, need)
	if right, ok := l.roster.rights[p]; ok && !past.has(l.index[right.Grant]) { // all heads behind it know of too much
		a.Parents, past = []protocol.ActionHash{right.Grant}, l.with(right.Grant, nil)
	}
	for _, i := range l.of(p).actions {
		if past.has(i) {
			a.Sequence = max(a.Sequence, l.nodes[i].Sequence)
		}
	}
	a.Sequence++
	slices.SortFunc(a.Parents, protocol.ActionHash.Compare)
	return a, nil
}

// Left gives how many more actions of p count.
func (l *Log) Left(p protocol.PeerID) int {
	l.settle()
	if p == l.genesis.Founder {
		return l.judge.own
	}
	most := 0
	for _, g := range l.of(p).appointed {
		if l.judge.verdicts[g].stands {
			most = max(most, l.judge.left[g])
		}
	}
	return most
}

// Spare gives the largest share that p may give to a moderator.
func (l *Log) Spare(p protocol.PeerID) int {
	if p == l.genesis.Founder {
		l.settle()
		return l.judge.shares
	}
	return max(0, l.Left(p)-1)
}

// gather gives an action its parents: heads, those first that cover most of need.
func (l *Log) gather(a *protocol.Action, need set) (past set) {
	heads := l.heads()
	for len(a.Parents) < protocol.MaxParents && len(heads) > 0 {
		covers := func(h protocol.ActionHash) int {
			return l.with(h, past).common(need)
		}
		best := slices.MaxFunc(heads, func(g, h protocol.ActionHash) int {
			return cmp.Or(cmp.Compare(covers(g), covers(h)), h.Compare(g))
		})
		heads = slices.DeleteFunc(heads, func(h protocol.ActionHash) bool { return h == best })
		if with := l.with(best, past); with.count() <= protocol.MaxAncestors && l.beyond(with) <= protocol.MaxBeyond {
			a.Parents, past = append(a.Parents, best), with
		}
	}
	return past
}

// beyond counts what of s doesn't count.
func (l *Log) beyond(s set) (n int) {
	for i := range s.beyond(nil) {
		if !l.judge.verdicts[i].counts {
			n++
		}
	}
	return n
}

// with gives past with an action and its ancestors.
func (l *Log) with(h protocol.ActionHash, past set) set {
	i := l.index[h]
	past = slices.Clone(past)
	past.union(l.nodes[i].past)
	past.add(i)
	return past
}
