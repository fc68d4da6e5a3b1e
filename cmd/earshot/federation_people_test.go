package main

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/earshot-audio/earshot/node/store"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/node/web/client"
	"github.com/earshot-audio/earshot/protocol"
)

// member gives somebody in a room as a node told last. It is called under the lock.
func (n *liveNode) member(room string, of *liveNode) web.Member {
	for _, m := range n.views[room].Members {
		if m.Peer == of.PeerID {
			return m
		}
	}
	return web.Member{}
}

// reads gives what a node shows of the chat.
func (n *liveNode) reads(room string) web.Chat {
	n.f.Helper()
	api, token, err := store.ReadAPIFile(n.home)
	n.f.must(err)
	c := client.New(api, token)
	defer c.CloseIdle()
	chat, err := c.Chat(n.f.Context(), room)
	n.f.must(err)
	return chat
}

// TestBlocked has a host, whose node relays, block the one who speaks: silent there,
// and heard through it by a listener whose name is like the speaker's.
func TestBlocked(t *testing.T) {
	t.Parallel()
	f := newFederation(t)
	ana := f.up("ana")
	budi, forged := f.up("budi", ana), f.up("bud1", ana)
	nodes := []*liveNode{ana, budi, forged}
	o, _ := ana.open("Between us", "--speaker", budi.PeerID)
	room := o.Room
	f.until(listedWithin, "the room is listed", listedBy(room, nodes))
	ana.call("call", budi.PeerID, "Budi of Bandung")
	ears := []*ear{ana.record(room), forged.record(room)}
	talks := []*talker{budi.speak(room, f.numbered("budi"))}
	f.until(attachedWithin, "the speaker is heard", f.heardOn(25, ears, talks))
	var first struct{ Petname string }
	ears[0].says(attachedWithin, "event", "first_frame", &first)
	if first.Petname != "Budi of Bandung" {
		t.Errorf("the listener is told of %+v", first)
	}
	f.until(attachedWithin, "names that look alike are pointed out", func() bool {
		return slices.Contains(ana.member(room, budi).SimilarTo, forged.PeerID) && slices.Contains(budi.member(room, forged).SimilarTo, budi.PeerID)
	})
	budi.call("chat", room, "hear me")
	forged.call("hand", "up", room)
	f.until(attachedWithin, "the hand is up", func() bool { return ana.member(room, forged).Hand == 1 && budi.member(room, forged).Hand == 1 })

	ana.call("block", "Budi of Bandung")
	ana.call("block", "bud1", "--for", "1h")
	f.until(attachedWithin, "who is blocked is shown so, and no hand of theirs", func() bool {
		return ana.member(room, budi).Blocked && ana.member(room, forged).Hand == 0 && budi.member(room, forged).Hand == 1
	})
	had := talks[0].script.heard(ears[0].file)
	f.until(attachedWithin, "others hear the speaker through the host's node", f.heardOn(100, ears[1:], talks))
	if now := talks[0].script.heard(ears[0].file); now > had+25 {
		t.Errorf("of whom was blocked %d packets were recorded after", now-had)
	}
	if lines := ana.reads(room).Messages; len(lines) != 1 || lines[0].Text != "" || !lines[0].Blocked {
		t.Errorf("who has blocked the writer reads %+v", lines)
	}
	if lines := forged.reads(room).Messages; len(lines) != 1 || lines[0].Text != "hear me" || lines[0].Blocked {
		t.Errorf("others read %+v", lines)
	}
	// What people say of themselves comes from who was here, and to who was.
	budi.call("profile", "--text", "I count aloud", "--colour", "teal", "--name", "budi the second")
	f.until(attachedWithin, "what the speaker says of himself is known, and his new name", func() bool {
		return !slices.ContainsFunc(nodes, func(n *liveNode) bool {
			m := n.member(room, budi)
			return m.Text != "I count aloud" || m.Colour != "teal" || m.Name != "budi the second"
		})
	})
	late := f.up("late", ana)
	nodes = append(nodes, late)
	f.until(listedWithin, "the room is listed", listedBy(room, nodes))
	late.call("profile", "--colour", "pink")
	late.record(room)
	f.until(attachedWithin, "who comes later knows, and is known", func() bool {
		return late.member(room, budi).Text == "I count aloud" && budi.member(room, late).Colour == "pink"
	})

	// Whoever has a name that somebody else was given is not meant by it.
	ana.call("call", late.PeerID, "bud1")
	if code := ana.refused("unblock", "bud1"); code != protocol.CodeUnknownPeer {
		t.Errorf("who means one of two is told %q", code)
	}
	if lines := ana.call("blocks"); len(lines) != 2 {
		t.Errorf("blocked are %v", lines)
	}

	ana.call("unblock", "Budi of Bandung")
	f.until(attachedWithin, "the speaker is heard again", f.heardOn(25, ears, talks))
	if lines := ana.reads(room).Messages; len(lines) != 1 || lines[0].Text != "hear me" {
		t.Errorf("of whom is not blocked any more one reads %+v", lines)
	}
	ears[1].enough(talks)
}

// TestFollowed has a room pointed out to who follows its host.
func TestFollowed(t *testing.T) {
	t.Parallel()
	f := newFederation(t)
	ana := f.up("ana")
	budi := f.up("budi", ana)
	if code := budi.refused("follow", "nobody"); code != protocol.CodeUnknownPeer {
		t.Errorf("who would follow nobody is told %q", code)
	}
	budi.call("follow", ana.PeerID)
	watch := budi.start("rooms", "--watch")
	o, _ := ana.open("For friends")
	var line web.RoomLine
	watch.says(listedWithin, "room", o.Room, &line)
	if len(line.Followed) != 1 || line.Followed[0].Peer != ana.PeerID || !line.Followed[0].Host {
		t.Errorf("the room is shown as %+v", line)
	}
	var who web.Person
	for _, l := range budi.call("following") {
		f.must(json.Unmarshal([]byte(l.text), &who))
	}
	if who.Peer != ana.PeerID || !who.Followed {
		t.Errorf("followed is %+v", who)
	}
}
