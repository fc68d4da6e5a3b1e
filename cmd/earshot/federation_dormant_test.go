package main

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

// wakesWithin is how long a room may take to wake: whoever listens asks those who
// announce it each second, and a node that hears nobody claims after 1.3 s.
const wakesWithin = 20 * time.Second

// TestDormantRoom has all die without a word who may carry a room, its host for good,
// while one goes on listening. A moderator's node is started again, with nothing but
// its home and the link to the host, and the room is there again, for the listener too.
func TestDormantRoom(t *testing.T) {
	t.Parallel()
	f := newFederation(t)
	ana := f.up("ana")
	budi := f.up("budi", ana)
	citra := f.serve(filepath.Join(f.dir, "citra"), "citra", "--no-lend", "--api", "127.0.0.1:0",
		"--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--bootstrap", ana.Addrs[0])
	nodes := []*liveNode{ana, budi, citra}
	o, _ := ana.open("Asleep")
	f.until(listedWithin, "the room is listed", listedBy(o.Room, nodes))
	ears := []*ear{citra.record(o.Room)}
	budi.record(o.Room)
	f.until(attachedWithin, "all are attached", ready(o.Room, nodes))
	ana.call("stage", "grant", o.Room, "budi", "--role", "moderator")
	f.until(lawWithin, "all hold the log", oneLog(o.Room, 1, nodes))
	budi.call("room", "set", o.Room, "--title", "Awake")
	f.until(lawWithin, "all hold the log", oneLog(o.Room, 2, nodes))

	ana.kill()
	f.until(attachedWithin, "the moderator relays", func() bool { return citra.views[o.Room].Relay == budi.PeerID })
	budi.kill()
	f.until(attachedWithin, "the listener is attached to nobody", func() bool { return !citra.attached(o.Room) })

	budi = f.upAt(budi.home, "budi")
	talk := budi.start("speak", o.Link, f.numbered("budi").file)
	talk.says(wakesWithin, "event", "speaking", nil)
	f.until(wakesWithin, "the room is awake", func() bool {
		v := citra.views[o.Room]
		return v.Relay == budi.PeerID && v.Title == "Awake" && citra.attached(o.Room) &&
			slices.ContainsFunc(v.Members, func(m web.Member) bool { return m.Peer == budi.PeerID && m.Role == "moderator" })
	})
	f.until(attachedWithin, "the moderator is heard", f.heardOn(25, ears, []*talker{{talk, budi, f.numbered("budi")}}))
}
