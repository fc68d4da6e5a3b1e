package room

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// writes has a node say something to all.
func (n *node) writes(text string) protocol.MessageID {
	n.w.t.Helper()
	n.w.tell("%v writes %q", n, text)
	id, err := n.room.Write(context.Background(), text, time.UnixMilli(int64(n.index)))
	if err != nil {
		n.w.t.Fatalf("%v: %v", n, err)
	}
	synctest.Wait()
	return id
}

// page gives what a node shows of the chat, one word a message.
func (n *node) page() string {
	n.w.t.Helper()
	talk, err := n.room.Talk(context.Background(), 0)
	if err != nil {
		n.w.t.Fatal(err)
	}
	var words []string
	for _, m := range talk.Remarks {
		if m.Hidden {
			m.Text = "(hidden)"
		}
		words = append(words, m.Text)
	}
	return strings.Join(words, " ")
}

// pages wants everyone of the group to show the same chat, within a time.
func (w *world) pages(want string, within time.Duration, group ...*node) {
	w.t.Helper()
	for end := w.now() + within; ; w.sleep(100 * ms) {
		wrong := ""
		for _, n := range inRoom(group) {
			if got := n.page(); got != want {
				wrong += fmt.Sprintf("\n\t%v shows %q", n, strings.ReplaceAll(got, "-", ""))
			}
		}
		if wrong == "" {
			return
		}
		if w.now() >= end {
			w.t.Fatalf("the chat is %q, and %s", strings.ReplaceAll(want, "-", ""), wrong)
		}
	}
}

func TestChatReachesAllInOneOrder(t *testing.T) {
	asking(t, 1, 6, func(w *world) {
		w.nodes[4].writes("one")
		w.pages("one", soon, w.nodes...)
		w.nodes[0].writes("two")
		w.pages("one two", soon, w.nodes...)
		w.nodes[1].writes("three")
		w.sleep(soon)
		for _, n := range w.nodes[2:] { // all at once
			n.writes("x" + n.String())
		}
		w.sleep(soon)
		want := w.nodes[0].page()
		if !strings.HasPrefix(want, "one two three ") || len(strings.Fields(want)) != 7 {
			t.Fatalf("the host shows %q", want)
		}
		w.pages(want, 0, w.nodes...)
	})
}

func TestANewcomerReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, protocol.StageHost, 5, func(w *world) {
		w.gathers(w.nodes[:4]...)
		w.sleep(2 * time.Second)
		for i := range 60 {
			w.nodes[i%4].writes(fmt.Sprint("m", i, strings.Repeat("-", 400)))
			w.sleep(600 * ms)
		}
		w.nodes[3].leaves()
		want := w.nodes[0].page()
		if got := len(strings.Fields(want)); got != 60 {
			t.Fatalf("%d messages", got)
		}
		late := w.nodes[4]
		late.enters(asks(w.nodes[0]))
		w.pages(want, 6*time.Second, late)
		late.writes("last")
		w.pages(want+" last", soon, w.nodes...)
	})
}

// What is written while the relay is dying, and before anybody knows, is read by all.
func TestChatOutlivesTheRelay(t *testing.T) {
	for seed := range seeds(4) {
		asking(t, seed, 7, func(w *world) {
			w.nodes[5].writes("before")
			w.sleep(2 * time.Second)
			w.relay().kill()
			alive := slices.DeleteFunc(slices.Clone(w.nodes), func(n *node) bool { return !n.alive })
			for i := range 6 {
				alive[i%len(alive)].writes(fmt.Sprint("m", i))
				w.sleep(700 * ms)
			}
			w.agrees(promised, w.nodes...)
			w.sleep(3 * time.Second)
			want := alive[0].page()
			if got := len(strings.Fields(want)); got != 7 {
				t.Errorf("seed %d: %q are %d messages, not 7", seed, want, got)
			}
			w.pages(want, 0, alive...)
		})
	}
}

func TestHalvesReadEachOther(t *testing.T) {
	t.Parallel()
	for seed := range seeds(3) {
		asking(t, seed, 8, func(w *world) {
			w.nodes[4].writes("before")
			w.sleep(time.Second)
			w.halves()
			w.sleep(10 * time.Second)
			for i := range 12 {
				w.nodes[i%8].writes(fmt.Sprint("m", i))
				w.sleep(time.Second)
			}
			w.sleep(resaid)
			w.heal()
			w.agrees(promised, w.nodes...)
			w.sleep(5 * time.Second)
			want := w.relay().page()
			if got := len(strings.Fields(want)); got != 13 {
				t.Errorf("seed %d: %q are %d messages, not 13", seed, want, got)
			}
			w.pages(want, 5*time.Second, w.nodes...)
		})
	}
}

