package room

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// attach has a node be a child of this one.
func (s *stillness) attach(i int) protocol.PeerID {
	s.pathTo(s.nodes[i].id).child = true
	return s.nodes[i].id
}

// fill has fresh keys, from a number on, take all places among the members.
func (c *strangers) fill(from int) (next int) {
	for ; len(c.members) < protocol.MaxMembers; from++ {
		c.say(from, presence("crowd"))
		c.clock += 20 * ms
	}
	return from
}

// flood has ever other fresh keys come, fifty a second; each second tells how many.
func (c *strangers) flood(from int, lasts time.Duration, each func()) (next int) {
	for end := c.clock + lasts; c.clock < end; each() {
		for range 50 {
			c.say(from, presence("flood"), wrote(uint64(from), "flood"))
			from++
			c.clock += 20 * ms
		}
		c.expire(c.clock)
	}
	return from
}

// Who is attached finds a place, is read and may ask to speak, however many fresh keys
// were there before and come all the time.
func TestTheAttachedAreReadInACrowd(t *testing.T) {
	t.Parallel()
	s := still(t, protocol.StageHost, 4, 0)
	s.machine.Open(s.clock)
	s.elect(s.clock)
	crowd := s.strangers()
	next := crowd.fill(0)
	id, sequence := s.attach(1), uint64(0)
	says := func(m protocol.Message) { sequence++; s.says(1, 1, sequence, m) }
	says(presence("ana"))
	says(wrote(1, "hello"))
	says(up(true))
	if s.members[id] == nil || !slices.Contains(s.page(), "hello") || s.hands[id] == nil || !s.hands[id].placed() {
		t.Fatalf("a member: %v, read: %v, asks: %v; dropped %v", s.members[id] != nil, slices.Contains(s.page(), "hello"), s.hands[id] != nil, s.dropped)
	}
	lasts := time.Minute
	if os.Getenv("EARSHOT_LONG") == "1" {
		lasts = 20 * time.Minute
	}
	written := 0
	crowd.flood(next, lasts, func() {
		if says(presence("ana")); s.members[id] == nil {
			t.Fatal("who is attached made way")
		}
		if written < 20 {
			written++
			says(wrote(uint64(1+written), fmt.Sprint("line ", written)))
			s.clock += chatEach
		}
		s.tendHands(s.clock)
		says(up(true))
	})
	if len(s.members) > protocol.MaxMembers || len(s.senders) > maxSenders {
		t.Errorf("%d members, %d senders", len(s.members), len(s.senders))
	}
	page := strings.Join(s.page(), ",")
	for i := 1; i <= written; i++ {
		if !strings.Contains(page, fmt.Sprint("line ", i)) {
			t.Errorf("line %d is not read", i)
		}
	}
	if h := s.hands[id]; h == nil || !h.placed() {
		t.Error("who is attached has no place in the queue")
	}
}

// A crowd that has been here for long does not keep newcomers out for good, nor a
// flood of newcomers those who have been here for long.
func TestACrowdKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	s := still(t, protocol.StageHost, 2, 0)
	crowd := s.strangers()
	next := crowd.fill(0)
	for end := s.clock + newFor + time.Minute; s.clock < end; s.clock += 50 * ms { // 512 in 25.6 s
		crowd.say(int(s.clock/(50*ms))%next, presence("crowd"))
		s.expire(s.clock)
	}
	s.expire(s.clock)
	if s.isNew(crowd.ids[0], s.clock) || len(s.members) < protocol.MaxMembers {
		t.Fatalf("the crowd is new, or not here: %d members", len(s.members))
	}
	crowd.say(next, presence("newcomer"))
	if s.members[crowd.ids[next]] == nil {
		t.Fatalf("a newcomer finds no place: %v", s.dropped)
	}
	next = crowd.flood(next+1, 8*time.Second, func() {})
	old, count := 0, func() (n int) {
		for p := range s.members {
			if !s.isNew(p, s.clock) {
				n++
			}
		}
		return n
	}
	if old = count(); old < protocol.MaxMembers/2 {
		t.Errorf("%d of those who were here for long are left", old)
	}
	stay := slices.Collect(func(yield func(protocol.PeerID) bool) {
		for p := range s.members {
			if !s.isNew(p, s.clock) && !yield(p) {
				return
			}
		}
	})
	number := map[protocol.PeerID]int{}
	for i, p := range crowd.ids {
		number[p] = i
	}
	crowd.flood(next, 4*time.Minute, func() {
		for i, p := range stay {
			if i%10 == int(s.clock/time.Second)%10 {
				crowd.say(number[p], presence("crowd"))
			}
		}
	})
	if now := count(); now < protocol.MaxMembers/2-1 {
		t.Errorf("a flood of newcomers left %d of %d who have been here for long", now, old)
	}
}

