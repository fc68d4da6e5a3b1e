package room

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
)

// TestListingIsAnnounced: what the log makes of a room is announced soon, and a next
// time only while it is to come; and when the founder closes the room, until when.
func TestListingIsAnnounced(t *testing.T) {
	inWorld(t, 3, protocol.StageOpen, 3, func(w *world) {
		w.party()
		founder := w.nodes[0]
		listing := func() protocol.Listing {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.relay().announced.Listing
		}
		does := func(d protocol.Deed) {
			t.Helper()
			if err := founder.room.Act(context.Background(), d); err != nil {
				t.Fatal(err)
			}
		}
		want := w.genesis.Listing()
		if got := listing(); !got.Equal(want) {
			t.Errorf("%+v, want %+v", got, want)
		}
		next := time.Now().Add(20 * time.Second).Truncate(time.Millisecond)
		for _, d := range []protocol.Deed{protocol.Title("Now"), protocol.Topics{"time"}, protocol.Language("id"), protocol.Lock(true), protocol.Next{At: next}} {
			does(d)
		}
		w.sleep(announceSoon + time.Second)
		want = protocol.Listing{Title: "Now", Topics: []string{"time"}, Language: "id", Locked: true, Next: next}
		if got := listing(); !got.Equal(want) {
			t.Errorf("%+v, want %+v", got, want)
		}
		w.sleep(20 * time.Second)
		if got := listing(); !got.Next.IsZero() {
			t.Errorf("a time that is over is announced: %v", got.Next)
		}
		next = next.Add(time.Hour)
		if err := founder.room.Close(context.Background(), next); err != nil {
			t.Fatal(err)
		}
		var until ClosedUntil
		if err := <-founder.ended; !errors.Is(err, ErrClosed) || !errors.As(err, &until) || !until.Next.Equal(next) {
			t.Errorf("the founder's room ended with %v", err)
		}
		w.sleep(time.Second)
		if a := founder.announced; !a.Closed || !a.Listing.Next.Equal(next) || a.Listing.Title != "Now" {
			t.Errorf("announced as closed: %+v", a.Listing)
		}
	})
}

// A first announcement comes when nodes may have only just met, so it is followed by
// another one soon; from then on in each refresh.
func TestTheFirstAnnouncementIsRepeated(t *testing.T) {
	s := still(t, protocol.StageOpen, 1, 0)
	said := 0
	s.cfg.Announce = func([]byte) { said++ }
	s.cfg.Addresses = func() []multiaddr.Multiaddr { return []multiaddr.Multiaddr{s.nodes[0].addr} }
	s.root = true
	for _, at := range []struct {
		after time.Duration
		want  int
	}{
		{0, 1}, {announceSoon - time.Second, 1}, {announceSoon, 2}, {announceSoon + protocol.RefreshFloor - time.Second, 2},
		{announceSoon + protocol.RefreshFloor, 3}, {announceSoon + 2*protocol.RefreshFloor - time.Second, 3},
	} {
		s.announce(s.clock + at.after)
		if said != at.want {
			t.Errorf("after %v it was announced %d times, not %d", at.after, said, at.want)
		}
	}
}
