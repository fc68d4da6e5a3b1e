// Package discovery keeps the directory of rooms, live and to come: it verifies
// what peers announce, lets it die when its life ends, and tells watchers. It knows
// no network; discovery/gossip feeds it.
package discovery

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// sweepInterval is by how much the dead may overstay.
const sweepInterval = time.Second

// Config says what a Directory needs.
type Config struct {
	Network string               // "": the common one; others' rooms are ignored
	Now     func() time.Duration // monotonic, since any start; nil: the process's own clock
	Log     *slog.Logger         // nil: nothing is logged
}

// Directory is the map of live rooms. Its goroutine, Run, owns the map; the
// other methods ask it, may be called by any goroutine, and wait for Run to
// start. Once Run has returned they give nothing and ignore everything.
type Directory struct {
	now   func() time.Duration
	log   *slog.Logger
	calls chan call
	ended chan struct{}
	tally tally

	// Run's own.
	table    *table
	watchers watchers
}

// call is a question to the directory's goroutine.
type call struct {
	do   func(now time.Duration)
	done chan struct{}
}

// New makes a directory of the rooms of one network. It lives from Run on.
func New(c Config) *Directory {
	d := &Directory{now: c.Now, log: c.Log, calls: make(chan call), ended: make(chan struct{}),
		table: newTable(c.Network), watchers: make(watchers)}
	if d.now == nil {
		start := time.Now()
		d.now = func() time.Duration { return time.Since(start) }
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	return d
}

// Run owns the map until ctx ends. It is called once, and returns nil.
func (d *Directory) Run(ctx context.Context) error {
	defer close(d.ended)
	defer d.watchers.close()
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-d.calls:
			c.do(d.now())
			d.tell()
			close(c.done)
		case <-sweep.C:
			d.table.sweep(d.now())
			d.tell()
		}
	}
}

// tell passes on what changed.
func (d *Directory) tell() {
	for _, c := range d.table.news {
		d.log.Debug("room", "room", c.Room.Short(), "is", c.Kind)
		d.watchers.tell(c)
	}
	d.table.news = d.table.news[:0]
}

// ask has do run on the directory's goroutine and waits for it.
func (d *Directory) ask(do func(now time.Duration)) bool {
	c := call{do, make(chan struct{})}
	select {
	case d.calls <- c:
		<-c.done
		return true
	case <-d.ended:
		return false
	}
}

// Offer takes an announcement's envelope as it came from a neighbour. remaining
// is what the neighbour says is left of its life; 0 if it is fresh, and then
// its own life counts from now. Signatures are verified on the caller's
// goroutine, and only if the sequence is news.
func (d *Directory) Offer(envelope []byte, remaining time.Duration) Verdict {
	o := d.offer(envelope, remaining)
	d.tally[o].Add(1)
	return o.verdict()
}

func (d *Directory) offer(envelope []byte, remaining time.Duration) outcome {
	id, announcer, sequence, err := protocol.PeekAnnouncement(envelope)
	if err != nil {
		return malformed
	}
	o := stopped
	d.ask(func(now time.Duration) { o = d.table.expect(id, announcer, sequence, now) })
	if o != accepted {
		return o
	}
	envelope = bytes.Clone(envelope) // the caller's buffer is the caller's
	a, err := protocol.OpenAnnouncement(envelope)
	if err != nil {
		return outcomeOf(err)
	}
	o = stopped
	d.ask(func(now time.Duration) { o = d.table.admit(a, envelope, remaining, now) })
	return o
}

// Rooms gives the rooms that are open, and those closed until a time, in the order in
// which they were first heard of.
func (d *Directory) Rooms() (rooms []Entry) {
	d.ask(func(now time.Duration) {
		rooms = d.table.list(now, func(r *room) bool { return !r.closed() || r.coming() })
	})
	return rooms
}

// Room gives a live room, closed or not.
func (d *Directory) Room(id protocol.RoomID) (e Entry, ok bool) {
	d.ask(func(now time.Duration) {
		var r *room
		if r, ok = d.table.rooms[id]; ok {
			e = r.entry(now)
		}
	})
	return e, ok
}

// Find gives the live rooms, closed or not, whose ID starts with prefix.
func (d *Directory) Find(prefix string) (rooms []Entry) {
	d.ask(func(now time.Duration) { rooms = d.table.list(now, starting(prefix)) })
	return rooms
}

// Entries gives up to most live announcements for a neighbour that joins.
func (d *Directory) Entries(most int) (entries []DirectoryEntry) {
	d.ask(func(now time.Duration) { entries = d.table.announcements(most, now) })
	return entries
}

// Watch gives changes from now on, until stop is called or Run returns; the
// channel is closed then. A watcher that is slow gets one Several for what it
// missed.
func (d *Directory) Watch() (changes <-chan Change, stop func()) {
	ch := make(chan Change, backlog)
	if !d.ask(func(time.Duration) { d.watchers[ch] = struct{}{} }) {
		close(ch)
		return ch, func() {}
	}
	return ch, sync.OnceFunc(func() {
		d.ask(func(time.Duration) {
			delete(d.watchers, ch)
			close(ch)
		})
	})
}

// Counters counts since the start.
func (d *Directory) Counters() Counters {
	c := d.tally.counters()
	d.ask(func(time.Duration) {
		c.Rooms = len(d.table.rooms)
		for _, r := range d.table.rooms {
			c.Announcers += len(r.live)
		}
	})
	return c
}
