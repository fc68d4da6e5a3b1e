package room

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// deed seals an action of a node's at a place of its own choice in the log.
func (s *stillness) deed(by int, sequence uint32, deed protocol.Deed, parents ...protocol.ActionHash) *protocol.Action {
	s.t.Helper()
	a := &protocol.Action{Room: s.cfg.Room, Sequence: sequence, Parents: parents, At: time.Unix(0, 0), Deed: deed}
	if err := a.Seal(s.nodes[by].key); err != nil {
		s.t.Fatal(err)
	}
	return a
}

// holds puts actions into the log.
func (s *stillness) holds(actions ...*protocol.Action) {
	s.t.Helper()
	for _, a := range actions {
		if added, missing, err := s.log.Add(a); len(added) != 1 {
			s.t.Fatalf("%d actions added, %d missing, %v", len(added), len(missing), err)
		}
	}
	s.abide(s.clock)
}

// learnsFrom has one node ask another for what it lacks until it asks no more, as
// their links would carry it; and gives how often.
func (s *stillness) learnsFrom(o *stillness) (asked int) {
	s.t.Helper()
	me, other := s.nodes[1].id, s.nodes[0].id
	for _, r := range []*stillness{s, o} {
		r.pathTo(me)
		r.pathTo(other)
	}
	s.askLog(other, false, s.clock)
	for s.paths[other].log.open {
		if asked++; asked > 200 {
			s.t.Fatal("it asks on for ever")
		}
		s.clock, o.clock = s.clock+logAgain, o.clock+logAgain // both limits are full again
		m := s.lastSent.GetLogAsk()
		o.linkMessage(me, &pb.LinkMessage{What: &pb.LinkMessage_LogAsk{LogAsk: m}}, o.clock)
		s.linkMessage(other, &pb.LinkMessage{What: &pb.LinkMessage_LogTold{LogTold: o.told}}, s.clock)
	}
	return asked
}

// A moderator who signs so much side by side that no question can name it, parts
// nobody for good: who asks gets to the end of the other's log.
func TestLogTooWideForAQuestion(t *testing.T) {
	knows, lacks := still(t, protocol.StageHost, 3, 0), still(t, protocol.StageHost, 3, 1)
	grant := knows.deed(0, 1, protocol.Grant{Peer: knows.nodes[2].id, Role: protocol.RoleModerator, Share: 200})
	knows.holds(grant)
	lacks.holds(grant)
	for i := range 150 {
		a := knows.deed(2, 1, protocol.Next{At: time.Unix(int64(i+1), 0)}, grant.Hash)
		knows.holds(a)
		lacks.holds(a)
	}
	last := knows.deed(0, 2, protocol.Remove{Peer: knows.nodes[2].id}, grant.Hash)
	knows.holds(last)
	asked := lacks.learnsFrom(knows)
	if !lacks.log.Has(last.Hash) || lacks.log.Hash() != knows.log.Hash() {
		t.Errorf("after %d questions the logs are two", asked)
	}
	if asked > 8 {
		t.Errorf("it asks %d times", asked)
	}
}

// Whoever answers what is no progress is not asked on.
func TestLogToldInCircles(t *testing.T) {
	s := still(t, protocol.StageHost, 3, 1)
	var told []*pb.SignedAction
	for i := range 3 {
		a := s.deed(0, 1, protocol.Next{At: time.Unix(int64(i+1), 0)})
		s.holds(a)
		told = append(told, a.Signed())
	}
	other := s.nodes[0].id
	s.pathTo(other)
	s.askLog(other, false, s.clock)
	for asked := 0; s.paths[other].log.open; asked++ {
		if asked > len(told) {
			t.Fatal("it asks on for ever")
		}
		s.clock += time.Second
		s.takeLogTold(other, &pb.LogTold{Room: s.cfg.Room[:], Actions: told[asked%2 : asked%2+1], More: true}, s.clock)
	}
}

// What strangers sign, and what the crowd asks, is not at the cost of those who
// carry the room.
func TestLogForCarriersUnderAFlood(t *testing.T) {
	s := still(t, protocol.StageHost, 4, 0)
	s.hold(s.certificate(0, 1, protocol.Carry, 1, time.Hour), s.clock)
	foreign := s.deed(2, 1, protocol.Ban{Peer: s.nodes[1].id})
	for range 500 {
		s.takeAction(foreign.Signed(), "", s.clock)
	}
	ask := &pb.LinkMessage{What: &pb.LinkMessage_LogAsk{LogAsk: &pb.LogAsk{Room: s.cfg.Room[:]}}}
	answers := func(by int, times int) (n int) {
		s.pathTo(s.nodes[by].id)
		for range times {
			before := s.sent
			s.linkMessage(s.nodes[by].id, ask, s.clock)
			n += s.sent - before
		}
		return n
	}
	if n := answers(3, 500); n != logsAtOnce {
		t.Errorf("a listener has %d answers at once", n)
	}
	if n := answers(1, 10); n != 10 {
		t.Errorf("a carrier has %d answers of 10", n)
	}
}

