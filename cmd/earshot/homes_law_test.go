//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// agreedWithin is how long the halves of a room take to be one again, from when the
// first thing said in one is known in the other.
const agreedWithin = 5 * time.Second

// part has the router in the middle pass nothing between two groups of hosts,
// until passUDP flushes its rules.
func (w *world) part(one, other []*host) {
	w.Helper()
	group := func(hosts []*host) string {
		var all []string
		for _, h := range hosts {
			all = append(all, h.address)
		}
		return "{ " + strings.Join(all, ", ") + " }"
	}
	for _, way := range [][2]string{{group(one), group(other)}, {group(other), group(one)}} {
		w.nft(middle, fmt.Sprintf("add rule ip gate shut ip saddr %s ip daddr %s drop", way[0], way[1]))
	}
}

// TestPartedRoomAgreesAgain parts a room in two. In each half a moderator rules
// against the other's: once they meet again, all have one log, one queue, one relay.
func TestPartedRoomAgreesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var hosts []*host
	var nodes []*liveNode
	for i, name := range []string{"ana", "budi", "citra", "dewi", "eko", "fitri"} {
		h := w.host()
		var flags []string
		if i > 0 {
			flags = through(nodes[0])
		}
		hosts, nodes = append(hosts, h), append(nodes, h.up(name, flags...))
	}
	ana, budi, citra, dewi, eko, fitri := nodes[0], nodes[1], nodes[2], nodes[3], nodes[4], nodes[5]
	w.connected(nodes...)
	o, _ := ana.open("Parted")
	room := o.Room
	w.until(soundWithin, "the room is listed", listedBy(room, nodes))
	for _, n := range nodes[1:] {
		n.record(room)
	}
	w.until(attachedWithin, "all are attached", ready(room, nodes))
	ana.call("stage", "grant", room, "citra", "--role", "moderator")
	ana.call("stage", "grant", room, "dewi")
	ana.call("stage", "grant", room, "dewi", "--role", "carrier")
	w.until(lawWithin, "all hold the same log", oneLog(room, 3, nodes))

	south := nodes[2:]
	w.part(hosts[:2], hosts[2:])
	began := time.Now()
	ana.call("room", "set", room, "--title", "North", "--lock")
	citra.call("room", "set", room, "--title", "South", "--pin", "https://example.org/south")
	ana.call("stage", "revoke", room, "dewi", "--role", "speaker")
	citra.call("stage", "mute", room, dewi.PeerID)
	ana.call("stage", "ban", room, eko.PeerID, "--for", "1h")
	budi.call("hand", "up", room)
	fitri.call("hand", "up", room)
	w.until(electedWithin+attachedWithin, "the south has a relay of its own", settled(room, 0, south))
	if ana.views[room].Log == citra.views[room].Log {
		t.Error("nothing parts the halves")
	}
	time.Sleep(length(15*time.Second, time.Minute) - time.Since(began)) // how long they are apart is what is tried

	was := map[*liveNode]string{}
	w.note(func() {
		for _, n := range nodes {
			was[n] = n.views[room].Log
		}
	})
	w.passUDP(middle)
	met := w.until(2*attachedWithin, "something is known across", func() bool {
		for n, log := range was {
			if n.views[room].Log != log {
				return true
			}
		}
		return false
	})
	rest := without(nodes, eko) // whom the north banned
	took := w.until(agreedWithin, "all have one log", oneLog(room, 3, rest))
	w.until(attachedWithin, "all have one relay", ready(room, rest))
	w.until(attachedWithin, "all have one queue", func() bool {
		for _, n := range rest {
			if q := n.queue(room); q != "budi fitri" && q != "fitri budi" || q != rest[0].queue(room) {
				return false
			}
		}
		return true
	})
	t.Logf("the halves met after %d ms and had one log %d ms later; the queue is %q", met.Milliseconds(), took.Milliseconds(), ana.queue(room))
	title, pin := ana.shows(room).Title, ana.shows(room).Pinned
	for _, n := range rest {
		if v := n.shows(room); v.Title != title || v.Pinned != pin || !v.Locked {
			t.Errorf("%s shows %q, %q, locked: %v", n.name, v.Title, v.Pinned, v.Locked)
		}
	}
	if title != "North" || pin != "https://example.org/south" {
		t.Errorf("it came to %q, %q: of two at once the host's word holds, and each of what the other did not touch", title, pin)
	}
}
