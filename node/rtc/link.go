package rtc

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// Events tells a pair's owner about its link. The calls come from the link's
// goroutine: implementations only post.
type Events interface {
	Signal(p protocol.PeerID, s Signal) // to be carried to p
	Up(p protocol.PeerID)               // frames can pass
	Moved(p protocol.PeerID)            // it is up, and LinkStats.Path is another
	Down(p protocol.PeerID, err error)  // was up, or would not come up
}

// Errors that Events.Down gives, among others.
var (
	ErrTimeout  = errors.New("no media path to the other node came up; is UDP blocked?")
	ErrReplaced = errors.New("the other node began a new connection")
)

const (
	maxSignals = 16 // that wait
	// offerPause is the shortest time between two offers that the far side's
	// WANTED may cause.
	offerPause = 200 * time.Millisecond
	// A connection costs milliseconds of work, and an offer may name addresses
	// that get packets of ours: a far side has so many a second, more at once.
	connectionsASecond = 2
	connectionsAtOnce  = 8
)

// Link is the media path to one other node, for all rooms of the pair. Handles
// and outlets outlive its connections. Its packets go over UDP, or by a detour,
// each direction for itself.
//
// One goroutine, run, makes and ends the connections. The side with the lower
// peer ID offers. A generation numbers the offers; WANTED names the newest that
// the asking side has seen, so that the offerer can tell "yours is on its way"
// from "I have lost it".
type Link struct {
	engine *Engine
	peer   protocol.PeerID
	offers bool
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	before *Link         // which must have ended first
	done   chan struct{} // run has returned

	inbox    chan Signal
	wanted   chan struct{}
	poked    chan struct{} // tend has something to do
	loopback atomic.Bool
	events   atomic.Pointer[Events]
	detour   atomic.Pointer[Detour] // nil: none

	out       outbound
	in        *inbound // of the detour
	where     atomic.Pointer[where]
	roundTrip atomic.Int64
	stats     counters

	mu     sync.Mutex // of those who change inlets
	inlets atomic.Pointer[map[protocol.Handle]inlet]

	// The rest is run's own.
	current    *connection
	trying     bool      // Connect was called, and no Down since that ended it
	up         bool      // Up was said, and no Down since
	began      time.Time // when the link was last wanted and not up
	attempt    time.Time // when this attempt at UDP began
	asked      time.Time // last
	generation uint32    // newest offer made or taken
	pace       *rate.Limiter
	offered    Signal
	offeredAt  time.Time
	answered   bool
	bearers
}