// What a moderator signs beyond its share moves nobody: it is not passed on, not
// stored and not said again, however often it comes, and soon not even looked at.
func TestBeyondAShare(t *testing.T) {
	s := still(t, protocol.StageHost, 3, 0)
	stored := 0
	s.cfg.SaveActions = func(a []*pb.SignedAction) { stored += len(a) }
	rogue := s.nodes[2].id
	grant := s.deed(0, 1, protocol.Grant{Peer: rogue, Role: protocol.RoleModerator, Share: 1})
	first := s.deed(2, 1, protocol.Title("mine"), grant.Hash)
	for _, a := range []*protocol.Action{grant, first} {
		if !s.takeAction(a.Signed(), "", s.clock) {
			t.Fatal("an action within the share is not passed on")
		}
	}
	hash := s.log.Hash()
	for i := range 300 {
		a := s.deed(2, 2, protocol.Next{At: time.Unix(int64(i/2+1), 0)}, first.Hash)
		if s.takeAction(a.Signed(), "", s.clock) {
			t.Fatal("it is passed on")
		}
	}
	if stored != 2 || s.log.Hash() != hash || s.lawful.Title() != "mine" {
		t.Errorf("%d actions are stored, and the log has %d", stored, s.log.Len())
	}
	if n := s.dropped["action without right"]; n < 300-strangersAtOnce-1 {
		t.Errorf("only %d are dropped unread", n)
	}
	if !s.takeAction(s.deed(0, 2, protocol.Title("the host's"), first.Hash).Signed(), "", s.clock) {
		t.Error("the host's action is not passed on")
	}
}

// A moderator who signs two things by a share of one, and shows some nodes the one
// first and some the other, does not part their elections: whoever has both is in one
// era, in which order they ever came.
func TestForksBeyondAShareAndTheEra(t *testing.T) {
	first, second := still(t, protocol.StageHost, 3, 1), still(t, protocol.StageHost, 3, 1)
	speaker := first.deed(0, 1, protocol.Grant{Peer: first.nodes[1].id, Role: protocol.RoleSpeaker})
	grant := first.deed(0, 2, protocol.Grant{Peer: first.nodes[2].id, Role: protocol.RoleModerator, Share: 1}, speaker.Hash)
	ends := first.deed(2, 1, protocol.Revoke{Peer: first.nodes[1].id, Role: protocol.RoleSpeaker}, grant.Hash)
	other := ends
	for at := int64(1); other.Hash.Compare(ends.Hash) >= 0; at++ { // the lower hash is paid first
		other = first.deed(2, 1, protocol.Next{At: time.Unix(at, 0)}, grant.Hash)
	}
	for s, order := range map[*stillness][]*protocol.Action{first: {speaker, grant, ends, other}, second: {speaker, grant, other, ends}} {
		for _, a := range order {
			s.takeAction(a.Signed(), "", s.clock)
		}
		if s.machine.Era() != s.lawful.Era() || s.lawful.Era() != 0 {
			t.Errorf("the election is in era %d, the log in %d", s.machine.Era(), s.lawful.Era())
		}
	}
	if first.log.Hash() != second.log.Hash() {
		t.Error("two logs")
	}
}

// A moderator who signs a hundred times its share side by side, and shows each half of a
// room other parts of it, parts nobody: once each has asked the other, both hold what
// counts, and only that.
func TestHalvesOfAWideFork(t *testing.T) {
	one, two := still(t, protocol.StageHost, 3, 0), still(t, protocol.StageHost, 3, 1)
	const share = 20
	grant := one.deed(0, 1, protocol.Grant{Peer: one.nodes[2].id, Role: protocol.RoleModerator, Share: share})
	one.holds(grant)
	two.holds(grant)
	for i := range 100 * share {
		s := []*stillness{one, two}[i%2]
		s.log.Add(one.deed(2, 1, protocol.Next{At: time.Unix(int64(i+1), 0)}, grant.Hash))
	}
	word := one.deed(0, 2, protocol.Title("the host's"), one.log.Heads()[:4]...)
	one.holds(word)
	if one.log.Hash() == two.log.Hash() {
		t.Fatal("one log before they have asked")
	}
	asked := two.learnsFrom(one) + one.learnsFrom(two)
	if one.log.Hash() != two.log.Hash() || one.logHash() != two.logHash() {
		t.Errorf("two logs after %d questions, of %d and %d actions", asked, one.log.Len(), two.log.Len())
	}
	if two.lawful.Title() != "the host's" || two.log.Len() != share+2 {
		t.Errorf("the title is %q, of %d actions", two.lawful.Title(), two.log.Len())
	}
}

