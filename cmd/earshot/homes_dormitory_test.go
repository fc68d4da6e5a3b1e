//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/stall"
)

const (
	dormitory        = 10               // nodes behind one address
	dormitoryHearing = 10 * time.Second // until all of them hear
	dormitoryMisses  = 25               // frames at most, while ten join at once
)

// TestDormitory has ten nodes behind one address join a room outside at once.
func TestDormitory(t *testing.T) {
	t.Parallel()
	for _, kind := range routers[1:] {
		t.Run(string(kind), func(t *testing.T) { // one after the other: a dozen nodes compute more than they wait
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
			began, watch := time.Now(), stall.Start()
			for _, n := range nodes {
				ears = append(ears, n.recording(room.Room))
			}
			for _, e := range ears {
				took := e.says(patience, "event", "first_frame", nil).Sub(began)
				t.Logf("%s heard after %d ms", e.by.name, took.Milliseconds())
				if most := dormitoryHearing + watch.Pressed(); took > most {
					t.Errorf("%s heard after %v, where %v is the most", e.by.name, took, most)
				}
			}
			w.until(attachedWithin, "all hear on", w.heardOn(100, ears, []*talker{talk}))
			for _, e := range ears {
				if missing := e.missing(talk.script); missing > 0 {
					t.Logf("%s missed %d frames while all came at once", e.by.name, missing)
				}
			}
		})
	}
}

// missing ends a recording of one speaker and gives how many frames it lacks,
// which may not be many. None may be there twice, or out of order.
func (e *ear) missing(one script) (n int) {
	e.f.Helper()
	e.signal(syscall.SIGINT)
	s := e.ends(endsWithin)
	b, err := os.ReadFile(e.file)
	e.f.must(err)
	streams, err := walk(b)
	if err != nil || len(streams) != 1 {
		e.f.Fatalf("%s: %d streams, %v", e.file, len(streams), err)
	}
	next := -1
	for i, p := range streams[0].sound() {
		at := slices.IndexFunc(one.packets[next+1:], func(q []byte) bool { return bytes.Equal(p, q) })
		if at < 0 {
			e.f.Fatalf("%s: packet %d is none that comes after the one before", e.file, i)
		}
		if i > 0 {
			n += at
		}
		next += 1 + at
	}
	if n > dormitoryMisses+int(e.f.slack()/(20*time.Millisecond)) || uint64(n) != s.Lost {
		e.f.Errorf("%s lacks %d frames, and says %+v", e.by.name, n, s)
	}
	return n
}
