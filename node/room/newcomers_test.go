package room

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/earshot-audio/earshot/protocol"
)

// strangers is a crowd of fresh keys, each with a number.
type strangers struct {
	*stillness
	keys map[int]crypto.PrivKey
	ids  map[int]protocol.PeerID
	said map[int]uint64
}

func (s *stillness) strangers() *strangers {
	return &strangers{s, map[int]crypto.PrivKey{}, map[int]protocol.PeerID{}, map[int]uint64{}}
}

// say has one of them say something, by gossip.
func (c *strangers) say(i int, messages ...protocol.Message) {
	c.t.Helper()
	if c.keys[i] == nil {
		c.keys[i] = strangersKeys(c.t, 1)[0]
	}
	for _, m := range messages {
		c.said[i]++
		m.Boot, m.Sequence = 1, c.said[i]
		if err := m.Seal(c.cfg.Room, c.keys[i]); err != nil {
			c.t.Fatal(err)
		}
		c.ids[i] = m.From
		c.hear(&m, "", c.clock)
	}
}

// stays has somebody be heard until they are not new any more.
func (s *stillness) stays(say func(protocol.Message)) {
	for end := s.clock + newFor; s.clock < end; s.clock += protocol.PresenceBeat {
		say(presence("regular"))
	}
	say(presence("regular"))
}

// Who has been here for a while, for whom the log stands, or who is known to this
// node's person, is heard however many new keys ask at once.
func TestNewcomersLeaveRoomForOthers(t *testing.T) {
	s := still(t, protocol.StageHost, 4, 0)
	regular, friend, vouched := s.nodes[1].id, s.nodes[2].id, s.nodes[3].id
	s.cfg.Noted = func(p protocol.PeerID) bool { return p == friend }
	sequence := uint64(0)
	says := func(m protocol.Message) { sequence++; s.says(1, 1, sequence, m) }
	says(presence("regular"))
	if !s.isNew(regular, s.clock) || s.isNew(friend, s.clock) || !s.isNew(vouched, s.clock) {
		t.Error("who has just come is no newcomer, or a friend is one")
	}
	s.clock += newFor
	if says(presence("regular")); !s.isNew(regular, s.clock) {
		t.Error("who was silent for long is not new")
	}
	if s.stays(says); s.isNew(regular, s.clock) {
		t.Error("who has been here for long is new")
	}
	s.acts(0, protocol.Grant{Peer: vouched, Role: protocol.RoleSpeaker})
	s.acts(0, protocol.Revoke{Peer: vouched, Role: protocol.RoleSpeaker})
	if s.isNew(vouched, s.clock) || s.hasDuty(vouched, s.clock) {
		t.Error("who was let on stage once is new, or has a duty")
	}
	ask := func(from int) (asked int) {
		for i := range 40 {
			if s.mayAsk(newNode(s.nodes[0].w, from+i).id, s.clock) {
				asked++
			}
		}
		return asked
	}
	for i := range 40 {
		s.noteAttached(newNode(s.nodes[0].w, 50+i).id, s.clock)
	}
	loose := ask(10)
	attached := ask(50)
	if loose != looseHandsASecond || attached != newHandsASecond-loose || !s.mayAsk(regular, s.clock) || !s.mayAsk(friend, s.clock) {
		t.Errorf("%d newcomers asked in a second, and %d who are attached", loose, attached)
	}
	if s.acts(0, protocol.Remove{Peer: vouched}); !s.isNew(vouched, s.clock) {
		t.Error("who was removed is not new")
	}
}

// What was written by those for whom the log stands stays, however much is written
// by keys that nobody knows.
func TestNewcomersPushOutNoneOfTheKnown(t *testing.T) {
	s := still(t, protocol.StageHost, 3, 0)
	s.acts(0, protocol.Grant{Peer: s.nodes[1].id, Role: protocol.RoleSpeaker})
	s.acts(0, protocol.Revoke{Peer: s.nodes[1].id, Role: protocol.RoleSpeaker})
	for i := range uint64(20) {
		s.says(1, 1, i+1, wrote(i+1, "known"))
		s.says(2, 1, i+1, wrote(i+1, "unknown"))
		s.clock += chatEach
	}
	crowd := s.strangers()
	for i := range 2000 {
		crowd.say(i%50, wrote(uint64(100+i), "new"))
		s.clock += time.Second / 8
	}
	page := s.page()
	count := func(text string) (n int) {
		for _, said := range page {
			if said == text {
				n++
			}
		}
		return n
	}
	if count("known") != 20 || count("unknown") != 0 || len(page) != protocol.MaxChats {
		t.Errorf("%d messages are kept, %d of one known, %d of one who is not", len(page), count("known"), count("unknown"))
	}
}

// Of those for whom the log stands, too, only so many stay beside newer ones.
func TestTheKnownLeavePlacesToOthers(t *testing.T) {
	s := still(t, protocol.StageHost, 16, 0)
	for i := 1; i < 9; i++ {
		s.acts(0, protocol.Grant{Peer: s.nodes[i].id, Role: protocol.RoleSpeaker})
	}
	for i := range uint64(40 * 8) {
		s.says(1+int(i%8), 1, i+1, wrote(i+1, "known"))
		s.clock += chatEach / 8
	}
	crowd := s.strangers()
	for i := range 400 {
		crowd.say(i%50, wrote(uint64(1000+i), "new"))
		s.clock += time.Second / 4
	}
	page := s.page()
	if known := strings.Count(strings.Join(page, " "), "known"); known != protocol.VouchedChats || len(page) != protocol.MaxChats {
		t.Errorf("%d messages are kept, %d of the known", len(page), known)
	}
}