// What a crowd says of itself is passed on no faster than links take it, and a node that
// comes is told first of those who are attached.
func TestACrowdsPresences(t *testing.T) {
	s := still(t, protocol.StageHost, 3, 0)
	child := s.attach(1)
	crowd := s.strangers()
	crowd.fill(0)
	s.clock += 4 * time.Second // nothing is left to make up for
	before := s.fed[child]
	for range 3 { // as often in a second as one may
		for i := range protocol.MaxMembers {
			crowd.say(i, presence("crowd"))
			s.clock += time.Second / (3 * protocol.MaxMembers)
		}
	}
	if fed, most := s.fed[child]-before, s.presences.loose.Burst()+crowdPresences/4; fed > most {
		t.Errorf("%d presences are passed on in a second, at most %d are right", fed, most)
	}
	s.attach(2)
	attached := s.says(2, 1, 1, presence("ana"))
	if first := s.heard()[0]; !slices.Equal(first, attached.Raw) {
		t.Error("who is attached is not told of first")
	}
}

// However many fresh keys come, few newcomers make way a second, so that a newcomer is
// shown for a while.
func TestAFloodEvictsFew(t *testing.T) {
	t.Parallel()
	s := still(t, protocol.StageHost, 2, 0)
	crowd := s.strangers()
	next, before := crowd.fill(0), s.dropped["members made way"]
	crowd.flood(next, 20*time.Second, func() {})
	if out := s.dropped["members made way"] - before; out > 20*crowdArrivals/4+int64(s.arrivals.loose.Burst()) {
		t.Errorf("%d made way in 20 s", out)
	}
}

// Guests of few doors leave places to those of others, and to those who are attached.
func TestSharesOfTheMembers(t *testing.T) {
	doors := protocol.MaxMembers / protocol.MaxNamedGuests
	s := still(t, protocol.StageHost, 2, 0)
	name := func(kind byte, i, j int) protocol.PeerID { return protocol.PeerID([]byte{kind, byte(i), byte(j)}) }
	joins := func(p, door protocol.PeerID) bool {
		if s.members[p] == nil && !s.admit(p, s.clock) {
			return false
		}
		s.meet(p, s.clock).presence = protocol.Presence{Name: "x", Door: door}
		return true
	}
	door := func(i int) protocol.PeerID {
		p := name(1, i, 0)
		s.pathTo(p).child = true
		if !joins(p, "") {
			t.Fatalf("door %d finds no place among %d", i, len(s.members))
		}
		return p
	}
	guests := func(i int) (n int) {
		for j := range protocol.MaxNamedGuests {
			if s.members[name(2, i, j)] != nil {
				n++
			}
		}
		return n
	}
	for i := range doors {
		p := door(i)
		m := s.members[p]
		for j := range protocol.MaxNamedGuests {
			m.presence.Guests.Named[j] = name(2, i, j)
			joins(name(2, i, j), p)
		}
	}
	for i := range doors {
		if n := guests(i); s.members[name(1, i, 0)] == nil || n < protocol.MaxNamedGuests-2 {
			t.Errorf("door %d is here: %v, with %d guests", i, s.members[name(1, i, 0)] != nil, n)
		}
	}
	if !joins(name(3, 0, 0), "") || len(s.members) > protocol.MaxMembers {
		t.Errorf("a newcomer finds no place among %d", len(s.members))
	}
}

// Who is a guest counts as attached because the door is, and is not told of as such: a
// node with many guests would fill what others note.
func TestGuestsAreAttachedByTheirDoor(t *testing.T) {
	s := still(t, protocol.StageHost, 4, 0)
	s.attach(1)
	door, guest := s.nodes[2].id, s.nodes[3].id
	told := func() bool { return s.lastSent.GetFeed().GetAttached() }
	names := protocol.Message{Presence: &protocol.Presence{Name: "door"}}
	names.Presence.Guests.Named[0] = guest
	comes := protocol.Message{Presence: &protocol.Presence{Name: "guest", Door: door}}
	s.says(2, 1, 1, names)
	s.says(3, 1, 1, comes)
	if s.isAttached(guest, s.clock) {
		t.Error("the guest of a node without a link is attached")
	}
	s.noteAttached(door, s.clock)
	if s.says(2, 1, 2, names); !told() {
		t.Error("the door is not told of as attached")
	}
	if s.says(3, 1, 2, comes); told() || !s.isAttached(guest, s.clock) || s.keepsPlace(guest, s.clock) {
		t.Errorf("told of as attached: %v, attached: %v, keeps a place: %v", told(), s.isAttached(guest, s.clock), s.keepsPlace(guest, s.clock))
	}
}

