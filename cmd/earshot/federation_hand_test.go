package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// queue gives the names of those whose hand is up, in order, as a node told
// last. It is called under the lock.
func (n *liveNode) queue(room string) string {
	var names []string
	for _, m := range queued(n.views[room]) {
		names = append(names, string(m.Name))
	}
	return strings.Join(names, " ")
}

// inLine waits until all of these nodes show the same queue.
func (f *federation) inLine(room, want string, nodes []*liveNode) {
	f.Helper()
	f.until(attachedWithin, "the queue is "+want, func() bool {
		return !slices.ContainsFunc(nodes, func(n *liveNode) bool { return n.queue(room) != want })
	})
}

// TestHandsOutliveTheRelay has three ask to speak, the relay killed, which is the
// host's node, and one of them let on stage once the host is back.
func TestHandsOutliveTheRelay(t *testing.T) {
	t.Parallel()
	f := newFederation(t)
	nodes := f.five()
	ana, budi, citra, dewi, eko := nodes[0], nodes[1], nodes[2], nodes[3], nodes[4]
	o, _ := ana.open("By a raised hand")
	room := o.Room
	f.until(listedWithin, "the room is listed", listedBy(room, nodes))
	if code := budi.refused("hand", "up", room); code != protocol.CodeNotInRoom {
		t.Errorf("who asks to speak in a room from outside is told %q", code)
	}
	ears := []*ear{citra.record(room), dewi.record(room), eko.record(room)}
	budi.record(room)
	f.until(attachedWithin, "all are attached", ready(room, nodes))

	want := ""
	for _, n := range []*liveNode{dewi, budi, citra} {
		n.call("hand", "up", room)
		want = strings.TrimSpace(want + " " + n.name)
		f.inLine(room, want, nodes)
	}
	if lines := eko.call("hand", "list", room); len(lines) != 3 || !strings.Contains(lines[0].text, `"name":"dewi"`) {
		t.Errorf("eko lists %v", lines)
	}
	if code := budi.refused("stage", "grant", room, "dewi"); code != protocol.CodeNotAllowed {
		t.Errorf("who lets people on another's stage is told %q", code)
	}

	f.founderRelays(room, nodes)
	f.kill(room, ana, nodes[1:])
	f.inLine(room, want, nodes[1:])
	eko.call("hand", "up", room) // stamped by the heir, behind those whom it inherited
	dewi.call("hand", "down", room)
	f.inLine(room, "budi citra eko", nodes[1:])

	ana = f.upAt(ana.home, "ana")
	nodes[0] = ana
	f.until(attachedWithin, "the founder is back in its room", func() bool { return ana.attached(room) })
	f.inLine(room, "budi citra eko", nodes)
	ana.call("stage", "lower", room, "eko")
	f.inLine(room, "budi citra", nodes)
	ana.call("stage", "grant", room, "budi")
	f.inLine(room, "citra", nodes)
	f.until(attachedWithin, "budi is shown on stage, muted", func() bool {
		return !slices.ContainsFunc(nodes, func(n *liveNode) bool {
			return !slices.ContainsFunc(n.views[room].Members, func(m web.Member) bool {
				return m.Peer == budi.PeerID && m.Role == "speaker" && m.Muted
			})
		})
	})
	talks := []*talker{budi.speak(room, f.numbered("budi"))}
	f.until(attachedWithin, "who was let on stage is heard", f.heardOn(25, ears, talks))
	for _, e := range ears {
		e.enough(talks)
	}
}
