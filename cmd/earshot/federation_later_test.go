package main

import (
	"encoding/json"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// states gives the states in which a watcher was told of a room, each once in a row.
// It is called under the lock.
func (p *process) states(room string) (states []string) {
	for _, l := range p.lines {
		var line web.RoomLine
		if json.Unmarshal([]byte(l.text), &line) == nil && line.Room == room {
			states = append(states, line.State)
		}
	}
	return slices.Compact(states)
}

// TestOpensLater has a room opened that is to come, its title and its time changed,
// its founder's node started again before that, and the room closed again until
// another time; as others see it who follow it.
func TestOpensLater(t *testing.T) {
	t.Parallel()
	f := newFederation(t)
	ana := f.up("ana")
	budi := f.up("budi", ana)
	at := time.Now().Add(time.Hour)
	o, _ := ana.open("Tomorow", "--stage", "open", "--at", at.Format(time.RFC3339Nano))
	room := o.Room
	if o.Event != "coming" || o.Link == "" || !o.Next.Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("open says %+v", o)
	}
	f.until(listedWithin, "the room is listed as to come", func() bool { return budi.coming[room].Title == "Tomorow" })
	watch := budi.start("rooms", "--watch", "--all")
	budi.call("follow", "--room", room[:12])
	began := time.Now()
	ana.call("room", "set", room, "--title", "Tomorrow")
	aCommand := time.Since(began)
	f.until(listedWithin, "its title is changed", func() bool {
		l := budi.coming[room]
		return l.Title == "Tomorrow" && l.Following && l.Next.Equal(*o.Next)
	})
	if lines := budi.call("rooms"); len(lines) != 0 {
		t.Errorf("scripts take for live: %v", lines)
	}
	for _, word := range []string{room, o.Link} {
		if code := budi.refused("listen", word, "--for", "1s"); code != protocol.CodeOpensLater {
			t.Errorf("who comes early is told %q", code)
		}
	}
	at = time.Now().Add(4*time.Second + 4*aCommand) // by then the node is up again
	ana.call("room", "set", room, "--at", at.Format(time.RFC3339Nano))
	ana.stop(syscall.SIGTERM, endsWithin)
	ana = f.upAt(ana.home, "ana")
	f.until(max(0, time.Until(at))+listedWithin+electedWithin, "the room opens by itself", func() bool {
		l, live := budi.rooms[room]
		return live && l.Title == "Tomorrow" && l.State == web.StateLive && l.Following
	})
	if early := time.Until(at); early > 0 {
		t.Errorf("it opened %v too early", early)
	}
	ears := []*ear{budi.record(room)}
	talks := []*talker{ana.speak(room, f.numbered("ana"))}
	f.until(attachedWithin, "the host is heard", f.heardOn(25, ears, talks))
	told := []string{web.StateComing, web.StateLive}
	f.until(listedWithin, "who watches is told", func() bool { return slices.Equal(watch.states(room), told) })

	next := time.Now().Add(time.Hour).Truncate(time.Second)
	var closed closedLine
	f.must(json.Unmarshal([]byte(ana.call("close", room, "--at", next.Format(time.RFC3339))[0].text), &closed))
	if closed.Next == nil || !closed.Next.Equal(next) {
		t.Errorf("close says %+v", closed)
	}
	ears[0].ends(endsWithin)
	f.until(listedWithin, "it is to come again", func() bool {
		l, coming := budi.coming[room]
		_, live := budi.rooms[room]
		return coming && !live && l.Next.Equal(next)
	})
	told = append(told, web.StateComing)
	f.until(listedWithin, "who watches is told again", func() bool { return slices.Equal(watch.states(room), told) })
	ana.call("room", "set", room, "--at", "")
	f.until(listedWithin, "the time is taken back", func() bool { _, coming := budi.coming[room]; return !coming })
	watch.says(listedWithin, "gone", true, nil)
}
