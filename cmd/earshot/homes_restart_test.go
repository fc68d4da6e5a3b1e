//go:build linux

package main

import (
	"os"
	"syscall"
	"testing"
	"time"
)

const (
	seenWithin  = 5 * time.Second // a room, by a node that is up again
	aloneWithin = 5 * time.Second // from the start of `listen LINK` to sound, on a node that knows nobody
)

// TestRestartWithoutBootstrap kills the node through which all met, for good,
// and restarts all others but one: they find the room again through whom they
// remember. A node that knows nobody finds it by its link alone, before and
// after.
func TestRestartWithoutBootstrap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		stays router // the home of the node that stays up, and carries the room
		end   syscall.Signal
	}{
		{"who stays is public, the others lose power", plain, syscall.SIGKILL},
		{"who stays is at home, the others end well", cone, syscall.SIGTERM},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			meeting := w.host()
			bootstrap := meeting.up("bootstrap", "--no-lend")
			stays := w.home(c.stays).host().up("ana", through(bootstrap)...)
			var hosts []*host
			var others []*liveNode
			for _, kind := range routers {
				h := w.home(kind).host()
				hosts, others = append(hosts, h), append(others, h.up(string(kind), append(through(bootstrap), "--no-lend")...))
			}
			w.connected(append(others, stays)...)
			w.until(soundWithin, "who stays knows two who are public", func() bool {
				s := stays.now()
				return s.Neighbors > len(others) && (c.stays == plain || len(s.Reach.Circuits) > 1)
			})
			room, _ := stays.open("Still here", "--stage", "open")
			w.until(soundWithin, "the room is listed", listedBy(room.Room, others))
			talk := stays.speak(room.Room, w.numbered("ana"))
			w.hearsByLink("eko", cone, room.Link, talk)

			bootstrap.kill()
			w.must(os.RemoveAll(bootstrap.home))
			for _, n := range others {
				n.signal(c.end)
			}
			for _, n := range others {
				w.until(endsWithin, n.name+" has ended", func() bool { return n.ended })
			}
			for i, n := range others {
				again := hosts[i].up(n.name, "--no-lend")
				took := w.until(seenWithin, n.name+" sees the room again", listedBy(room.Room, []*liveNode{again}))
				t.Logf("%s saw the room again after %d ms", n.name, took.Milliseconds())
				if !again.listed(room.Room) {
					t.Errorf("%s does not list the room", n.name)
				}
			}
			w.hearsByLink("fitri", cone, room.Link, talk)
			w.hearsByLink("gita", symmetric, room.Link, talk)
		})
	}
}

// hearsByLink starts a node that knows nobody, and has it listen by the link.
func (w *world) hearsByLink(name string, kind router, link string, talk *talker) {
	w.Helper()
	n := w.home(kind).host().up(name, "--no-lend")
	began := time.Now()
	e := n.recording(link)
	took := e.says(aloneWithin, "event", "first_frame", nil).Sub(began)
	w.Logf("%s, who knew nobody, heard by the link after %d ms", name, took.Milliseconds())
	w.until(attachedWithin, name+" hears on", w.heardOn(50, []*ear{e}, []*talker{talk}))
	e.whole(talk.script)
	n.stop(syscall.SIGTERM, endsWithin)
}