// Only the relay is believed when it says who is attached, or the parent that a node
// has instead.
func TestWhoIsBelieved(t *testing.T) {
	s := still(t, protocol.StageHost, 4, 3)
	s.relay, s.standby = s.nodes[0].id, s.nodes[1].id
	says := func(by int) bool {
		clear(s.attachments)
		m := presence("ana")
		m.Boot, m.Sequence = 1, s.sequence
		s.sequence++
		if err := m.Seal(s.cfg.Room, s.nodes[2].key); err != nil {
			t.Fatal(err)
		}
		s.linkMessage(s.nodes[by].id, &pb.LinkMessage{What: &pb.LinkMessage_Feed{Feed: &pb.Feed{Room: s.cfg.Room[:], Message: m.Raw, Attached: true}}}, s.clock)
		return s.isAttached(s.nodes[2].id, s.clock)
	}
	accepts := func(i int) { s.pathTo(s.nodes[i].id); s.parents[s.nodes[i].id] = &parent{accepted: true} }
	s.pathTo(s.nodes[2].id).child = true
	s.paths[s.nodes[2].id].child = false
	if accepts(1); !says(1) {
		t.Error("the only parent is not believed")
	}
	if accepts(0); says(1) || !says(0) {
		t.Error("the standby is believed beside the relay, or the relay is not")
	}
	if s.clock += protocol.PresenceLife + 1; s.isAttached(s.nodes[2].id, s.clock) {
		t.Error("who was attached is so for ever")
	}
	if delete(s.parents, s.nodes[0].id); says(0) {
		t.Error("one who is no parent is believed")
	}
	for i := range 2 * protocol.MaxMembers {
		s.noteAttached(protocol.PeerID([]byte{byte(i >> 8), byte(i)}), s.clock)
	}
	if s.expire(s.clock); len(s.attachments) > protocol.MaxMembers {
		t.Errorf("%d are attached", len(s.attachments))
	}
}

// In a room whose topic a crowd fills, everybody meets and reads a listener who comes
// later: the relay says that they are attached.
func TestNewcomersInACrowd(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, protocol.StageHost, 5, func(w *world) {
		late := w.nodes[4]
		late.lends = false // else it has a duty soon
		w.gathers(w.nodes[:4]...)
		comes := func(many int) {
			for _, key := range strangersKeys(t, many) {
				c := &caller{key: key}
				w.shouts(c, presence("crowd"))
				w.shouts(c, wrote(1, "noise"))
				w.sleep(20 * ms)
			}
		}
		for _, n := range w.nodes[:4] { // those who came before
			_ = n.room.ask(w.t.Context(), func(r *Room) {
				for i := range protocol.MaxMembers {
					r.meet(protocol.PeerID([]byte{byte(i >> 8), byte(i)}), r.cfg.Now())
				}
			})
		}
		comes(100)
		late.enters(asks(w.nodes[0]))
		comes(100)
		late.writes("hello")
		comes(150)
		late.writes("still here")
		comes(50)
		for _, n := range w.nodes[:4] {
			v, err := n.room.View(w.t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(v.Members, func(m Member) bool { return m.Peer == late.id }) {
				t.Errorf("%v does not show the newcomer among %d: %v", n, len(v.Members), v.Dropped)
			}
			if p := n.page(); !strings.Contains(p, "hello") || !strings.Contains(p, "still here") {
				t.Errorf("%v does not read the newcomer: %v", n, v.Dropped)
			}
		}
	})
}

