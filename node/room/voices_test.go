package room

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// What one node tells of itself comes to each other once by each of its parents,
// and does not go round.
func TestOneVoiceIsFewMessages(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
