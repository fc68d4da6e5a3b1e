package room

import (
	"errors"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// does has a node do something that the log keeps.
func (n *node) does(deed protocol.Deed) {
	n.w.t.Helper()
	n.w.tell("%v does %T %v", n, deed, deed)
	if err := n.room.Act(n.w.t.Context(), deed); err != nil {
		n.w.t.Fatalf("%v: %v", n, err)
	}
}

func (n *node) grants(to *node, role protocol.Role) {
	n.w.t.Helper()
	g := protocol.Grant{Peer: to.id, Role: role}
	if role == protocol.RoleModerator {
		g.Share = 100
	}
	n.does(g)
}

// sameLog wants all of a group to hold the same log within a time.
func (w *world) sameLog(within time.Duration, group ...*node) {
	w.t.Helper()
	for end := w.now() + within; ; w.sleep(50 * ms) {
		hashes := map[[32]byte]string{}
		for _, n := range group {
			hashes[n.view().LogHash] += n.String()
		}
		if len(hashes) == 1 {
			return
		}
		if w.now() >= end {
			w.t.Fatalf("%d logs after %v: %v", len(hashes), within, hashes)
		}
	}
}

// roles wants a node to show what everybody is.
func (n *node) roles(want map[*node]string) {
	n.w.t.Helper()
	for _, m := range n.view().Members {
		if o := n.w.nodes[n.w.index(m.Peer)]; want[o] != "" && want[o] != m.Role {
			n.w.t.Errorf("%v shows %v as %s, not %s", n, o, m.Role, want[o])
		}
	}
}

// What is done is the same everywhere at once; a moderator carries on when the
// founder is gone; who is banned is out, and stays out when another relays.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, protocol.StageHost, 6, func(w *world) {
		w.party()
		host, moderator, speaker, villain := w.nodes[0], w.nodes[1], w.nodes[2], w.nodes[3]
		host.grants(moderator, protocol.RoleModerator)
		w.sameLog(time.Second, w.nodes...)
		moderator.grants(speaker, protocol.RoleSpeaker)
		w.sameLog(time.Second, w.nodes...)
		for _, n := range w.nodes {
			n.roles(map[*node]string{host: "host", moderator: "moderator", speaker: "speaker", villain: "carrier"})
		}
		s, err := speaker.speaks()
		if err != nil {
			t.Fatal(err)
		}
		w.settles(settling)

		moderator.does(protocol.Mute{Peer: speaker.id})
		w.sleep(500 * ms)
		w.silent(s)
		moderator.does(protocol.Unmute{Peer: speaker.id})
		w.settles(settling)
		w.heard(s)

		host.kill()
		w.settles(settling)
		if err := villain.room.Act(w.t.Context(), protocol.Ban{Peer: moderator.id}); !errors.Is(err, protocol.ErrNoRight) {
			t.Errorf("a listener bans a moderator: %v", err)
		}
		moderator.does(protocol.Ban{Peer: villain.id})
		if err := villain.ends(time.Second); !errors.Is(err, ErrBanned) {
			t.Errorf("who is banned ends with %v", err)
		}
		w.settles(settling)
		villain.enters(asks(moderator, speaker))
		if err := villain.ends(5 * time.Second); !errors.Is(err, ErrBanned) {
			t.Errorf("who is banned and comes again ends with %v", err)
		}
		w.relay().kill()
		w.settles(settling)
		villain.enters(asks(inRoom(w.nodes)...))
		if err := villain.ends(5 * time.Second); !errors.Is(err, ErrBanned) {
			t.Errorf("who is banned and comes again to another relay ends with %v", err)
		}
	})
}

// Who relays and is removed goes, though it relays no more the moment it hears so.
func TestTheRelayIsRemoved(t *testing.T) {
	inWorld(t, 1, protocol.StageHost, 4, func(w *world) {
		host, moderator := w.nodes[0], w.nodes[3]
		moderator.lends = false // who lends comes first
		w.party()
		host.grants(moderator, protocol.RoleModerator)
		w.sameLog(time.Second, w.nodes...)
		host.kill()
		w.settles(settling)
		relay := w.relay()
		if relay == moderator {
			t.Fatal("the moderator relays")
		}
		moderator.does(protocol.Remove{Peer: relay.id})
		if err := relay.ends(time.Second); !errors.Is(err, ErrRemoved) {
			t.Errorf("the relay, removed, ends with %v", err)
		}
		w.settles(settling)
	})
}

