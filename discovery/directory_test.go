package discovery

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// person is a key with the rooms and certificates that a test makes with it.
type person struct {
	key crypto.PrivKey
	id  protocol.PeerID
}

func newPerson(t testing.TB) person {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	must(t, err)
	id, err := peer.IDFromPrivateKey(key)
	must(t, err)
	return person{key, id}
}

// found gives the genesis of a new room.
func (p person) found(t testing.TB, network string) *protocol.Genesis {
	t.Helper()
	g := &protocol.Genesis{Title: "Tea", Network: network, Created: time.Unix(1_700_000_000, 0)}
	_, err := rand.Read(g.Salt[:])
	must(t, err)
	must(t, g.Seal(p.key))
	return g
}

// certify lets subject announce a room for life.
func (p person) certify(t testing.TB, g *protocol.Genesis, subject person, life time.Duration, serial uint64) protocol.Certificate {
	t.Helper()
	c := protocol.Certificate{Subject: subject.id, Duties: protocol.Carry, Life: life, Serial: serial}
	must(t, c.Issue(g.Room, p.key))
	return c
}

// announce seals an announcement that lives a minute unless change says more.
func (p person) announce(t testing.TB, g *protocol.Genesis, sequence uint64, change ...func(*protocol.Announcement)) []byte {
	t.Helper()
	a := &protocol.Announcement{Genesis: g, Sequence: sequence, Life: time.Minute}
	for _, f := range change {
		f(a)
	}
	b, err := a.Seal(p.key)
	must(t, err)
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func closing(a *protocol.Announcement) { a.Closed = true }

func by(chain ...protocol.Certificate) func(*protocol.Announcement) {
	return func(a *protocol.Announcement) { a.Chain = chain }
}

func living(life time.Duration) func(*protocol.Announcement) {
	return func(a *protocol.Announcement) { a.Life = life }
}

// running gives a directory that runs until the test ends.
func running(t testing.TB) *Directory {
	t.Helper()
	d := New(Config{})
	ctx := t.Context()
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() { must(t, <-done) })
	return d
}

// offer expects a verdict.
func offer(t testing.TB, d *Directory, envelope []byte, want Verdict) {
	t.Helper()
	if got := d.Offer(envelope, 0); got != want {
		t.Fatalf("the verdict is %v, should be %v; %+v", got, want, d.Counters())
	}
}

func TestRoomLivesUntilItsAnnouncementDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := running(t)
		host := newPerson(t)
		g := host.found(t, "")
		offer(t, d, host.announce(t, g, 1), Accept)

		time.Sleep(50 * time.Second)
		offer(t, d, host.announce(t, g, 2), Accept)
		time.Sleep(58 * time.Second)
		if e, ok := d.Room(g.Room); !ok || e.Announcers[0].Remaining != 2*time.Second {
			t.Fatalf("a refreshed room should live on: %+v", e)
		}
		time.Sleep(2*time.Second + sweepInterval)
		if _, ok := d.Room(g.Room); ok {
			t.Fatal("a room outlives its announcement")
		}
	})
}

func TestRemainingShortensALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := running(t)
		host := newPerson(t)
		g := host.found(t, "")
		if v := d.Offer(host.announce(t, g, 1), 5*time.Second); v != Accept {
			t.Fatal(v)
		}
		time.Sleep(5*time.Second + sweepInterval)
		if len(d.Rooms()) != 0 {
			t.Fatal("what was left of its life is not what it lived")
		}
		// A neighbour can't lengthen a life.
		if v := d.Offer(host.announce(t, g, 2, living(3*time.Second)), time.Hour); v != Accept {
			t.Fatal(v)
		}
		time.Sleep(3*time.Second + sweepInterval)
		if len(d.Rooms()) != 0 {
			t.Fatal("a neighbour lengthened a life")
		}
	})
}

func TestWhoMayAnnounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := running(t)
		host, carrier, stranger := newPerson(t), newPerson(t), newPerson(t)
		g := host.found(t, "")
		pass := host.certify(t, g, carrier, time.Hour, 1)

		offer(t, d, carrier.announce(t, g, 1, by(pass)), Accept)
		offer(t, d, stranger.announce(t, g, 1), Reject)
		offer(t, d, stranger.announce(t, g, 2, by(pass)), Reject)
		offer(t, d, carrier.announce(t, g, 2, by(pass), closing), Reject)
		offer(t, d, host.announce(t, host.found(t, "other"), 1), Ignore)

		c := d.Counters()
		if c.Accepted != 1 || c.NoRight != 3 || c.OtherNetwork != 1 {
			t.Fatalf("miscounted: %+v", c)
		}
		// The certificate's hour began at its first receipt.
		time.Sleep(59*time.Minute + 30*time.Second)
		offer(t, d, carrier.announce(t, g, 3, by(pass)), Accept)
		if e, _ := d.Room(g.Room); e.Announcers[0].Remaining != 30*time.Second {
			t.Fatalf("an announcement outlives its certificate by %v", e.Announcers[0].Remaining-30*time.Second)
		}
		time.Sleep(30 * time.Second)
		offer(t, d, carrier.announce(t, g, 4, by(pass)), Ignore)
		offer(t, d, carrier.announce(t, g, 5, by(host.certify(t, g, carrier, time.Hour, 2))), Accept)
		if c := d.Counters(); c.Lapsed != 1 {
			t.Fatalf("miscounted: %+v", c)
		}
	})
}

func TestReplayIsIgnoredForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := running(t)
		host := newPerson(t)
		g := host.found(t, "")
		first, second := host.announce(t, g, 10), host.announce(t, g, 11)
		offer(t, d, first, Accept)
		offer(t, d, second, Accept)
		offer(t, d, first, Ignore)
		offer(t, d, second, Ignore)
		time.Sleep(23 * time.Hour)
		offer(t, d, second, Ignore)
		if c := d.Counters(); c.Older != 1 || c.Known != 2 || c.Rooms != 0 {
			t.Fatalf("miscounted: %+v", c)
		}
		// A clock that was far ahead decides nothing: only the order counts.
		offer(t, d, host.announce(t, g, 1<<62), Accept)
		offer(t, d, host.announce(t, g, 1<<62+1), Accept)
	})
}

func TestClosedUntilItsFounderReopens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := running(t)
		host, carrier := newPerson(t), newPerson(t)
		g := host.found(t, "")
		pass := host.certify(t, g, carrier, 24*time.Hour, 1)
		changes, stop := d.Watch()
		defer stop()

		offer(t, d, carrier.announce(t, g, 1, by(pass)), Accept)
		offer(t, d, host.announce(t, g, 1, closing), Accept)
		offer(t, d, carrier.announce(t, g, 2, by(pass)), Ignore)
		if e, ok := d.Room(g.Room); !ok || !e.Closed || len(e.Announcers) != 1 || len(d.Rooms()) != 0 {
			t.Fatalf("a closed room should be known, and not be listed: %+v", e)
		}
		time.Sleep(2 * time.Hour) // and when the founder's word is long dead
		offer(t, d, carrier.announce(t, g, 3, by(pass)), Ignore)
		offer(t, d, host.announce(t, g, 2), Accept)
		offer(t, d, carrier.announce(t, g, 4, by(pass)), Accept)
		if e, _ := d.Room(g.Room); e.Closed || len(e.Announcers) != 2 {
			t.Fatalf("a reopened room should be open: %+v", e)
		}
		stop()
		var kinds []Kind
		for c := range changes {
			kinds = append(kinds, c.Kind)
		}
		if got := fmt.Sprint(kinds); got != "[opened closed gone opened changed]" {
			t.Fatalf("watchers saw %v", got)
		}
	})
}

func TestSlowWatcherMissesNothingForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := running(t)
		changes, stop := d.Watch()
		defer stop()
		for range 2 * backlog {
			host := newPerson(t)
			offer(t, d, host.announce(t, host.found(t, ""), 1), Accept)
		}
		var last Change
		for range len(changes) {
			last = <-changes
		}
		if last.Kind != Several {
			t.Fatalf("the last that a slow watcher sees is %v", last.Kind)
		}
		host := newPerson(t)
		g := host.found(t, "")
		offer(t, d, host.announce(t, g, 1), Accept)
		if c := <-changes; c != (Change{Opened, g.Room}) {
			t.Fatalf("after that it sees %+v", c)
		}
	})
}

func TestMethodsAfterTheEnd(t *testing.T) {
	d := New(Config{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	early, stop := d.Watch()
	cancel()
	must(t, <-done)

	if _, open := <-early; open {
		t.Fatal("a watch outlives its directory")
	}
	stop()
	late, _ := d.Watch()
	host := newPerson(t)
	if _, open := <-late; open || d.Offer(host.announce(t, host.found(t, ""), 1), 0) != Ignore || d.Rooms() != nil {
		t.Fatal("a directory that ended still answers")
	}
}
