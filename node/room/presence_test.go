package room

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// of gives what a node knows of another.
func (v View) of(p protocol.PeerID) (m Member) {
	for _, m := range v.Members {
		if m.Peer == p {
			return m
		}
	}
	return m
}

// shows waits, for a second at most, until all take a speaker for muted, or not.
func (w *world) shows(speaker *node, muted bool) {
	w.t.Helper()
	for late := w.now() + time.Second; ; w.sleep(50 * ms) {
		other := ""
		for _, n := range w.nodes {
			if m := n.view().of(speaker.id); m.Role != "speaker" || m.Muted != muted {
				other += n.String()
			}
		}
		if other == "" {
			return
		}
		if w.now() > late {
			w.t.Fatalf("after a second %v is not muted: %v at %s", speaker, muted, other)
		}
	}
}

// Whoever turns the microphone off is shown so everywhere within a second,
// however often it went on and off before.
func TestMutedIsSaid(t *testing.T) {
	inWorld(t, 1, protocol.StageOpen, 5, func(w *world) {
		w.party()
		speaker := w.nodes[2]
		w.shows(speaker, false)
		for i := range 31 {
			speaker.uses(Use{Speaking: 1, Muted: i%2 == 0})
			w.sleep(30 * ms)
		}
		w.shows(speaker, true)
		speaker.uses(Use{Speaking: 1})
		w.shows(speaker, false)
	})
}

// A host is on stage without a voice, and so muted; an audience is not.
func TestWhoIsMutedWithoutAVoice(t *testing.T) {
	inWorld(t, 1, protocol.StageHost, 3, func(w *world) {
		w.party()
		v := w.nodes[1].view()
		if host := v.of(w.nodes[0].id); !host.Presence.Muted || !host.Muted {
			t.Errorf("the host has no microphone on, and is %+v", host)
		}
		for _, n := range w.nodes[1:] {
			if m := v.of(n.id); m.Presence.Muted || m.Muted {
				t.Errorf("%v listens, and is %+v", n, m)
			}
		}
	})
}

// Everybody knows who gets the room from whom, also after the relay died.
func TestParentsAreSaid(t *testing.T) {
	inWorld(t, 1, protocol.StageOpen, 5, func(w *world) {
		w.party()
		w.saysParents(w.nodes)
		dead := w.relay()
		dead.kill()
		rest := w.others(dead)
		w.settles(promised, rest...)
		w.sleep(time.Second)
		w.saysParents(rest)
		for _, n := range rest {
			if v := n.view(); !v.of(dead.id).Lost {
				t.Errorf("%v has %v for who still carries, or will again", n, dead)
			}
		}
	})
}

func (w *world) saysParents(group []*node) {
	w.t.Helper()
	relay, standby := group[0].view().Relay, group[0].view().Standby
	for _, n := range group {
		v := n.view()
		for _, o := range group {
			live, warm := relay, standby
			switch o.id {
			case relay:
				live, warm = "", ""
			case standby:
				warm = ""
			}
			if p := v.of(o.id).Presence; p.LiveParent != live || p.WarmParent != warm {
				w.t.Errorf("%v takes %v for a child of %s and %s, not %s and %s", n, o, w.letter(p.LiveParent), w.letter(p.WarmParent), w.letter(live), w.letter(warm))
			}
		}
	}
}

// A relay that gives way to another one is not lost, nor is one that is heard again.
func TestWhoIsHeardAgainIsNotLost(t *testing.T) {
	inWorld(t, 2, protocol.StageOpen, 4, func(w *world) {
		w.party()
		relay := w.relay()
		rest := w.others(relay)
		w.parts(relay)
		w.settles(promised, rest...)
		for _, n := range rest {
			if v := n.view(); !v.of(relay.id).Lost {
				t.Errorf("%v still hears %v: %+v now %v rel %v term %d", n, relay, n.room.members[relay.id], n.room.cfg.Now(), w.letter(n.room.relay), n.room.term)
			}
		}
		w.heal()
		w.settles(settling)
		w.sleep(time.Second)
		for _, n := range w.nodes {
			for _, m := range n.view().Members {
				if m.Lost {
					t.Errorf("%v has %s for lost after all is healed", n, w.letter(m.Peer))
				}
			}
		}
	})
}

func (w *world) others(but *node) (rest []*node) {
	for _, n := range w.nodes {
		if n != but {
			rest = append(rest, n)
		}
	}
	return rest
}

// A node that hides names nobody but the relay, not even a former one that it
// still has a link to.
func TestHiddenNodesNameTheRelayAlone(t *testing.T) {
	s := still(t, protocol.StageOpen, 4, 3)
	s.relay, s.standby, s.live = s.nodes[0].id, s.nodes[1].id, s.nodes[0].id
	for _, n := range s.nodes[:3] {
		s.parents[n.id] = &parent{accepted: true}
	}
	for _, hides := range []bool{false, true} {
		s.cfg.RelayOnly = hides
		for live, want := range map[int][2]int{0: {0, 1}, 1: {1, 0}, 2: {-1, -1}} {
			s.live = s.nodes[live].id
			p := s.ownPresence()
			if hides && p.WarmParent != "" && p.WarmParent != s.relay || hides && p.LiveParent != "" && p.LiveParent != s.relay {
				t.Errorf("it hides, and names %+v", p)
			}
			if got := [2]protocol.PeerID{p.LiveParent, p.WarmParent}; !hides && want[0] >= 0 && got != [2]protocol.PeerID{s.nodes[want[0]].id, s.nodes[want[1]].id} {
				t.Errorf("with the sound of %d it names %v", live, got)
			}
		}
	}
}
