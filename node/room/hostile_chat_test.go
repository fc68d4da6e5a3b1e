package room

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// However far somebody drives the orders up, what others write is taken at once.
func TestOrdersDrivenUp(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, protocol.StageOpen, 5, func(w *world) {
		w.gathers(w.nodes...)
		var drivers []*caller
		for _, key := range strangersKeys(t, 3) { // of one each 2 s is taken
			drivers = append(drivers, &caller{key: key})
		}
		w.sleep(20 * time.Second)
		for i := range 10 {
			var highest uint64
			_ = w.relay().room.ask(w.t.Context(), func(r *Room) {
				highest = orderASecond * uint64(orderAhead+(r.cfg.Now()-r.chat.since)/time.Second)
			})
			w.shouts(drivers[i%len(drivers)], wrote(highest, "x"))
			w.sleep(300 * ms)
			said := fmt.Sprint("honest", i)
			w.nodes[i%len(w.nodes)].writes(said)
			w.sleep(100 * ms)
			for _, n := range w.nodes {
				if !strings.Contains(n.page(), said) {
					w.t.Errorf("%v does not take %s", n, said)
				}
			}
			w.sleep(1600 * ms)
		}
	})
}

// Who tells some this and others that under one name is shown to all to have said the
// same in the end.
func TestTwoMessagesOfOneName(t *testing.T) {
	t.Parallel()
	for name, orders := range map[string][2]uint64{"of one order": {10, 10}, "of two": {10, 11}} {
		t.Run(name, func(t *testing.T) {
			asking(t, 1, 6, func(w *world) {
				w.nodes[4].writes("before")
				w.sleep(time.Second)
				key := strangersKeys(t, 1)[0]
				for i, n := range w.nodes {
					m := wrote(orders[i%2], []string{"kind", "cruel"}[i%2])
					m.Boot, m.Sequence = 1, 1
					if err := m.Seal(w.genesis.Room, key); err != nil {
						t.Fatal(err)
					}
					_ = n.room.ask(w.t.Context(), func(r *Room) { r.keepChat(&m, r.cfg.Now()) })
				}
				w.sleep(2 * levelEach)
				w.pages(w.relay().page(), 2*levelEach, w.nodes...)
			})
		})
	}
}

// A relay that names others each time, and never all of its queue, fills no memory.
func TestAQueueWithoutEnd(t *testing.T) {
	s := still(t, protocol.StageHost, 2, 0)
	people := strangersKeys(t, 3*protocol.MaxHands)
	for i, key := range people {
		raw, err := key.GetPublic().Raw()
		if err != nil {
			t.Fatal(err)
		}
		p, err := protocol.PeerOf(raw)
		if err != nil {
			t.Fatal(err)
		}
		m := &protocol.Message{From: s.nodes[1].id, Boot: 1, Sequence: uint64(i + 1)}
		m.Queue = &protocol.Queue{Parts: 2, Stamps: []protocol.Stamp{{Peer: p, Term: 1, N: uint32(i + 1)}}}
		s.takeQueue(m, s.clock)
	}
	if n := len(s.hands); n > 2*protocol.MaxHands {
		t.Errorf("%d hands are kept of %d", n, len(people))
	}
}
