//go:build linux

package main

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/stall"
)

// The bounds without UDP.
const (
	detouredWithin = 2 * time.Second // from the start of `listen` to the first sound
	backWithin     = 2 * time.Second // the sound, when UDP dies in mid-speech
)

// TestUDPBlocked shuts UDP out where a listener lives, or everywhere, from the
// start and then in mid-speech. Sound goes by a stream meanwhile, and by UDP
// when that works again.
func TestUDPBlocked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		everyone bool
		how      blocking
	}{
		{"dropped for a listener", false, dropped},
		{"rejected for a listener", false, rejected},
		{"dropped for everyone", true, dropped},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			relaysHome, listenersHome := w.home(cone), w.home(cone)
			where := listenersHome.gateway
			if c.everyone {
				where = middle
			}
			w.blockUDP(where, c.how)

			public := w.host().up("public", "--no-lend")
			relay := relaysHome.host().up("relay", through(public)...)
			voice := w.home(plain).host().up("speaker", append(through(public), "--no-lend")...)
			listener := listenersHome.host().up("listener", append(through(public), "--no-lend")...)
			nodes := []*liveNode{relay, voice, listener}
			w.connected(nodes...)
			room, _ := relay.open("No UDP", "--stage", "open")
			w.until(soundWithin, "the room is listed", listedBy(room.Room, nodes))
			talk := voice.speak(room.Room, w.numbered("speaker"))

			began, watch := time.Now(), stall.Start()
			e := listener.recording(room.Room)
			heard := e.says(patience, "event", "first_frame", nil).Sub(began)
			if most := detouredWithin + watch.Pressed() + 3*w.stood(); heard > most {
				t.Errorf("first sound after %v, where %v is the most", heard, most)
			}
			w.until(soundWithin, "both ends show a stream", between(room.Room, relay, listener, "stream"))
			w.passUDP(where)
			upgraded := w.until(upgradedWithin, "both ends show UDP", between(room.Room, relay, listener, "udp"))
			w.until(attachedWithin, "the speaker is heard by UDP", w.heardOn(100, []*ear{e}, []*talker{talk}))

			w.blockUDP(where, c.how)
			back := w.until(attachedWithin, "the speaker is heard on", w.heardOn(25, []*ear{e}, []*talker{talk}))
			w.until(soundWithin, "both ends show a stream again", between(room.Room, relay, listener, "stream"))
			w.until(attachedWithin, "the speaker is heard by the stream", w.heardOn(100, []*ear{e}, []*talker{talk}))
			w.passUDP(where)
			again := w.until(upgradedWithin, "both ends show UDP again", between(room.Room, relay, listener, "udp"))
			w.until(attachedWithin, "the speaker is heard by UDP again", w.heardOn(50, []*ear{e}, []*talker{talk}))

			s := e.whole(talk.script)
			if most := (backWithin + w.slack()).Milliseconds(); s.LongestGapMS > most {
				t.Errorf("nothing was heard for %d ms, where %d is the most", s.LongestGapMS, most)
			}
			t.Logf("first sound after %d ms, half a second of it %d ms after UDP died, longest gap %d ms; upgraded after %d and %d ms",
				heard.Milliseconds(), back.Milliseconds(), s.LongestGapMS, upgraded.Milliseconds(), again.Milliseconds())
		})
	}
}