// What somebody wrote who was attached is pushed out by no crowd that was not, nor by
// few who are attached and write much.
func TestACrowdPushesOutNoneOfTheAttached(t *testing.T) {
	t.Parallel()
	s := still(t, protocol.StageHost, 2, 0)
	s.attach(1)
	s.says(1, 1, 1, wrote(1, "once"))
	s.closePath(s.nodes[1].id) // it leaves
	crowd := s.strangers()
	next := 0
	for range 800 {
		crowd.say(next, wrote(uint64(10+next), "free"))
		next++
		s.clock += 250 * ms
	}
	for i := range 20 { // of each as many as are kept
		for range protocol.MaxChatsOfOne {
			if id := crowd.ids[next+i]; id != "" {
				s.noteAttached(id, s.clock)
			}
			crowd.say(next+i, wrote(uint64(2000+i), "much"))
			s.clock += chatEach
		}
	}
	if page := s.page(); !slices.Contains(page, "once") || len(page) != protocol.MaxChats {
		t.Errorf("%d are kept, what was said once: %v; %v", len(page), slices.Contains(page, "once"), s.dropped)
	}
}

// What is kept follows from what was written, in whatever order it is heard; played
// back, none of what was pushed out comes back.
func TestKeptInAnyOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	keys := strangersKeys(t, 90)
	s := still(t, protocol.StageHost, 2, 0)
	var all []*remark
	for i := range 1200 {
		author := random.IntN(len(keys))
		if i%3 == 0 {
			author = random.IntN(5) // who write much
		}
		m := wrote(uint64(random.IntN(1000)+1), fmt.Sprint(i))
		m.Boot, m.Sequence = 1, uint64(i+1)
		if err := m.Seal(s.cfg.Room, keys[author]); err != nil {
			t.Fatal(err)
		}
		all = append(all, &remark{Message: &m, attached: author%2 == 0 && author < 60})
	}
	var want []string
	for range 6 {
		s := still(t, protocol.StageHost, 2, 0)
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for range 2 { // and played back
			for _, w := range all {
				s.keepRemark(&remark{Message: w.Message, attached: w.attached})
			}
		}
		if want == nil {
			want = s.page()
		}
		if got := s.page(); !slices.Equal(got, want) || len(got) != protocol.MaxChats {
			t.Fatalf("%d are kept, of another order %d", len(got), len(want))
		}
	}
}

// Who comes later keeps what the relay keeps: it says whose writers were attached.
func TestRecalledWithWhoWasAttached(t *testing.T) {
	s, late := still(t, protocol.StageHost, 3, 0), still(t, protocol.StageHost, 3, 2)
	s.attach(1)
	s.says(1, 1, 1, wrote(1, "once"))
	answer := s.lacking(nil)
	if len(answer.Messages) != 1 || !slices.Equal(answer.Attached, []uint32{0}) {
		t.Fatalf("told %v", answer)
	}
	for _, believed := range []bool{false, true} {
		relay := late.nodes[0].id
		late.chat = newChat(late.clock)
		late.relay, late.standby = "", ""
		if believed {
			late.relay = relay
		} else {
			late.parents[late.nodes[1].id] = &parent{accepted: true}
			late.relay = late.nodes[1].id
		}
		late.pathTo(relay).beginRecall()
		late.parents[relay] = &parent{accepted: true}
		late.takeRecalled(relay, answer, late.clock)
		if len(late.chat.said) != 1 || late.chat.said[0].attached != believed {
			t.Errorf("believed: %v, said %+v", believed, late.chat.said)
		}
	}
}

func BenchmarkFullChat(b *testing.B) {
	s := still(b, protocol.StageHost, 2, 0)
	keys := make([]crypto.PrivKey, 40)
	for i := range keys {
		keys[i] = strangersKeys(b, 1)[0]
	}
	messages := make([]*remark, 2048)
	for i := range messages {
		m := wrote(uint64(i+1), "hello")
		m.Boot, m.Sequence = 1, uint64(i+1)
		if err := m.Seal(s.cfg.Room, keys[i%len(keys)]); err != nil {
			b.Fatal(err)
		}
		messages[i] = &remark{Message: &m, attached: i%2 == 0}
	}
	b.ReportAllocs()
	for i := range b.N {
		s.keepRemark(messages[i%len(messages)])
	}
}

func BenchmarkAdmit(b *testing.B) {
	s := still(b, protocol.StageHost, 2, 0)
	for i := range protocol.MaxMembers {
		p := protocol.PeerID([]byte{byte(i >> 8), byte(i)})
		s.meet(p, s.clock)
	}
	b.ReportAllocs()
	for i := range b.N {
		p := protocol.PeerID([]byte{1, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
		s.admit(p, s.clock)
		s.meet(p, s.clock)
	}
}
