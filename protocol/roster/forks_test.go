package roster

import (
	"io"
	"slices"
	"testing"

	"github.com/earshot-audio/earshot/protocol"
)

// learn has one log ask another for what it lacks, as nodes do: what it has dropped
// may come again, in pieces, and of each piece it drops what does not count, but for
// what of this exchange may count with what follows.
func (w *world) learn(to, from *Log) {
	told := from.Since(to.Heads())
	var spare []*protocol.Action
	for len(told) > 0 {
		piece := told[:min(len(told), 1+w.rng.IntN(12))]
		told = told[len(piece):]
		spare = to.Together(func() {
			for _, a := range append(spare, piece...) {
				if _, missing, err := to.Add(a); err != nil || len(missing) > 0 {
					w.breaks("%s is told before %v: %v", a.Hash.Short(), shorts(missing), err)
				}
			}
		})
	}
}

// agree has two logs learn from each other, once each.
func (w *world) agree(a, b *Log) {
	w.learn(a, b)
	w.learn(b, a)
	if a.Hash() != b.Hash() || !a.Roster().same(b.Roster()) || a.Roster().Era() != b.Roster().Era() {
		w.breaks("%d and %d actions, and not the same, after they were exchanged", a.Len(), b.Len())
	}
}

// fork has the rogue sign behind any actions that some log still has, and shows it to
// some, who hold what it names.
func (w *world) fork() {
	l := w.nodes[w.rng.IntN(len(w.nodes))]
	a := &protocol.Action{Room: l.genesis.Room, Actor: w.rogue, Hash: w.hash(), Deed: w.deed()}
	if own := l.of(w.rogue).actions; len(own) > 0 && w.rng.IntN(3) > 0 {
		a.Parents = append(a.Parents, l.nodes[own[w.rng.IntN(len(own))]].Hash)
	} else if given := l.of(w.rogue).appointed; len(given) > 0 {
		a.Parents = append(a.Parents, l.nodes[given[w.rng.IntN(len(given))]].Hash)
	}
	if w.rng.IntN(3) == 0 && len(l.nodes) > 0 {
		a.Parents = append(a.Parents, l.nodes[w.rng.IntN(len(l.nodes))].Hash)
	}
	slices.SortFunc(a.Parents, protocol.ActionHash.Compare)
	a.Parents = slices.Compact(a.Parents)
	n, _ := l.place(a)
	for _, i := range l.of(w.rogue).actions {
		if n.past.has(i) {
			a.Sequence = max(a.Sequence, l.nodes[i].Sequence)
		}
	}
	a.Sequence++
	shown := 0
	for _, l := range w.nodes {
		if _, missing := l.place(a); len(missing) == 0 && w.rng.IntN(2) == 0 {
			if added, _, _ := l.Add(a); len(added) > 0 {
				shown++
			}
		}
	}
	w.note("%s forks %T%v #%d %s after %v: %d hold it", a.Actor, a.Deed, a.Deed, a.Sequence, a.Hash.Short(), shorts(a.Parents), shown)
}

// tellForks plays a history in which a moderator signs many times its share, side by
// side and behind each other, and shows each node something else; the honest ones act
// on what they see. It gives what the history broke.
func tellForks(seed uint64, trace io.Writer) []string {
	w := newWorld(seed, trace)
	honest := [...]protocol.PeerID{founder, alice, bob, carol}
	w.rogue = dave
	said := map[protocol.ActionHash]protocol.PeerID{}
	does := func(at int, deed protocol.Deed) {
		l := w.nodes[at]
		a, err := l.Draft(honest[at])
		if err != nil {
			return
		}
		a.Hash, a.Deed = w.hash(), deed
		w.note("%s %T%v #%d %s after %v", a.Actor, a.Deed, a.Deed, a.Sequence, a.Hash.Short(), shorts(a.Parents))
		l.Add(a)
		if l.settle(); l.Has(a.Hash) { // else it is done to oneself, or gives away too much
			said[a.Hash] = a.Actor
		}
	}
	shares := [...]uint32{1, 2, 5, 12, 40}
	for _, p := range []protocol.PeerID{alice, bob, carol} {
		does(0, protocol.Grant{Peer: p, Role: protocol.RoleModerator, Share: 60})
	}
	for i := range w.nodes[1:] {
		w.learn(w.nodes[1+i], w.nodes[0])
	}
	above := w.rng.IntN(2) // who appoints the rogue: it has the others' rank, and less standing, or a lower one
	does(above, protocol.Grant{Peer: w.rogue, Role: protocol.RoleModerator, Share: shares[w.rng.IntN(len(shares))]})
	for range 20 + w.rng.IntN(120) {
		switch r := w.rng.IntN(20); {
		case r < 16:
			w.fork()
		case r < 18:
			at := w.rng.IntN(len(w.nodes))
			does(at, w.deed())
		default:
			a, b := w.rng.IntN(len(w.nodes)), w.rng.IntN(len(w.nodes))
			w.agree(w.nodes[a], w.nodes[b])
		}
	}
	for range 2 {
		for at, l := range w.nodes {
			w.agree(l, w.nodes[(at+1)%len(w.nodes)])
		}
	}
	for at, l := range w.nodes {
		if l.Hash() != w.nodes[0].Hash() {
			w.breaks("node %d has another log in the end", at)
		}
		for h, p := range said {
			if i, ok := l.index[h]; !ok || !l.judge.verdicts[i].counts {
				w.breaks("%s of %s is lost to node %d", h.Short(), p, at)
			}
		}
	}
	return w.broken
}

