package room

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/earshot-audio/earshot/protocol"
)

// caller is somebody in the room who has no node here: what they say comes by gossip.
type caller struct {
	key      crypto.PrivKey
	hostile  bool
	sequence uint64
}

// shouts brings a caller's message to every node, as its neighbours would.
func (w *world) shouts(c *caller, m protocol.Message) *protocol.Message {
	w.t.Helper()
	c.sequence++
	m.Boot, m.Sequence = 1, c.sequence
	if err := m.Seal(w.genesis.Room, c.key); err != nil {
		w.t.Fatal(err)
	}
	for _, n := range inRoom(w.nodes) {
		if checked, err := n.room.Check(m.Raw); err == nil && !n.room.Gossip(checked) {
			w.t.Errorf("%v's inbox is full", n)
		}
	}
	return &m
}

// asking gives who has a hand up, in order.
func (n *node) asking() (line []protocol.PeerID) {
	_ = n.room.ask(n.w.t.Context(), func(r *Room) {
		for _, s := range r.stamps(r.cfg.Now()) {
			line = append(line, s.Peer)
		}
	})
	return line
}

// beats watches how long each node goes without a new claim of the relay.
type beats struct {
	last    map[*node]uint64
	at      map[*node]time.Duration
	longest time.Duration
}

func (b *beats) look(w *world) {
	for _, n := range inRoom(w.nodes) {
		var sequence uint64
		_ = n.room.ask(w.t.Context(), func(r *Room) { sequence = r.claim.Sequence })
		if b.last[n] != sequence {
			b.last[n], b.at[n] = sequence, w.now()
		}
		b.longest = max(b.longest, w.now()-b.at[n])
	}
}

// Two thousand messages and two hundred hands in a minute, of fifty people of whom
// half are hostile: hands stand in one order everywhere, claims come on their beat,
// and what is kept is bounded.
func TestACrowdWritesAndAsks(t *testing.T) {
	t.Parallel()
	people, messages, hands := 50, 2000, 200
	if raced {
		messages, hands = 500, 50 // each is verified six times
	}
	inWorld(t, 1, protocol.StageHost, 6, func(w *world) {
		w.party()
		callers := make([]*caller, people)
		for i := range callers {
			key, _, err := crypto.GenerateEd25519Key(rand.Reader)
			if err != nil {
				w.t.Fatal(err)
			}
			callers[i] = &caller{key: key, hostile: i%2 == 1}
			w.shouts(callers[i], presence(protocol.Name(fmt.Sprint("caller ", i))))
			w.sleep(10 * ms)
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		b := &beats{last: map[*node]uint64{}, at: map[*node]time.Duration{}}
		var old []*protocol.Message
		for i := range messages {
			c := callers[i%people]
			w.shouts(c, crowdMessage(c, i))
			if c.hostile && len(old) > 0 {
				for _, n := range inRoom(w.nodes) { // and plays back what others said
					n.room.Gossip(old[i%len(old)])
				}
			}
			if n := i / (messages / hands); i%(messages/hands) == 0 {
				asks := callers[n*7%people]
				old = append(old, w.shouts(asks, protocol.Message{Hand: &protocol.Hand{Up: n%4 != 0, Raised: asks.sequence + 1}}))
			}
			if i%(10*people) == 0 {
				for _, c := range callers {
					w.shouts(c, presence("caller"))
				}
			}
			w.sleep(30 * ms)
			b.look(w)
		}
		w.sleep(soon)
		line := w.relay().asking()
		for _, n := range inRoom(w.nodes) {
			_ = n.room.ask(w.t.Context(), func(r *Room) {
				if len(r.chat.said) > protocol.MaxChats || len(r.chat.by) != len(r.chat.said) || len(r.senders) > maxSenders {
					t.Errorf("%v keeps %d messages of %d senders", n, len(r.chat.said), len(r.senders))
				}
			})
			if got := n.asking(); !slices.Equal(got, line) {
				t.Errorf("%v has another order of hands", n)
			}
		}
		if want := w.nodes[0].page(); strings.Contains(want, "ahead") || !strings.Contains(want, "honest") {
			t.Errorf("the chat is %.100s", want)
		}
		w.pages(w.nodes[0].page(), 5*time.Second, w.nodes...)
		if most := 2 * 400 * ms; b.longest > most {
			t.Errorf("a node went for %v without a claim, at most %v are right", b.longest, most)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		grown := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / int64(len(w.nodes))
		t.Logf("%d KiB a node, longest without a claim %v, %d hands", grown>>10, b.longest, len(line))
		if len(line) < 10 {
			t.Errorf("%d hands are up", len(line))
		}
		if grown > 2<<20 {
			t.Errorf("each node has grown by %d KiB", grown>>10)
		}
		synctest.Wait()
	})
}

// crowdMessage is what an honest person writes, or one who means to spoil it.
func crowdMessage(c *caller, i int) protocol.Message {
	long := strings.Repeat("x", 400)
	switch {
	case !c.hostile:
		return wrote(uint64(i+1), fmt.Sprint("honest", i))
	case i%4 == 1:
		return wrote(protocol.MaxOrder, "ahead"+long)
	default:
		return wrote(uint64(i+100), fmt.Sprint("rude", i, long))
	}
}

func BenchmarkHearChat(b *testing.B) {
	s := still(b, protocol.StageOpen, 2, 0)
	messages := make([][]byte, 512)
	for i := range messages {
		m := wrote(uint64(i+1), "hello")
		m.Boot, m.Sequence = 1, uint64(i+1)
		if err := m.Seal(s.cfg.Room, s.nodes[1].key); err != nil {
			b.Fatal(err)
		}
		messages[i] = slices.Clone(m.Raw)
	}
	b.ReportAllocs()
	for i := range b.N {
		s.clock += chatEach
		s.hearRaw(messages[i%len(messages)], s.nodes[1].id, s.clock)
	}
}
