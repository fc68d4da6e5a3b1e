package node

import (
	"context"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	// calendarLook is how often the clock on the wall is asked: timers stand still
	// while a machine sleeps, and people set clocks.
	calendarLook = 10 * time.Second
	// tooLate is how long after its time a room is not opened any more: whoever came
	// for it has gone.
	tooLate = time.Hour
	// A room to come is announced again after comingSoon, then each time after twice as
	// long, up to comingRefresh, by which others don't forget it.
	comingSoon    = 5 * time.Second
	comingRefresh = protocol.MaxLife / protocol.Misses
)

// calendar is of the rooms of this node's own that are closed until a time. It
// announces them, and opens each at its time, by this machine's clock.
type calendar struct {
	n     *Node
	stale chan struct{} // holds one when a room came or changed

	mu    sync.Mutex
	rooms map[protocol.RoomID]*coming
}

// coming is one of them.
type coming struct {
	genesis   *protocol.Genesis
	listing   protocol.Listing // its Next is when it opens
	sequence  *numbers         // of its announcements
	announced time.Duration    // at what time, and how often
	times     int
}

func newCalendar(n *Node) *calendar {
	return &calendar{n: n, stale: make(chan struct{}, 1), rooms: map[protocol.RoomID]*coming{}}
}

// Run announces and opens rooms until ctx ends.
func (c *calendar) Run(ctx context.Context) error {
	look := time.NewTimer(calendarLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.stale:
		case <-look.C:
		}
		look.Reset(c.tend(c.n.cfg.Wall(), c.n.now()))
	}
}

// tend does what is due, and gives when something may be due next.
func (c *calendar) tend(wall time.Time, now time.Duration) (wait time.Duration) {
	wait = calendarLook
	for id, a := range c.all() {
		left := a.listing.Next.Sub(wall)
		switch {
		case left < -tooLate:
			c.n.missed(id, a)
		case left <= 0:
			c.n.openDue(id, a.listing.Next)
		default:
			wait = min(wait, left, c.announce(id, now))
		}
	}
	return max(wait, time.Millisecond)
}

// announce tells the directory of a room if that is due, and gives when it is next.
func (c *calendar) announce(id protocol.RoomID, now time.Duration) (wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.rooms[id]
	if a == nil || a.genesis.Unlisted || len(c.n.addresses()) == 0 {
		return calendarLook
	}
	if wait = a.announced + a.pause() - now; a.times > 0 && wait > 0 {
		return wait
	}
	if !c.say(a, a.listing) {
		return calendarLook
	}
	a.announced, a.times = now, a.times+1
	return a.pause()
}

// say announces a room as closed, and so listed; false if it can't.
func (c *calendar) say(a *coming, as protocol.Listing) bool {
	announcement := &protocol.Announcement{Genesis: a.genesis, Sequence: a.sequence.Next(), Life: protocol.MaxLife, Addresses: c.n.addresses(),
		Closed: true, Listing: as}
	envelope, err := announcement.Seal(c.n.key)
	if err != nil {
		c.n.log.Error("sign an announcement", "err", err)
		return false
	}
	c.n.announce(envelope)
	return true
}

// pause is how long after the last announcement the next one follows.
func (a *coming) pause() time.Duration {
	return min(comingSoon<<min(max(a.times-1, 0), 16), comingRefresh)
}

// put takes a room in, or what became of it.
func (c *calendar) put(id protocol.RoomID, a *coming) {
	c.mu.Lock()
	if old := c.rooms[id]; old != nil {
		a.sequence = old.sequence
	}
	c.rooms[id] = a
	c.mu.Unlock()
	select {
	case c.stale <- struct{}{}:
	default:
	}
}

// drop lets a room go that opens.
func (c *calendar) drop(id protocol.RoomID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.rooms, id)
}

// cancel lets a room go that stays closed, and tells the directory.
func (c *calendar) cancel(id protocol.RoomID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.rooms[id]
	if a != nil && a.times > 0 {
		as := a.listing
		as.Next = time.Time{}
		c.say(a, as)
	}
	delete(c.rooms, id)
}

// listing gives a room to come as others are shown it.
func (c *calendar) listing(id protocol.RoomID) (protocol.Listing, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.rooms[id]; a != nil {
		return a.listing, true
	}
	return protocol.Listing{}, false
}

// all gives the rooms to come; they are not to be written to.
func (c *calendar) all() map[protocol.RoomID]coming {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[protocol.RoomID]coming, len(c.rooms))
	for id, a := range c.rooms {
		out[id] = *a
	}
	return out
}
