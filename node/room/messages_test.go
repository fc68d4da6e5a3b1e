package room

import (
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// known gives the names of the members.
func (s *stillness) known() (names []protocol.Name) {
	for _, m := range s.members {
		names = append(names, m.presence.Name)
	}
	slices.Sort(names)
	return names
}

func TestFresh(t *testing.T) {
	type word struct {
		boot, sequence uint64
		name           protocol.Name
		after          time.Duration
	}
	for _, test := range []struct {
		name  string
		words []word
		want  protocol.Name
	}{
		{"one", []word{{1, 1, "one", 0}}, "one"},
		{"a newer one", []word{{1, 1, "one", 0}, {1, 2, "two", 0}}, "two"},
		{"an older one", []word{{1, 2, "two", 0}, {1, 1, "one", 0}}, "two"},
		{"the same number", []word{{1, 1, "one", 0}, {1, 1, "two", 0}}, "one"},
		{"a later life begins anew", []word{{1, 9, "one", 0}, {2, 1, "two", 0}}, "two"},
		{"an earlier life is over", []word{{2, 1, "two", 0}, {1, 9, "one", 0}}, "two"},
		{"hours later still", []word{{2, 2, "two", 0}, {2, 1, "one", 23 * time.Hour}}, "two"},
		{"the fourth in a second", []word{{1, 1, "one", 0}, {1, 2, "two", 0}, {1, 3, "three", 0}, {1, 4, "four", 999 * ms}}, "three"},
		{"and in the next", []word{{1, 1, "one", 0}, {1, 2, "two", 0}, {1, 3, "three", 0}, {1, 4, "four", time.Second}}, "four"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := still(t, protocol.StageOpen, 2, 0)
			for _, w := range test.words {
				s.clock += w.after
				s.says(1, w.boot, w.sequence, presence(w.name))
			}
			if got := s.known(); !slices.Equal(got, []protocol.Name{test.want}) {
				t.Errorf("members %v, want %s", got, test.want)
			}
		})
	}
}

// Each kind has its own count, so that presences crowd out no claim.
func TestKindsHaveRatesOfTheirOwn(t *testing.T) {
	s := still(t, protocol.StageOpen, 2, 0)
	s.hold(s.certificate(0, 1, carry, 1, day), s.clock)
	for i := range uint64(50) {
		s.says(1, 1, i+1, presence("eve"))
	}
	s.says(1, 1, 60, protocol.Message{Claim: &protocol.RelayClaim{Claim: protocol.Claim{Key: protocol.Key{Term: 7}}}})
	if best := s.machine.Best(); best.Term != 7 {
		t.Errorf("follows term %d, not 7", best.Term)
	}
	if s.dropped["messages too often"] < 40 {
		t.Errorf("%d dropped", s.dropped["messages too often"])
	}
}

func TestRates(t *testing.T) {
	for name, test := range map[string]struct {
		make func(i uint64) protocol.Message
		kind kind
	}{
		"claims": {func(i uint64) protocol.Message {
			return protocol.Message{Claim: &protocol.RelayClaim{Claim: protocol.Claim{Key: protocol.Key{Term: i}}}}
		}, claims},
		"pulses":    {func(uint64) protocol.Message { return protocol.Message{Pulse: &protocol.Pulse{}} }, pulses},
		"presences": {func(uint64) protocol.Message { return presence("eve") }, presences},
		"voices": {func(i uint64) protocol.Message {
			return protocol.Message{Voice: &protocol.Voice{Session: protocol.Session{byte(i)}}}
		}, others},
	} {
		t.Run(name, func(t *testing.T) {
			s := still(t, protocol.StageOpen, 2, 0)
			s.hold(s.certificate(0, 1, carry, 1, day), s.clock)
			const sent = 40
			for second := range int64(2) {
				for i := range uint64(sent) {
					s.says(1, 1, uint64(second)*sent+i+1, test.make(uint64(second)*sent+i+1))
				}
				if want := (second + 1) * int64(sent-messagesASecond[test.kind]); s.dropped["messages too often"] != want {
					t.Errorf("second %d: %d dropped, want %d", second, s.dropped["messages too often"], want)
				}
				s.clock += time.Second
			}
		})
	}
}

