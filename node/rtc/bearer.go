package rtc

import (
	"math/rand/v2"
	"time"
)

const (
	idle = time.Hour // nothing is due
	// stall is how late run may come to tend the link before it says more of this
	// machine than of UDP.
	stall = 50 * time.Millisecond
	// steady is how long UDP has to carry packets for its earlier failures to be
	// forgotten.
	steady = 30 * time.Second
	// maxDoubts bounds the pause before a connection that failed again and again
	// is tried: 16 times the first one.
	maxDoubts = 4
	// acknowledging is what a report may take beyond its turn and a round trip.
	acknowledging = 50 * time.Millisecond
)

// bearers is how a link's packets go, and what is done about it. It is part of
// Link, and run's own.
type bearers struct {
	udp      *sending  // of the connection that is up; nil: none
	diverted *Detour   // by which packets go; nil: not by one
	trusted  time.Time // since when udp carries packets; zero: it does not

	turned uint32    // acknowledged beyond it, udp works again
	tried  time.Time // last time that a probe went over udp
	doubts int       // how often udp was turned away from, in a row

	resting  bool      // between two attempts at a connection
	until    time.Time // resting
	attempts int       // that failed, in a row

	due time.Time // when tend meant to be called
}

// tend does what is due and says when there will be more.
func (l *Link) tend() time.Duration {
	now := time.Now()
	if !l.trying {
		return idle
	}
	if l.udp == nil {
		l.insist(now)
	}
	if !l.trying {
		return idle
	}
	l.choose(now)
	pause := idle
	for _, at := range []time.Time{l.nextAttempt(), l.nextChoice()} {
		if !at.IsZero() {
			pause = min(pause, max(time.Millisecond, time.Until(at)))
		}
	}
	l.due = time.Now().Add(pause)
	return pause
}

// insist goes on with the attempts at UDP: asks again for an offer that has not
// come, gives up, rests, begins anew.
func (l *Link) insist(now time.Time) {
	t := &l.engine.cfg.times
	switch {
	case l.resting:
		if !now.Before(l.until) {
			l.try()
		}
	case !now.Before(l.attempt.Add(t.attempt)):
		l.fail(ErrTimeout)
	case l.current == nil && !now.Before(l.asked.Add(t.repeat)):
		l.ask()
	}
}

func (l *Link) nextAttempt() time.Time {
	t := &l.engine.cfg.times
	switch {
	case l.udp != nil:
		return time.Time{}
	case l.resting:
		return l.until
	case l.current == nil && l.asked.Add(t.repeat).Before(l.attempt.Add(t.attempt)):
		return l.asked.Add(t.repeat)
	}
	return l.attempt.Add(t.attempt)
}

// rest waits before the next attempt at UDP, longer each time. It is not deaf
// meanwhile: it takes an offer, and makes one if that is wanted.
func (l *Link) rest() {
	l.forgive(time.Now())
	t := &l.engine.cfg.times
	pause := min(t.restCap, t.rest<<min(l.attempts, 10))
	l.attempts++
	pause += time.Duration((rand.Float64() - 0.5) * 0.4 * float64(pause))
	l.resting, l.until = true, time.Now().Add(pause)
}

// forgive notes that UDP carries nothing any more, and forgets its earlier
// failures if it did for long.
func (l *Link) forgive(now time.Time) {
	if !l.trusted.IsZero() && now.Sub(l.trusted) >= steady {
		l.doubts, l.attempts = 0, 0
	}
	l.trusted = time.Time{}
}

// choose finds the bearer of the link's packets: UDP while it works, else the
// detour if there is one.
func (l *Link) choose(now time.Time) {
	d := l.detour.Load()
	switch {
	case d == nil && l.diverted == nil:
	case d == nil:
		l.turn(l.udp, nil)
		if l.resting {
			l.try()
		}
	case l.udp != nil && l.diverted != nil:
		l.turnBack(now)
	case l.udp != nil:
		l.mistrust(now, d)
	case l.diverted == nil && (l.up || !now.Before(l.began.Add(l.engine.cfg.times.detour))):
		l.turn(nil, d)
	}
	if d != nil && l.diverted != nil && l.diverted != d { // it was replaced
		l.turn(l.udp, d)
	}
}

// nextChoice says when choose has something to do, if nothing happens.
func (l *Link) nextChoice() time.Time {
	t := &l.engine.cfg.times
	switch {
	case l.detour.Load() == nil:
	case l.udp == nil && !l.up:
		return l.began.Add(t.detour)
	case l.udp == nil:
	case l.diverted != nil:
		return l.tried.Add(l.probePause())
	default:
		if a := l.udp.state(); a.pending() {
			return l.engine.started.Add(min(a.since+l.patience(), a.last+l.tail()))
		}
	}
	return time.Time{}
}

// mistrust turns away from a connection that does not acknowledge. A packet
// that nothing follows might have been lost, or its report: probes follow it,
// which also tell the far side what it misses.
func (l *Link) mistrust(now time.Time, d *Detour) {
	if late := now.Sub(l.due); late > stall && !l.due.IsZero() {
		l.udp.pardon(late)
	}
	a, at := l.udp.state(), l.engine.now()
	switch {
	case !a.pending():
	case at >= a.since+l.patience():
		l.forgive(now)
		l.turn(l.udp, d)
		l.turned, l.tried = a.sent, now
		if l.doubts++; l.doubts == 1 {
			l.udp.try()
		}
	case at >= a.last+l.tail():
		l.udp.try()
	}
}

// turnBack goes back to a connection that acknowledges what it is tried with.
func (l *Link) turnBack(now time.Time) {
	switch {
	case int32(l.udp.state().acked-l.turned) > 0:
		l.turn(l.udp, nil)
		l.trusted = now
	case !now.Before(l.tried.Add(l.probePause())):
		l.tried = now
		l.udp.try()
	}
}

// probePause grows with each time that the connection has failed.
func (l *Link) probePause() time.Duration {
	return l.engine.cfg.times.probe << min(max(0, l.doubts-1), maxDoubts)
}

// patience is how long a connection may leave packets unacknowledged.
func (l *Link) patience() time.Duration { return l.engine.cfg.times.silence + l.way() }

// tail is how long the acknowledgement of a packet that nothing follows may take
// before a probe follows it.
func (l *Link) tail() time.Duration { return l.engine.cfg.times.report + l.way() + acknowledging }

func (l *Link) way() time.Duration { return min(l.rtt(), maxRoundTrip) }

// turn makes a connection, or a detour if there is one, carry the link's
// packets, and tells its owner what that changes.
func (l *Link) turn(udp *sending, d *Detour) {
	moved := (l.diverted != nil) != (d != nil)
	switch {
	case d != nil:
		l.out.turn(udp, *d)
		l.where.Store(&where{path: pathStream})
	case udp != nil:
		l.out.turn(udp, nil)
		l.where.Store(l.current.where())
	default:
		l.stop()
		l.down(errDetourEnded)
		return
	}
	l.udp, l.diverted = udp, d
	events := *l.events.Load()
	switch {
	case !l.up:
		l.up = true
		l.log.Debug("link up", "path", l.where.Load().path, "took", time.Since(l.began))
		events.Up(l.peer)
	case moved:
		l.log.Debug("link moved", "path", l.where.Load().path)
		events.Moved(l.peer)
	}
}
