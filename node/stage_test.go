package node

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/stall"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// stage is a room of three nodes in which the founder speaks and the others
// record, for as long as a test does its harm.
type stage struct {
	t      testing.TB
	ctx    context.Context
	id     protocol.RoomID
	room   string
	link   string
	nodes  []*running // the founder, who relays, first
	ears   []*ear     // of the others
	stop   context.CancelFunc
	spoken chan error
	// How long this machine stood still, at the most at one time and in all.
	stood, stoodInAll func() time.Duration
}

func newStage(t testing.TB, kind string) *stage {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	ana := start(t, "ana")
	s := &stage{t: t, ctx: ctx, nodes: []*running{ana, start(t, "budi", ana), start(t, "citra", ana)}, spoken: make(chan error, 1), stood: stall.Watch(t), stoodInAll: stall.Total(t)}
	o := ana.open(ctx, "Why the sky is dark", kind)
	s.room, s.link = o.Room, o.Link
	var err error
	s.id, err = protocol.ParseRoomID(o.Room)
	must(t, err)
	for _, n := range s.nodes[1:] {
		n.eventually("the room is in the directory", n.sees(o.Room))
		s.ears = append(s.ears, n.listen(ctx, o.Room))
	}
	var speech context.Context
	speech, s.stop = context.WithCancel(ctx)
	go func() { s.spoken <- ana.talk(speech, o.Room, 'a', 100000) }()
	for i, n := range s.nodes[1:] {
		n.eventually("one relay, one standby", settled(o.Room, 0, s.nodes...))
		n.eventually("attached", n.attached(o.Room))
		n.eventually("ana is heard", func() bool { return s.ears[i].count('a') > 20 })
	}
	return s
}

func (s *stage) ana() *running { return s.nodes[0] }

// does has the founder do something, and gives the action.
func (s *stage) does(deed protocol.Deed) *pb.SignedAction {
	s.t.Helper()
	c := s.ana().Node.room(s.id)
	must(s.t, c.room.Act(s.ctx, deed))
	entries, _, err := c.room.Log(s.ctx)
	must(s.t, err)
	return entries[len(entries)-1].Signed()
}

// lawful gives what the log comes to at a node.
func (v *running) lawful(id protocol.RoomID) *roster.Roster {
	v.t.Helper()
	_, lawful, err := v.Node.room(id).room.Log(v.t.Context())
	must(v.t, err)
	return lawful
}

// unhurt lets ana speak a little more, and checks that both recordings have all
// of it and nothing else, but what certified enemies say.
func (s *stage) unhurt(certified ...byte) {
	s.t.Helper()
	before := s.ears[0].count('a')
	for i, n := range s.nodes[1:] {
		n.eventually("ana is still heard", func() bool { return s.ears[i].count('a') > before+25 })
	}
	s.stop()
	<-s.spoken
	for i, e := range s.ears {
		e.cancel()
		<-e.done // nothing comes any more
		e.mu.Lock()
		for source, ps := range e.packets {
			if ps[0][1] == 'a' {
				continue
			}
			delete(e.packets, source)
			if !slices.Contains(certified, ps[0][1]) {
				s.t.Errorf("%s heard %d packets of %q", s.nodes[i+1].name, len(ps), ps[0][1])
			}
		}
		e.mu.Unlock()
		most := s.missable()
		sum := e.stopWithin(s.t, most)
		for _, o := range sum.Sources {
			if o.Peer == s.ana().self.String() && o.Lost > uint64(most) || sum.Frames == 0 {
				s.t.Errorf("%s heard %+v", s.nodes[i+1].name, sum)
			}
		}
	}
}

// lame says whether this machine stood still for so long at a time that signs of life
// were missed: links may have ended and roles changed without anybody's fault.
func (s *stage) lame() bool { return s.stood() > beatsApart/2 }

// missable is how many packets may be missing, since this machine stood still.
func (s *stage) missable() uint32 {
	if s.lame() {
		return math.MaxUint32
	}
	return uint32(s.stoodInAll() / (20 * time.Millisecond))
}

// unmoved checks that a node has the relay and the standby still that the room had.
func (s *stage) unmoved(v *running, before web.RoomView, why string) {
	s.t.Helper()
	now := v.view(s.room)
	if now.Term == before.Term && now.Relay == before.Relay && now.Standby == before.Standby {
		return
	}
	if s.lame() {
		s.t.Logf("%s is at term %d, relay %s, but the machine stood still for %v", v.name, now.Term, now.Relay, s.stood())
		return
	}
	s.t.Errorf("%s is at term %d, relay %s, standby %s: %s", v.name, now.Term, now.Relay, now.Standby, why)
}

// dropped adds up what the nodes show as refused, by reason.
func (s *stage) dropped(reason string) (n int64) {
	for _, v := range s.nodes {
		n += v.view(s.room).Dropped[reason]
		if st, err := v.Status(s.ctx); err == nil {
			n += st.Dropped[reason]
		}
	}
	return n
}
