// Package bootstrap finds a node its first neighbours: the addresses it was
// given, those in links, peers remembered from last time, those that neighbours
// know, and nodes on the same local network (mDNS, RFC 6762).
package bootstrap

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/multiformats/go-multiaddr"
)

// Implementation: ours to tune.
const (
	// enough neighbours: remembered peers, and those that neighbours tell of,
	// are left alone.
	enough = 4
	// maxTargets are tried at any time; given ones always.
	maxTargets = 128
	// maxTold of them are known from neighbours alone.
	maxTold = 16
	// atOnce dials are under way at most: all that a node remembers, since those
	// that are gone for good take up dialPatience each.
	atOnce = 32
	// dialPatience bounds one dial.
	dialPatience = 10 * time.Second
	// firstRetry and lastRetry bound the pause after a failed dial, which doubles.
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
	// restarting is how long a peer that was lost is taken to be: till then it is
	// tried at least each restartRetry.
	restarting   = 30 * time.Second
	restartRetry = 1250 * time.Millisecond
	// maxGone peers that were lost are known.
	maxGone = 512
	// tries is after how many failures all but given targets are given up.
	tries = 6
	// toldTries is the same for what a neighbour told: it may tell anything.
	toldTries = 2
	// introduction is how long an Earshot node may take from being connected to
	// saying that it is one: it listens a little before all of it is there.
	introduction = 2 * time.Second
	// reviewInterval is how often a node that is short of neighbours looks at
	// what it remembers, besides when it loses one, and mDNS at which networks
	// there are.
	reviewInterval = time.Minute
)

// Config says what a Bootstrap needs.
type Config struct {
	Host       host.Host
	Addrs      []multiaddr.Multiaddr  // given with --bootstrap, whole (see Parse)
	Remembered func() []peer.AddrInfo // newest first; nil: none
	Remember   func(peer.AddrInfo)    // a peer that answered as an Earshot node; nil: not kept
	MDNS       bool
	Hidden     bool         // others are not to learn where this node is: see review and remember
	Network    string       // names the mDNS service; "": the common one
	Log        *slog.Logger // nil: nothing is logged
	Warn       func(string) // one line for the person; nil: it is only logged
}

// Bootstrap keeps a node connected.
type Bootstrap struct {
	host   host.Host
	config Config
	log    *slog.Logger
	found  chan finding
	look   chan struct{}

	// Run's own.
	targets    map[peer.ID]*target
	gone       map[peer.ID]time.Time // when they were lost
	results    chan result
	knocks     map[peer.ID]context.CancelFunc // at whom, under way
	knocked    chan peer.ID                   // it is over
	dialling   int
	neighbours *neighbours
}

// finding is a peer that turned up.
type finding struct {
	info   peer.AddrInfo
	source source
}

// result is how a dial ended.
type result struct {
	id  peer.ID
	err error
}

// New makes a Bootstrap; Run does its work.
func New(c Config) *Bootstrap {
	b := &Bootstrap{host: c.Host, config: c, log: c.Log, found: make(chan finding, 64), look: make(chan struct{}, 1),
		targets: make(map[peer.ID]*target), gone: make(map[peer.ID]time.Time), results: make(chan result, atOnce),
		knocks: make(map[peer.ID]context.CancelFunc), knocked: make(chan peer.ID, maxKnocks)}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.neighbours = newNeighbours(c.Host, ServiceTag(c.Network), b.log, b.meet)
	return b
}

// Add has a peer tried whose address came in a link. It never waits; when too
// many were added at once, it is dropped.
func (b *Bootstrap) Add(info peer.AddrInfo) { b.meet(info, hinted) }

// Suggest has a peer tried that a neighbour tells of, a few times, and only while
// there are too few connections. It never waits, as Add.
func (b *Bootstrap) Suggest(info peer.AddrInfo) {
	info.Addrs = slices.DeleteFunc(slices.Clone(info.Addrs), func(a multiaddr.Multiaddr) bool { return !dialled(a) })
	b.meet(info, told)
}

// Look has the local network looked at now, also without Config.MDNS: a person
// asks for it. It never waits.
func (b *Bootstrap) Look() {
	select {
	case b.look <- struct{}{}:
	default: // it is about to
	}
}

