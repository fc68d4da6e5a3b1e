//go:build linux

package main

import (
	"fmt"
	"testing"
	"time"
)

const (
	dormitory        = 10               // nodes behind one address
	dormitoryHearing = 10 * time.Second // until all of them hear
)

// TestDormitory has ten nodes behind one address join a room outside at once.
func TestDormitory(t *testing.T) {
	t.Parallel()
	for _, kind := range routers[1:] {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			public := w.host().up("public", "--no-lend")
			relay := w.host().up("relay", through(public)...)
			building := w.home(kind)
			var nodes []*liveNode
			for i := range dormitory {
				nodes = append(nodes, building.host().up(fmt.Sprintf("room%d", i), through(public)...))
			}
			w.connected(append(nodes, relay)...)
			room, _ := relay.open("Dormitory radio", "--stage", "open")
			w.until(soundWithin, "the room is listed", listedBy(room.Room, nodes))
			talk := relay.speak(room.Room, w.numbered("relay"))

			var ears []*ear
			began := time.Now()
			for _, n := range nodes {
				ears = append(ears, n.recording(room.Room))
			}
			for _, e := range ears {
				took := e.says(dormitoryHearing-time.Since(began), "event", "first_frame", nil).Sub(began)
				t.Logf("%s heard after %d ms", e.by.name, took.Milliseconds())
			}
			w.until(attachedWithin, "all hear on", w.heardOn(100, ears, []*talker{talk}))
			for _, e := range ears {
				e.whole(talk.script)
			}
		})
	}
}
