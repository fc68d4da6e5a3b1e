package relay

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	ticksASecond = protocol.ClockRate
	// windowTicks is how far back, in RTP ticks, a frame is known to have been
	// seen: twice what is replayed.
	windowTicks = 2 * uint32(protocol.RingSpan*ticksASecond/time.Second)
	// ringSlots holds the window of the fastest source allowed.
	ringSlots = 2 * int(protocol.RingSpan*protocol.MaxPacketsASecond/time.Second)
	// shortestTicks is the shortest frame allowed; it bounds what a leap of the
	// counter can be worth.
	shortestTicks = uint32(protocol.MinPacketDuration * ticksASecond / time.Second)
	// forgetAfter ends a ring's memory, so that a source that was silent for
	// longer than signed timestamp differences reach (12.4 h) is heard again.
	forgetAfter = time.Hour
)

// slot is one frame in a ring.
type slot struct {
	frame  protocol.Frame
	origin protocol.PeerID
	at     time.Duration // when it arrived
	number uint64        // in the forwarder's order of arrival
	chosen bool          // among the loudest, so that live sinks have it
	skips  bool          // the first chosen after such as were not
}

// ring is what a forwarder remembers of a source: its newest frames in order of
// timestamp, each once. All of it tells what has been seen before; what arrived
// within protocol.RingSpan is replayed; and as the oldest slot leaves, the hole
// behind it is past filling and counts as lost.
type ring struct {
	slots []slot // circular; a slot's packet buffer is reused
	head  int    // index of the oldest
	n     int
	lost  uint64 // frames in holes that left the window unfilled
}

func newRing() ring { return ring{slots: make([]slot, ringSlots)} }

// slot gives the i-th oldest.
func (r *ring) slot(i int) *slot { return &r.slots[(r.head+i)%len(r.slots)] }

// newest gives the slot with the newest timestamp; nil in an empty ring.
func (r *ring) newest() *slot {
	if r.n == 0 {
		return nil
	}
	return r.slot(r.n - 1)
}

// verdict is what a ring says of a timestamp.
type verdict uint8

const (
	fresh verdict = iota
	seen          // here already
	stale         // older than the window
)

// place says whether a frame with this timestamp is new and at which position,
// counted from the oldest, it belongs.
func (r *ring) place(timestamp uint32) (int, verdict) {
	if r.n == 0 {
		return 0, fresh
	}
	// Nearly every frame is the newest or a copy of one of the newest.
	i := r.n
	for i > 0 && protocol.Newer(r.slot(i-1).frame.Timestamp, timestamp) {
		i--
	}
	switch {
	case i > 0 && r.slot(i-1).frame.Timestamp == timestamp:
		return i - 1, seen
	case i == 0 && r.n == len(r.slots), r.newest().frame.Timestamp-timestamp > windowTicks && i < r.n:
		return 0, stale
	}
	return i, fresh
}

// put copies a fresh frame to the position that place gave and returns its slot.
func (r *ring) put(i int, f *protocol.Frame) *slot {
	if r.n == len(r.slots) {
		r.evict()
		i--
	}
	// The free slot after the newest gives its buffer; newer frames move up by one.
	r.n++
	buffer := r.slot(r.n - 1).frame.Packet[:0]
	for j := r.n - 1; j > i; j-- {
		*r.slot(j) = *r.slot(j - 1)
	}
	s := r.slot(i)
	*s = slot{frame: *f}
	s.frame.Packet = append(buffer, f.Packet...)
	return s
}

// trim lets go of what the window has left behind.
func (r *ring) trim() {
	for r.n > 0 && r.newest().frame.Timestamp-r.slot(0).frame.Timestamp > windowTicks {
		r.evict()
	}
}

// evict drops the oldest slot, keeping its buffer where it is.
func (r *ring) evict() {
	r.lost += r.hole(1)
	r.head = (r.head + 1) % len(r.slots)
	r.n--
}

// clear forgets all frames.
func (r *ring) clear() {
	for r.n > 0 {
		r.evict()
	}
}

// hole gives the number of frames missing between slot i and the one before it.
func (r *ring) hole(i int) uint64 {
	if i < 1 || i >= r.n {
		return 0
	}
	return missing(&r.slot(i-1).frame, &r.slot(i).frame)
}

// missing gives the number of frames that a source spoke between two of its
// frames, by its counter: none if they were left out on purpose, or if the
// counter doesn't grow with the timestamp; no more than there is time for.
func missing(a, b *protocol.Frame) uint64 {
	gap := b.Counter - a.Counter - 1 // wraps
	if gap >= 1<<15 || b.Marks&protocol.Skipped != 0 {
		return 0
	}
	room := max(1, (b.Timestamp-a.Timestamp)/shortestTicks) - 1
	return min(uint64(gap), uint64(room))
}

// lostBy gives the frames lost for good: those in holes that were noticed
// before the time given.
func (r *ring) lostBy(before time.Duration) uint64 {
	lost := r.lost
	for i := 1; i < r.n; i++ {
		if r.slot(i).at < before {
			lost += r.hole(i)
		}
	}
	return lost
}

// position gives the timestamp after which to resume: the newest, or where a
// hole may still be filled the last frame before it and at least margin before
// the newest. False if nothing has been heard.
func (r *ring) position(since time.Duration, margin uint32) (uint32, bool) {
	if r.n == 0 {
		return 0, false
	}
	newest := r.newest().frame.Timestamp
	for i := 1; i < r.n; i++ {
		if r.slot(i).at < since || r.hole(i) == 0 {
			continue
		}
		contiguous := r.slot(i - 1).frame.Timestamp
		if protocol.Newer(contiguous, newest-margin) {
			return newest - margin, true
		}
		return contiguous, true
	}
	return newest, true
}