// meet posts a finding to Run.
func (b *Bootstrap) meet(info peer.AddrInfo, s source) {
	select {
	case b.found <- finding{info, s}:
	default:
		b.log.Debug("too many peers turn up at once", "peer", info.ID)
	}
}

// Run keeps dialling until ctx ends, and returns nil after its dials.
func (b *Bootstrap) Run(ctx context.Context) error {
	events, err := b.host.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated), new(event.EvtPeerConnectednessChanged),
	}, eventbus.BufSize(256))
	if err != nil {
		return err
	}
	defer events.Close()
	defer b.neighbours.close()
	review := time.NewTicker(reviewInterval)
	defer review.Stop()
	knock := time.NewTicker(knockInterval)
	defer knock.Stop()
	wake := time.NewTimer(0)
	defer wake.Stop()

	b.takeGiven()
	b.review()
	for _, p := range b.host.Network().Peers() {
		b.remember(p)
	}
	for {
		wake.Reset(min(b.dialDue(ctx), b.doubtDue()))
		select {
		case <-ctx.Done():
			for ; b.dialling > 0; b.dialling-- {
				<-b.results
			}
			for range b.knocks {
				<-b.knocked
			}
			return nil
		case <-b.look:
			b.neighbours.refresh()
		case f := <-b.found:
			b.aim(f.info, f.source)
		case r := <-b.results:
			b.dialled(r)
		case e := <-events.Out():
			b.heard(e)
		case <-review.C:
			b.review()
		case <-knock.C:
			b.knock(ctx)
		case p := <-b.knocked:
			delete(b.knocks, p)
		case <-wake.C:
		}
	}
}

// review looks for peers on the local network and in memory. Who is seen on the
// local network shows its address there, too: a node that hides does so only when
// a person asks for it.
func (b *Bootstrap) review() {
	if b.config.MDNS && !b.config.Hidden {
		b.neighbours.refresh()
	}
	b.recall()
}

// recall aims at the peers that are remembered, if there are few neighbours.
func (b *Bootstrap) recall() {
	if b.config.Remembered == nil || b.connections() >= enough {
		return
	}
	for _, info := range b.config.Remembered() {
		b.aim(info, met)
	}
}

// connections counts the neighbours: connected Earshot nodes, and peers that have
// yet to say what they are. Limited connections don't count: gossip keeps off
// them.
func (b *Bootstrap) connections() (n int) {
	for _, p := range b.host.Network().Peers() {
		if b.host.Network().Connectedness(p) != network.Connected {
			continue
		}
		speaks, err := b.host.Peerstore().GetProtocols(p)
		if err == nil && len(speaks) == 0 || b.earshot(p) {
			n++
		}
	}
	return n
}

// here says whether p is connected, in whatever way.
func (b *Bootstrap) here(p peer.ID) bool {
	return b.host.Network().Connectedness(p) != network.NotConnected
}

// heard takes in what libp2p says of a peer.
func (b *Bootstrap) heard(e any) {
	switch e := e.(type) {
	case event.EvtPeerIdentificationCompleted:
		b.doubt(e.Peer)
		b.remember(e.Peer)
	case event.EvtPeerProtocolsUpdated:
		b.remember(e.Peer)
	case event.EvtPeerConnectednessChanged:
		if t := b.targets[e.Peer]; e.Connectedness == network.NotConnected {
			b.lost(e.Peer)
		} else if t != nil {
			b.reached(t)
		}
	}
}

// lost is told when the last connection with a peer is gone. Where few neighbours
// are left, it and all that are remembered are tried at once.
func (b *Bootstrap) lost(p peer.ID) {
	now := time.Now()
	if len(b.gone) >= maxGone {
		maps.DeleteFunc(b.gone, func(_ peer.ID, at time.Time) bool { return now.Sub(at) >= restarting })
	}
	if len(b.gone) < maxGone {
		b.gone[p] = now
	}
	b.recall()
}

// restarts says whether p was lost so recently that it may be restarting.
func (b *Bootstrap) restarts(p peer.ID) bool {
	at, ok := b.gone[p]
	return ok && time.Since(at) < restarting
}