// A signature that does not fit changes nothing: else anybody could silence
// anybody by a message with a high number.
func TestWronglySignedChangesNothing(t *testing.T) {
	s := still(t, protocol.StageOpen, 3, 0)
	s.says(1, 1, 1, presence("ana"))
	m := presence("ana")
	m.Boot, m.Sequence = 9, 9
	other := protocol.RoomID{1}
	if err := m.Seal(other, s.nodes[1].key); err != nil {
		t.Fatal(err)
	}
	s.repeats(2, &m)
	s.says(1, 1, 2, presence("anna"))
	if got := s.known(); !slices.Equal(got, []protocol.Name{"anna"}) || s.dropped["wrongly signed"] != 1 {
		t.Errorf("members %v, dropped %v", got, s.dropped)
	}
}

// Who left, or was forgotten, does not come back by what is said again.
func TestReplay(t *testing.T) {
	for name, goes := range map[string]func(s *stillness){
		"left": func(s *stillness) {
			s.says(1, 1, 3, protocol.Message{Presence: &protocol.Presence{Name: "ana", Leaving: true}})
		},
		"forgotten": func(s *stillness) { s.clock += forgetting; s.expire(s.clock) },
		"long ago":  func(s *stillness) { s.clock += 20 * time.Hour; s.expire(s.clock) },
	} {
		t.Run(name, func(t *testing.T) {
			s := still(t, protocol.StageOpen, 3, 0)
			said := []*protocol.Message{s.says(1, 1, 1, presence("ana")), s.says(1, 1, 2, presence("ana"))}
			goes(s)
			for _, m := range said {
				s.repeats(2, m)
			}
			if got := s.known(); len(got) > 0 {
				t.Errorf("members %v", got)
			}
			s.clock += time.Second
			s.says(1, 2, 1, presence("ana"))
			if got := s.known(); len(got) != 1 {
				t.Errorf("who comes back in a new life is not known: %v", got)
			}
		})
	}
}

// Voices of an earlier life end with the next, and none comes back.
func TestVoicesOfEarlierLives(t *testing.T) {
	s := still(t, protocol.StageOpen, 3, 0)
	first := s.says(1, 1, 1, protocol.Message{Voice: &protocol.Voice{Session: protocol.Session{1}}})
	if len(s.opened) != 1 {
		t.Fatal("a voice does not open")
	}
	s.says(1, 2, 1, presence("ana"))
	s.clock += voiceLinger + 1
	s.expire(s.clock)
	s.repeats(1, first)
	if err := s.openHeard(first, s.clock); err == nil || len(s.opened) > 0 {
		t.Errorf("a voice of an earlier life is open: %v", err)
	}
}

// A voice that is not repeated is over; one that is repeated stays.
func TestVoicesAreRepeated(t *testing.T) {
	s := still(t, protocol.StageOpen, 3, 0)
	open := func(i uint64) protocol.Message {
		return protocol.Message{Voice: &protocol.Voice{Session: protocol.Session{byte(i)}}}
	}
	s.says(1, 1, 1, open(1))
	s.says(1, 1, 2, open(2))
	for i := range uint64(4) {
		s.clock += protocol.PresenceBeat
		s.says(1, 1, 10+i, open(2))
		s.expire(s.clock)
	}
	s.clock += voiceLinger + 1
	s.expire(s.clock)
	if len(s.opened) != 1 {
		t.Errorf("%d voices open, want the repeated one", len(s.opened))
	}
}

// Own voices are repeated with each presence, in the order of their opening.
func TestOwnVoicesAreSaidAgain(t *testing.T) {
	s := still(t, protocol.StageOpen, 2, 0)
	for i := range byte(3) {
		if _, err := s.openVoice(protocol.Session{i}, s.clock); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		s.published = nil
		s.clock += protocol.PresenceBeat
		s.present(s.clock)
		var sessions []byte
		for _, m := range s.published {
			if m.Voice != nil {
				sessions = append(sessions, m.Voice.Session[0])
			}
		}
		if !slices.Equal(sessions, []byte{0, 1, 2}) {
			t.Fatalf("said again: %v", sessions)
		}
	}
}

func TestWhoMayShow(t *testing.T) {
	claim := func() protocol.Message {
		return protocol.Message{Claim: &protocol.RelayClaim{Claim: protocol.Claim{Key: protocol.Key{Term: 3}}}}
	}
	pulse := func() protocol.Message { return protocol.Message{Pulse: &protocol.Pulse{}} }
	closed := func() protocol.Message { yes := true; return protocol.Message{Closed: &yes} }
	voice := func() protocol.Message { return protocol.Message{Voice: &protocol.Voice{}} }
	for _, test := range []struct {
		name string
		from int
		make func() protocol.Message
		want bool
	}{
		{"the founder claims", 0, claim, true},
		{"a carrier claims", 1, claim, true},
		{"a guest claims", 2, claim, false},
		{"a carrier pulses", 1, pulse, true},
		{"a guest pulses", 2, pulse, false},
		{"the founder closes", 0, closed, true},
		{"a carrier closes", 1, closed, false},
		{"the founder speaks", 0, voice, true},
		{"a carrier speaks", 1, voice, false},
		{"a guest speaks", 2, voice, false},
		{"a guest is present", 2, func() protocol.Message { return presence("ana") }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := still(t, protocol.StageHost, 4, 3)
			s.hold(s.certificate(0, 1, carry, 1, day), s.clock)
			s.says(test.from, 1, 1, test.make())
			if got := s.dropped["without right"] == 0; got != test.want {
				t.Errorf("shown: %v, want %v", got, test.want)
			}
		})
	}
}