// The halves of a parted room do contrary things, and are one room again soon
// after the first word across.
func TestHalvesAgreeOnTheLog(t *testing.T) {
	t.Parallel()
	for seed := range seeds(5) {
		inWorld(t, seed, protocol.StageHost, 6, func(w *world) {
			w.party()
			host, moderator := w.nodes[0], w.nodes[1]
			host.grants(moderator, protocol.RoleModerator)
			host.grants(w.nodes[4], protocol.RoleSpeaker)
			w.sameLog(time.Second, w.nodes...)
			half, rest := []*node{host, w.nodes[2], w.nodes[4]}, []*node{moderator, w.nodes[3], w.nodes[5]}
			w.parts(half...)
			w.sleep(20 * time.Second)
			host.does(protocol.Title("One half's"))
			host.does(protocol.Revoke{Peer: w.nodes[4].id, Role: protocol.RoleSpeaker})
			moderator.does(protocol.Title("The other's"))
			moderator.grants(w.nodes[5], protocol.RoleSpeaker)
			moderator.does(protocol.Mute{Peer: w.nodes[2].id})
			w.sleep(20 * time.Second)
			w.sameLog(0, half...)
			w.sameLog(0, rest...)
			w.heal()
			w.sameLog(5*time.Second, w.nodes...)
			w.settles(settling)
			title := host.view().Lawful.Title()
			for _, n := range w.nodes {
				if got := n.view().Lawful.Title(); got != title || title != "One half's" {
					t.Errorf("%v: %q, the host: %q", n, got, title)
				}
				n.roles(map[*node]string{w.nodes[5]: "speaker"})
			}
		})
	}
}

// Who comes late, or comes back, holds the same log; a node that was off keeps
// what it stored.
func TestLateToTheLog(t *testing.T) {
	inWorld(t, 1, protocol.StageHost, 4, func(w *world) {
		w.nodes[0].opens()
		w.sleep(time.Second)
		for i := range 150 { // more than one answer holds
			w.nodes[0].does(protocol.Language([]string{"en", "vi"}[i%2]))
		}
		for _, n := range w.nodes[1:] {
			n.enters(asks(w.nodes[0]))
		}
		w.sleep(2 * time.Second)
		w.sameLog(3*time.Second, w.nodes...)
		w.nodes[3].kill()
		w.nodes[0].does(protocol.Title("Later"))
		w.sleep(time.Second)
		w.nodes[3].enters(w.nodes[3].knows, asks(w.nodes[1]))
		if n := w.nodes[3].view().LogLength; n != 150 {
			t.Errorf("it kept %d actions of 150", n)
		}
		w.sleep(2 * time.Second)
		w.sameLog(3*time.Second, w.nodes...)
	})
}

// Whom nobody gave a right changes nothing, and is counted.
func TestActionsOfStrangers(t *testing.T) {
	s := still(t, protocol.StageHost, 4, 0)
	a := &protocol.Action{Room: s.cfg.Room, Sequence: 1, At: time.Unix(0, 0), Deed: protocol.Ban{Peer: s.nodes[2].id}}
	if err := a.Seal(s.nodes[1].key); err != nil {
		t.Fatal(err)
	}
	before := s.log.Hash()
	for range 500 {
		if s.takeAction(a.Signed(), "", s.clock) {
			t.Fatal("a stranger's action is passed on")
		}
	}
	if s.log.Hash() != before || s.dropped["action without right"] != 500 {
		t.Errorf("%v", s.dropped)
	}
}

// silent wants nobody's forwarder to let a source through, and heard somebody's
// beside its owner's.
func (w *world) silent(s protocol.Source) {
	w.t.Helper()
	if n := w.letting(s); n != 0 {
		w.t.Errorf("%d nodes let source %d through", n, s)
	}
}

func (w *world) heard(s protocol.Source) {
	w.t.Helper()
	if n := w.letting(s); n < 2 {
		w.t.Errorf("%d nodes let source %d through", n, s)
	}
}

func (w *world) letting(s protocol.Source) (letting int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range inRoom(w.nodes) {
		if _, open := n.forwarder.sources[s]; open {
			letting++
		}
	}
	return letting
}

// ends waits for the end of its room, and gives why; an error of the test's if
// it goes on.
func (n *node) ends(within time.Duration) error {
	n.w.t.Helper()
	n.w.mu.Lock()
	ended := n.ended
	n.w.mu.Unlock()
	select {
	case err := <-ended:
		n.w.mu.Lock()
		n.alive = false
		n.w.mu.Unlock()
		return err
	case <-time.After(within):
		return errors.New("it goes on")
	}
}