// What some heard and others did not, since it was more than rates let in or got lost,
// all show in the end: what a child heard alone, too.
func TestChatsBecomeOne(t *testing.T) {
	t.Parallel()
	asking(t, 1, 7, func(w *world) {
		w.nodes[4].writes("before")
		w.sleep(time.Second)
		crowd := strangersKeys(t, 4*len(w.nodes))
		for i, key := range crowd {
			m := wrote(uint64(10+i), fmt.Sprint("x", i))
			m.Boot, m.Sequence = 1, 1
			if err := m.Seal(w.genesis.Room, key); err != nil {
				t.Fatal(err)
			}
			n := w.nodes[i%len(w.nodes)]
			_ = n.room.ask(w.t.Context(), func(r *Room) { r.keepChat(&m, r.cfg.Now()) }) // and passes it on to nobody
		}
		w.sleep(2 * levelEach)
		want := w.relay().page()
		if got := len(strings.Fields(want)); got != 1+len(crowd) {
			t.Errorf("the relay shows %d messages", got)
		}
		w.pages(want, 2*levelEach, w.nodes...)
		w.sleep(time.Second)
		for _, n := range w.nodes {
			_ = n.room.ask(w.t.Context(), func(r *Room) {
				if r.chat.levelling.apart {
					t.Errorf("%v goes on asking", n)
				}
			})
		}
	})
}

func TestTheHostHides(t *testing.T) {
	inWorld(t, 1, protocol.StageHost, 5, func(w *world) {
		w.gathers(w.nodes[:4]...)
		w.sleep(2 * time.Second)
		host, rude := w.nodes[0], w.nodes[2]
		first := rude.writes("rude")
		w.sleep(soon)
		w.nodes[3].writes("kind")
		w.sleep(soon)
		if err := w.nodes[3].room.Hide(w.t.Context(), first, false); !errors.Is(err, protocol.ErrNoRight) {
			t.Errorf("anybody hides: %v", err)
		}
		if err := host.room.Hide(w.t.Context(), first, false); err != nil {
			t.Fatal(err)
		}
		w.pages("(hidden) kind", soon, w.nodes[:4]...)
		rude.writes("again")
		w.sleep(soon)
		if err := host.room.Hide(w.t.Context(), protocol.MessageID{From: rude.id}, false); err != nil {
			t.Fatal(err)
		}
		w.pages("(hidden) kind (hidden)", soon, w.nodes[:4]...)
		w.nodes[4].enters(asks(host)) // gets none of it
		w.pages("kind", 5*time.Second, w.nodes[4])
		if err := host.room.Hide(w.t.Context(), first, true); err != nil { // the later word counts
			t.Fatal(err)
		}
		w.pages("rude kind (hidden)", soon, w.nodes[:4]...)
		if err := host.room.Hide(w.t.Context(), protocol.MessageID{From: rude.id, Boot: 1, Sequence: 99}, false); !errors.Is(err, ErrNoMessage) {
			t.Errorf("what is not there is hidden: %v", err)
		}
	})
}

