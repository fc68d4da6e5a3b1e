package node

import (
	"context"
	"encoding/binary"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/stall"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// TestTheUnwantedAreNotHeard has clients of ours, but changed to keep sending,
// that were never let on stage, or were let and then muted, removed or banned:
// straight to relay, standby and a listener. Not one frame is forwarded or played,
// and all are counted.
func TestTheUnwantedAreNotHeard(t *testing.T) {
	for _, c := range []struct {
		name string
		ends func(p protocol.PeerID) protocol.Deed
	}{
		{"muted", func(p protocol.PeerID) protocol.Deed { return protocol.Mute{Peer: p} }},
		{"moved to the audience", func(p protocol.PeerID) protocol.Deed { return protocol.Revoke{Peer: p, Role: protocol.RoleSpeaker} }},
		{"removed", func(p protocol.PeerID) protocol.Deed { return protocol.Remove{Peer: p} }},
		{"banned", func(p protocol.PeerID) protocol.Deed { return protocol.Ban{Peer: p} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "host")
			h := newEnemy(t)
			s.does(protocol.Grant{Peer: h.id, Role: protocol.RoleSpeaker})
			var mouths []*mouth
			for _, v := range s.nodes {
				h.at(v)
				h.child(v, s.id, pb.Attach_LIVE)
				v.eventually("the grant is here", func() bool { return v.lawful(s.id).Has(h.id, protocol.RoleSpeaker) })
			}
			raw, source := voice(t, h.key, s.id)
			for _, v := range s.nodes {
				mouths = append(mouths, h.bind(v, s.id, raw, source))
			}
			if mouths[0].answered() {
				t.Fatal("a speaker is refused")
			}
			s.nodes[1].eventually("the speaker is heard", func() bool {
				mouths[0].say('x', 1)
				return s.ears[0].count('x') > 0
			})
			spoken := mouths[0].n

			end := s.does(c.ends(h.id))
			for _, v := range s.nodes {
				v.eventually("it holds here", func() bool { return v.holdsAction(s, end) })
			}
			before, shown := s.dropped("packets of unnamed sources"), s.shownDropped()
			const packets = 50
			fresh, other := voice(t, h.key, s.id)
			for i, v := range s.nodes {
				mouths[i].n = afterwards
				mouths[i].say('x', packets)
				h.child(v, s.id, pb.Attach_LIVE) // who was shown out comes again
				m := h.bind(v, s.id, fresh, other)
				m.n = afterwards
				m.say('x', packets)
			}
			s.ana().eventually("what it sends is counted", func() bool {
				return s.dropped("packets of unnamed sources")-before >= 3*packets
			})
			s.ana().eventually("the room shows what was refused", func() bool {
				return s.shownDropped()-shown >= int64(len(s.nodes))
			})
			for i, e := range s.ears {
				if n := e.countFrom('x', afterwards); n > 0 {
					t.Errorf("%s played %d frames of it", s.nodes[i+1].name, n)
				}
			}
			for _, v := range s.nodes {
				for _, l := range v.view(s.room).Sources {
					if l.Source == uint32(other) || l.Source == uint32(source) && l.Frames > uint64(spoken) {
						t.Errorf("%s forwarded it: %+v", v.name, l)
					}
				}
			}
			s.unhurt('x')
		})
	}
}

// afterwards numbers the first packet that is sent by who may not any more.
const afterwards = 100_000

// countFrom gives how many packets of a speaker were heard that have such a number,
// or a higher one.
func (e *ear) countFrom(speaker byte, least uint32) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ps := range e.packets {
		for _, p := range ps {
			if p[1] == speaker && binary.BigEndian.Uint32(p[2:]) >= least {
				n++
			}
		}
	}
	return n
}

// shownDropped adds up all that the nodes show of the room as refused.
func (s *stage) shownDropped() (n int64) {
	for _, v := range s.nodes {
		for _, count := range v.view(s.room).Dropped {
			n += count
		}
	}
	return n
}

// holdsAction says whether a node's log has an action.
func (v *running) holdsAction(s *stage, w *pb.SignedAction) bool {
	a, err := protocol.ParseAction(s.id, w)
	must(s.t, err)
	entries, _, err := v.Node.room(s.id).room.Log(s.ctx)
	must(s.t, err)
	for _, e := range entries {
		if e.Hash == a.Hash {
			return true
		}
	}
	return false
}

// silenceWithin is how long a banned speaker may be heard on by anybody.
const silenceWithin = time.Second

// TestBanSilencesSoon bans a speaker again and again, and measures until when the
// slowest of three listeners hears it.
func TestBanSilencesSoon(t *testing.T) {
	trials := 10
	if os.Getenv("EARSHOT_LONG") == "1" {
		trials = 100
	}
	stood := stall.Watch(t)
	nodes := five(t)
	ana, budi := nodes[0], nodes[1]
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(trials)*patience)
	defer cancel()
	o := ana.open(ctx, "Out", "host")
	var ears []*ear
	for _, n := range nodes[2:] {
		n.eventually("the room is in the directory", n.sees(o.Room))
		ears = append(ears, n.listen(ctx, o.Room))
	}
	budi.eventually("the room is in the directory", budi.sees(o.Room))
	heard := func() (n int) {
		for _, e := range ears {
			n += e.count('b')
		}
		return n
	}
	var took []time.Duration
	for range trials {
		back := answered(budi, func() (web.Listening, error) { return budi.Listen(ctx, o.Room, false) })
		must(t, ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActGrant, Peer: budi.self.String(), Role: "speaker"}))
		id, err := protocol.ParseRoomID(o.Room)
		must(t, err)
		budi.eventually("budi may speak", func() bool { return budi.lawful(id).Has(budi.self, protocol.RoleSpeaker) })
		spoken := make(chan error, 1)
		go func() { spoken <- budi.talk(ctx, o.Room, 'b', 100_000) }()
		from := heard()
		ana.eventually("budi is heard", func() bool { return heard() > from+30 })

		began := time.Now()
		must(t, ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActBan, Peer: budi.self.String()}))
		last, n := time.Now(), heard()
		for time.Since(last) < 400*time.Millisecond {
			time.Sleep(5 * time.Millisecond)
			if now := heard(); now != n {
				last, n = time.Now(), now
			}
		}
		took = append(took, last.Sub(began))
		if err := <-spoken; err == nil {
			t.Error("who is banned spoke to the end")
		}
		back.Close()
		must(t, ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActUnban, Peer: budi.self.String()}))
	}
	slices.Sort(took)
	p99 := took[(len(took)*99+99)/100-1]
	t.Logf("silent at every listener after %v at the median, %v at the 99th percentile of %d", took[len(took)/2], p99, trials)
	if p99 >= silenceWithin+5*stood() && !raceEnabled {
		t.Errorf("a banned speaker was heard for %v; the machine stood still for %v at the most", p99, stood())
	}
	for i, e := range ears {
		e.cancel()
		<-e.done
		e.stop(nodes[i+2].t)
	}
}
