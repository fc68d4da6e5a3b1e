package room

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// raises puts a node's hand up, or down.
func (n *node) raises(up bool) {
	n.w.t.Helper()
	n.w.tell("%v raises its hand: %v", n, up)
	if err := n.room.Hand(context.Background(), up); err != nil {
		n.w.t.Fatalf("%v: %v", n, err)
	}
	synctest.Wait()
}

// raise has nodes raise their hands one after the other.
func (w *world) raise(nodes ...*node) {
	w.t.Helper()
	for _, n := range nodes {
		n.raises(true)
		w.sleep(300 * ms)
	}
}

// line gives the letters of the queue, in order, as a node shows it.
func (n *node) line() string {
	n.w.t.Helper()
	members := slices.DeleteFunc(n.view().Members, func(m Member) bool { return m.Hand == 0 })
	slices.SortFunc(members, func(a, b Member) int { return a.Hand - b.Hand })
	out := ""
	for i, m := range members {
		if m.Hand != i+1 {
			n.w.t.Errorf("%v shows %s in place %d, not %d", n, m.Presence.Name, m.Hand, i+1)
		}
		out += string(m.Presence.Name)
	}
	return out
}

// lines wants everyone of the group to show the same queue, within a time.
func (w *world) lines(want string, within time.Duration, group ...*node) {
	w.t.Helper()
	for end := w.now() + within; ; w.sleep(100 * ms) {
		wrong := ""
		for _, n := range inRoom(group) {
			if got := n.line(); got != want {
				wrong += n.String() + " shows " + got + "; "
			}
		}
		if wrong == "" {
			return
		}
		if w.now() >= end {
			w.t.Fatalf("the queue is %s, and %s", want, wrong)
		}
	}
}

const soon = 700 * time.Millisecond // the relay's pace, and the way there and back

// asking is a settled room of a host whose stage is its own: nodes 0 and 1
// carry it, whoever of them relays.
func asking(t *testing.T, seed uint64, nodes int, test func(w *world)) {
	inWorld(t, seed, protocol.StageHost, nodes, func(w *world) {
		for _, n := range w.nodes[min(3, nodes):] {
			n.lends = false
		}
		w.party()
		test(w)
	})
}

func TestHandsStandInOrder(t *testing.T) {
	t.Parallel()
	asking(t, 1, 6, func(w *world) {
		w.raise(w.nodes[4], w.nodes[3], w.nodes[5])
		w.lines("edf", soon, w.nodes...)
		w.nodes[3].raises(false)
		w.lines("ef", soon, w.nodes...)
		w.nodes[3].raises(true)
		w.lines("efd", soon, w.nodes...)
		w.sleep(time.Minute)
		w.lines("efd", 0, w.nodes...)
		for _, n := range w.nodes {
			for _, m := range n.view().Members {
				if m.Hand == 1 && (m.Waiting < time.Minute || m.Waiting > 64*time.Second) {
					t.Errorf("at %v the first has waited for %v", n, m.Waiting)
				}
			}
		}
		w.nodes[4].leaves()
		w.lines("fd", soon, w.nodes...)
		w.nodes[5].kill()
		w.lines("d", forgetting+soon, w.nodes...)
	})
}

func TestANewcomerSeesTheQueue(t *testing.T) {
	inWorld(t, 1, protocol.StageHost, 5, func(w *world) {
		w.gathers(w.nodes[:4]...)
		w.sleep(2 * time.Second)
		w.raise(w.nodes[3], w.nodes[2])
		w.sleep(11 * time.Second)
		late := w.nodes[4]
		late.enters(asks(w.nodes[0]))
		late.uses(Use{Listening: 1})
		w.lines("dc", time.Second, late)
	})
}

func TestTheHeirKeepsTheQueue(t *testing.T) {
	t.Parallel()
	for seed := range seeds(4) {
		asking(t, seed, 7, func(w *world) {
			w.raise(w.nodes[5], w.nodes[3], w.nodes[6])
			w.lines("fdg", soon, w.nodes...)
			former := w.relay().room.term
			w.relay().kill()
			w.sleep(100 * ms)
			w.agrees(promised, w.nodes...)
			w.lines("fdg", soon, w.nodes...)
			for p, h := range w.relay().room.hands {
				if h.stamp.Term != former {
					t.Errorf("seed %d: %s has a stamp of term %d, not %d", seed, w.letter(p), h.stamp.Term, former)
				}
			}
			w.raise(w.nodes[4])
			w.lines("fdge", soon, w.nodes...)
			w.sleep(forgetting)
			w.lines("fdge", 0, w.nodes...)
		})
	}
}

