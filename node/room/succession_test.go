package room

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// All who may carry a room are gone, the founder for good, and those who listen stay:
// the room is dormant. When one of those returns, whatever it remembers beside what its
// home keeps, the room wakes with its log, and everybody is what they were.
func TestDormantRoomWakes(t *testing.T) {
	t.Parallel()
	for _, remembers := range []string{"whom to ask", "the room", "the link"} {
		inWorld(t, 1, protocol.StageHost, 6, func(w *world) {
			host, moderator, speaker, villain := w.nodes[0], w.nodes[1], w.nodes[2], w.nodes[5]
			for _, n := range w.nodes[3:] {
				n.lends = false
			}
			w.party()
			host.grants(moderator, protocol.RoleModerator)
			host.grants(speaker, protocol.RoleSpeaker)
			w.sameLog(time.Second, w.nodes...)
			moderator.does(protocol.Title("Later"))
			w.sameLog(time.Second, w.nodes...)
			host.kill()
			w.settles(settling)
			moderator.does(protocol.Ban{Peer: villain.id})
			if villain.ends(time.Second) == nil {
				t.Error("the villain stays")
			}
			w.settles(settling)

			speaker.kill()
			moderator.kill()
			w.sleep(3 * time.Minute)
			rest := slices.Clone(w.nodes[3:5])
			for _, n := range rest {
				if v := n.view(); v.Relay == n.id || len(v.Members) > 2 {
					t.Errorf("%v: %s relays %d people", n, w.letter(v.Relay), len(v.Members))
				}
			}
			w.sameLog(0, rest...)

			switch remembers {
			case "whom to ask":
				moderator.enters(moderator.knows, asks(rest...))
			case "the room":
				moderator.enters(moderator.knows)
			case "the link": // to the host, who is gone for good
				moderator.enters(asks(host))
			}
			awake := append(slices.Clone(rest), moderator)
			w.settles(20*time.Second, awake...)
			w.sameLog(5*time.Second, awake...)
			speaker.enters(asks(rest...))
			w.sleep(3 * time.Second)
			w.settles(settling)
			w.sameLog(time.Second, inRoom(w.nodes)...)
			for _, n := range inRoom(w.nodes) {
				n.roles(map[*node]string{moderator: "moderator", speaker: "speaker", rest[0]: "listener"})
				if v := n.view().Lawful; v.Title() != "Later" || len(v.Banned()) != 1 {
					t.Errorf("%v: the title is %q, %d are banned", n, v.Title(), len(v.Banned()))
				}
			}
			if _, err := speaker.speaks(); err != nil {
				t.Errorf("the speaker can't speak: %v", err)
			}
			moderator.does(protocol.Title("Awake"))
			w.sameLog(time.Second, inRoom(w.nodes)...)
			w.stays(5 * time.Second)
		})
	}
}

// A moderator who has raised the era as often as it may can still end the relay: the
// roster alone replaces it.
func TestTheRelayIsRemovedWithoutAnEra(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, protocol.StageHost, 5, func(w *world) {
		host, moderator, other := w.nodes[0], w.nodes[3], w.nodes[4]
		moderator.lends = false
		w.party()
		host.grants(moderator, protocol.RoleModerator)
		w.sameLog(time.Second, w.nodes...)
		for range protocol.MaxEras + 2 {
			moderator.grants(other, protocol.RoleSpeaker)
			moderator.does(protocol.Revoke{Peer: other.id, Role: protocol.RoleSpeaker})
			w.sleep(time.Second)
		}
		w.sameLog(time.Second, w.nodes...)
		if era := moderator.view().Lawful.Era(); era != protocol.MaxEras {
			t.Fatalf("era %d", era)
		}
		w.settles(settling)
		host.kill()
		w.settles(settling)
		relay := w.relay()
		if relay == moderator {
			t.Fatal("the moderator relays")
		}
		moderator.grants(relay, protocol.RoleSpeaker)
		w.sleep(time.Second)
		moderator.does(protocol.Ban{Peer: relay.id})
		if took := w.agrees(promised, without(w.nodes, relay)...); took > time.Second {
			t.Errorf("the relay, banned, is replaced after %v", took)
		}
		w.settles(settling, without(inRoom(w.nodes), relay)...)
	})
}

func without(nodes []*node, n *node) (rest []*node) {
	for _, o := range nodes {
		if o != n {
			rest = append(rest, o)
		}
	}
	return rest
}

// A node that is started with a later era stored than its log comes to, since the era
// fell while it was off or its disk lost actions, carries its room after a while.
func TestStoredEraAboveTheLog(t *testing.T) {
	inWorld(t, 1, protocol.StageHost, 3, func(w *world) {
		host := w.nodes[0]
		host.opens()
		w.sleep(time.Second)
		host.does(protocol.Grant{Peer: w.nodes[1].id, Role: protocol.RoleSpeaker})
		host.does(protocol.Ban{Peer: w.nodes[1].id})
		w.sleep(time.Second)
		host.kill()
		if host.era != 1 {
			t.Fatalf("era %d is stored", host.era)
		}
		host.enters(host.knows, func(c *Config) { c.Actions = []*pb.SignedAction{} })
		w.sleep(time.Second)
		w.nodes[2].enters(asks(host))
		w.settles(settling, host, w.nodes[2])
	})
}

// A ban of an hour is one of an hour at a node that is restarted in between, by its
// person or by a crash.
func TestTimedBanOverRestarts(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, protocol.StageHost, 2, func(w *world) {
		host, villain := w.nodes[0], w.nodes[1]
		w.party()
		host.does(protocol.Ban{Peer: villain.id, Life: time.Hour})
		if err := villain.ends(time.Second); !errors.Is(err, ErrBanned) {
			t.Fatalf("who is banned ends with %v", err)
		}
		began := w.now()
		for i := range 4 {
			w.sleep(10 * time.Minute)
			if i%2 == 0 {
				host.leaves()
			} else {
				host.kill() // up to a minute is counted again
			}
			w.sleep(2 * time.Minute)
			host.enters(host.knows)
		}
		w.sleep(began + 59*time.Minute - w.now())
		villain.enters(asks(host))
		if err := villain.ends(10 * time.Second); !errors.Is(err, ErrBanned) {
			t.Errorf("before the hour is over it ends with %v", err)
		}
		w.sleep(began + 62*time.Minute - w.now())
		villain.enters(asks(host))
		w.settles(settling)
	})
}