// However many new keys ask, those who are attached find a place in the queue; however
// many of these, those who have been here for long; and however many of these, those
// for whom the log stands.
func TestNewcomersLeavePlacesInTheQueue(t *testing.T) {
	t.Parallel()
	s := still(t, protocol.StageHost, 2, 0)
	s.machine.Open(s.clock)
	s.elect(s.clock)
	vouched := s.nodes[1].id
	s.acts(0, protocol.Grant{Peer: vouched, Role: protocol.RoleCarrier})
	s.acts(0, protocol.Revoke{Peer: vouched, Role: protocol.RoleCarrier})
	crowd, regulars := s.strangers(), s.strangers()
	regulars.stays(func(m protocol.Message) {
		for i := range 60 {
			regulars.say(1000+i, m)
		}
	})
	for i := range 200 { // keep asking
		crowd.say(i, presence("new"), up(true))
		s.clock += 50 * ms
		s.tendHands(s.clock)
	}
	if n := len(s.stamps(s.clock)); n != looseHands {
		t.Errorf("%d newcomers stand in the queue, %d may", n, looseHands)
	}
	for i := 200; i < 260; i++ {
		crowd.say(i, presence("new"))
		s.noteAttached(crowd.ids[i], s.clock)
		crowd.say(i, up(true))
		s.clock += 150 * ms
		s.tendHands(s.clock)
	}
	if n := len(s.stamps(s.clock)); n != newHands {
		t.Errorf("%d newcomers and attached ones stand in the queue, %d may", n, newHands)
	}
	for i := range 60 {
		regulars.say(1000+i, presence("regular"), up(true))
		s.clock += 150 * ms
		s.tendHands(s.clock)
	}
	if n := len(s.stamps(s.clock)); n != strangersHands {
		t.Errorf("%d strangers stand in the queue, %d may", n, strangersHands)
	}
	s.says(1, 1, 1, presence("ana"))
	s.says(1, 1, 2, up(true))
	if stamps := s.stamps(s.clock); len(stamps) != strangersHands+1 || stamps[strangersHands].Peer != vouched {
		t.Error("one for whom the log stands finds no place")
	}
}

// A few who raise and lower their hands as fast as they can leave it to others to
// ask as well.
func TestHandsUpAndDown(t *testing.T) {
	s := still(t, protocol.StageHost, 2, 0)
	crowd := s.strangers()
	for i := range 10 {
		crowd.say(i, presence("fast"))
	}
	crowd.say(100, presence("slow"))
	asked, waited := 0, time.Duration(0)
	for round := range 300 {
		for i := range 10 {
			n := uint64(round + 1)
			crowd.say(i, protocol.Message{Hand: &protocol.Hand{Up: true, Raised: n}}, protocol.Message{Hand: &protocol.Hand{Raised: n}})
		}
		if s.clock += 125 * ms; round%80 == 79 { // with the presence
			crowd.say(100, presence("slow"), protocol.Message{Hand: &protocol.Hand{Up: true, Raised: 1}})
			if asked++; s.hands[crowd.ids[100]] != nil {
				waited = time.Duration(asked) * protocol.PresenceBeat
				break
			}
		}
	}
	if waited == 0 || waited > 2*protocol.PresenceBeat {
		t.Errorf("after %d times the hand is not up", asked)
	}
}

// A flood of fresh keys has nobody forgotten who is here, or for whom the room
// stands, or who was here for long: what they said before can't be played back.
func TestAFloodForgetsNewcomersFirst(t *testing.T) {
	t.Parallel()
	s := still(t, protocol.StageHost, 4, 0)
	s.acts(0, protocol.Grant{Peer: s.nodes[1].id, Role: protocol.RoleModerator, Share: 8})
	away := []*protocol.Message{s.says(1, 1, 1, presence("moderator")), s.says(2, 1, 1, presence("regular"))}
	sequence := uint64(1)
	s.stays(func(m protocol.Message) { sequence++; away = append(away, s.says(2, 1, sequence, m)) })
	away[0] = s.says(1, 1, 2, presence("moderator"))
	s.says(1, 1, 3, protocol.Message{Presence: &protocol.Presence{Name: "moderator", Leaving: true}})
	s.says(2, 1, sequence+1, protocol.Message{Presence: &protocol.Presence{Name: "regular", Leaving: true}})
	s.clock += time.Second
	s.says(3, 1, 1, presence("member"))

	for i := range 20 * maxSenders {
		p := protocol.PeerID([]byte{1, byte(i >> 16), byte(i >> 8), byte(i)})
		s.remember(&protocol.Message{From: p, Boot: 1, Sequence: 1, Chat: &protocol.Chat{}}, s.clock+time.Duration(i))
	}
	if len(s.senders) > maxSenders {
		t.Errorf("%d senders are remembered", len(s.senders))
	}
	for i := 1; i < 4; i++ {
		if s.senders[s.nodes[i].id] == nil {
			t.Errorf("node %d is forgotten", i)
		}
	}
	for _, m := range away {
		s.hear(m, "", s.clock)
	}
	if got := s.known(); !slices.Equal(got, []protocol.Name{"member"}) {
		t.Errorf("played back, %q are here", got)
	}
}

func BenchmarkRememberFlood(b *testing.B) {
	s := still(b, protocol.StageHost, 1, 0)
	b.ReportAllocs()
	for i := range b.N {
		p := protocol.PeerID([]byte{1, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
		s.remember(&protocol.Message{From: p, Boot: 1, Sequence: 1, Presence: &protocol.Presence{}}, s.clock+time.Duration(i))
	}
}
