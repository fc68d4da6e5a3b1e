// Package reach finds out how a node can be reached, gets it circuits if it
// can't be, and helps others if it can: libp2p's AutoNAT v2 and circuit v2,
// port mapping (UPnP, NAT-PMP), and what kind of NAT is in front of the socket
// for sound (RFC 4787, asked by STUN).
//
// libp2p's AutoRelay is not used. It waits for AutoNAT v1, picks relays at
// random and takes their word for where they are; here one goroutine decides,
// from what neighbours answered on protocol.ReachStream, within a round trip.
//
//	reach.go       Reach, its one goroutine
//	state.go       what it finds out
//	evidence.go    who could reach this node, and what follows from it
//	neighbours.go  asking neighbours, and answering them
//	circuits.go    reservations with relays
//	service.go     circuits for others
//	mapping.go     ports that a router opens
//	pmp.go         how it is asked by NAT-PMP
//	nat.go         what NAT this is
//	diagnosis.go   looking at all of it afresh
//	findings.go    saying it in words
package reach

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/earshot-audio/earshot/protocol"
)

// Implementation: ours to tune.
const (
	// reviewInterval is how often a Reach looks at all it knows when nothing
	// happens: an interface may have come without an event.
	reviewInterval = 10 * time.Second
	inboxSize      = 64
)

// Config says what a Reach needs. Its functions may be called from any
// goroutine and must not wait.
type Config struct {
	Host      host.Host
	DialBacks *DialBacks         // AutoNAT v2's results; nil: there are none
	Neighbour func(peer.ID) bool // whether a connected peer is an Earshot node

	Policy Policy             // for which others this node carries circuits
	InRoom func(peer.ID) bool // whether a peer is in a room that this node is in; nil: none is

	// The socket for sound: its port, the UDP ports on which STUN is answered
	// (that port first), and a way to ask STUN servers from it, which waits for
	// them and answers in their order. All may be nil.
	MediaPort func() uint16
	STUNPorts func() []uint16
	Ask       func(ctx context.Context, servers []netip.AddrPort) []Answer

	Ports *Ports // a router is asked to open; nil: none is

	// Hidden: others are not to learn where this node is. It helps nobody, and
	// holds circuits though it could be reached. Policy is then Off.
	Hidden bool

	// Carrying says whether a room is carried: the NAT is then looked at more
	// often. nil: none ever is.
	Carrying func() bool

	Public  func(multiaddr.Multiaddr) bool // an address of the Internet; nil: manet.IsPublicAddr
	Changed func()                         // State shows something new; nil: nobody asks
	Log     *slog.Logger                   // nil: nothing is logged

	patience time.Duration // with a node that is asked about; zero: dialPatience
}

func (c *Config) fill() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Public == nil {
		c.Public = manet.IsPublicAddr
	}
	if c.InRoom == nil {
		c.InRoom = func(peer.ID) bool { return false }
	}
	if c.Carrying == nil {
		c.Carrying = func() bool { return false }
	}
	if c.patience == 0 {
		c.patience = dialPatience
	}
	if c.Hidden {
		c.Policy = Off
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	if c.MediaPort == nil {
		c.MediaPort = func() uint16 { return 0 }
	}
	if c.STUNPorts == nil {
		c.STUNPorts = func() []uint16 { return nil }
	}
	if c.Ports == nil {
		c.Ports = NewPorts()
	}
	if c.DialBacks == nil {
		c.DialBacks = NewDialBacks()
	}
}

// Reach is a node's. Its methods may be called from any goroutine.
type Reach struct {
	cfg  Config
	host host.Host
	log  *slog.Logger

	asks    bool // a router
	service *service
	state   atomic.Pointer[snapshot]
	answers answers

	streams chan network.Stream // of neighbours that ask
	inbound chan arrival
	again   chan chan struct{} // see Refresh
	asked   chan asked
	held    chan held
	seen    chan seen
	mapping chan struct{} // Ports are new

	// Run's own.
	tasks      sync.WaitGroup
	neighbours map[peer.ID]*neighbour
	asking     int // streams of ours that are open
	evidence   evidence
	nat        natWatch
	emitter    event.Emitter
	emitted    []multiaddr.Multiaddr
	waiting    []chan struct{}
}

// snapshot is what Run has last made known.
type snapshot struct {
	State
	servers []netip.AddrPort
	public  []peer.AddrInfo
	relays  int          // public neighbours that relay
	from    []netip.Addr // whence this node comes, as others see it
	ports   []uint16     // on which this node answers STUN, as others reach it
}

// New makes a Reach and begins to answer neighbours; Run must follow.
func New(cfg Config) *Reach {
	asks := cfg.Ports != nil
	cfg.fill()
	r := &Reach{cfg: cfg, asks: asks, host: cfg.Host, log: cfg.Log,
		streams: make(chan network.Stream, inboxSize), inbound: make(chan arrival, inboxSize),
		again: make(chan chan struct{}), asked: make(chan asked), held: make(chan held), seen: make(chan seen), mapping: make(chan struct{}, 1),
		neighbours: make(map[peer.ID]*neighbour)}
	r.service = newService(&r.cfg)
	r.state.Store(&snapshot{State: State{Reach: Unknown, NAT: NATUnknown, UDP: UDPUnknown, IPv4: NoAddress, IPv6: NoAddress}})
	return r
}

