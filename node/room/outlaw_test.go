package room

import (
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// wouldMove says whether a link message is something that a wild node does not want
// to hear: of the log, of who else relays, or that it is banned.
func wouldMove(m *pb.LinkMessage) bool {
	if f := m.GetFeed(); f != nil {
		said, err := protocol.ParseMessage(f.Message)
		return err == nil && wouldMoveAll(said)
	}
	return m.GetLogTold() != nil || m.GetRefuse().GetReason() == pb.Refuse_BANNED
}

func wouldMoveAll(m *protocol.Message) bool {
	return m.Action != nil || m.Claim != nil || m.Pulse != nil
}

// A relay, or a standby, that is banned and whose program was changed goes on
// claiming, pulsing and offering what it has. The others leave it at once, have
// another one, and are moved by nothing that it says.
func TestABannedCarrierGoesOnAlone(t *testing.T) {
	t.Parallel()
	for name, pick := range map[string]func(*world) *node{"relay": (*world).relay, "standby": (*world).standby} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, protocol.StageOpen, 6, func(w *world) {
				w.party()
				host := w.nodes[0]
				for pick(w) == host {
					host.leaves()
					w.settles(settling)
					host.enters(asks(inRoom(w.nodes)...))
					w.settles(settling)
				}
				outlaw := pick(w)
				rest := slices.DeleteFunc(slices.Clone(w.nodes), func(n *node) bool { return n == outlaw })
				speaker := rest[slices.IndexFunc(rest, func(n *node) bool { return n != host && len(n.spoken) == 0 })]
				s, err := speaker.speaks()
				if err != nil {
					t.Fatal(err)
				}
				w.settles(settling)
				outlaw.wild = true
				host.does(protocol.Ban{Peer: outlaw.id})
				w.settles(promised, rest...)
				if !outlaw.alive || outlaw.room.relay != outlaw.id && name == "relay" {
					t.Fatal("the banned one obeys: its program was not changed")
				}
				w.stays(30*time.Second, rest...)
				for _, n := range rest {
					if live, warm := n.room.shownParents(); live == outlaw.id || warm == outlaw.id {
						t.Errorf("%v takes the sound from who is banned", n)
					}
					if p := n.room.paths[outlaw.id]; p != nil && p.child {
						t.Errorf("%v gives sound to who is banned", n)
					}
				}
				w.heard(s)
			})
		})
	}
}
