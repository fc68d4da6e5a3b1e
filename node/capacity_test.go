package node

import (
	"context"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/link"
	"github.com/earshot-audio/earshot/protocol"
)

func TestSeats(t *testing.T) {
	n := &Node{cfg: Config{MaxUpload: 1_000_000}, started: time.Now()} // three places
	c := newCapacity(n)
	c.free = func(p protocol.PeerID) bool { return p == "here" }
	one, other := protocol.RoomID{1}, protocol.RoomID{2}
	for _, step := range []struct {
		what     string
		room     protocol.RoomID
		child    protocol.PeerID
		duty     bool
		leaves   bool
		in       bool
		children int
	}{
		{"a first", one, "a", false, false, true, 1},
		{"who is in", one, "a", false, false, true, 1},
		{"in another room", other, "a", false, false, true, 2},
		{"on this machine", one, "here", false, false, true, 2},
		{"a third", one, "b", false, false, true, 3},
		{"one too many", other, "c", false, false, false, 3},
		{"on this machine, though full", other, "here", false, false, true, 3},
		{"a speaker, though full", one, "d", true, false, true, 4},
		{"the speaker leaves", one, "d", true, true, true, 3},
		{"one who never came leaves", one, "e", false, true, true, 3},
		{"one on this machine leaves", one, "here", false, true, true, 3},
		{"the first leaves a room", one, "a", false, true, true, 2},
		{"and again", one, "a", false, true, true, 2},
		{"another takes its place", other, "c", false, false, true, 3},
	} {
		in := true
		if step.leaves {
			c.leave(step.room)(step.child)
		} else {
			in = c.place(step.room)(step.child, step.duty)
		}
		if got := c.places.Children(); in != step.in || got != step.children {
			t.Fatalf("%s: in %v, %d children; want %v, %d", step.what, in, got, step.in, step.children)
		}
	}
}

func TestLossesAreThoseOfTheChildInTheMiddle(t *testing.T) {
	children := map[protocol.PeerID]bool{"a": true, "b": true, "c": true}
	tell := func(l *losses, reports ...link.Media) (loss float64) {
		var links []link.PeerLink
		for i, m := range reports {
			links = append(links, link.PeerLink{Peer: protocol.PeerID("abcd"[i : i+1]), Far: m})
		}
		return l.of(links, children)
	}
	var l losses
	tell(&l, link.Media{}, link.Media{}, link.Media{}, link.Media{})
	bad, good := link.Media{Received: 50, Lost: 50}, link.Media{Received: 100}
	if got := tell(&l, bad, good, good); got != 0 {
		t.Errorf("one bad line: loss %v, want 0", got)
	}
	full := link.Media{Received: 150, Lost: 50}
	if got := tell(&l, full, full, full); got != 0.25 {
		t.Errorf("a full upload: loss %v, want 0.25", got)
	}
	for range weighOver {
		full.Received += 100
		tell(&l, full, full, full)
	}
	if got := tell(&l, full, full, full); got != 0 {
		t.Errorf("some seconds later: loss %v, want 0", got)
	}
	if got := tell(&l, good, good, good); got != 0 {
		t.Errorf("counted anew: loss %v, want 0", got)
	}
	if got := (&losses{}).of([]link.PeerLink{{Peer: "d", Far: bad}}, children); got != 0 {
		t.Errorf("of one who is no child: loss %v, want 0", got)
	}
}

// What stays on a machine is not limited and takes no place, but passes the same
// sockets.
func TestALimitIsShownAndLeavesThisMachineAlone(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	limited := func(c *Config) { c.MaxUpload = 100_000 }
	ana := startWith(t, "ana", limited)
	budi := startWith(t, "budi", limited, ana)
	o := ana.open(ctx, "A thin line", "host")
	budi.eventually("the room is in the directory", budi.sees(o.Room))
	e := budi.listen(ctx, o.Room)
	if err := ana.talk(ctx, o.Room, 'a', 50); err != nil {
		t.Fatal(err)
	}
	budi.eventually("all is heard", func() bool { return e.count('a') == 50 })
	e.stop(t)
	s, err := ana.Status(ctx)
	if u := s.Upload; err != nil || u.LimitBPS != 100_000 || u.Places != 1 || u.Children != 0 || u.Dropped != 0 {
		t.Errorf("%+v, %v", s.Upload, err)
	}
}
