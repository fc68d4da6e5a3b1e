package room

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// A node that hides has links to a room's relay alone: not to the standby, not
// to others that were named as seeds once the first has answered, and to the
// next relay only when the directory names it.
func TestOnlyTheRelayLearnsWhereANodeIs(t *testing.T) {
	inWorld(t, 1, protocol.StageOpen, 4, func(w *world) {
		others, hidden := w.nodes[:3], w.nodes[3]
		w.gathers(others...)
		w.sleep(3 * time.Second)
		w.settles(settling, others...)
		hidden.lends, hidden.aloof = false, true
		hidden.enters(func(c *Config) { c.Seeds, c.RelayOnly = nil, true }, asks(w.nodes[0], w.nodes[1], w.nodes[2]))
		hidden.uses(Use{Listening: 1})
		first := w.index(others[0].room.relayNow())
		w.hides(hidden, 5*time.Second, first)
		if !hidden.hears(w.nodes[first]) {
			t.Fatal("it has no part in the room")
		}
		w.nodes[first].kill()
		w.sleep(10 * time.Second)
		next := w.index(hidden.room.relayNow())
		if next == first || next < 0 {
			t.Fatalf("it follows %d after %d", next, first)
		}
		w.sleep(5 * time.Second)
		w.hides(hidden, 5*time.Second, next)
		if !hidden.hears(w.nodes[next]) {
			t.Error("it has no part in the room after its relay died")
		}
	})
}

// hides holds for a while that a node wants links to one other alone.
func (w *world) hides(n *node, span time.Duration, but int) {
	w.t.Helper()
	for range span / (50 * time.Millisecond) {
		w.sleep(50 * time.Millisecond)
		w.mu.Lock()
		for i := range n.wants {
			if i != but {
				w.t.Errorf("%v wants a link to %v", n, w.nodes[i])
			}
		}
		w.mu.Unlock()
	}
}

// hears says whether a node is attached to another, live.
func (n *node) hears(o *node) bool {
	v, err := n.room.View(n.w.t.Context())
	if err != nil {
		return false
	}
	for _, p := range v.Paths {
		if p.Peer == o.id && p.Parent && p.Live {
			return true
		}
	}
	return false
}

// relayNow gives the relay that a room follows.
func (r *Room) relayNow() (p protocol.PeerID) {
	done := make(chan struct{})
	r.post(func(r *Room) { p = r.relay; close(done) })
	<-done
	return p
}
