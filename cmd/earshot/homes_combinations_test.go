//go:build linux

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

// pathBetween is how media go between two homes.
func pathBetween(a, b router) string {
	if a == symmetric && b != plain || b == symmetric && a != plain {
		return "stream" // no port that a host could be told of is the one that it is to send to
	}
	return "udp"
}

// TestHomes has a speaker, a relay and a listener hear each other from behind
// every combination of routers, and one public node in the world, which is in no
// room.
func TestHomes(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var table strings.Builder
	fmt.Fprintf(&table, "%-10s %-10s %-10s %8s %8s %6s\n", "speaker", "relay", "listener", "up", "down", "ms")
	t.Cleanup(func() { t.Logf("first sound, and the paths up to the relay and down from it\n%s", &table) })
	for _, relay := range routers {
		for _, speaker := range routers {
			t.Run(fmt.Sprintf("%s speaker, %s relay", speaker, relay), func(t *testing.T) {
				t.Parallel()
				for listener, took := range threeHear(t, speaker, relay) {
					mu.Lock()
					fmt.Fprintf(&table, "%-10s %-10s %-10s %8s %8s %6d\n", speaker, relay, listener, pathBetween(speaker, relay), pathBetween(relay, listener), took.Milliseconds())
					mu.Unlock()
				}
			})
		}
	}
}

// threeHear has one of each kind of home listen to a speaker, and gives how long
// it took until they heard.
func threeHear(t *testing.T, speaker, relay router) map[router]time.Duration {
	w := newWorld(t)
	public := w.host().up("public", "--no-lend")
	carrier := w.home(relay).host().up("relay", through(public)...)
	voice := w.home(speaker).host().up("speaker", append(through(public), "--no-lend")...)
	nodes := []*liveNode{carrier, voice}
	kinds := map[string]router{carrier.PeerID: relay, voice.PeerID: speaker}
	var listeners []*liveNode
	for _, kind := range routers {
		n := w.home(kind).host().up(string(kind), append(through(public), "--no-lend")...)
		listeners, kinds[n.PeerID] = append(listeners, n), kind
	}
	nodes = append(nodes, listeners...)
	w.connected(nodes...)

	room, _ := carrier.open("Next door", "--stage", "open")
	w.until(soundWithin, "the room is listed", listedBy(room.Room, nodes))
	talk := voice.speak(room.Room, w.numbered("speaker"))
	took := map[router]time.Duration{}
	var ears []*ear
	began := time.Now()
	for _, n := range listeners {
		ears = append(ears, n.recording(room.Room))
	}
	for i, e := range ears {
		took[routers[i]] = e.says(soundWithin, "event", "first_frame", nil).Sub(began)
	}
	w.until(upgradedWithin, "each link has the path that its routers allow", func() bool {
		return rightPaths(carrier.views[room.Room], kinds)
	})
	w.until(attachedWithin, "all hear on", w.heardOn(50, ears, []*talker{talk}))
	if v := carrier.shows(room.Room); v.Relay != carrier.PeerID || !rightPaths(v, kinds) {
		t.Errorf("the relay shows links %+v, relay %s", v.Links, v.Relay)
	}
	for _, e := range ears {
		e.whole(talk.script)
	}
	return took
}

// rightPaths says whether all are linked to the relay, each by the path that
// their routers allow.
func rightPaths(v web.RoomView, kinds map[string]router) bool {
	others := 0
	for _, l := range v.Links {
		if kind, ok := kinds[l.Peer]; ok {
			others++
			if l.Path != pathBetween(kinds[v.Relay], kind) {
				return false
			}
		}
	}
	return others == len(kinds)-1
}
