package relay

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	// beatSlack lets a frame that is due any moment take a heartbeat's place;
	// without it a steady 20 ms cadence would be doubled by its own jitter.
	beatSlack = 5 * time.Millisecond
	// idleBeats say that a room went cold, since one may be lost.
	idleBeats = 3
	// maxOutlets bounds a forwarder's sinks; links bound them far earlier.
	maxOutlets = 4096

	// A child may have its ring replayed twice a second, and four times in a
	// row: enough for any switch, too little to have us flood somebody.
	resumeCost  = time.Second / 2
	resumeBurst = 2 * time.Second
)

// set is a set of open sources by their bit.
type set uint64

// A set has a bit for each source that may be open.
var _ [64 - protocol.MaxSources]struct{}

func (s set) has(bit uint) bool { return s&(1<<bit) != 0 }
func (s *set) add(bit uint)     { *s |= 1 << bit }
func (s *set) remove(bit uint)  { *s &^= 1 << bit }

// outlet is a sink with what the forwarder knows of it.
type outlet struct {
	id   SinkID
	peer protocol.PeerID
	mode Mode
	sink Sink

	enabled  set                         // the far side has bound these
	waiting  set                         // frames of these were missed for want of that
	resuming set                         // and among them such that it asked for
	missed   [protocol.MaxSources]uint64 // the first missed, by its number of arrival

	sentAt  time.Duration // when it last was sent anything
	byFrame bool          // and that was a frame
	idles   int           // Idle beats still to be sent
	resumes bound

	sent, dropped uint64
}

// wants says whether a frame is for this sink at all, bound or not.
func (o *outlet) wants(s *source, kept *slot) bool {
	switch o.mode {
	case Local:
		return true
	case Warm:
		return false
	case Up:
		return s.own
	}
	if o.peer != "" && (kept.origin == o.peer || s.owner == o.peer) {
		return false
	}
	return o.mode == Mirror || kept.chosen
}

// bound says whether the far side knows the source.
func (o *outlet) bound(s *source) bool { return o.mode == Local || o.enabled.has(s.bit) }

// beats says whether the far side counts on heartbeats.
func (o *outlet) beats() bool { return o.mode == Live || o.mode == Mirror }

// miss notes the first frame that the sink would have had.
func (o *outlet) miss(s *source, kept *slot) {
	if !o.waiting.has(s.bit) {
		o.waiting.add(s.bit)
		o.missed[s.bit] = kept.number
	}
}

func (o *outlet) send(fr *protocol.Frame, now time.Duration) {
	if !o.sink.Send(fr) {
		o.dropped++
		return
	}
	o.sent++
	o.sentAt, o.byFrame = now, true
}

func (o *outlet) disable(s *source) {
	o.enabled.remove(s.bit)
	o.forgive(s)
}

func (o *outlet) forgive(s *source) {
	o.waiting.remove(s.bit)
	o.resuming.remove(s.bit)
}

// idle has the far side told that the room is cold.
func (o *outlet) idle() {
	if o.beats() {
		o.idles = idleBeats
		o.sentAt = always
	}
}

// beat sends the heartbeats that are due and says when the next one is.
func (f *Forwarder) beat() time.Duration {
	b := protocol.Alive
	switch {
	case f.hot == 0:
		b = protocol.Idle
	case f.watched.silent:
		b = protocol.Starved
	}
	next := never
	for _, o := range f.outlets {
		if !o.beats() || b == protocol.Idle && o.idles == 0 {
			continue
		}
		due := o.sentAt + protocol.Heartbeat
		if o.byFrame && b != protocol.Idle {
			due += beatSlack
		}
		if f.now < due {
			next = min(next, due)
			continue
		}
		o.sink.Beat(b)
		o.sentAt, o.byFrame = f.now, false
		if b == protocol.Idle {
			o.idles--
		}
		if b != protocol.Idle || o.idles > 0 {
			next = min(next, f.now+protocol.Heartbeat)
		}
	}
	return next
}

func (f *Forwarder) outlet(id SinkID) *outlet {
	for _, o := range f.outlets {
		if o.id == id {
			return o
		}
	}
	return nil
}

// AddSink adds a sink towards a peer ("": none); one with the same ID makes
// way for it. A sink that takes this node's voices, or mirrors, is given what
// the ring holds, each source on Enable: it may be there because a relay went,
// and with it what was on its way.
func (f *Forwarder) AddSink(id SinkID, peer protocol.PeerID, mode Mode, sink Sink) {
	f.post(func() {
		f.remove(id)
		if len(f.outlets) >= maxOutlets {
			f.cfg.Log.Warn("too many sinks in the room", "room", f.cfg.Room.Short(), "peer", peer)
			return
		}
		o := &outlet{id: id, peer: peer, sink: sink, sentAt: always}
		f.outlets = append(f.outlets, o)
		f.setMode(o, mode)
		if mode == Up || mode == Mirror {
			f.resumeAll(o, nil)
		}
	})
}

