package rtc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// Signal is one step of the offer and answer (RFC 3264) between two nodes, for
// the pair's link stream to carry.
type Signal struct {
	Kind       pb.Description_Kind
	Generation uint32
	SDP        string
}

// Events tells a pair's owner about its link. The calls come from the link's
// goroutine: implementations only post.
type Events interface {
	Signal(p protocol.PeerID, s Signal) // to be carried to p
	Up(p protocol.PeerID)
	Down(p protocol.PeerID, err error) // was up, or would not come up
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
// and outlets outlive its connections.
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
	loopback atomic.Bool
	events   atomic.Pointer[Events]

	out       atomic.Pointer[sending] // nil: not up
	where     atomic.Pointer[where]
	roundTrip atomic.Int64
	stats     counters

	mu     sync.Mutex // of those who change inlets
	inlets atomic.Pointer[map[protocol.Handle]inlet]

	// The rest is run's own.
	current    *connection
	trying     bool      // Connect was called, and no Down since
	began      time.Time // when trying did
	generation uint32    // newest offer made or taken
	pace       *rate.Limiter
	offered    Signal
	offeredAt  time.Time
	answered   bool
}

func newLink(e *Engine, p protocol.PeerID) *Link {
	l := &Link{
		engine: e, peer: p, offers: e.cfg.Self < p, log: e.log.With("peer", p),
		done: make(chan struct{}), inbox: make(chan Signal, maxSignals), wanted: make(chan struct{}, 1),
		pace: rate.NewLimiter(connectionsASecond, connectionsAtOnce),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.inlets.Store(&map[protocol.Handle]inlet{})
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
	defer l.drop()
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
		case <-tick.C:
			l.insist()
		}
		if l.trying && l.out.Load() == nil {
			tick.Reset(min(l.engine.cfg.times.repeat, max(time.Millisecond, time.Until(l.deadline()))))
		} else {
			tick.Stop()
		}
	}
}

func (l *Link) deadline() time.Time { return l.began.Add(l.engine.cfg.times.attempt) }

// begin starts trying, unless a connection is up or on its way.
func (l *Link) begin() {
	if l.trying {
		return
	}
	l.trying, l.began = true, time.Now()
	l.ask()
}

// ask offers, later if that was done too often, or asks for an offer.
func (l *Link) ask() {
	switch {
	case !l.offers:
		l.signal(Signal{Kind: pb.Description_WANTED, Generation: l.generation})
	case l.pace.Allow():
		l.offer()
	}
}

// insist asks again for an offer that has not come, or gives up.
func (l *Link) insist() {
	switch {
	case !l.trying || l.out.Load() != nil:
	case !time.Now().Before(l.deadline()):
		l.fail(ErrTimeout)
	case l.current == nil:
		l.ask()
	}
}

// take acts on a signal of the far side.
func (l *Link) take(s Signal) {
	turn := false
	switch s.Kind {
	case pb.Description_WANTED:
		turn = l.offers && l.trying
		if turn {
			l.offerAgain(s.Generation)
		}
	case pb.Description_OFFER:
		turn = !l.offers && l.trying && newer(s.Generation, l.generation) && l.pace.Allow()
		if turn {
			l.answer(s)
		}
	case pb.Description_ANSWER:
		turn = l.offers && l.current != nil && !l.answered && s.Generation == l.generation
		if turn {
			l.answered = true
			if err := l.current.take(webrtc.SDPTypeAnswer, s.SDP); err != nil {
				l.fail(fmt.Errorf("the answer does not do: %w", err))
			}
		}
	}
	if !turn {
		l.stats.outOfTurn.Add(1)
		l.log.Debug("signal out of turn", "kind", s.Kind, "generation", s.Generation)
	}
}

// newer says whether generation a came after b; the first is newer than none.
func newer(a, b uint32) bool { return b == 0 || int32(a-b) > 0 }

// offerAgain answers WANTED: with the same offer if the far side can't have
// taken it, with a new one if it has lost the connection.
func (l *Link) offerAgain(seen uint32) {
	switch {
	case l.current == nil:
		l.ask()
	case !l.answered && newer(l.generation, seen):
		l.signal(l.offered)
	case time.Since(l.offeredAt) >= offerPause && l.pace.Allow():
		l.replace()
		l.offer()
	}
}

func (l *Link) offer() {
	l.drop()
	l.generation = l.engine.generation.Add(1)
	l.answered, l.offeredAt = false, time.Now()
	c, err := l.connection(l.generation)
	if err != nil {
		l.fail(err)
		return
	}
	l.current = c
	sdp, err := c.offer()
	if err != nil {
		l.fail(err)
		return
	}
	l.offered = Signal{Kind: pb.Description_OFFER, Generation: l.generation, SDP: sdp}
	l.signal(l.offered)
}

func (l *Link) answer(s Signal) {
	l.replace()
	l.generation = s.Generation
	c, err := l.connection(s.Generation)
	if err != nil {
		l.fail(err)
		return
	}
	l.current = c
	sdp, err := c.answer(s.SDP)
	if err != nil {
		l.fail(fmt.Errorf("the offer does not do: %w", err))
		return
	}
	l.signal(Signal{Kind: pb.Description_ANSWER, Generation: s.Generation, SDP: sdp})
}

// look sees what has become of the connection.
func (l *Link) look() {
	out, err := l.current.ready()
	switch {
	case err != nil:
		l.fail(err)
	case out != nil && l.out.Load() == nil:
		l.where.Store(l.current.where())
		l.out.Store(out)
		l.log.Debug("link up", "generation", l.generation, "took", time.Since(l.began))
		(*l.events.Load()).Up(l.peer)
	}
}

// fail gives up until the next Connect.
func (l *Link) fail(err error) {
	l.drop()
	l.trying = false
	if l.ctx.Err() == nil {
		l.log.Debug("link down", "generation", l.generation, "error", err)
		(*l.events.Load()).Down(l.peer, err)
	}
}

// replace makes room for a new connection and goes on trying.
func (l *Link) replace() {
	up := l.out.Load() != nil
	l.drop()
	l.began = time.Now()
	if up {
		(*l.events.Load()).Down(l.peer, ErrReplaced)
	}
}

// drop closes the connection, if there is one.
func (l *Link) drop() {
	l.out.Store(nil)
	l.where.Store(nil)
	if l.current != nil {
		l.current.end()
		l.current = nil
	}
}

func (l *Link) signal(s Signal) { (*l.events.Load()).Signal(l.peer, s) }
