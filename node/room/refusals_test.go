package room

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// keepsOut has a node refuse another one whatever it asks, and tell it nothing.
func (n *node) keepsOut(victim *node, why pb.Refuse_Reason) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	room := n.w.genesis.Room
	n.lies = func(to *node, m *pb.LinkMessage) *pb.LinkMessage {
		switch m.What.(type) {
		case *pb.LinkMessage_Accept, *pb.LinkMessage_Redirect:
			if to == victim {
				return &pb.LinkMessage{What: &pb.LinkMessage_Refuse{Refuse: &pb.Refuse{Room: room[:], Reason: why, Genesis: n.w.genesis.Signed()}}}
			}
		case *pb.LinkMessage_Feed, *pb.LinkMessage_LogTold:
			if to == victim {
				return nil
			}
		}
		return m
	}
}

// A relay that keeps somebody out by a lie, even with its standby, keeps nobody out:
// who comes gets the room from another who may carry it, and hears it.
func TestALyingRelayKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	for _, why := range []pb.Refuse_Reason{pb.Refuse_BANNED, pb.Refuse_LOCKED} {
		for liars := range 3 {
			inWorld(t, uint64(liars), protocol.StageOpen, 6, func(w *world) {
				late := w.nodes[5]
				w.gathers(w.nodes[:5]...)
				w.sleep(2 * time.Second)
				w.settles(settling, w.nodes[:5]...)
				honest := w.nodes[:5]
				for i := range liars {
					liar := []*node{w.relay(), w.standby()}[i]
					liar.keepsOut(late, why)
					honest = without(honest, liar)
				}
				late.enters(asks(w.nodes[:5]...))
				late.uses(Use{Listening: 1})
				wait, cancel := context.WithTimeout(w.t.Context(), 8*time.Second)
				defer cancel()
				if err := late.room.Joined(wait); err != nil {
					t.Errorf("%v, %d liars: %v", why, liars, err)
					return
				}
				w.sleep(3 * time.Second)
				if n := w.nodes[2]; n.use.Speaking == 0 || late.forwarder.sources[protocol.SourceOf(w.genesis.Room, n.id, n.spoken[0])] == "" {
					t.Errorf("%d liars: it hears nobody", liars)
				}
				v := late.view()
				if v.KeptOut != nil || len(v.Members) < 3 {
					t.Errorf("%d liars: kept out %v, it sees %d people", liars, v.KeptOut, len(v.Members))
				}
				parent := w.nodes[w.index(v.Live)]
				if liars > 0 && parent.lies != nil {
					t.Errorf("%d liars: it takes the sound of one", liars)
				}

				for _, n := range w.nodes[:5] { // they mend their ways
					w.mu.Lock()
					n.lies = nil
					w.mu.Unlock()
				}
				w.sleep(5 * time.Second)
				w.settles(settling)
			})
		}
	}
}

// Where nobody else answers than who lies, the person is told whose word that is, and
// the asking goes on: whoever comes later lets this node in.
func TestUnprovenIsToldSo(t *testing.T) {
	inWorld(t, 1, protocol.StageOpen, 2, func(w *world) {
		host, late := w.nodes[0], w.nodes[1]
		host.opens()
		w.sleep(time.Second)
		host.keepsOut(late, pb.Refuse_BANNED)
		late.enters(asks(host))
		w.sleep(7 * time.Second)
		out := late.view().KeptOut
		if out == nil || out.By != host.id || !errors.Is(out.Why, ErrBanned) {
			t.Errorf("kept out: %v", out)
			return
		}
		w.sleep(time.Minute)
		w.mu.Lock()
		host.lies = nil
		w.mu.Unlock()
		w.sleep(3 * time.Second)
		w.settles(settling)
	})
}

// Who is banned, and who comes to a locked room, is told so at once: the log shows it.
func TestProvenAtOnce(t *testing.T) {
	for _, deed := range []func(protocol.PeerID) protocol.Deed{
		func(p protocol.PeerID) protocol.Deed { return protocol.Ban{Peer: p} },
		func(protocol.PeerID) protocol.Deed { return protocol.Lock(true) },
		func(protocol.PeerID) protocol.Deed { return protocol.Pause(true) },
	} {
		inWorld(t, 1, protocol.StageHost, 4, func(w *world) {
			late := w.nodes[3]
			w.gathers(w.nodes[:3]...)
			d := deed(late.id)
			w.nodes[0].does(d)
			w.sleep(time.Second)
			want := ErrLocked
			if _, bans := d.(protocol.Ban); bans {
				want = ErrBanned
			}
			late.enters(asks(w.nodes[0]))
			if err := late.ends(2 * time.Second); !errors.Is(err, want) {
				t.Errorf("%T: it ends with %v", d, err)
			}
		})
	}
}