func TestReactionsAndCaptions(t *testing.T) {
	asking(t, 1, 5, func(w *world) {
		speaker, guest := w.nodes[0], w.nodes[4]
		for range 2 {
			if err := guest.room.React(w.t.Context(), "👏"); err != nil {
				t.Fatal(err)
			}
		}
		if err := guest.room.React(w.t.Context(), "🍕"); !errors.Is(err, protocol.ErrText) {
			t.Errorf("an emoji of one's own: %v", err)
		}
		if err := guest.room.Caption(w.t.Context(), "id", "halo", true); !errors.Is(err, protocol.ErrNoRight) {
			t.Errorf("one who may not speak is captioned: %v", err)
		}
		for i, text := range []string{"good", "good eve", "good evening"} {
			if err := speaker.room.Caption(w.t.Context(), "en", text, i == 2); err != nil {
				t.Fatal(err)
			}
			w.sleep(300 * ms)
		}
		if err := speaker.room.Caption(w.t.Context(), "en", "everyone", true); err != nil {
			t.Fatal(err)
		}
		w.sleep(soon)
		for _, n := range w.nodes {
			talk, err := n.room.Talk(w.t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			if talk.Reactions["👏"] != 2 || len(talk.Reactions) != 1 {
				t.Errorf("%v counts %v", n, talk.Reactions)
			}
			var texts []string
			for _, c := range talk.Captions {
				texts = append(texts, c.Text)
			}
			if !slices.Equal(texts, []string{"good evening", "everyone"}) {
				t.Errorf("%v shows %q", n, texts)
			}
		}
		w.sleep(reactionsFor + time.Second)
		if talk, _ := w.nodes[1].room.Talk(w.t.Context(), 0); len(talk.Reactions) > 0 {
			t.Errorf("reactions stay: %v", talk.Reactions)
		}
	})
}

// wrote is a chat message of a node, of the given order.
func wrote(order uint64, text string) protocol.Message {
	return protocol.Message{Chat: &protocol.Chat{Order: order, Name: "eve", Text: text}}
}

func (s *stillness) page() (out []string) {
	for _, m := range s.talk(0).Remarks {
		out = append(out, m.Text)
	}
	return out
}

func TestChatIsBounded(t *testing.T) {
	s := still(t, protocol.StageOpen, 4, 0)
	for i := range uint64(30) {
		s.says(1, 1, i+1, wrote(i+1, fmt.Sprint(i)))
	}
	if got := len(s.page()); got != chatsAtOnce+chatsLate || s.dropped["chat too often"] != 30-int64(got) {
		t.Errorf("%d at once, dropped %v", got, s.dropped)
	}
	s.clock += 2 * chatEach
	for i := range uint64(3) {
		s.says(1, 1, 40+i, wrote(40+i, "late"))
	}
	if got := len(s.page()); got != chatsAtOnce+chatsLate+2 {
		t.Errorf("%d after two pauses", got)
	}
	s.says(2, 1, 1, wrote(orderASecond*20, "ahead"))
	if s.dropped["chat ahead of its order"] != 1 {
		t.Errorf("dropped %v", s.dropped)
	}
}

// Whoever heard the same keeps the same, in whatever order it came, and nothing
// that was pushed out comes back.
func TestWhatIsKeptIsOfWhatWasSaid(t *testing.T) {
	w := newWorld(t, 1, protocol.StageOpen, 16)
	var said []*protocol.Message
	for i := range 900 {
		n := w.nodes[i%16]
		if i%3 == 0 {
			n = w.nodes[1]
		}
		m := wrote(uint64(i/2+1), fmt.Sprint(i))
		m.Boot, m.Sequence = 1, uint64(i+1)
		if err := m.Seal(w.genesis.Room, n.key); err != nil {
			t.Fatal(err)
		}
		said = append(said, &m)
	}
	var want []string
	for round := range 3 {
		s := still(t, protocol.StageOpen, 16, 0)
		for i := 2; i < 6; i++ {
			s.acts(0, protocol.Grant{Peer: s.nodes[i].id, Role: protocol.RoleSpeaker})
		}
		order := slices.Clone(said)
		if round > 0 {
			chance := w.chance(slot{0, 0, round})
			chance.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		for range 2 { // what is said again changes nothing
			for _, m := range order {
				s.keepChat(m, s.clock)
			}
		}
		got := s.page()
		if round == 0 {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("round %d keeps others", round)
		}
		if len(got) > protocol.MaxChats || len(s.chat.by) != len(got) || s.chat.of[w.nodes[1].id] != protocol.MaxChatsOfOne {
			t.Errorf("%d kept, %d by name, of one %d", len(got), len(s.chat.by), s.chat.of[w.nodes[1].id])
		}
	}
}

func strangersKeys(t testing.TB, n int) (keys []crypto.PrivKey) {
	t.Helper()
	for range n {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// A flood by many keys leaves memory bounded; who has a duty is heard.
func TestAFloodOfChat(t *testing.T) {
	t.Parallel()
	s := still(t, protocol.StageOpen, 3, 0)
	s.hold(s.certificate(0, 1, carry, 1, day), s.clock)
	for i, key := range strangersKeys(t, 3000) {
		m := wrote(uint64(i+1), strings.Repeat("x", protocol.MaxChatBytes))
		m.Boot, m.Sequence = 1, 1
		if err := m.Seal(s.cfg.Room, key); err != nil {
			t.Fatal(err)
		}
		s.hearRaw(m.Raw, m.From, s.clock)
		if i%100 == 0 {
			s.clock += 3 * time.Second
			s.says(1, 1, uint64(i+1), wrote(uint64(i+1), "carrier"))
		}
	}
	carrier := 0
	for _, text := range s.page() {
		if text == "carrier" {
			carrier++
		}
	}
	if got := len(s.chat.said); got > protocol.MaxChats || carrier < 10 || s.dropped["more chat of newcomers without a link than a room takes"] == 0 {
		t.Errorf("%d kept, %d of them the carrier's, dropped %v", got, carrier, s.dropped)
	}
}

// An answer is taken from whom was asked, and as much as one asked for.
func TestHostileRecalls(t *testing.T) {
	s := still(t, protocol.StageOpen, 4, 0)
	eve := s.nodes[2].id
	m := wrote(1, "unasked")
	m.Boot, m.Sequence = 1, 1
	if err := m.Seal(s.cfg.Room, s.nodes[2].key); err != nil {
		t.Fatal(err)
	}
	answer := &pb.LinkMessage{What: &pb.LinkMessage_Recalled{Recalled: &pb.Recalled{Room: s.cfg.Room[:], Messages: [][]byte{m.Raw}}}}
	s.linkMessage(eve, answer, s.clock)
	s.pathTo(eve).child = true
	s.linkMessage(eve, answer, s.clock)
	if len(s.page()) > 0 || s.dropped["answered unasked"] != 2 {
		t.Errorf("shows %q, dropped %v", s.page(), s.dropped)
	}
	ask := func(id protocol.PeerID, have ...uint64) int {
		before := s.sent
		s.linkMessage(id, &pb.LinkMessage{What: &pb.LinkMessage_Recall{Recall: &pb.Recall{Room: s.cfg.Room[:], Have: have}}}, s.clock)
		return s.sent - before
	}
	if ask(s.nodes[3].id) != 0 || ask(eve, make([]uint64, maxHave+1)...) != 0 {
		t.Error("a stranger is answered, or one who has more than there can be")
	}
	genesis, lawful := s.genesis, s.lawful // an answer that comes where the room itself is not known
	s.genesis, s.lawful, s.paths[eve].recall.open = nil, nil, true
	hide := protocol.Message{Hide: &protocol.Hide{Order: 1, Of: protocol.MessageID{From: eve}}, Boot: 1, Sequence: 2}
	if err := hide.Seal(s.cfg.Room, s.nodes[2].key); err != nil {
		t.Fatal(err)
	}
	s.linkMessage(eve, &pb.LinkMessage{What: &pb.LinkMessage_Recalled{Recalled: &pb.Recalled{Room: s.cfg.Room[:], Messages: [][]byte{hide.Raw}}}}, s.clock)
	s.genesis, s.lawful, s.paths[eve].recall.open = genesis, lawful, false
	answers := 0
	for range 500 {
		answers += ask(eve)
	}
	if answers > recallsAtOnce {
		t.Errorf("%d answers at once", answers)
	}
	// A child without a duty brings no more so than those may say who are not attached.
	s.says(1, 1, 1, wrote(1, "kept"))
	s.clock += time.Minute
	if got := ask(eve, 7); got != 2 {
		t.Errorf("%d messages to a child that says it has more, want an answer and a question", got)
	}
	flood := &pb.Recalled{Room: s.cfg.Room[:]}
	for i, key := range strangersKeys(t, 2*s.chat.all.loose.Burst()) {
		m := wrote(uint64(2+i), "flood")
		m.Boot, m.Sequence = 1, 1
		if err := m.Seal(s.cfg.Room, key); err != nil {
			t.Fatal(err)
		}
		flood.Messages = append(flood.Messages, m.Raw)
	}
	s.linkMessage(eve, &pb.LinkMessage{What: &pb.LinkMessage_Recalled{Recalled: flood}}, s.clock)
	if got := len(s.page()); got != 1+s.chat.all.loose.Burst() {
		t.Errorf("%d messages are kept", got)
	}
	if got := ask(eve, 7); got > 1 {
		t.Error("it is asked for more than would be taken")
	}
}

// A newcomer takes what the others have long taken: it counts from where they do.
func TestANewcomerCountsFromTheSameBeginning(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, protocol.StageOpen, 5, func(w *world) {
		w.gathers(w.nodes[:4]...)
		w.sleep(5 * time.Minute)
		rogue, order := w.nodes[3], uint64(orderASecond*250)
		_ = rogue.room.ask(w.t.Context(), func(r *Room) { r.chat.order = order })
		rogue.writes("far")
		w.sleep(soon)
		w.nodes[1].writes("after")
		w.sleep(soon)
		late := w.nodes[4]
		late.enters(asks(w.nodes[0]))
		w.pages("far after", 5*time.Second, w.nodes...)
		w.nodes[2].writes("known")
		w.sleep(soon)
		late.writes("to all")
		w.pages("far after known to all", soon, w.nodes...)
	})
}

func BenchmarkKeepChat(b *testing.B) {
	s := still(b, protocol.StageOpen, 2, 0)
	m := wrote(1, "hello")
	m.Boot, m.Sequence = 1, 1
	if err := m.Seal(s.cfg.Room, s.nodes[1].key); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := range b.N {
		c := m
		c.Sequence, c.Chat = uint64(i+1), &protocol.Chat{Order: uint64(i + 1), Text: "hello"}
		s.keepChat(&c, s.clock)
	}
	runtime.KeepAlive(s)
}
