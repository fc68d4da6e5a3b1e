package node

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/stall"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// newTheatre is a stage of five nodes: who relays, who stands by, somebody else who
// speaks, and two who listen.
func newTheatre(t *testing.T, lasts time.Duration) *stage {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	t.Cleanup(cancel)
	s := &stage{t: t, ctx: ctx, nodes: five(t), spoken: make(chan error, 1), stood: stall.Watch(t), stoodInAll: stall.Total(t)}
	o := s.ana().open(ctx, "Everybody at once", "host")
	s.room, s.link = o.Room, o.Link
	var err error
	s.id, err = protocol.ParseRoomID(o.Room)
	must(t, err)
	for _, n := range s.nodes[1:] {
		n.eventually("the room is in the directory", n.sees(o.Room))
		_, err := n.Listen(ctx, o.Room, false)
		must(t, err)
	}
	for _, n := range s.nodes {
		n.eventually("one relay, one standby", settled(o.Room, 0, s.nodes...))
		n.eventually("attached", n.attached(o.Room))
	}
	// The standby comes second, the speaker third.
	standby := slices.IndexFunc(s.nodes, func(n *running) bool { return n.self.String() == s.ana().view(o.Room).Standby })
	s.nodes[1], s.nodes[standby] = s.nodes[standby], s.nodes[1]
	speaker := s.nodes[2]
	must(t, s.ana().Act(ctx, o.Room, web.ActRequest{Act: web.ActGrant, Peer: speaker.self.String(), Role: "speaker"}))
	speaker.eventually("it may speak", func() bool { return speaker.lawful(s.id).Has(speaker.self, protocol.RoleSpeaker) })
	for _, n := range s.nodes[3:] {
		s.ears = append(s.ears, n.listen(ctx, o.Room))
	}
	var speech context.Context
	speech, s.stop = context.WithCancel(ctx)
	go func() { s.spoken <- speaker.talk(speech, o.Room, 'a', 100_000) }()
	for i, n := range s.nodes[3:] {
		n.eventually("the speaker is heard", func() bool { return s.ears[i].count('a') > 20 })
	}
	return s
}

// elsewhere is a room of one node, where nobody says anything: what its claims are
// late by is the machine's own.
func elsewhere(s *stage) *stage {
	s.t.Helper()
	q := &stage{t: s.t, ctx: s.ctx, nodes: []*running{start(s.t, "quiet")}, stood: s.stood}
	q.room = q.ana().open(s.ctx, "Nobody", "host").Room
	var err error
	q.id, err = protocol.ParseRoomID(q.room)
	must(s.t, err)
	return q
}

// heardAll has the speaker end, and wants the listeners to have lost nothing of it.
func (s *stage) heardAll() {
	s.t.Helper()
	s.stop()
	<-s.spoken
	most := s.missable()
	if raceEnabled { // under which it stands still again and again
		most = math.MaxUint32
	}
	for i, e := range s.ears {
		sum := e.stopWithin(s.t, most)
		if sum.Frames == 0 || sum.Lost > uint64(most) {
			s.t.Errorf("%s heard %+v", s.nodes[3+i].name, sum)
		}
	}
}

// queue gives whose hand is up, in order, as a node shows it.
func (s *stage) queue(n *running) []string {
	v, err := n.Node.room(s.id).room.View(s.ctx)
	must(s.t, err)
	line := make([]string, protocol.MaxHands)
	for _, m := range v.Members {
		if m.Hand > 0 {
			line[m.Hand-1] = m.Peer.String()
		}
	}
	return slices.DeleteFunc(line, func(p string) bool { return p == "" })
}

// chat gives what was written, in order.
func (s *stage) chat(n *running) (out []string) {
	talk, err := n.Node.room(s.id).room.Talk(s.ctx, 0)
	must(s.t, err)
	for _, m := range talk.Remarks {
		out = append(out, name(m.ID))
	}
	return out
}

func name(id protocol.MessageID) string { return fmt.Sprint(id.From, " ", id.Boot, " ", id.Sequence) }

// same says whether all nodes show the same.
func (s *stage) same(want []string, show func(*running) []string) bool {
	return !slices.ContainsFunc(s.nodes, func(n *running) bool { return !slices.Equal(show(n), want) })
}