// A room full of members takes in who has a duty beside them, and others in place of
// members; it remembers no more senders than it may.
func TestRoomFullOfMembers(t *testing.T) {
	s := still(t, protocol.StageOpen, 4, 3)
	for i := range protocol.MaxMembers {
		p := protocol.PeerID([]byte{byte(i >> 8), byte(i)})
		s.meet(p, s.clock)
		s.senders[p] = &sender{at: s.clock}
	}
	s.says(1, 1, 1, presence("ana"))
	s.says(0, 1, 1, presence("host"))
	if got := s.known(); !slices.Contains(got, "ana") || !slices.Contains(got, "host") || len(got) != protocol.MaxMembers+1 {
		t.Errorf("ana or the host is not known, among %d", len(got))
	}
	for i := range 2 * maxSenders {
		p := protocol.PeerID([]byte{1, byte(i >> 8), byte(i)})
		s.remember(&protocol.Message{From: p, Boot: 1, Sequence: 1, Presence: &protocol.Presence{}}, s.clock+time.Duration(i))
	}
	if len(s.senders) != maxSenders {
		t.Errorf("%d senders remembered, want %d", len(s.senders), maxSenders)
	}
	for p := range s.members {
		if s.senders[p] == nil {
			t.Fatal("a member's last word is forgotten")
		}
	}
}

// What the links carry goes to the topic now and then; what is new at once.
func TestNewsForTopic(t *testing.T) {
	claim := func(term uint64, standby protocol.PeerID) *protocol.Message {
		return &protocol.Message{Claim: &protocol.RelayClaim{Claim: protocol.Claim{Key: protocol.Key{Term: term}, Standby: standby}}}
	}
	s := still(t, protocol.StageOpen, 2, 0)
	s.root = true
	for i, test := range []struct {
		after time.Duration
		m     *protocol.Message
		want  bool
	}{
		{0, claim(1, ""), true},
		{400 * ms, claim(1, ""), false},
		{400 * ms, claim(1, "b"), true},
		{400 * ms, claim(1, "b"), false},
		{400 * ms, claim(1, "b"), false},
		{400 * ms, claim(1, "b"), true},
		{400 * ms, claim(2, "b"), true},
		{0, &protocol.Message{Pulse: &protocol.Pulse{}}, true},
		{3 * time.Second, &protocol.Message{Pulse: &protocol.Pulse{}}, false},
		{100 * ms, &protocol.Message{Pulse: &protocol.Pulse{Suspects: true}}, true},
		{4 * time.Second, &protocol.Message{Pulse: &protocol.Pulse{Suspects: true}}, true},
		{0, &protocol.Message{Presence: &protocol.Presence{}}, true},
	} {
		s.clock += test.after
		if got := s.newsForTopic(test.m, s.clock); got != test.want {
			t.Errorf("message %d: to the topic %v, want %v", i, got, test.want)
		}
	}
	// A candidate that is heard, and has no link, hears by the topic alone.
	s.members[s.nodes[1].id] = &member{at: s.clock, pulseAt: s.clock}
	for range 2 {
		if !s.newsForTopic(claim(2, "b"), s.clock) {
			t.Error("a claim does not go to the topic, for one who has no link")
		}
	}
}

// An old word that the room is closed does not close it again, also where the
// founder's other words are forgotten.
func TestOldClosedIsNotHeard(t *testing.T) {
	s := still(t, protocol.StageOpen, 2, 1)
	yes, no := true, false
	s.says(0, 3, 1, protocol.Message{Closed: &no})
	clear(s.senders)
	s.says(0, 2, 9, protocol.Message{Closed: &yes})
	if s.end != nil {
		t.Fatal("an old word closed the room")
	}
	s.says(0, 3, 2, protocol.Message{Closed: &yes})
	if s.end != ErrClosed {
		t.Errorf("the room ended with %v", s.end)
	}
}
