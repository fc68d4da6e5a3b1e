package room

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// reportsFor has a node report another for a guest of its door.
func (n *node) reportsFor(v *visitor, of protocol.PeerID, why string) error {
	_, err := n.room.GuestReport(context.Background(), v.id, of, why, time.UnixMilli(5))
	synctest.Wait()
	return err
}

// A guest's report goes to all who moderate, as the word of the node at whose door they
// are; that node's own person has it only if they moderate.
func TestAGuestReports(t *testing.T) {
	t.Parallel()
	moderated(t, 6, func(w *world) {
		for _, door := range []*node{w.nodes[4], w.nodes[1]} {
			v := visits(t, w.genesis.Room, door.id)
			door.tells(v.here())
			w.sleep(soon)
			if err := door.reportsFor(v, w.nodes[5].id, "shouts"); err != nil {
				t.Fatal(err)
			}
			w.sleep(soon)
			if told, waiting := door.told(); told != "abc" || waiting != "" {
				t.Errorf("at %v: told %q, waiting %q", door, told, waiting)
			}
			for _, n := range w.nodes[:3] {
				if r := n.desk().Came[0]; r.Reporter != door.id || r.Guest != v.id || r.Of != w.nodes[5].id || !r.ByNew {
					t.Errorf("%v has %+v", n, r)
				}
			}
			w.sleep(protocol.ReportSpan)
		}
		if got := w.read(); got != "222000" {
			t.Errorf("shown: %s", got)
		}
	})
}

// A node reports for nobody but its own guests, and not itself; they leave its person
// what that one may report.
func TestWhatAGuestMayNotReport(t *testing.T) {
	moderated(t, 6, func(w *world) {
		door, of := w.nodes[4], w.nodes[5]
		v, other := visits(t, w.genesis.Room, door.id), visits(t, w.genesis.Room, w.nodes[3].id)
		door.tells(v.here())
		w.nodes[3].tells(other.here())
		w.sleep(soon)
		for what, err := range map[string]error{
			"of another's guest":      door.reportsFor(other, of.id, ""),
			"of whose door it is":     door.reportsFor(v, door.id, ""),
			"of the guest themselves": door.reportsFor(v, v.id, ""),
		} {
			if !errors.Is(err, protocol.ErrNoRight) {
				t.Errorf("a report %s: %v", what, err)
			}
		}
		door.saysFor(w.nodes[3].id, of.id) // a member, who has a node
		door.saysFor(other.id, of.id)
		if got := w.read(); got != "000000" {
			t.Errorf("reports for those who are not its guests are shown: %s", got)
		}
		for i := range reportsAtOnce {
			if err := door.reportsFor(v, of.id, fmt.Sprint("time ", i)); err != nil {
				t.Error(err)
			}
		}
		if err := door.reportsFor(v, of.id, "and again"); !errors.Is(err, ErrTooFast) {
			t.Errorf("one more: %v", err)
		}
		for i := range reportsAtOnce {
			door.reports(of, fmt.Sprint("time ", i))
		}
		w.sleep(soon)
		if got := w.read(); got != "666000" {
			t.Errorf("shown: %s", got)
		}
	})
}

// saysFor has a node send a report for somebody who is not its guest.
func (n *node) saysFor(guest, of protocol.PeerID) {
	n.w.t.Helper()
	err := n.room.ask(context.Background(), func(r *Room) {
		report := r.lastMinute(of, r.cfg.Now())
		report.Guest = guest
		if err := report.Sign(r.cfg.Room, r.cfg.Key); err != nil {
			n.w.t.Error(err)
		}
		for _, p := range append(r.lawful.Moderators(), r.lawful.Founder()) {
			l, err := r.letterTo(p, report, r.cfg.Now())
			if err != nil {
				n.w.t.Error(err)
			}
			r.sendLetter(of, l, r.cfg.Now())
		}
	})
	if err != nil {
		n.w.t.Fatal(err)
	}
	n.w.sleep(soon)
}

// A guest shows a reaction as everybody does, once the room knows of them and while it
// is not paused.
func TestAGuestReacts(t *testing.T) {
	asking(t, 1, 4, func(w *world) {
		door := w.nodes[3]
		v := visits(t, w.genesis.Room, door.id)
		claps := func() *protocol.Message { return v.word(protocol.Message{Reaction: &protocol.Reaction{Emoji: "👏"}}) }
		if err := door.room.GuestSays(w.t.Context(), claps()); !errors.Is(err, protocol.ErrNoRight) {
			t.Errorf("one who has not said who they are: %v", err)
		}
		door.tells(v.here())
		door.tells(claps())
		w.sleep(time.Second)
		for _, n := range w.nodes {
			if talk, err := n.room.Talk(w.t.Context(), 0); err != nil || talk.Reactions["👏"] != 1 {
				t.Errorf("%v shows %v, %v", n, talk.Reactions, err)
			}
		}
		if err := door.room.GuestSays(w.t.Context(), v.word(protocol.Message{Reaction: &protocol.Reaction{Emoji: "words"}})); err == nil {
			t.Error("what is no reaction is shown")
		}
		if err := w.nodes[0].room.Act(w.t.Context(), protocol.Pause(true)); err != nil {
			t.Fatal(err)
		}
		w.sleep(soon)
		if err := door.room.GuestSays(w.t.Context(), claps()); !errors.Is(err, protocol.ErrNoRight) {
			t.Errorf("while the room is paused: %v", err)
		}
	})
}
