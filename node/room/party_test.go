package room

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// party opens a room of the first node and has all others come in by its link,
// every second of them to listen; the third speaks, if anybody may.
func (w *world) party() {
	w.t.Helper()
	w.gathers(w.nodes...)
	w.sleep(2 * time.Second) // certificates take a moment
	w.settles(12 * time.Second)
}

// gathers is party without the wait.
func (w *world) gathers(nodes ...*node) {
	w.t.Helper()
	w.nodes[0].opens()
	w.sleep(500 * ms)
	for _, n := range nodes[1:] {
		n.enters(asks(w.nodes[0]))
		w.sleep(100 * ms)
	}
	for i, n := range nodes {
		if i%2 == 1 {
			n.uses(Use{Listening: 1})
		}
	}
	w.sleep(time.Second)
	if w.genesis.Stage == protocol.StageOpen && len(nodes) > 2 {
		nodes[2].speaks()
	}
}

// relay gives who relays a settled world, and standby who stands by.
func (w *world) relay() *node   { return w.nodes[w.index(inRoom(w.nodes)[0].room.relay)] }
func (w *world) standby() *node { return w.nodes[w.index(inRoom(w.nodes)[0].room.standby)] }

const (
	promised = 3500 * ms // to one relay
	settling = 12 * time.Second
	// forgetting is how long somebody who went without a word may be listed.
	forgetting = protocol.PresenceLife + 2*time.Second
)

// seeds is how many worlds a scenario is tried in: one, where the race detector
// makes them slow.
func seeds(n uint64) uint64 {
	if raced {
		return 1
	}
	return n
}

func TestPartySettles(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 5, 8} {
		inWorld(t, uint64(n), protocol.StageOpen, n, func(w *world) {
			w.party()
			w.stays(40 * time.Second)
		})
	}
}

func TestAllAtOnce(t *testing.T) {
	inWorld(t, 1, protocol.StageOpen, 8, func(w *world) {
		w.nodes[0].opens()
		for _, n := range w.nodes[1:] {
			n.enters(asks(w.nodes[0]))
		}
		w.sleep(time.Second)
		w.settles(settling)
	})
}