// Run finds out and helps until ctx ends, and returns nil after its children.
func (r *Reach) Run(ctx context.Context) error {
	events, err := r.host.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated), new(event.EvtPeerConnectednessChanged),
		new(event.EvtHostReachableAddrsChanged), new(event.EvtLocalAddressesUpdated),
	}, eventbus.Name("earshot reach"), eventbus.BufSize(256))
	if err != nil {
		return err
	}
	defer events.Close()
	if r.emitter, err = r.host.EventBus().Emitter(new(event.EvtAutoRelayAddrsUpdated), eventbus.Stateful); err != nil {
		return err
	}
	defer r.emitter.Close()
	visitors := &network.NotifyBundle{ConnectedF: r.visited}
	r.host.Network().Notify(visitors)
	defer r.host.Network().StopNotify(visitors)

	ctx, stop := context.WithCancel(ctx)
	defer r.tasks.Wait()
	defer stop()
	defer r.service.close()
	r.tasks.Go(func() { r.serve(ctx) })
	if r.asks {
		r.tasks.Go(func() { r.keepMapped(ctx) })
	}
	r.attend(ctx, events.Out())
	return nil
}

// attend takes in what comes, and does what follows, until ctx ends.
func (r *Reach) attend(ctx context.Context, events <-chan any) {
	for _, p := range r.host.Network().Peers() {
		r.look(p)
	}
	wake := time.NewTimer(r.review(ctx))
	defer wake.Stop()
	// Not sooner: an answer that is asked for now and then has to be right.
	r.host.SetStreamHandler(protocol.ReachStream, r.request)
	defer r.host.RemoveStreamHandler(protocol.ReachStream)
	for ; ; wake.Reset(r.review(ctx)) {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			r.hear(e)
		case a := <-r.inbound:
			r.evidence.visited(a)
		case d := <-r.cfg.DialBacks.results:
			r.evidence.dialled(d)
		case a := <-r.asked:
			r.answered(a)
		case h := <-r.held:
			r.reserved(h)
		case s := <-r.seen:
			r.mirrored(s)
		case done := <-r.again:
			r.askAgain(done)
		case <-r.mapping:
		case <-wake.C:
		}
	}
}

// hear takes in what libp2p says.
func (r *Reach) hear(e any) {
	switch e := e.(type) {
	case event.EvtPeerIdentificationCompleted:
		r.look(e.Peer)
	case event.EvtPeerProtocolsUpdated:
		r.look(e.Peer)
		if n := r.neighbours[e.Peer]; n != nil {
			n.due, n.stale = n.last.Add(askSoonest), n.busy // it may have become public, or ceased to be
		}
	case event.EvtPeerConnectednessChanged:
		r.look(e.Peer)
	case event.EvtHostReachableAddrsChanged:
		r.evidence.reachable = e.Reachable
	case event.EvtLocalAddressesUpdated:
		r.nat.due = time.Time{} // another network, perhaps
	}
}

// review does what follows from what is known, makes it known, and says after
// what time there is more to do.
func (r *Reach) review(ctx context.Context) time.Duration {
	now := time.Now()
	r.evidence.moved(interfaces(r.host, r.cfg.Public))
	verdict := r.evidence.judge()
	pause := min(reviewInterval, r.askDue(ctx, now), r.reserveDue(ctx, now, verdict.circuits || r.cfg.Hidden), r.askNAT(ctx, now))
	r.publish(verdict)
	// After that: neighbours ask when they see that this node serves.
	if serve := verdict.reach.open() && r.cfg.Policy != Off; serve != r.service.running() {
		if serve {
			r.service.open()
		} else {
			r.service.close()
		}
		r.publish(verdict)
	}
	r.settle()
	return max(pause, time.Millisecond)
}

// publish makes known what State and the others give.
func (r *Reach) publish(v verdict) {
	s := &snapshot{State: State{Reach: v.reach, Confirmed: v.confirmed, NAT: r.nat.nat, UDP: r.udp(r.nat.answers), IPv4: r.evidence.local.family(true),
		IPv6: r.evidence.local.family(false), Reachable: v.addrs, Mapped: r.Mapped(), Circuits: r.circuits(), Serves: r.service.serves(),
		Seen: r.nat.outside}}
	s.servers, s.public, s.relays = r.servers(), r.publicNeighbours(), len(r.relaysFirstHeld())
	s.from = r.seenFrom()
	switch {
	case r.cfg.Hidden:
	case v.reach == Public:
		s.ports = r.cfg.STUNPorts()
	case v.reach == Mapped:
		for _, m := range s.Mapped {
			s.ports = append(s.ports, m.Port())
		}
	}
	before := r.state.Swap(s)
	r.emit(s.Circuits)
	if before.State.same(s.State) {
		return
	}
	if b := before.State; b.Reach != s.Reach || b.Confirmed != s.Confirmed || b.NAT != s.NAT || b.UDP != s.UDP || len(b.Circuits) != len(s.Circuits) {
		r.log.Info("reach", "reach", s.Reach, "confirmed", s.Confirmed, "nat", s.NAT, "udp", s.UDP, "circuits", len(s.Circuits))
	}
	r.cfg.Changed()
}

// State gives what is known.
func (r *Reach) State() State {
	s := r.state.Load().State
	s.Serves = r.service.serves()
	return s
}

// Servers gives where STUN can be asked: up to three public neighbours, each at
// its port for sound.
func (r *Reach) Servers() []netip.AddrPort {
	s := r.state.Load().servers
	return s[:min(len(s), stunServers)]
}

// PublicNeighbours gives neighbours that answered where they can be reached from
// anywhere, for links that people pass on.
func (r *Reach) PublicNeighbours() []peer.AddrInfo { return r.state.Load().public }

// Circuits gives the relays that hold a reservation for this node, with the
// addresses through them, which end in /p2p-circuit.
func (r *Reach) Circuits() []Circuit { return r.state.Load().Circuits }
