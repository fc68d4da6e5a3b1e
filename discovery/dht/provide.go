package dht

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"

	"github.com/earshot-audio/earshot/protocol"
)

// Implementation: how rooms are provided.
const (
	// provided rooms at most: as many as others keep of one peer.
	provided = recordsOfPeer
	// providesAtOnce are under way at most, each for providePatience at most.
	providesAtOnce  = 2
	providePatience = 20 * time.Second
	// provideRetry is the pause after a failure; a new node in the table ends it.
	provideRetry = 30 * time.Second
	// settling is how long the node's addresses, or a new node, are left alone.
	settling = 500 * time.Millisecond
)

// offer says that a room is to be provided from now on, or no longer.
type offer struct {
	room protocol.RoomID
	on   bool
}

// Provide has others find this node under a listed room's ID, until Withdraw. It
// never waits.
func (d *DHT) Provide(room protocol.RoomID) { d.offer(offer{room, true}) }

// Withdraw renews the room's records no longer: they die within validity.
func (d *DHT) Withdraw(room protocol.RoomID) { d.offer(offer{room, false}) }

func (d *DHT) offer(o offer) {
	select {
	case d.offers <- o:
	default:
		d.log.Warn("too many rooms begin or end at once; one is not provided", "room", o.room.Short())
	}
}

// provision is a room that is provided.
type provision struct {
	due     time.Time
	busy    bool
	again   bool // once that is done
	missing bool // nobody has taken it yet
}

// errUnreachable says that there is no address to tell.
var errUnreachable = errors.New("this node has no address that others could use")

// result is how providing a room ended.
type result struct {
	room protocol.RoomID
	err  error
}

// provider keeps this node's rooms in the table; attend's goroutine owns it.
type provider struct {
	dht     *DHT
	rooms   map[protocol.RoomID]*provision
	results chan result
	busy    int
}

// attend provides rooms, and opens the gate while this node can be reached.
func (d *DHT) attend(ctx context.Context, gate *gate) error {
	events, err := d.host.EventBus().Subscribe([]any{
		new(event.EvtHostReachableAddrsChanged), new(event.EvtLocalAddressesUpdated), new(event.EvtPeerConnectednessChanged),
		new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated),
	}, eventbus.BufSize(256))
	if err != nil {
		return err
	}
	defer events.Close()
	p := &provider{dht: d, rooms: make(map[protocol.RoomID]*provision), results: make(chan result, providesAtOnce)}
	var seen event.EvtHostReachableAddrsChanged
	wake := time.NewTimer(0)
	defer wake.Stop()
	gate.set(reachable(d.host, seen))
	for {
		wake.Reset(p.provideDue(ctx))
		select {
		case <-ctx.Done():
			for ; p.busy > 0; p.busy-- {
				<-p.results
			}
			return nil
		case o := <-d.offers:
			p.take(o)
		case r := <-p.results:
			p.ended(r)
		case <-wake.C:
		case e := <-events.Out():
			switch e := e.(type) {
			case event.EvtHostReachableAddrsChanged:
				seen = e
			case event.EvtLocalAddressesUpdated:
				p.moved()
			case event.EvtPeerIdentificationCompleted:
				p.met(e.Peer)
			case event.EvtPeerProtocolsUpdated:
				p.met(e.Peer)
			}
			gate.set(reachable(d.host, seen))
		}
	}
}

func (p *provider) take(o offer) {
	switch was := p.rooms[o.room]; {
	case !o.on:
		delete(p.rooms, o.room)
	case was == nil && len(p.rooms) < provided:
		p.rooms[o.room] = &provision{missing: true}
	}
}

// moved renews all records, which hold the addresses that this node had.
func (p *provider) moved() {
	for _, r := range p.rooms {
		r.hasten()
	}
}

// met provides what nobody would take before, now that somebody may.
func (p *provider) met(newcomer peer.ID) {
	if !p.dht.speaks(newcomer) {
		return
	}
	for _, r := range p.rooms {
		if r.missing {
			r.hasten()
		}
	}
}

func (r *provision) hasten() {
	r.again = r.busy
	if soon := time.Now().Add(settling); soon.Before(r.due) {
		r.due = soon
	}
}

// provideDue provides the rooms whose time has come, and says when the next one's
// will.
func (p *provider) provideDue(ctx context.Context) time.Duration {
	now, pause := time.Now(), reprovide
	for room, r := range p.rooms {
		switch wait := r.due.Sub(now); {
		case r.busy || p.busy >= providesAtOnce: // a result will wake us
		case wait > 0:
			pause = min(pause, wait)
		default:
			r.busy = true
			p.busy++
			go func() { p.results <- result{room, p.dht.provide(ctx, room)} }()
		}
	}
	return pause
}

func (d *DHT) provide(ctx context.Context, room protocol.RoomID) error {
	if len(d.kad.FilteredAddrs()) == 0 {
		return errUnreachable
	}
	ctx, cancel := context.WithTimeout(ctx, providePatience)
	defer cancel()
	return d.kad.Provide(ctx, key(room[:]), true)
}

func (p *provider) ended(r result) {
	p.busy--
	room := p.rooms[r.room]
	if room == nil {
		return // withdrawn since
	}
	pause := provideRetry
	if room.missing = r.err != nil; room.missing {
		p.dht.log.Debug("a room is not provided", "room", r.room.Short(), "error", r.err)
	} else {
		pause = reprovide
	}
	// A tenth of jitter either way: others' rooms are not renewed all at once.
	room.busy, room.due = false, time.Now().Add(time.Duration(float64(pause)*(0.9+0.2*rand.Float64())))
	if room.again {
		room.again = false
		room.hasten()
	}
}
