package room

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

func TestRelayDies(t *testing.T) {
	t.Parallel()
	for seed := range seeds(6) {
		inWorld(t, seed, protocol.StageOpen, 5, func(w *world) {
			w.party()
			heir := w.standby()
			w.relay().kill()
			w.sleep(100 * ms)
			w.agrees(promised, w.nodes...)
			if w.relay() != heir {
				t.Errorf("seed %d: %v relays, not the standby %v", seed, w.relay(), heir)
			}
			w.sleep(forgetting)
			w.settles(settling)
			w.stays(5 * time.Second)
		})
	}
}

func TestRelayLeaves(t *testing.T) {
	inWorld(t, 1, protocol.StageOpen, 5, func(w *world) {
		w.party()
		w.relay().leaves()
		if took := w.agrees(promised, w.nodes...); took > 500*ms {
			t.Errorf("after a goodbye another relays after %v", took)
		}
		w.sleep(2 * time.Second)
		w.settles(settling)
		w.stays(5 * time.Second)
	})
}

func TestStandbyDies(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, protocol.StageOpen, 5, func(w *world) {
		w.party()
		relay := w.relay()
		w.standby().kill()
		w.sleep(forgetting)
		w.settles(settling)
		w.stays(5 * time.Second)
		if w.relay() != relay {
			t.Errorf("the relay moved from %v to %v", relay, w.relay())
		}
	})
}

func TestRelayAndStandbyDie(t *testing.T) {
	t.Parallel()
	for seed := range seeds(4) {
		inWorld(t, seed, protocol.StageOpen, 6, func(w *world) {
			w.party()
			relay, standby := w.relay(), w.standby()
			relay.kill()
			standby.kill()
			w.agrees(promised+2*time.Second, w.nodes...)
			w.sleep(forgetting)
			w.settles(settling)
			w.stays(5 * time.Second)
		})
	}
}

func TestMusicalChairs(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, protocol.StageOpen, 8, func(w *world) {
		w.party()
		for len(inRoom(w.nodes)) > 2 {
			w.relay().kill()
			w.agrees(promised, w.nodes...)
			w.sleep(4 * time.Second)
		}
		w.sleep(forgetting)
		w.settles(settling)
	})
}

// A disk that takes seconds holds up a room's first claim, and nothing else: later
// terms are kept ahead.
func TestDiskIsNotWaitedFor(t *testing.T) {
	const disk = 4 * time.Second
	inWorld(t, 1, protocol.StageOpen, 4, func(w *world) {
		for i, n := range w.nodes {
			if i == 0 {
				n.enters(n.knows, n.slowDisk(disk), func(c *Config) { c.New = true })
			} else {
				n.enters(asks(w.nodes[0]), n.slowDisk(disk))
			}
		}
		w.sleep(disk - 500*ms)
		for _, n := range w.nodes[1:] {
			if relay := n.life.room.relay; relay != "" && relay != n.id {
				t.Fatalf("%v follows a claim whose term is not stored", n)
			}
		}
		w.settles(disk + settling)
		w.sleep(disk) // each has its terms ahead
		w.relay().kill()
		w.settles(promised)
	})
}

// Roles that go round between the same nodes leave nothing behind on their links.
func TestHandlesAreGivenBack(t *testing.T) {
	t.Parallel()
	inWorld(t, 4, protocol.StageOpen, 4, func(w *world) {
		w.party()
		for range 12 {
			n := w.relay()
			n.leaves()
			w.sleep(2 * time.Second)
			n.enters(n.knows)
			w.sleep(8 * time.Second)
		}
		w.settles(settling)
	})
}
