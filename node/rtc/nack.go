package rtc

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	// maxHoles bounds how many missing packets are asked for at a time.
	maxHoles = 512
	// askFloor is the shortest pause between two requests for a packet.
	askFloor = 10 * time.Millisecond
	// askUnknown is that pause before the round trip has been measured.
	askUnknown = 30 * time.Millisecond
)

// hole is a sequence number that has not come.
type hole struct {
	sequence uint16
	since    time.Duration
	asked    time.Duration // last; before since: not yet
}

// gaps watches the sequence numbers of one direction of a link: what is
// missing, when to ask for it, what is lost for good. It has no clock.
type gaps struct {
	highest uint16 // newest sequence number that came
	holes   []hole // oldest first
}

// newGaps begins before a connection's first packet, so that losing that one
// too is noticed.
func newGaps(first uint16) gaps { return gaps{highest: first - 1} }

// arrival is what a packet was to the gaps.
type arrival uint8

const (
	newest    arrival = iota
	reordered         // it fills a hole that was not asked for yet
	recovered         // it fills one that was
	late              // it had been given up
)

// take notes that a packet came, and how many are lost for good by that (a gap
// wider than what may be asked for).
func (g *gaps) take(sequence uint16, at time.Duration) (a arrival, lost int) {
	ahead := int(int16(sequence - g.highest))
	if ahead <= 0 {
		return g.fill(sequence), 0
	}
	missing := ahead - 1
	if over := len(g.holes) + missing - maxHoles; over > 0 {
		lost = over
		gone := min(over, len(g.holes))
		g.holes = append(g.holes[:0], g.holes[gone:]...)
		missing -= over - gone
	}
	for i := missing; i > 0; i-- {
		g.holes = append(g.holes, hole{sequence: sequence - uint16(i), since: at, asked: -1})
	}
	g.highest = sequence
	return newest, lost
}

func (g *gaps) fill(sequence uint16) arrival {
	for i, h := range g.holes {
		if h.sequence == sequence {
			g.holes = append(g.holes[:i], g.holes[i+1:]...)
			if h.asked < 0 {
				return reordered
			}
			return recovered
		}
	}
	return late
}

// due gives the sequence numbers to ask for at this time, appended to ask, and
// how many holes are given up because they are older than protocol.NackSpan.
func (g *gaps) due(at, roundTrip time.Duration, ask []uint16) (_ []uint16, lost int) {
	pause := again(roundTrip)
	kept := g.holes[:0]
	for _, h := range g.holes {
		if at-h.since >= protocol.NackSpan {
			lost++
			continue
		}
		if h.asked < 0 || at-h.asked >= pause {
			h.asked = at
			ask = append(ask, h.sequence)
		}
		kept = append(kept, h)
	}
	g.holes = kept
	return ask, lost
}

// wake gives when due is to be called next; false if nothing is missing.
func (g *gaps) wake(roundTrip time.Duration) (time.Duration, bool) {
	if len(g.holes) == 0 {
		return 0, false
	}
	soonest := time.Duration(1<<63 - 1)
	for _, h := range g.holes {
		if h.asked < 0 {
			return h.since, true
		}
		soonest = min(soonest, h.asked+again(roundTrip), h.since+protocol.NackSpan)
	}
	return soonest, true
}

// again is the pause between requests: 1.5 round trips.
func again(roundTrip time.Duration) time.Duration {
	if roundTrip <= 0 {
		return askUnknown
	}
	return max(askFloor, roundTrip*3/2)
}
