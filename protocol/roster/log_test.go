package roster

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/earshot-audio/earshot/protocol"
)

// draft has p do something behind what it can name, and gives it to the log.
func (s *script) draft(p protocol.PeerID, deed protocol.Deed) *protocol.Action {
	s.t.Helper()
	a, err := s.log.Draft(p)
	if err != nil {
		s.t.Fatalf("%s: %v", p, err)
	}
	a.Hash, a.Deed = s.hash(), deed
	if _, missing, err := s.log.Add(a); err != nil || len(missing) > 0 {
		s.t.Fatalf("%s: %v, %d missing", p, err, len(missing))
	}
	return a
}

// hash names the next action.
func (s *script) hash() (h protocol.ActionHash) {
	s.n++
	binary.BigEndian.PutUint32(h[28:], s.n)
	return h
}

func TestAddTakesAnyOrder(t *testing.T) {
	s := newScript(t)
	s.do(founder, moderator(alice))
	for range 5 {
		s.do(alice, protocol.Lock(true))
	}
	all := s.log.Since(nil)
	l := New(room())
	for _, a := range slices.Backward(all[1:]) {
		if added, missing, err := l.Add(a); len(added) > 0 || len(missing) != 1 || err != nil {
			t.Fatalf("without its parent: %d added, %d missing, %v", len(added), len(missing), err)
		}
	}
	if m := l.Missing(); len(m) != 1 || m[0] != all[0].Hash || l.Len() != 0 {
		t.Errorf("missing %v", m)
	}
	if added, _, err := l.Add(all[0]); len(added) != len(all) || err != nil {
		t.Errorf("%d added, %v", len(added), err)
	}
	if added, missing, err := l.Add(all[3]); len(added)+len(missing) > 0 || err != nil {
		t.Errorf("known: %d added, %d missing, %v", len(added), len(missing), err)
	}
	if l.Hash() != s.log.Hash() || len(l.Missing()) > 0 || l.Len() != len(all) {
		t.Error("not the same log")
	}
	if since := l.Since([]protocol.ActionHash{all[2].Hash}); len(since) != 3 || since[0] != all[3] {
		t.Errorf("%d since the third", len(since))
	}
	for i, e := range l.Entries() {
		if !e.Stands || (e.Grant == protocol.ActionHash{}) != (i == 0) || i > 0 && e.Grant != all[0].Hash {
			t.Errorf("entry %d: %+v", i, e)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	s := newScript(t)
	grant := s.do(founder, moderator(alice))
	for _, c := range []struct {
		name string
		a    protocol.Action
		want error
	}{
		{"of another room", protocol.Action{Room: protocol.RoomID{9}, Actor: founder, Sequence: 2}, ErrRoom},
		{"a sequence again", protocol.Action{Actor: founder, Sequence: 1, Parents: []protocol.ActionHash{grant}}, ErrSequence},
		{"a sequence left out", protocol.Action{Actor: founder, Sequence: 3, Parents: []protocol.ActionHash{grant}}, ErrSequence},
		{"of a stranger", protocol.Action{Actor: stranger, Sequence: 1, Parents: []protocol.ActionHash{grant}}, protocol.ErrNoRight},
		{"before the appointment", protocol.Action{Actor: alice, Sequence: 1}, protocol.ErrNoRight},
		{"raising oneself", protocol.Action{Actor: alice, Sequence: 1, Parents: []protocol.ActionHash{grant}, Deed: speaker(alice)}, protocol.ErrNoRight},
		{"muting the founder", protocol.Action{Actor: alice, Sequence: 1, Parents: []protocol.ActionHash{grant}, Deed: protocol.Mute{Peer: founder}}, protocol.ErrNoRight},
	} {
		if c.a.Room == (protocol.RoomID{}) {
			c.a.Room = room().Room
		}
		c.a.Hash = s.hash()
		if _, _, err := s.log.Add(&c.a); !errors.Is(err, c.want) || s.log.Len() != 1 {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// What nobody can place is kept within bounds, and strangers' garbage costs nobody
// else a place.
func TestWaitingIsBounded(t *testing.T) {
	s := newScript(t)
	s.do(founder, moderator(alice))
	lost := protocol.ActionHash{0xff}
	garbage := func(p protocol.PeerID, n int) {
		for range n {
			a := &protocol.Action{Room: room().Room, Actor: p, Sequence: 7, Hash: s.hash(), Parents: []protocol.ActionHash{lost}}
			if _, missing, err := s.log.Add(a); len(missing) != 1 || err != nil {
				t.Fatalf("%d missing, %v", len(missing), err)
			}
		}
	}
	garbage(alice, 10)
	garbage(stranger, 10*maxStrangers)
	if got := len(s.log.waiting); got != 10+maxStrangers {
		t.Errorf("%d wait", got)
	}
	garbage(alice, 2*maxWaiting)
	if got := len(s.log.waiting); got != maxWaiting+maxStrangers {
		t.Errorf("%d wait", got)
	}
	if m := s.log.Missing(); len(m) != 1 || m[0] != lost {
		t.Errorf("missing %v", m)
	}
}

// A moderator who signs more than its share, one behind the other or all at once,
// fills neither the log nor the founder's part of it.
func TestShareBoundsAFlood(t *testing.T) {
	s := newScript(t)
	appointed := s.do(founder, moderator(bob))
	first := s.after(bob, protocol.Ban{Peer: dave}, appointed)
	s.after(founder, protocol.Title("Milk"), first) // the founder knows of it
	most := 0
	for range 3000 {
		s.after(bob, protocol.Ban{Peer: erin}, appointed)
		most = max(most, len(s.log.nodes))
	}
	if got := s.log.Len(); got != 2+64 || most > 2+64+slack+1 {
		t.Errorf("%d actions, %d at most", got, most)
	}
	s.banned(dave, erin)
	if s.log.Left(bob) != 0 {
		t.Errorf("bob has %d left", s.log.Left(bob))
	}
	if _, err := s.log.Draft(bob); !errors.Is(err, ErrShare) {
		t.Errorf("bob drafts: %v", err)
	}
	for len(s.log.Heads()) > 1 { // more heads than parents: it takes a few
		s.draft(founder, protocol.Lock(true))
	}
	s.draft(founder, protocol.Remove{Peer: bob})
	hash := s.log.Hash()
	for range 2 * slack {
		s.after(bob, protocol.Unban{Peer: dave}, first)
	}
	if s.log.Hash() != hash {
		t.Error("who is removed changes the log")
	}
	s.banned(dave, erin)
}

// Which of two appointments pays does not depend on which came first; and it is not
// that one which another action needs.
func TestPaymentIsOrdered(t *testing.T) {
	one := protocol.Grant{Peer: alice, Role: protocol.RoleModerator, Share: 1}
	g := protocol.Action{Room: room().Room, Actor: founder, Sequence: 1, Deed: one, Hash: protocol.ActionHash{1}}
	h := protocol.Action{Room: room().Room, Actor: founder, Sequence: 1, Deed: one, Hash: protocol.ActionHash{2}}
	x := protocol.Action{Room: room().Room, Actor: alice, Sequence: 1, Deed: protocol.Lock(true), Hash: protocol.ActionHash{3},
		Parents: []protocol.ActionHash{g.Hash, h.Hash}}
	y := protocol.Action{Room: room().Room, Actor: alice, Sequence: 1, Deed: protocol.Pause(true), Hash: protocol.ActionHash{4},
		Parents: []protocol.ActionHash{g.Hash}}
	z := protocol.Action{Room: room().Room, Actor: alice, Sequence: 1, Deed: protocol.Pause(true), Hash: protocol.ActionHash{5},
		Parents: []protocol.ActionHash{g.Hash}}
	a, b := New(room()), New(room())
	for i := range 5 {
		a.Add([]*protocol.Action{&g, &h, &x, &y, &z}[i])
		b.Add([]*protocol.Action{&h, &g, &z, &x, &y}[i])
	}
	if a.Hash() != b.Hash() || a.Len() != 4 || !a.Has(x.Hash) || !a.Has(y.Hash) {
		t.Errorf("%d and %d actions", a.Len(), b.Len())
	}
}

// A full log takes no more, whoever comes first.
func TestFullLog(t *testing.T) {
	if testing.Short() {
		t.Skip("4,096 actions")
	}
	s := newScript(t)
	fill(s)
	if got := s.log.Len(); got != protocol.MaxActions {
		t.Fatalf("%d actions", got)
	}
	if s.log.Left(founder) != 0 || s.log.Spare(founder) != 0 || len(s.log.Roster().Moderators()) != protocol.MaxModerators {
		t.Errorf("left %d, to give %d", s.log.Left(founder), s.log.Spare(founder))
	}
	hash := s.log.Hash()
	last := s.log.nodes[len(s.log.nodes)-1]
	s.after(founder, protocol.Title("Too late"), last.Hash)
	if s.log.Hash() != hash || s.log.Roster().Title() == "Too late" {
		t.Error("the 4,097th counts")
	}
	again, all := New(room()), s.log.Since(nil)
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(len(all)) {
		again.Add(all[i])
	}
	for len(again.Missing()) > 0 { // what did not find a place to wait in
		for _, a := range all {
			again.Add(a)
		}
	}
	if again.Hash() != hash || !again.Roster().same(s.log.Roster()) {
		t.Error("in another order, another log")
	}
}

// fill has the founder and sixteen moderators use up all that they have, one
// action behind the other.
func fill(s *script) {
	const share = protocol.MaxShares / protocol.MaxModerators
	var last []protocol.ActionHash
	do := func(p protocol.PeerID, deed protocol.Deed) {
		last = []protocol.ActionHash{s.after(p, deed, last...)}
	}
	var all []protocol.PeerID
	for i := range protocol.MaxModerators {
		all = append(all, protocol.PeerID('a'+rune(i)))
		do(founder, protocol.Grant{Peer: all[i], Role: protocol.RoleModerator, Share: share})
	}
	for range protocol.FounderActions - protocol.MaxModerators {
		do(founder, protocol.Ban{Peer: dave})
	}
	for range share {
		for _, p := range all {
			do(p, protocol.Mute{Peer: erin})
		}
	}
}

// Of too many moderators, those nearest to the founder have the seats.
func TestSeats(t *testing.T) {
	s := newScript(t)
	s.do(founder, moderator(alice))
	for i := range protocol.MaxModerators + 2 {
		s.do(alice, protocol.Grant{Peer: protocol.PeerID('a' + rune(i)), Role: protocol.RoleModerator, Share: 1})
	}
	s.do(founder, moderator(bob))
	r := s.log.Roster()
	if m := r.Moderators(); len(m) != protocol.MaxModerators || !r.MayModerate(alice) || !r.MayModerate(bob) {
		t.Errorf("%d moderators: %s", len(m), m)
	}
}

func BenchmarkFold(b *testing.B) {
	s := &script{t: &testing.T{}, log: New(room())}
	fill(s)
	for b.Loop() {
		s.log.judge, s.log.roster = nil, nil
		s.log.settle()
	}
}

// What a founder may do who wants its guests' nodes to compute.
func BenchmarkFoldHostile(b *testing.B) {
	s := &script{t: &testing.T{}, log: New(room())}
	var last []protocol.ActionHash
	do := func(p protocol.PeerID, deed protocol.Deed) {
		last = []protocol.ActionHash{s.after(p, deed, last...)}
	}
	for i := range 24 {
		do(founder, protocol.Grant{Peer: alice, Role: protocol.RoleModerator, Share: protocol.MaxShares / 24})
		if i%2 == 0 {
			do(founder, protocol.Mute{})
		}
	}
	base := last
	for range protocol.FounderActions - 36 {
		s.after(founder, protocol.Ban{Peer: alice}, base...)
	}
	for i := range 24 * (protocol.MaxShares/24 - 1) {
		s.after(alice, []protocol.Deed{protocol.Unban{Peer: bob}, protocol.Mute{Peer: bob}, protocol.Mute{}, demote(alice)}[i%4], base...)
	}
	for b.Loop() {
		s.log.judge, s.log.roster = nil, nil
		s.log.settle()
	}
}

// What two moderators may do together who want that: one signs a long chain beyond its
// share, the other one forks behind it, of which each would have to bring the chain along.
func BenchmarkAdmitForks(b *testing.B) {
	s := &script{t: &testing.T{}, log: New(room())}
	s.do(founder, protocol.Grant{Peer: alice, Role: protocol.RoleModerator, Share: 64})
	given := s.do(founder, protocol.Grant{Peer: bob, Role: protocol.RoleModerator, Share: 64})
	s.log.Together(func() {
		tip := s.chain(bob, 3*protocol.MaxBeyond, given)
		for range protocol.MaxActions {
			s.after(alice, protocol.Mute{Peer: erin}, tip)
		}
		for b.Loop() {
			newJudge(s.log.dag, founder).admit()
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	s := &script{t: &testing.T{}, log: New(room())}
	fill(s)
	all := s.log.Since(nil)
	for b.Loop() {
		l := New(room())
		for _, a := range all {
			l.Add(a)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N*len(all)), "ns/action")
}

// Follows goes by the log's order, and what is not held follows nothing.
func TestFollows(t *testing.T) {
	l := New(room())
	var chain []*protocol.Action
	for range 3 {
		a, err := l.Draft(founder)
		if err != nil {
			t.Fatal(err)
		}
		a.Actor, a.Deed = founder, protocol.Lock(true)
		a.Hash = protocol.ActionHash{byte(9 - len(chain))}
		if _, _, err := l.Add(a); err != nil {
			t.Fatal(err)
		}
		chain = append(chain, a)
	}
	nobody := protocol.ActionHash{1}
	for i, a := range chain {
		for j, b := range chain {
			if l.Follows(a.Hash, b.Hash) != (i > j) {
				t.Errorf("%d follows %d: %v", i, j, i <= j)
			}
		}
		if !l.Follows(a.Hash, nobody) || l.Follows(nobody, a.Hash) {
			t.Errorf("%d and one that is not held", i)
		}
	}
}
