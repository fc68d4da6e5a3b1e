package discovery

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

func TestHostileAnnouncements(t *testing.T) {
	d := running(t)
	host, stranger := newPerson(t), newPerson(t)
	g := host.found(t, "")
	good := host.announce(t, g, 1)

	offer(t, d, nil, Reject)
	offer(t, d, bytes.Repeat([]byte{0x0a}, 1<<20), Reject)
	offer(t, d, append(bytes.Clone(good), make([]byte, protocol.MaxAnnouncementBytes)...), Reject)
	for n := range good {
		if v := d.Offer(good[:n], 0); v == Accept {
			t.Fatalf("accepted, cut to %d bytes", n)
		}
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x20
		if v := d.Offer(bad, 0); v == Accept {
			t.Fatalf("accepted, with byte %d turned", i)
		}
	}
	// The envelope of one person around the room of another.
	offer(t, d, stranger.announce(t, g, 1), Reject)
	for range 100 {
		offer(t, d, stranger.announce(t, stranger.found(t, ""), 1, living(protocol.MaxLife)), Accept)
		if len(d.Rooms()) == roomsOfAFounder {
			break
		}
	}
	offer(t, d, stranger.announce(t, stranger.found(t, ""), 1), Ignore)

	before := d.Counters()
	offer(t, d, good, Accept) // honest traffic is unhurt
	after := d.Counters()
	if before.Malformed == 0 || before.Forged == 0 || before.NoRight == 0 || before.Full != 1 || after.Accepted != before.Accepted+1 {
		t.Fatalf("miscounted: %+v", after)
	}
}

func FuzzOffer(f *testing.F) {
	host, carrier := newPerson(f), newPerson(f)
	g := host.found(f, "")
	pass := host.certify(f, g, carrier, time.Hour, 1)
	for _, b := range [][]byte{nil, host.announce(f, g, 1), host.announce(f, g, 2, closing), carrier.announce(f, g, 1, by(pass))} {
		f.Add(b, uint32(0))
		f.Add(b, uint32(1000))
	}
	d := New(Config{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	f.Cleanup(func() {
		cancel()
		<-done
	})
	f.Fuzz(func(t *testing.T, envelope []byte, remaining uint32) {
		left := time.Duration(remaining) * time.Millisecond
		if d.Offer(envelope, left) != Accept {
			return
		}
		id, announcer, sequence, err := protocol.PeekAnnouncement(envelope)
		e, ok := d.Room(id)
		if err != nil || !ok && left == 0 || ok && e.Genesis.Network != "" {
			t.Fatalf("accepted, but %v %v", e, err)
		}
		if ok && (e.Announcers[0].Peer != announcer || e.Announcers[0].Sequence != sequence) {
			t.Fatalf("accepted, but shown as %v", e)
		}
		if d.Offer(envelope, 0) != Ignore {
			t.Fatal("accepted twice")
		}
	})
}

// BenchmarkOffer verifies announcements by a certified carrier: three
// signatures each when new, none when known.
func BenchmarkOffer(b *testing.B) {
	host, carrier := newPerson(b), newPerson(b)
	g := host.found(b, "")
	pass := host.certify(b, g, carrier, 24*time.Hour, 1)
	var envelopes [1024][]byte
	for i := range envelopes {
		envelopes[i] = carrier.announce(b, g, uint64(i+1), by(pass))
	}
	run := func(b *testing.B, now func() time.Duration) *Directory {
		d := New(Config{Now: now})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		b.Cleanup(func() {
			cancel()
			<-done
		})
		return d
	}
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		var d *Directory
		for i := 0; b.Loop(); i++ {
			if i%len(envelopes) == 0 {
				var now time.Duration // hurries on, so that no announcement is hasty
				d = run(b, func() time.Duration { now += announcerInterval; return now })
			}
			if v := d.Offer(envelopes[i%len(envelopes)], 0); v != Accept {
				b.Fatalf("%v: %+v", v, d.Counters())
			}
		}
	})
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		d := run(b, nil)
		d.Offer(envelopes[0], 0)
		for b.Loop() {
			if v := d.Offer(envelopes[0], 0); v != Ignore {
				b.Fatal(v)
			}
		}
	})
}
