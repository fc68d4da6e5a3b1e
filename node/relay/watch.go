package relay

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	// maxOrigins bounds the links that are listened to.
	maxOrigins = 2 * protocol.MaxChildren
	// stall is how late the timer may come before it says more of this machine
	// than of a parent; grace is what a parent then gets.
	stall = 20 * time.Millisecond
	grace = protocol.Heartbeat
	// resumeMargin is how far before the newest frame to resume if there are
	// holes: frames may still be on their way.
	resumeMargin = 200 * time.Millisecond
)

// origin is a link as something that may be silent.
type origin struct {
	heard    time.Duration // when anything last came
	fed      time.Duration // when a frame came, or word that the far side has its own
	starved  bool          // the last word was that it has none
	hot      bool          // something came, and no Idle after it
	said     bool          // Activity said so
	hotSince time.Duration
	pace     pace
}

// watch is the parent whose silence matters.
type watch struct {
	parent protocol.PeerID // "": this node is the root
	origin *origin
	until  time.Duration // before which silence means nothing
	silent bool          // and has been reported
	mutes  int           // switches in a row after which nothing came from anywhere
}

// maxMutes bounds switching to and fro: when one parent after the other is
// silent, and not a word came between, the room went quiet and the news of it
// was lost, or this node is cut off. Another switch mends neither.
const maxMutes = 2

// origin gives what is known of a link; nil for this node itself. The one
// unheard for longest makes way for a new one.
func (f *Forwarder) origin(p protocol.PeerID) *origin {
	if p == "" {
		return nil
	}
	if o := f.origins[p]; o != nil {
		return o
	}
	if len(f.origins) >= maxOrigins {
		oldest := protocol.PeerID("")
		for q, o := range f.origins {
			if o != f.watched.origin && (oldest == "" || o.heard < f.origins[oldest].heard) {
				oldest = q
			}
		}
		delete(f.origins, oldest)
	}
	o := &origin{heard: always, fed: always}
	f.origins[p] = o
	return o
}

// fed notes that a frame came over a link.
func (f *Forwarder) fed(from protocol.PeerID) {
	if o := f.origin(from); o != nil {
		f.listened(o)
		o.fed, o.starved = f.now, false
		f.restored(o)
	}
}

// heard takes a heartbeat.
func (f *Forwarder) heard(from protocol.PeerID, b protocol.Beat) {
	o := f.origin(from)
	switch {
	case o == nil:
	case b == protocol.Idle:
		f.watched.mutes = 0
		o.heard, o.hot, o.said, o.starved = f.now, false, false, false
		f.restored(o)
	case b == protocol.Starved:
		f.listened(o)
		o.starved = true
	default:
		f.listened(o)
		o.fed, o.starved = f.now, false
		f.restored(o)
	}
}

// listened notes that something came that means a hot room.
func (f *Forwarder) listened(o *origin) {
	f.watched.mutes = 0
	pause, began := f.now-o.heard, !f.isHot(o)
	if o.hot && pause < protocol.HotFor {
		o.pace.note(pause)
	}
	if began {
		o.hotSince = f.now
	}
	if !o.hot {
		o.hot, o.fed = true, f.now
	}
	o.heard = f.now
	if began {
		f.wake(f.listen())
	}
}

// restored ends a reported silence.
func (f *Forwarder) restored(o *origin) {
	if o == f.watched.origin && f.watched.silent {
		f.watched.silent = false
		f.wake(f.listen())
	}
}

// isHot says whether a link other than the parent's tells of a hot room: links
// from below send no Idle.
func (f *Forwarder) isHot(o *origin) bool {
	return o.said || o.hot && f.now-o.heard < protocol.HotFor
}

// listen reports the parent if it has been silent for too long, and says when
// it would be.
func (f *Forwarder) listen() time.Duration {
	w := &f.watched
	due := f.silentBy()
	if due > f.now || w.silent {
		return due
	}
	w.silent = true
	if w.mutes >= maxMutes {
		w.origin.hot = false
		return never
	}
	f.event(Silent{w.parent, f.positions()})
	if f.hot > 0 {
		f.wake(f.now) // its children hear that it is starved
	}
	return never
}

// silentBy gives the time by which the parent counts as silent if nothing comes.
func (f *Forwarder) silentBy() time.Duration {
	w := &f.watched
	if w.parent == "" || w.silent {
		return never
	}
	o := w.origin
	threshold := o.pace.threshold()
	switch since, hot := f.hotElsewhere(); {
	case o.hot && o.starved:
		return max(w.until, o.fed+protocol.StarvedSilence)
	case o.hot:
		return max(w.until, o.heard+threshold)
	case hot:
		return max(w.until, max(since, o.heard)+threshold)
	}
	return never
}

// hotElsewhere says since when another link has told of a hot room.
func (f *Forwarder) hotElsewhere() (since time.Duration, hot bool) {
	since = never
	for _, o := range f.origins {
		if o != f.watched.origin && f.isHot(o) {
			since, hot = min(since, o.hotSince), true
		}
	}
	return since, hot
}

// pardon gives the parent time if this machine was busy with something else:
// what came meanwhile has yet to be read.
func (f *Forwarder) pardon(late time.Duration) {
	if late > stall {
		f.watched.until = max(f.watched.until, f.now+grace)
	}
}

// Watch names the peer whose silence is to be reported; "": nobody's, this node
// is the root. Another one than before is given protocol.SwitchHoldOff.
func (f *Forwarder) Watch(parent protocol.PeerID) {
	f.post(func() {
		w := &f.watched
		if w.parent == parent {
			return
		}
		was := *w
		*w = watch{parent: parent, origin: f.origin(parent), until: always}
		if was.parent != "" && parent != "" {
			w.until, w.mutes = f.now+protocol.SwitchHoldOff, was.mutes+1
			if was.origin.hot || was.silent { // somebody speaks, so this one should be heard
				w.origin.hot, w.origin.fed = true, f.now
				w.origin.heard = max(w.origin.heard, f.now)
			}
		}
		f.wake(f.listen())
	})
}

// Activity takes a peer's word, from outside the media path, that the room is
// hot or cold there. A warm parent sends nothing else.
func (f *Forwarder) Activity(from protocol.PeerID, hot bool) {
	f.post(func() {
		o := f.origin(from)
		if o == nil {
			return
		}
		if hot && !f.isHot(o) {
			o.hotSince = f.now
		}
		o.said = hot
		if o == f.watched.origin {
			if hot && !o.hot {
				o.fed, o.heard = f.now, f.now
			}
			o.hot = hot
		}
		f.wake(f.listen())
	})
}

// positions gives what to resume from.
func (f *Forwarder) positions() []Position {
	const marginTicks = uint32(resumeMargin * ticksASecond / time.Second)
	var all []Position
	for _, s := range f.open {
		if timestamp, ok := s.ring.position(f.now-protocol.RingSpan, marginTicks); ok {
			all = append(all, Position{s.id, timestamp})
		}
	}
	return all
}
