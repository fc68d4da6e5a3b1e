package room

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Both halves go on, and are one room soon after they meet again.
func TestPartition(t *testing.T) {
	t.Parallel()
	for seed := range seeds(4) {
		inWorld(t, seed, protocol.StageOpen, 7, func(w *world) {
			w.party()
			half := w.nodes[:3+int(seed%2)]
			rest := w.nodes[len(half):]
			w.parts(half...)
			w.sleep(7 * time.Second)
			for _, part := range [][]*node{half, rest} {
				w.agrees(0, part...)
			}
			if seed%2 == 0 {
				w.sleep(40 * time.Second)
				w.settles(settling, half...)
				w.settles(settling, rest...)
			}
			w.heal()
			took := w.agrees(promised+2*time.Second, w.nodes...)
			w.tell("one room %v after healing", took)
			w.sleep(4 * time.Second)
			w.settles(settling)
			w.stays(5 * time.Second)
		})
	}
}

// Listeners that gossip does not reach miss nothing that the links bring.
func TestWithoutGossip(t *testing.T) {
	t.Parallel()
	inWorld(t, 7, protocol.StageOpen, 6, func(w *world) {
		w.nodes[3].lends, w.nodes[5].lends = false, false
		w.party()
		w.loses(1)
		w.sleep(60 * time.Second)
		w.settles(0)
		w.stays(5 * time.Second)
		w.relay().kill()
		w.agrees(promised, w.nodes...)
		w.sleep(forgetting)
		w.settles(settling)
		w.stays(40 * time.Second)
	})
}

// A link that breaks is made again, with all that was bound on it.
func TestLinksBreak(t *testing.T) {
	t.Parallel()
	inWorld(t, 4, protocol.StageOpen, 6, func(w *world) {
		w.party()
		w.nodes[5].speaks()
		for i := range w.nodes {
			for j := range i {
				k, _ := w.wire(i, j)
				w.unplug(k)
				w.sleep(200 * ms)
			}
		}
		w.sleep(4 * time.Second)
		w.settles(settling)
		w.stays(5 * time.Second)
	})
}

// What a path had is set up again when it comes back.
func TestPathFlaps(t *testing.T) {
	t.Parallel()
	for seed := range seeds(3) {
		inWorld(t, seed, protocol.StageOpen, 6, func(w *world) {
			w.party()
			w.nodes[4].speaks()
			for i, n := range w.nodes {
				for _, o := range w.nodes[i+1:] {
					w.flaps(n, o)
					w.sleep(150 * ms)
				}
			}
			w.sleep(4 * time.Second)
			w.settles(settling)
		})
	}
}

// A node is told twice that a path is up when its room starts just then.
func TestPathUpTwice(t *testing.T) {
	inWorld(t, 4, protocol.StageOpen, 4, func(w *world) {
		w.party()
		for _, n := range w.nodes {
			for _, o := range w.nodes {
				n.room.PathUp(o.id)
			}
		}
		w.sleep(10 * ms)
		w.settles(0)
	})
}

// A room that is kept busy loses links, not its place.
func TestInboxFull(t *testing.T) {
	t.Parallel()
	inWorld(t, 4, protocol.StageOpen, 5, func(w *world) {
		w.party()
		n := w.nodes[3]
		until := make(chan struct{})
		n.room.post(func(*Room) { <-until })
		w.sleep(10 * ms)
		for n.room.post(func(*Room) {}) {
		}
		w.relay().kill()
		w.sleep(8 * time.Second)
		close(until)
		w.sleep(forgetting)
		w.settles(settling)
	})
}