// Who is asked only because they asked, and tells on and on, is soon heard no further:
// the room has other things to do.
func TestLongTalesOfOthers(t *testing.T) {
	t.Parallel()
	s := still(t, protocol.StageHost, 3, 0)
	grant := s.deed(0, 1, protocol.Grant{Peer: s.nodes[2].id, Role: protocol.RoleModerator, Share: 1})
	s.holds(grant)
	var tale []*pb.SignedAction
	for i := range judgeAtOnce + 2*maxTold {
		tale = append(tale, s.deed(2, 1, protocol.Next{At: time.Unix(int64(i+1), 0)}, grant.Hash).Signed())
	}
	teller := s.nodes[1].id
	p := s.pathTo(teller)
	heard := 0
	for range longAtOnce + 3 {
		s.askLog(teller, true, s.clock)
		most := 0
		for at := 0; p.log.open && at < len(tale); at += maxTold {
			s.takeLogTold(teller, &pb.LogTold{Room: s.cfg.Room[:], Actions: tale[at : at+maxTold], More: true}, s.clock)
			most = at + maxTold
		}
		if most == len(tale) {
			heard++
		}
		s.takeLogTold(teller, &pb.LogTold{Room: s.cfg.Room[:]}, s.clock)
		if len(p.log.spare) > 0 || p.log.open {
			t.Fatal("it is not over")
		}
	}
	if heard != longAtOnce {
		t.Errorf("%d long tales are heard, not %d", heard, longAtOnce)
	}
}

// Answers fit into a link's message, however large the actions are that somebody
// signed: what does not fit never arrives.
func TestLogOfLargeActions(t *testing.T) {
	s := still(t, protocol.StageHost, 3, 0)
	grant := s.deed(0, 1, protocol.Grant{Peer: s.nodes[2].id, Role: protocol.RoleModerator, Share: 200})
	s.holds(grant)
	parents := []protocol.ActionHash{grant.Hash}
	for sequence := range uint32(100) {
		a := s.deed(2, sequence+1, protocol.Pin("https://example.org/"+strings.Repeat("x", protocol.MaxPinBytes-20)), parents...)
		s.holds(a)
		parents = []protocol.ActionHash{a.Hash}
	}
	told := s.lackedBy(nil, nil, nil)
	m := &pb.LinkMessage{What: &pb.LinkMessage_LogTold{LogTold: told}}
	if size := proto.Size(m); size > protocol.MaxLinkMessageBytes || !told.More || len(told.Actions) < 20 {
		t.Errorf("%d actions in %d bytes, more %v", len(told.Actions), size, told.More)
	}
}

// What one learns who comes into the room, all others know: it does not say it again.
// What a node of the room learns from another half of it, it passes on, but not to who
// told it.
func TestWhoComesSaysNothingAgain(t *testing.T) {
	for _, settled := range []bool{false, true} {
		s := still(t, protocol.StageOpen, 4, 1)
		s.settled, s.inside = settled, true
		teller, other := s.nodes[0].id, s.nodes[2].id
		for _, p := range []protocol.PeerID{teller, other} {
			s.pathTo(p).child = true
		}
		s.askLog(teller, false, s.clock)
		var told []*pb.SignedAction
		for i := range 20 {
			told = append(told, s.deed(0, 1, protocol.Next{At: time.Unix(int64(i+1), 0)}).Signed())
		}
		s.takeLogTold(teller, &pb.LogTold{Room: s.cfg.Room[:], Actions: told}, s.clock)
		want := 0
		if settled {
			want = len(told)
		}
		if said := s.fed[other]; said != want || s.fed[teller] != 0 || len(s.published) != want {
			t.Errorf("settled %v: %d said to another, %d to the teller, %d to the topic", settled, said, s.fed[teller], len(s.published))
		}
	}
}

// A moderator who forks its share shows one half of a room the one branch, which the
// host then builds on, and the other half the other. That half learns the host's word
// though the branch before it, which no answer holds whole, counts only with it.
func TestForkThatTheHostBuiltOn(t *testing.T) {
	t.Parallel()
	knows, lacks := still(t, protocol.StageHost, 3, 0), still(t, protocol.StageHost, 3, 1)
	const share = 1500
	grant := knows.deed(0, 1, protocol.Grant{Peer: knows.nodes[2].id, Role: protocol.RoleModerator, Share: share})
	branch := func(s *stillness, at int64) (last protocol.ActionHash) {
		s.holds(grant)
		last = grant.Hash
		for i := range share {
			a := s.deed(2, uint32(i+1), protocol.Next{At: time.Unix(at+int64(i), 0)}, last)
			s.holds(a)
			last = a.Hash
		}
		return last
	}
	word := knows.deed(0, 2, protocol.Title("the host's"), branch(knows, 1))
	knows.holds(word)
	branch(lacks, 1000)
	asked := lacks.learnsFrom(knows)
	if lacks.lawful.Title() != "the host's" {
		t.Errorf("after %d questions it has not heard the host, %d actions of %d", asked, lacks.log.Len(), knows.log.Len())
	}
	if lacks.log.Hash() != knows.log.Hash() {
		t.Errorf("two logs, of %d and %d actions", lacks.log.Len(), knows.log.Len())
	}
}