// TestForks holds logs to it that whatever a moderator signs beyond its share, and
// whomever it shows it to, two nodes agree once they have exchanged what they keep,
// and that it takes away nothing that others have done.
func TestForks(t *testing.T) { tellAll(t, histories/50, tellForks) }

// chain has p sign that many actions one behind the other, and gives the last.
func (s *script) chain(p protocol.PeerID, n int, after protocol.ActionHash) protocol.ActionHash {
	s.t.Helper()
	for range n {
		after = s.after(p, protocol.Lock(true), after)
	}
	return after
}

// Moderators who help each other, the one signing far beyond its share and the others
// building on that, fill nobody's memory.
func TestKeptIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("5,000 actions")
	}
	s := newScript(t)
	last := s.do(founder, protocol.Grant{Peer: dave, Role: protocol.RoleModerator, Share: 1})
	helpers := []protocol.PeerID{"a", "b", "c", "d", "e", "f"}
	for _, p := range helpers {
		last = s.after(founder, protocol.Grant{Peer: p, Role: protocol.RoleModerator, Share: 10}, last)
	}
	s.log.Together(func() {
		for i := range 7 {
			s.after(helpers[i%6], protocol.Title("mine"), s.chain(dave, protocol.MaxBeyond*3/4, last))
		}
	})
	brought := map[protocol.PeerID]int{}
	for i, v := range s.log.judge.verdicts {
		if n := s.log.nodes[i]; v.counts && n.Actor != founder && n.Actor != dave {
			brought[n.Actor]++
		}
	}
	if n := s.log.Len(); n > protocol.MaxKept || n < 3*protocol.MaxBeyond || len(brought) != 5 || brought["a"] != 1 {
		t.Errorf("%d actions, of %v", n, brought)
	}
	again := Restore(room(), s.log.Since(nil))
	if again.Hash() != s.log.Hash() || again.Len() != s.log.Len() {
		t.Errorf("who learns it has %d actions of %d", again.Len(), s.log.Len())
	}
	if s.draft(founder, protocol.Title("the host's")); s.log.Roster().Title() != "the host's" {
		t.Error("the host is not heard")
	}
}

// Who once knew of too much that does not count can act on.
func TestSpoiltPast(t *testing.T) {
	s := newScript(t)
	last := s.do(founder, protocol.Grant{Peer: dave, Role: protocol.RoleModerator, Share: 1})
	for _, p := range []protocol.PeerID{alice, bob} {
		last = s.after(founder, moderator(p), last)
	}
	s.log.Together(func() {
		one := s.after(alice, protocol.Title("hers"), s.chain(dave, protocol.MaxBeyond*3/4, last))
		s.after(bob, protocol.Title("his"), one, s.chain(dave, protocol.MaxBeyond*3/4, last))
	})
	if past := s.log.nodes[s.log.of(bob).actions[0]].past; s.log.beyond(past) <= protocol.MaxBeyond {
		t.Fatalf("bob knows of %d", s.log.beyond(past))
	}
	if a := s.draft(bob, protocol.Ban{Peer: erin}); !s.log.Roster().has(a.Hash, erin) {
		t.Error("his ban does not count")
	}
}

func (r *Roster) has(ban protocol.ActionHash, of protocol.PeerID) bool {
	return slices.ContainsFunc(r.bans[of], func(b Ban) bool { return b.Action == ban })
}