// Who is back within PresenceLife, in a later life, has the place still.
func TestAPlaceIsKeptForWhoIsCutOff(t *testing.T) {
	t.Parallel()
	asking(t, 1, 6, func(w *world) {
		w.raise(w.nodes[4], w.nodes[5])
		w.lines("ef", soon, w.nodes...)
		w.nodes[4].kill()
		w.sleep(20 * time.Second)
		w.nodes[4].enters(asks(w.nodes[0]), w.nodes[4].knows)
		w.nodes[4].uses(Use{Listening: 1})
		w.lines("ef", 2*time.Second, w.nodes...)
		w.sleep(time.Minute)
		w.lines("ef", 0, w.nodes...)
		w.nodes[4].raises(false)
		w.lines("f", soon, w.nodes...)
	})
}

// Two halves have a queue each; healed, everybody has that of the relay left,
// with those of the other half in it.
func TestHalvesGetOneQueue(t *testing.T) {
	t.Parallel()
	for seed := range seeds(3) {
		asking(t, seed, 8, func(w *world) {
			w.raise(w.nodes[4], w.nodes[5])
			w.lines("ef", soon, w.nodes...)
			w.halves()
			w.sleep(15 * time.Second)
			w.raise(w.nodes[6], w.nodes[7])
			w.sleep(5 * time.Second)
			w.heal()
			w.agrees(promised, w.nodes...)
			w.sleep(12 * time.Second)
			want := w.relay().line()
			w.lines(want, 0, w.nodes...)
			if len(want) != 4 || want[:2] != "ef" {
				t.Errorf("seed %d: the queue is %s: it wants e, f, and then g and h", seed, want)
			}
		})
	}
}

func TestTheHostLetsOnStage(t *testing.T) {
	asking(t, 1, 6, func(w *world) {
		host, guest := w.nodes[0], w.nodes[4]
		w.raise(guest, w.nodes[5])
		w.lines("ef", soon, w.nodes...)
		if _, err := guest.speaks(); !errors.Is(err, protocol.ErrNoRight) {
			t.Fatalf("who was not let on stage speaks: %v", err)
		}
		if err := w.nodes[1].room.Act(w.t.Context(), protocol.Grant{Peer: guest.id, Role: protocol.RoleSpeaker}); !errors.Is(err, protocol.ErrNoRight) {
			t.Errorf("another one lets people on stage: %v", err)
		}
		if err := host.room.Act(w.t.Context(), protocol.Grant{Peer: guest.id, Role: protocol.RoleSpeaker}); err != nil {
			t.Fatal(err)
		}
		w.lines("f", soon, w.nodes...)
		for _, n := range w.nodes {
			for _, m := range n.view().Members {
				if m.Peer == guest.id && (m.Role != "speaker" || !m.Muted) {
					t.Errorf("at %v the guest is a %s, muted: %v", n, m.Role, m.Muted)
				}
			}
		}
		if err := guest.room.Hand(w.t.Context(), true); !errors.Is(err, ErrSeated) {
			t.Errorf("a speaker asks to speak: %v", err)
		}
		if _, err := guest.speaks(); err != nil {
			t.Fatal(err)
		}
		w.settles(settling)
	})
}

func TestTheHostLowersAHand(t *testing.T) {
	asking(t, 1, 6, func(w *world) {
		host, guest := w.nodes[0], w.nodes[4]
		w.raise(guest, w.nodes[5])
		w.lines("ef", soon, w.nodes...)
		if err := w.nodes[5].room.Lower(w.t.Context(), guest.id); !errors.Is(err, protocol.ErrNoRight) {
			t.Errorf("anybody lowers a hand: %v", err)
		}
		if err := host.room.Lower(w.t.Context(), guest.id); err != nil {
			t.Fatal(err)
		}
		w.lines("f", soon, w.nodes...)
		if err := host.room.Lower(w.t.Context(), guest.id); !errors.Is(err, ErrHandDown) {
			t.Errorf("a hand that is down is lowered: %v", err)
		}
		w.sleep(15 * time.Second)
		w.lines("f", 0, w.nodes...)
		guest.raises(true)
		w.lines("fe", soon, w.nodes...)
	})
}

func up(b bool) protocol.Message { return protocol.Message{Hand: &protocol.Hand{Up: b, Raised: 1}} }

func (s *stillness) line() (out []int) {
	for _, stamp := range s.stamps(s.clock) {
		out = append(out, slices.IndexFunc(s.nodes, func(n *node) bool { return n.id == stamp.Peer }))
	}
	return out
}

// stamped gives a queue's one part, of nodes in that order.
func (s *stillness) stamped(term uint64, nodes ...int) protocol.Message {
	q := &protocol.Queue{Parts: 1}
	for i, n := range nodes {
		q.Stamps = append(q.Stamps, protocol.Stamp{Peer: s.nodes[n].id, Term: term, N: uint32(i + 1)})
	}
	return protocol.Message{Queue: q}
}

