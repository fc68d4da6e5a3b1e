package room

import (
	"context"
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

// seeds is how many worlds a scenario is tried in: one, where the race detector
// makes them slow.
func seeds(n uint64) uint64 {
	if raced {
		return 1
	}
	return n
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

func TestPartySettles(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 8} {
		inWorld(t, uint64(n), protocol.StageOpen, n, func(w *world) {
			w.party()
			w.stays(40 * time.Second)
		})
	}
}

// What one node tells of itself comes to each other once by each of its parents,
// and does not go round.
func TestOneVoiceIsFewMessages(t *testing.T) {
	inWorld(t, 1, protocol.StageOpen, 6, func(w *world) {
		w.party()
		w.stays(5 * time.Second)
		for range 2 {
			base := w.total()
			w.sleep(2 * time.Second)
			quiet := w.total() - base
			w.nodes[4].speaks()
			w.sleep(2 * time.Second)
			if more := w.total() - base - 2*quiet; more > 150 {
				t.Errorf("a voice that opens costs %d messages among 6 nodes", more)
			}
			w.nodes[4].hushes()
			w.sleep(10 * time.Second)
		}
		w.settles(0)
	})
}

func (w *world) total() (n int) {
	for _, said := range w.said(w.nodes) {
		n += said
	}
	return n
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

func TestRelayDies(t *testing.T) {
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

// Both halves go on, and are one room soon after they meet again.
func TestPartition(t *testing.T) {
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

// A room that its last node left in the founder's absence is there for the
// founder, and the founder finds one that others carry.
func TestFounderRestarts(t *testing.T) {
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

// Listeners that gossip does not reach miss nothing that the links bring.
func TestWithoutGossip(t *testing.T) {
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

// Speakers who were named at opening speak, also when the founder is gone.
func TestNamedSpeakers(t *testing.T) {
	inWorld(t, 2, protocol.StageHost, 5, func(w *world) {
		founder, speaker, guest := w.nodes[0], w.nodes[1], w.nodes[2]
		guest.lends = false
		founder.opens(speaker)
		w.sleep(time.Second)
		for _, n := range w.nodes[2:] {
			n.enters(asks(founder))
			n.uses(Use{Listening: 1})
		}
		w.sleep(2 * time.Second)
		if _, err := guest.speaks(); err == nil {
			t.Error("a guest speaks on the host's stage")
		}
		founder.kill()
		w.sleep(forgetting)
		speaker.enters(asks(w.nodes[3]))
		w.sleep(3 * time.Second)
		if _, err := speaker.speaks(); err != nil {
			t.Errorf("the named speaker can't speak: %v", err)
		}
		w.sleep(3 * time.Second)
		w.settles(settling)
		if s := speaker.spoken; len(s) > 0 && guest.forwarder.sources[protocol.SourceOf(w.genesis.Room, speaker.id, s[0])] == "" {
			t.Error("the guest does not hear the speaker")
		}
	})
}

func TestMoreThanADozen(t *testing.T) {
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

func TestListeningDecidesModes(t *testing.T) {
	inWorld(t, 2, protocol.StageOpen, 5, func(w *world) {
		w.party()
		for _, n := range w.nodes {
			n.uses(Use{Listening: 1, Speaking: n.use.Speaking})
		}
		w.sleep(300 * ms)
		w.settles(0)
		for _, n := range w.nodes {
			n.uses(Use{Speaking: n.use.Speaking})
		}
		w.sleep(300 * ms)
		w.settles(0)
	})
}

// A listener whose parent falls silent takes the other's sound, until the relay
// changes.
func TestSilentParent(t *testing.T) {
	inWorld(t, 4, protocol.StageOpen, 6, func(w *world) {
		w.party()
		n := w.nodes[5]
		relay, standby := w.relay(), w.standby()
		n.room.Silent(standby.id, nil) // whose sound it does not take
		w.sleep(500 * ms)
		if n.room.live != relay.id {
			t.Fatalf("takes the sound of %s", w.letter(n.room.live))
		}
		n.room.Silent(relay.id, nil)
		w.sleep(500 * ms)
		if n.room.live != standby.id || len(standby.forwarder.resumed) != 1 {
			t.Errorf("takes the sound of %s, %d resumes", w.letter(n.room.live), len(standby.forwarder.resumed))
		}
		w.settles(0)
		relay.kill()
		w.sleep(forgetting)
		w.settles(settling)
		if n.room.live != standby.id {
			t.Errorf("takes the sound of %s, not of the new relay", w.letter(n.room.live))
		}
	})
}

// A link that breaks is made again, with all that was bound on it.
func TestLinksBreak(t *testing.T) {
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

// Roles that go round between the same nodes leave nothing behind on their links.
func TestHandlesAreGivenBack(t *testing.T) {
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

// A speaker that comes back after a crash is heard, however often.
func TestSpeakerRestarts(t *testing.T) {
	inWorld(t, 4, protocol.StageOpen, 4, func(w *world) {
		w.party()
		s := w.nodes[3]
		for range 5 {
			s.kill()
			w.sleep(time.Second)
			s.enters(asks(w.nodes[1]))
			w.sleep(2 * time.Second)
			if _, err := s.speaks(); err != nil {
				t.Error(err)
			}
			w.sleep(2 * time.Second)
		}
		w.settles(settling)
	})
}

// Voices that ended while a half did not hear of it don't come back with it.
func TestVoicesEndDuringAPartition(t *testing.T) {
	for seed := range seeds(2) {
		inWorld(t, seed, protocol.StageOpen, 6, func(w *world) {
			w.party()
			s := w.nodes[4]
			for range 3 {
				s.speaks()
				w.sleep(time.Second)
				w.parts(w.nodes[1], w.nodes[3], w.nodes[5])
				w.sleep(5 * time.Second)
				s.hushes()
				w.sleep(3 * time.Second)
				w.heal()
				w.sleep(10 * time.Second)
			}
			w.sleep(forgetting)
			w.settles(settling)
		})
	}
}

// A room that is kept busy loses links, not its place.
func TestInboxFull(t *testing.T) {
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
