package room

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Whoever finds the room in the directory asks who announces it.
func TestJoinByDirectory(t *testing.T) {
	inWorld(t, 1, protocol.StageOpen, 4, func(w *world) {
		w.nodes[0].opens()
		w.sleep(5 * time.Second)
		for _, n := range w.nodes[1:] {
			n.boots()
			n.enters(n.knows)
			w.sleep(time.Second)
		}
		w.settles(settling)
	})
}

// A link's hint may be anybody who was there: it sends on to the relay.
func TestJoinByAnyMember(t *testing.T) {
	inWorld(t, 3, protocol.StageHost, 5, func(w *world) {
		for _, n := range w.nodes {
			n.lends = n.index < 2
		}
		last := w.nodes[4]
		w.gathers(w.nodes[:4]...)
		w.sleep(3 * time.Second)
		w.settles(settling, w.nodes[:4]...)
		last.enters(func(c *Config) { c.Seeds = nil }, asks(w.nodes[3])) // neither relay nor standby
		w.sleep(time.Second)
		w.settles(settling)
		w.stays(5 * time.Second)
	})
}

// A hint who is not in the room yet may be a moment later.
func TestSeedComesLater(t *testing.T) {
	inWorld(t, 5, protocol.StageOpen, 2, func(w *world) {
		founder, late := w.nodes[0], w.nodes[1]
		w.loses(1)
		founder.boots()
		late.enters(asks(founder))
		w.sleep(3 * time.Second)
		founder.opens()
		w.sleep(3 * time.Second)
		w.settles(settling)
	})
}

func TestMoreThanADozen(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, protocol.StageOpen, 15, func(w *world) {
		w.party()
		carriers := 0
		for _, n := range w.nodes {
			if w.nodes[0].room.mayCarry(n.id, w.nodes[0].room.cfg.Now()) {
				carriers++
			}
		}
		if carriers != protocol.Carriers+1 {
			t.Errorf("%d may carry, not the founder and %d", carriers, protocol.Carriers)
		}
		w.relay().kill()
		w.agrees(promised, w.nodes...)
	})
}

// A room that its last node left in the founder's absence is there for the
// founder, and the founder finds one that others carry.
func TestFounderRestarts(t *testing.T) {
	t.Parallel()
	for _, away := range []time.Duration{200 * ms, 5 * time.Second, 50 * time.Second} {
		inWorld(t, 5, protocol.StageOpen, 5, func(w *world) {
			w.party()
			founder := w.nodes[0]
			founder.kill()
			w.sleep(away)
			founder.enters(founder.knows)
			w.sleep(time.Second)
			w.agrees(promised+time.Second, w.nodes...)
			w.settles(settling)
			founder.uses(Use{Listening: 1})
			w.sleep(forgetting)
			w.stays(5 * time.Second)
		})
	}
}

func TestFounderAloneRestarts(t *testing.T) {
	inWorld(t, 5, protocol.StageOpen, 2, func(w *world) {
		founder, late := w.nodes[0], w.nodes[1]
		founder.opens()
		w.sleep(3 * time.Second)
		founder.kill()
		w.sleep(time.Second)
		founder.enters(founder.knows)
		w.sleep(200 * ms)
		late.enters(asks(founder)) // while the founder still listens
		w.sleep(time.Second)
		w.settles(settling)
	})
}

func TestCloseAndReopen(t *testing.T) {
	inWorld(t, 2, protocol.StageOpen, 4, func(w *world) {
		w.party()
		founder := w.nodes[0]
		if err := w.nodes[1].room.Close(context.Background(), time.Time{}); err == nil {
			t.Error("another than the founder closes the room")
		}
		if err := founder.room.Close(context.Background(), time.Time{}); err != nil {
			t.Fatal(err)
		}
		for _, n := range w.nodes {
			if err := <-n.ended; err != ErrClosed {
				t.Errorf("%v's room ended with %v", n, err)
			}
		}
		w.sleep(5 * time.Second)
		for _, n := range w.nodes {
			if len(n.wants) > 0 {
				t.Errorf("%v still wants %d nodes", n, len(n.wants))
			}
		}
		founder.enters(founder.knows)
		w.sleep(2 * time.Second)
		for _, n := range w.nodes[1:] {
			n.enters(asks(founder))
		}
		w.sleep(3 * time.Second)
		w.settles(settling)
	})
}

// Where people were sent out who had a role, the relay's claims are of an era of which
// a newcomer's log, which is empty, knows nothing.
func TestJoinAfterRemovals(t *testing.T) {
	for relayed := range 3 { // by the founder, by another one, by one whom the log lets carry
		inWorld(t, 1, protocol.StageHost, 5, func(w *world) {
			founder, other, late := w.nodes[0], w.nodes[1], w.nodes[4]
			founder.lends = relayed == 0
			w.gathers(w.nodes[:4]...)
			w.sleep(3 * time.Second)
			w.settles(settling, w.nodes[:4]...)
			here := w.nodes[:2]
			for _, n := range w.nodes[2:4] {
				founder.grants(n, protocol.RoleSpeaker)
				founder.does(protocol.Remove{Peer: n.id})
				if n.ends(time.Second) == nil {
					t.Errorf("%v stays", n)
				}
			}
			if relayed == 2 {
				founder.grants(other, protocol.RoleModerator)
				founder.kill()
				here = w.nodes[1:2]
			}
			w.settles(settling, here...)
			late.enters(func(c *Config) { c.Seeds = nil }, asks(here[len(here)-1]))
			w.sleep(2 * time.Second)
			w.settles(settling, append(slices.Clone(here), late)...)
			w.sameLog(time.Second, append(slices.Clone(here), late)...)
		})
	}
}

// Who is cut off while people are sent out, and while its relay goes for good, finds
// the room that is left.
func TestBackAfterRemovals(t *testing.T) {
	inWorld(t, 1, protocol.StageHost, 5, func(w *world) {
		founder, other, away := w.nodes[0], w.nodes[1], w.nodes[4]
		away.lends = false
		w.party()
		founder.grants(other, protocol.RoleModerator)
		w.sameLog(time.Second, w.nodes...)
		w.parts(away)
		w.sleep(time.Second)
		for _, n := range w.nodes[2:4] {
			other.grants(n, protocol.RoleSpeaker)
			other.does(protocol.Remove{Peer: n.id})
			if n.ends(5*time.Second) == nil {
				t.Errorf("%v stays", n)
			}
		}
		founder.kill()
		w.settles(settling, other)
		w.sleep(30 * time.Second)
		w.heal()
		w.sleep(5 * time.Second)
		w.settles(settling, other, away)
		w.sameLog(time.Second, other, away)
	})
}