// follows has the node follow another as its relay.
func (s *stillness) follows(relay int, term, sequence uint64) {
	s.t.Helper()
	s.hold(s.certificate(0, relay, carry, term, day), s.clock)
	s.says(relay, 1, sequence, protocol.Message{Claim: &protocol.RelayClaim{Claim: protocol.Claim{Key: protocol.Key{Term: term}}}})
	if s.relay != s.nodes[relay].id {
		s.t.Fatalf("it follows %s, not %d", s.relay, relay)
	}
}

func TestOnlyTheRelaysQueueCounts(t *testing.T) {
	s := still(t, protocol.StageHost, 6, 5)
	s.follows(1, 7, 1)
	s.hold(s.certificate(0, 2, carry, 2, day), s.clock)
	first := s.says(1, 1, 2, s.stamped(7, 3, 4))
	s.says(2, 1, 2, s.stamped(8, 4)) // a carrier that does not relay
	s.says(4, 1, 2, s.stamped(8, 4)) // anybody
	if got := s.line(); !slices.Equal(got, []int{3, 4}) || s.dropped["without right"] != 2 {
		t.Errorf("the queue is %v, dropped %v", got, s.dropped)
	}
	s.clock += time.Second
	s.says(1, 1, 3, s.stamped(7, 4))
	s.repeats(4, first) // of a moment ago
	if got := s.line(); !slices.Equal(got, []int{4}) {
		t.Errorf("after an old queue it is %v", got)
	}
	s.follows(2, 8, 5)
	s.follows(1, 9, 6)
	s.repeats(4, first) // of an earlier term
	if got := s.line(); !slices.Equal(got, []int{4}) {
		t.Errorf("after a queue of an earlier term it is %v", got)
	}
	m := s.stamped(7, 3)
	m.Boot, m.Sequence = 1, 9
	if err := m.Seal(protocol.RoomID{1}, s.nodes[1].key); err != nil {
		t.Fatal(err)
	}
	s.repeats(4, &m)
	if got := s.line(); !slices.Equal(got, []int{4}) || s.dropped["wrongly signed"] != 1 {
		t.Errorf("after a forged one it is %v, dropped %v", got, s.dropped)
	}
}

// Half a queue adds hands and takes none away: the other half may be on its way.
func TestAQueueInParts(t *testing.T) {
	s := still(t, protocol.StageHost, 8, 7)
	s.follows(1, 7, 1)
	s.says(1, 1, 2, s.stamped(7, 2, 3))
	second := s.stamped(7, 2, 3, 4)
	second.Queue.Part, second.Queue.Parts, second.Queue.Stamps = 1, 2, second.Queue.Stamps[2:]
	s.says(1, 1, 4, second)
	if got := s.line(); !slices.Equal(got, []int{2, 3, 4}) {
		t.Errorf("with the second part it is %v", got)
	}
	first := s.stamped(7, 2)
	first.Queue.Parts = 2
	s.says(1, 1, 3, first) // overtaken by the second
	if got := s.line(); !slices.Equal(got, []int{2, 4}) {
		t.Errorf("with both it is %v", got)
	}
	s.says(1, 1, 5, s.stamped(7, 2))
	if got := s.line(); !slices.Equal(got, []int{2}) {
		t.Errorf("with one part again it is %v", got)
	}
}

// A word that a hand said before it was stamped, and that comes after that, takes it
// out of the queue for no longer than the relay needs to say so itself.
func TestALateWordTakesNoPlace(t *testing.T) {
	s := still(t, protocol.StageHost, 8, 7)
	s.follows(1, 7, 1)
	for n := 2; n < 5; n++ {
		s.says(n, 1, 1, presence("ana"))
	}
	down := protocol.Message{Hand: &protocol.Hand{Raised: 1}}
	s.says(1, 1, 2, s.stamped(7, 2, 3, 4))
	s.says(2, 1, 2, down)
	s.says(3, 1, 2, down)
	s.tendHands(s.clock)
	if got := s.line(); !slices.Equal(got, []int{4}) {
		t.Errorf("their hands down, the queue is %v", got)
	}
	s.clock += protocol.QueuePace
	left := s.stamped(7, 2, 3, 4)
	left.Queue.Stamps = slices.Delete(left.Queue.Stamps, 1, 2)
	s.says(1, 1, 3, left) // the other one took its hand down indeed
	s.tendHands(s.clock)
	if got := s.line(); !slices.Equal(got, []int{2, 4}) {
		t.Errorf("as the relay says it, the queue is %v", got)
	}
	s.says(2, 1, 3, down)
	s.says(2, 1, 4, protocol.Message{Hand: &protocol.Hand{Up: true, Raised: 4}})
	s.clock += abideFor
	s.tendHands(s.clock)
	if got := s.line(); !slices.Equal(got, []int{2, 4}) {
		t.Errorf("where the relay says nothing else, the queue is %v", got)
	}
}

