package upload

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	firstPlaces = 5 // of which nothing is known yet

	growEach   = 500 * time.Millisecond
	shrinkEach = time.Second
	// wantedFor is how long one that was refused counts as wanting a place: those
	// refused ask again each second.
	wantedFor = 2 * time.Second
	// calmFor is how long nothing grows after loss.
	calmFor = 10 * time.Second

	tooMuch = 0.02  // loss that says the upload is full
	usual   = 0.005 // loss that any line has

	// childBits is what a child takes in bits a second: three streams of 48 kbit/s,
	// with headers and signatures.
	childBits = 218_000
	// share is how much of a limit is for children, in percent: the rest is for
	// control, and for what two rooms' voices take at their loudest.
	share = 70
)

// Capacity is how many children a node can serve, all its rooms together. What
// its upload holds nobody knows: it begins with five places, grows while they are
// all taken, somebody asks for more and nothing is lost, and shrinks on loss. A
// limit is a ceiling. It has no clock and is its owner's: all times are on one
// monotonic clock.
type Capacity struct {
	least, most int
	places      int
	children    int

	wanted  bool          // somebody was refused, and no place became free since
	asked   time.Duration // when last
	grown   time.Duration // up to when growth has been given
	lossy   bool          // as last reported
	calm    time.Duration // nothing grows before
	shrunk  time.Duration
	shrinks bool
}

// NewCapacity makes one for a limit in bits a second; 0: none.
func NewCapacity(limit int64) *Capacity {
	most := protocol.MaxChildren
	if limit > 0 {
		most = int(min(max(limit*share/100/childBits, 1), protocol.MaxChildren))
	}
	places := min(firstPlaces, most)
	return &Capacity{least: places, most: most, places: places}
}

// Ask takes a place for a child; false: there is none. Who is refused asks again
// within wantedFor, or is taken to have gone.
func (c *Capacity) Ask(now time.Duration) bool {
	if c.children >= c.places {
		c.grow(now)
	}
	if c.children >= c.places {
		c.wanted, c.asked = true, now
		return false
	}
	c.children++
	return true
}

// Oblige takes a place for a child that has to be served, free or not.
func (c *Capacity) Oblige() { c.children++ }

// Leave gives a child's place back.
func (c *Capacity) Leave() {
	c.children--
	if c.children < c.places {
		c.wanted = false
	}
}

// Report takes the loss on the links to children over the last seconds, as a
// fraction.
func (c *Capacity) Report(now time.Duration, loss float64) {
	c.lossy = loss > usual
	if loss <= tooMuch {
		return
	}
	c.calm = now + calmFor
	if c.places > c.least && (!c.shrinks || now-c.shrunk >= shrinkEach) {
		c.places--
		c.shrinks, c.shrunk = true, now
	}
}

// Places is how many children there may be; Children, how many there are: more, if
// some have to be served or places were taken away.
func (c *Capacity) Places() int   { return c.places }
func (c *Capacity) Children() int { return c.children }

// grow gives a place for each growEach that places have been wanting.
func (c *Capacity) grow(now time.Duration) {
	if !c.wanted || now-c.asked > wantedFor || c.lossy || now < c.calm {
		c.grown = now
		return
	}
	for ; c.places < c.most && now-c.grown >= growEach; c.grown += growEach {
		c.places++
	}
}