func (f *Forwarder) resumeAll(o *outlet, positions []Position) {
	for _, s := range f.open {
		f.resume(o, s, positions)
	}
}

// RemoveSink forgets a sink: nothing is sent to it once this command is done.
func (f *Forwarder) RemoveSink(id SinkID) { f.post(func() { f.remove(id) }) }

func (f *Forwarder) remove(id SinkID) {
	f.outlets = slices.DeleteFunc(f.outlets, func(o *outlet) bool { return o.id == id })
}

// SetMode changes what a sink gets, from now on. One that begins to mirror is
// given what the ring holds, as by AddSink: the relay may have gone from which
// it had all until now.
func (f *Forwarder) SetMode(id SinkID, mode Mode) {
	f.post(func() {
		o := f.outlet(id)
		if o == nil || o.mode == mode {
			return
		}
		f.setMode(o, mode)
		if mode == Mirror {
			f.resumeAll(o, nil)
		}
	})
}

// setMode tells a sink that begins to count on heartbeats at once how the room
// is: it may be a child that has just lost its other parent.
func (f *Forwarder) setMode(o *outlet, mode Mode) {
	began := !o.beats()
	o.mode, o.waiting, o.resuming, o.idles = mode, 0, 0, 0
	if !began || !o.beats() {
		return
	}
	o.sentAt, o.byFrame = always, false
	if f.hot == 0 {
		o.idle()
	}
	f.wake(f.now)
}

// Enable says that the far side of a sink has bound a source. What it missed of
// the source for want of that, as far as the ring holds it, goes first.
func (f *Forwarder) Enable(id SinkID, source protocol.Source) {
	f.post(func() {
		o, s := f.outlet(id), f.sources[source]
		if o == nil || s == nil || o.enabled.has(s.bit) {
			return
		}
		o.enabled.add(s.bit)
		if o.waiting.has(s.bit) {
			first, marks := o.missed[s.bit], protocol.Marks(0)
			if o.resuming.has(s.bit) {
				marks = protocol.Replayed
			}
			f.replay(o, s, marks, func(kept *slot) bool { return kept.number >= first })
		}
		o.forgive(s)
	})
}

// Disable keeps a source from a sink until Enable.
func (f *Forwarder) Disable(id SinkID, source protocol.Source) {
	f.post(func() {
		if o, s := f.outlet(id), f.sources[source]; o != nil && s != nil {
			o.disable(s)
		}
	})
}

// Resume makes a warm sink live and first replays what the ring holds: of the
// sources named all that is newer than their positions, of the others
// everything. Frames that its far side has not bound yet follow on Enable.
func (f *Forwarder) Resume(id SinkID, positions []Position) {
	positions = slices.Clone(positions[:min(len(positions), protocol.MaxSources)])
	f.post(func() {
		o := f.outlet(id)
		if o == nil || o.mode == Up || o.mode == Local {
			return
		}
		if o.mode == Warm {
			f.setMode(o, Live)
		}
		if !o.resumes.take(f.now, resumeCost, resumeBurst) {
			f.dropped.Resumes++
			return
		}
		f.resumeAll(o, positions)
	})
}

func (f *Forwarder) resume(o *outlet, s *source, positions []Position) {
	newer := func(*slot) bool { return true }
	if i := slices.IndexFunc(positions, func(p Position) bool { return p.Source == s.id }); i >= 0 {
		newer = func(kept *slot) bool { return protocol.Newer(kept.frame.Timestamp, positions[i].Timestamp) }
	}
	if o.bound(s) {
		f.replay(o, s, protocol.Replayed, newer)
		return
	}
	for i := range s.ring.n {
		kept := s.ring.slot(i)
		if !newer(kept) || !f.replayable(s, kept) || !o.wants(s, kept) {
			continue
		}
		o.resuming.add(s.bit)
		if !o.waiting.has(s.bit) || kept.number < o.missed[s.bit] {
			o.waiting.add(s.bit)
			o.missed[s.bit] = kept.number
		}
	}
}

// replay sends from a source's ring, in order, the frames that are wanted.
func (f *Forwarder) replay(o *outlet, s *source, marks protocol.Marks, wanted func(*slot) bool) {
	for i := range s.ring.n {
		kept := s.ring.slot(i)
		if !f.replayable(s, kept) || !o.wants(s, kept) || !wanted(kept) {
			continue
		}
		f.plain = kept.frame
		f.plain.Marks |= marks
		if o.mode == Live {
			f.plain.Marks |= kept.liveMarks()
		}
		o.send(&f.plain, f.now)
	}
	f.plain.Packet = nil
}

// replayable says whether a frame is young enough to be of use: a ring may end
// with the last words of an hour ago.
func (f *Forwarder) replayable(s *source, kept *slot) bool {
	return !s.muted && f.now-kept.at <= protocol.RingSpan
}