// A hand that went up anew is another one, also where the word between, that it
// went down, was overtaken and so is not taken.
func TestARaisingAnewNeedsNoWordBetween(t *testing.T) {
	s := still(t, protocol.StageHost, 4, 0)
	s.machine.Open(s.clock)
	s.elect(s.clock)
	raise := func(n int, sequence, raised uint64) {
		s.says(n, 1, sequence, protocol.Message{Hand: &protocol.Hand{Up: true, Raised: raised}})
	}
	for n := 1; n < 3; n++ {
		s.noteAttached(s.nodes[n].id, s.clock)
		s.says(n, 1, 1, presence("ana"))
		raise(n, 2, 2)
	}
	raise(1, 3, 2)
	if got := s.line(); !slices.Equal(got, []int{1, 2}) {
		t.Fatalf("said again, the queue is %v", got)
	}
	if err := s.lower(s.nodes[1].id, s.clock); err != nil {
		t.Fatal(err)
	}
	raise(1, 4, 2) // not yet knowing
	if got := s.line(); !slices.Equal(got, []int{2}) {
		t.Errorf("lowered, the queue is %v", got)
	}
	raise(1, 6, 6)
	s.says(1, 1, 5, up(false))
	if got := s.line(); !slices.Equal(got, []int{2, 1}) {
		t.Errorf("raised anew, the queue is %v", got)
	}
}

// Old words of the founder lower no hand that went up later.
func TestLoweringIsNotPlayedBack(t *testing.T) {
	s := still(t, protocol.StageHost, 6, 5)
	s.follows(1, 7, 1)
	s.says(1, 1, 2, s.stamped(7, 3, 4))
	lower := func(n uint32) protocol.Message {
		return protocol.Message{Lowered: &protocol.Stamp{Peer: s.nodes[3].id, Term: 7, N: n}}
	}
	s.says(4, 1, 1, lower(1)) // not the founder
	if got := s.line(); len(got) != 2 {
		t.Errorf("anybody lowered a hand: %v", got)
	}
	old := s.says(0, 1, 1, lower(1))
	if got := s.line(); !slices.Equal(got, []int{4}) {
		t.Errorf("the founder lowered a hand, and it is %v", got)
	}
	again := s.stamped(7, 4, 4, 3)
	again.Queue.Stamps = again.Queue.Stamps[1:]
	s.says(1, 1, 3, again)
	s.repeats(4, old)
	if got := s.line(); !slices.Equal(got, []int{4, 3}) {
		t.Errorf("an old word lowered a later hand: %v", got)
	}
}

// A crowd of strangers neither fills memory nor keeps out whom the host knows.
func TestAFloodOfHands(t *testing.T) {
	s := still(t, protocol.StageHost, 3, 0)
	s.machine.Open(s.clock)
	s.elect(s.clock)
	if !s.root {
		t.Fatal("it does not relay")
	}
	s.hold(s.certificate(0, 1, carry, 1, day), s.clock)
	crowd := func(from, to int) {
		for i := from; i < to; i++ {
			n := newNode(s.nodes[0].w, 10+i)
			for sequence, m := range []protocol.Message{presence("eve"), up(true)} {
				m.Boot, m.Sequence = 1, uint64(sequence+1)
				if err := m.Seal(s.cfg.Room, n.key); err != nil {
					t.Fatal(err)
				}
				s.hearRaw(m.Raw, n.id, s.clock)
			}
		}
	}
	crowd(0, 40)
	s.says(1, 1, 1, presence("ana"))
	s.says(1, 1, 2, up(true))
	if got := len(s.stamps(s.clock)); got != looseHandsASecond+1 {
		t.Errorf("%d hands in a second", got)
	}
	for i := range 20 {
		s.clock += time.Second
		crowd(40+10*i, 50+10*i)
	}
	if len(s.hands) != looseHands+1 || len(s.stamps(s.clock)) != looseHands+1 {
		t.Errorf("%d hands, %d in the queue", len(s.hands), len(s.stamps(s.clock)))
	}
	if s.dropped["more hands than the queue takes"] == 0 || s.dropped["hands too often"] == 0 {
		t.Errorf("dropped %v", s.dropped)
	}
	before := 0
	for range 40 {
		s.clock += 25 * ms
		s.says(1, 1, uint64(10+before), up(before%2 == 0))
		before++
		s.tendHands(s.clock)
	}
	words := 0
	for _, m := range s.published {
		if m.Queue != nil && m.Queue.Part == 0 {
			words++
		}
	}
	if most := 1 + 4*12; words > most {
		t.Errorf("the relay said its queue %d times in 12 seconds, at most %d are right", words, most)
	}
}