func newLink(e *Engine, p protocol.PeerID) *Link {
	l := &Link{
		engine: e, peer: p, offers: e.cfg.Self < p, log: e.log.With("peer", p),
		done: make(chan struct{}), inbox: make(chan Signal, maxSignals), wanted: make(chan struct{}, 1), poked: make(chan struct{}, 1),
		pace: rate.NewLimiter(connectionsASecond, connectionsAtOnce),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.inlets.Store(&map[protocol.Handle]inlet{})
	l.out.engine, l.out.stats = e, &l.stats
	l.in = newInbound(l)
	return l
}

// Accept says that what arrives under h is source s, for to; s == 0: the
// heartbeats of a room.
func (l *Link) Accept(h protocol.Handle, s protocol.Source, to Receiver) {
	l.change(func(inlets map[protocol.Handle]inlet) { inlets[h] = inlet{source: s, to: to} })
}

// Forget takes Accept back.
func (l *Link) Forget(h protocol.Handle) {
	l.change(func(inlets map[protocol.Handle]inlet) { delete(inlets, h) })
}

func (l *Link) change(edit func(map[protocol.Handle]inlet)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	inlets := maps.Clone(*l.inlets.Load())
	edit(inlets)
	l.inlets.Store(&inlets)
}

// Outlet gives one room a way out, whose heartbeats go under the handle beat.
func (l *Link) Outlet(beat protocol.Handle) *Outlet {
	o := &Outlet{link: l, beat: beat}
	o.bound.Store(&map[protocol.Source]protocol.Handle{})
	return o
}

func (l *Link) want(loopback bool, ev Events) {
	l.loopback.Store(loopback)
	l.events.Store(&ev)
	select {
	case l.wanted <- struct{}{}:
	default:
	}
}

// poke has run look after the link's bearers.
func (l *Link) poke() {
	select {
	case l.poked <- struct{}{}:
	default:
	}
}

func (l *Link) hear(s Signal) {
	select {
	case l.inbox <- s:
	default:
		l.stats.outOfTurn.Add(1)
	}
}

// run owns the connections until Disconnect or the engine's end.
func (l *Link) run() {
	defer close(l.done)
	defer l.engine.forget(l)
	// The UDP mux tells links apart by remote address alone: the connection of
	// the link before has to be gone before there may be another.
	if l.before != nil {
		<-l.before.done
		l.before = nil
	}
	defer l.end()
	tick := time.NewTimer(time.Hour)
	defer tick.Stop()
	for {
		var changed chan struct{}
		if l.current != nil {
			changed = l.current.changed
		}
		select {
		case <-l.ctx.Done():
			return
		case <-l.wanted:
			l.begin()
		case s := <-l.inbox:
			// A Connect from before the signal counts before it.
			select {
			case <-l.wanted:
				l.begin()
			default:
			}
			l.take(s)
		case <-changed:
			l.look()
		case <-l.poked:
		case <-tick.C:
		}
		tick.Reset(l.tend())
	}
}

// end lets go of all that carries packets, and waits for it.
func (l *Link) end() {
	l.stop()
	l.drop()
	l.in.end()
}

// begin starts trying, unless a connection is up or on its way.
func (l *Link) begin() {
	if l.trying {
		return
	}
	l.trying, l.began = true, time.Now()
	l.try()
}

// try begins an attempt at UDP.
func (l *Link) try() {
	l.attempt, l.resting = time.Now(), false
	l.ask()
}

// ask offers, later if that was done too often, or asks for an offer.
func (l *Link) ask() {
	l.asked = time.Now()
	switch {
	case !l.offers:
		l.signal(Signal{Kind: pb.Description_WANTED, Generation: l.generation})
	case l.pace.Allow():
		l.offer()
	}
}

// look sees what has become of the connection.
func (l *Link) look() {
	out, err := l.current.ready()
	switch {
	case err != nil:
		l.fail(err)
	case out != nil && l.udp == nil:
		l.log.Debug("link has a connection", "generation", l.generation, "took", time.Since(l.attempt))
		l.turn(out, nil)
		l.trusted = time.Now()
	}
}

// fail ends an attempt at UDP, or the connection that came of it. With a detour
// the link goes on and there will be other attempts; without, it gives up until
// the next Connect.
func (l *Link) fail(err error) {
	l.log.Debug("link has no connection", "generation", l.generation, "error", err)
	if d := l.detour.Load(); d != nil && l.ctx.Err() == nil {
		l.turn(nil, d)
		l.drop()
		l.rest()
		return
	}
	l.stop()
	l.drop()
	l.trying = false
	l.down(err)
}

// replace makes room for a new connection and goes on trying.
func (l *Link) replace() {
	up, d := l.up, l.detour.Load()
	switch {
	case up && d != nil:
		l.turn(nil, d)
	case up:
		l.stop()
	}
	l.drop()
	l.attempt, l.resting = time.Now(), false
	if up && d == nil {
		l.down(ErrReplaced)
	}
}

// stop lets no packet out any more.
func (l *Link) stop() {
	l.udp, l.diverted = nil, nil
	l.out.turn(nil, nil)
	l.where.Store(nil)
}

// drop closes the connection, if there is one.
func (l *Link) drop() {
	if l.current != nil {
		l.current.end()
		l.current = nil
	}
}

// down tells that no packet can pass.
func (l *Link) down(err error) {
	l.up, l.began = false, time.Now()
	if l.ctx.Err() == nil {
		l.log.Debug("link down", "generation", l.generation, "error", err)
		(*l.events.Load()).Down(l.peer, err)
	}
}
