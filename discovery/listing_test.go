package discovery

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// titled has an announcement tell another title than the genesis.
func titled(title string) func(*protocol.Announcement) {
	return func(a *protocol.Announcement) {
		a.Listing = a.Genesis.Listing()
		a.Listing.Title = title
	}
}

// until has it tell when the room meets next.
func until(next time.Time) func(*protocol.Announcement) {
	return func(a *protocol.Announcement) {
		a.Listing = a.Genesis.Listing()
		a.Listing.Next = next
	}
}

// changes gives the kinds of the next changes.
func changes(t *testing.T, from <-chan Change) (kinds []Kind) {
	t.Helper()
	synctest.Wait()
	for {
		select {
		case c := <-from:
			kinds = append(kinds, c.Kind)
		default:
			return kinds
		}
	}
}

func wantKinds(t *testing.T, got []Kind, want ...Kind) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("told of %v, should be of %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("told of %v, should be of %v", got, want)
		}
	}
}

// TestFoundersWordOnARoom: what the founder says of a room goes before what its
// other announcers say, in whatever order they are heard, for as long as it lives.
func TestFoundersWordOnARoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := running(t)
		host, carrier := newPerson(t), newPerson(t)
		g := host.found(t, "")
		chain := by(host.certify(t, g, carrier, time.Hour, 1))
		title := func() string {
			e, _ := d.Room(g.Room)
			return e.Listing.Title
		}
		told, stop := d.Watch()
		defer stop()
		offer(t, d, carrier.announce(t, g, 1, chain, titled("By the carrier")), Accept)
		if title() != "By the carrier" {
			t.Errorf("%q", title())
		}
		offer(t, d, host.announce(t, g, 1, titled("By the host"), living(30*time.Second)), Accept)
		offer(t, d, carrier.announce(t, g, 2, chain, titled("By the carrier again")), Accept)
		if title() != "By the host" {
			t.Errorf("%q", title())
		}
		wantKinds(t, changes(t, told), Opened, Changed, Changed)
		time.Sleep(31 * time.Second)
		if title() != "By the carrier again" {
			t.Errorf("once the host's word has died: %q", title())
		}
		offer(t, d, carrier.announce(t, g, 3, chain), Accept)
		if title() != g.Title {
			t.Errorf("as the genesis has it: %q", title())
		}
		wantKinds(t, changes(t, told), Changed, Changed)
	})
}

// TestRoomsToCome: a room that its founder closed until a time is not live, and is
// listed apart as long as that is said.
func TestRoomsToCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := running(t)
		host := newPerson(t)
		g := host.found(t, "")
		next := time.UnixMilli(1_800_000_000_000)
		told, stop := d.Watch()
		defer stop()
		counts := func(live, coming int) {
			t.Helper()
			rooms := d.Rooms()
			ahead := slices.DeleteFunc(slices.Clone(rooms), func(e Entry) bool { return !e.Coming() })
			if a, b := len(rooms)-len(ahead), len(ahead); a != live || b != coming {
				t.Errorf("%d live and %d coming, should be %d and %d", a, b, live, coming)
			}
		}
		offer(t, d, host.announce(t, g, 1, closing, until(next)), Accept)
		counts(0, 1)
		if e := d.Rooms()[0]; !e.Coming() || !e.Listing.Next.Equal(next) {
			t.Errorf("%+v", e)
		}
		wantKinds(t, changes(t, told), Opened)
		offer(t, d, host.announce(t, g, 2, closing, until(next.Add(time.Hour))), Accept)
		wantKinds(t, changes(t, told), Changed)
		offer(t, d, host.announce(t, g, 3, closing), Accept)
		counts(0, 0)
		wantKinds(t, changes(t, told), Changed)
		offer(t, d, host.announce(t, g, 4, until(next)), Accept) // live, and again later
		counts(1, 0)
		offer(t, d, host.announce(t, g, 5, closing, until(next)), Accept)
		counts(0, 1)
		wantKinds(t, changes(t, told), Opened, Closed)
	})
}
