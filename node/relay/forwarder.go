package relay

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// ErrEnded says that the forwarder's Run has returned.
var ErrEnded = errors.New("the room's forwarder has ended")

const (
	never    = time.Duration(math.MaxInt64)
	always   = time.Duration(math.MinInt64 / 2) // before any time there is
	quietest = 127                              // the level of digital silence (RFC 6464)

	// burst is what a source may be ahead of its rates: a ring that another
	// parent replays, and what is spoken meanwhile.
	burst      = 2 * protocol.RingSpan
	packetCost = time.Second / protocol.MaxPacketsASecond
	bitCost    = time.Second / protocol.MaxBitsASecond
)

// Forwarder carries one room's frames from where they arrive to its sinks.
type Forwarder struct {
	cfg   Config
	inbox chan post
	free  chan *parcel
	ended chan struct{}

	full, malformed atomic.Uint64 // counted by Push and Heard

	// What follows belongs to Run's goroutine.
	now      time.Duration
	timer    *time.Timer
	due      time.Duration // when the timer fires; never: it is stopped
	arrivals uint64        // frames so far
	sources  map[protocol.Source]*source
	open     []*source // the same, to go through
	hot      int       // sources that are
	floor    floor
	outlets  []*outlet
	origins  map[protocol.PeerID]*origin
	watched  watch
	dropped  Dropped
	plain    protocol.Frame // as sinks other than live ones get it
	live     protocol.Frame
}

// New makes a room's forwarder; it works once Run does.
func New(cfg Config) *Forwarder {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Events == nil {
		cfg.Events = func(Event) {}
	}
	f := &Forwarder{
		cfg:     cfg,
		inbox:   make(chan post, inboxFrames+inboxCommands),
		free:    make(chan *parcel, inboxFrames),
		ended:   make(chan struct{}),
		due:     never,
		sources: make(map[protocol.Source]*source),
		origins: make(map[protocol.PeerID]*origin),
	}
	parcels := make([]parcel, inboxFrames)
	for i := range parcels {
		f.free <- &parcels[i]
	}
	return f
}

// Run forwards until ctx ends. In a silent room it sleeps: the timer runs only
// while somebody speaks.
func (f *Forwarder) Run(ctx context.Context) error {
	defer close(f.ended)
	f.timer = time.NewTimer(never)
	defer f.timer.Stop()
	f.timer.Stop()
	for {
		select {
		case p := <-f.inbox:
			f.take(p)
		case <-f.timer.C:
			f.tick()
		case <-ctx.Done():
			return nil
		}
	}
}

// tick does what is due by now, after what has arrived by now.
func (f *Forwarder) tick() {
	for range len(f.inbox) {
		f.take(<-f.inbox)
	}
	f.now = max(f.now, f.cfg.Now())
	f.pardon(f.now - f.due)
	f.due = never
	f.wake(f.expire())
	f.wake(f.beat())
	f.wake(f.listen())
}

// wake has tick called at a time, or earlier.
func (f *Forwarder) wake(at time.Duration) {
	if at >= f.due {
		return
	}
	f.due = at
	f.timer.Reset(max(0, at-f.now))
}

// forward takes one frame to the sinks.
func (f *Forwarder) forward(from protocol.PeerID, fr *protocol.Frame) {
	f.fed(from)
	s := f.sources[fr.Source]
	switch {
	case s == nil:
		f.dropped.Unauthorised++
		return
	case s.muted:
		f.dropped.Muted++
		return
	case s.own && from != "": // our own voice come round
		s.duplicates++
		return
	}
	kept := f.keep(s, from, fr)
	if kept == nil {
		return
	}
	if s.ring.newest() == kept {
		f.heat(s, fr)
	}
	f.choose(s, kept)
	f.fanOut(s, kept)
	s.ring.trim()
	if fr.Marks&protocol.End != 0 && s.hot && s.ring.newest().frame.Timestamp == fr.Timestamp {
		f.cool(s)
	}
}

// keep puts a frame into its source's ring; nil, counted, if it is not to be
// forwarded.
func (f *Forwarder) keep(s *source, from protocol.PeerID, fr *protocol.Frame) *slot {
	if n := s.ring.newest(); n != nil && f.now-n.at > forgetAfter {
		s.ring.clear()
	}
	i, v := s.ring.place(fr.Timestamp)
	switch {
	case v == seen:
		s.duplicates++
		return nil
	case v == stale:
		f.dropped.Stale++
		return nil
	case !s.withinRates(f.now, len(fr.Packet)):
		f.dropped.TooFast++
		return nil
	}
	if from == "" || from == s.owner && from != f.watched.parent {
		// Only forwarders say this, and a speaker is none of its own voice,
		// unless the relay itself speaks.
		fr.Marks &^= protocol.Selected | protocol.Skipped
	}
	if s.skipped {
		s.skipped = false
		fr.Marks |= protocol.Skipped
	}
	if from == "" {
		s.own = true
	}
	s.frames++
	if fr.Marks&protocol.Replayed != 0 {
		s.resumed++
	}
	f.arrivals++
	kept := s.ring.put(i, fr)
	kept.origin, kept.at, kept.number = from, f.now, f.arrivals
	return kept
}

// fanOut sends a frame to the sinks that want it.
func (f *Forwarder) fanOut(s *source, kept *slot) {
	f.plain, f.live = kept.frame, kept.frame
	f.live.Marks |= kept.liveMarks()
	for _, o := range f.outlets {
		switch {
		case !o.wants(s, kept):
		case !o.bound(s):
			o.miss(s, kept)
		case o.mode == Live:
			o.send(&f.live, f.now)
		default:
			o.send(&f.plain, f.now)
		}
	}
	f.plain.Packet, f.live.Packet = nil, nil
}

func (f *Forwarder) event(e Event) { f.cfg.Events(e) }
