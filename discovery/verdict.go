package discovery

import (
	"errors"
	"sync/atomic"

	"github.com/earshot-audio/earshot/protocol"
)

// Verdict is what to do with a message that a neighbour passed on.
type Verdict uint8

const (
	Accept Verdict = iota // new and true: kept here, to be passed on
	Ignore                // of no use here, but no fault of whoever sent it
	Reject                // provably bad: whoever passed it on did not check it
)

// String gives the verdict's word.
func (v Verdict) String() string {
	return [...]string{"accept", "ignore", "reject"}[v]
}

// outcome is a verdict with its reason.
type outcome uint8

const (
	accepted  outcome = iota
	known             // this very announcement, or one with the same sequence
	older             // than what its announcer said since
	hasty             // its announcer announces too often
	foreign           // of another network
	full              // no place left for it
	silenced          // its founder closed the room
	lapsed            // a certificate in its chain ran out
	later             // of a room that only a later version understands
	stopped           // the directory is not running any more
	malformed         // not an announcement
	forged            // a signature does not fit
	noRight           // its announcer may not announce the room
	outcomes          // how many there are
)

func (o outcome) verdict() Verdict {
	switch o {
	case accepted:
		return Accept
	case malformed, forged, noRight:
		return Reject
	}
	return Ignore
}

// outcomeOf tells from a failed check what was wrong.
func outcomeOf(err error) outcome {
	switch {
	case errors.Is(err, protocol.ErrSignature):
		return forged
	case errors.Is(err, protocol.ErrNoRight):
		return noRight
	case errors.Is(err, protocol.ErrLater):
		return later
	}
	return malformed
}

// Counters says how many announcements met which end since the start, and what
// is held now.
type Counters struct {
	Accepted, Known, Older, Hasty, OtherNetwork, Full, Closed, Lapsed, Later uint64
	Malformed, Forged, NoRight                                               uint64

	Rooms, Announcers int // held now
}

// tally counts outcomes; any goroutine may add to it.
type tally [outcomes]atomic.Uint64

func (t *tally) counters() Counters {
	return Counters{
		Accepted: t[accepted].Load(), Known: t[known].Load(), Older: t[older].Load(), Hasty: t[hasty].Load(),
		OtherNetwork: t[foreign].Load(), Full: t[full].Load(), Closed: t[silenced].Load(), Lapsed: t[lapsed].Load(), Later: t[later].Load(),
		Malformed: t[malformed].Load(), Forged: t[forged].Load(), NoRight: t[noRight].Load(),
	}
}
