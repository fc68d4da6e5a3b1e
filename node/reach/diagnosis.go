package reach

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
)

// Implementation: ours to tune.
const (
	refreshPatience = 4 * time.Second
	pingPatience    = 2 * time.Second
	pinged          = 4 // neighbours, at most
	dialPatience    = 5 * time.Second
)

// Diagnosis is how a node is reached, in people's words.
type Diagnosis struct {
	Headline string
	OK       bool // nothing is wrong that somebody could mend
	Findings []Finding
	State    State
}

// Finding is one thing that was looked at.
type Finding struct {
	Code   string // never changes its meaning
	OK     bool
	Says   string // one sentence
	Do     string // the one thing to do; "": nothing
	Detail string // for those who know their network; may be ""
}

// Observations are what a Diagnosis is made of.
type Observations struct {
	State     State
	Route4    bool // the system knows a way to the Internet
	Route6    bool
	Known     int      // nodes that this one knows of, itself apart
	Connected int      // Earshot nodes
	Direct    int      // of them, without a circuit
	Answering int      // of a few that were asked just now
	Relays    int      // public neighbours that pass connections on
	Public    int      // public neighbours
	Sharing   int      // nodes that come from the address that this one comes from
	Ports     []string // at which others come in, sound's first: "UDP 41642"
	Hidden    bool     // see Config
	Target    *Target  // another node, if one was asked about
}

// Target is what came of looking for one other node.
type Target struct {
	Addresses bool // some are known
	Direct    bool
	Circuit   bool
	Err       error // of the last try
}

// Diagnose asks afresh, in some seconds, and says what is right and what is not.
// With a target it looks for that node, too, at its addresses, if it has any, and
// through this node's public neighbours. known is how many nodes this one knows
// of.
func (r *Reach) Diagnose(ctx context.Context, known int, target *peer.AddrInfo) Diagnosis {
	tried := make(chan *Target, 1)
	go func() {
		if target == nil {
			tried <- nil
			return
		}
		tried <- r.try(ctx, *target)
	}()
	_ = r.Refresh(ctx) // what was known before is better than nothing
	o := r.observe(ctx)
	o.Known, o.Target = max(known, o.Connected), <-tried
	return Explain(o)
}

// Refresh asks neighbours and STUN servers again and returns when they have
// answered, or have had the time to.
func (r *Reach) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, refreshPatience)
	defer cancel()
	done := make(chan struct{})
	select {
	case r.again <- done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// askAgain makes all due at once.
func (r *Reach) askAgain(done chan struct{}) {
	for _, n := range r.neighbours {
		n.due = n.last.Add(askSoonest)
	}
	r.nat.due = time.Time{}
	r.waiting = append(r.waiting, done)
}

// settle tells those who wait that nothing is under way.
func (r *Reach) settle() {
	now := time.Now()
	for _, n := range r.neighbours {
		if n.busy || n.circuit.busy || n.due.Sub(now) <= askSoonest && n.fail == 0 {
			return
		}
	}
	if r.nat.busy {
		return
	}
	for _, done := range r.waiting {
		close(done)
	}
	r.waiting = nil
}

// observe looks at what there is.
func (r *Reach) observe(ctx context.Context) Observations {
	s := r.state.Load()
	o := Observations{State: r.State(), Public: len(s.public), Relays: s.relays, Hidden: r.cfg.Hidden,
		Route4: routed("udp4", "192.0.2.1:9"), Route6: routed("udp6", "[2001:db8::1]:9")} // RFC 5737, RFC 3849
	for _, p := range r.ports(netip.Addr.IsValid) {
		o.Ports = append(o.Ports, p.String())
	}
	var some []peer.ID
	for _, p := range r.host.Network().Peers() {
		if !r.cfg.Neighbour(p) {
			continue
		}
		o.Connected++
		if len(some) < pinged {
			some = append(some, p)
		}
		conns := r.host.Network().ConnsToPeer(p)
		if slices.ContainsFunc(conns, r.direct) {
			o.Direct++
		}
		if r.shares(p, s.from) {
			o.Sharing++
		}
	}
	o.Answering = r.ping(ctx, some)
	return o
}

// routed says whether the system would know where to send a packet. It sends
// none.
func routed(network, address string) bool {
	c, err := net.Dial(network, address)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// shares says whether p comes from an address that this node comes from.
func (r *Reach) shares(p peer.ID, from []netip.Addr) bool {
	at := r.host.Peerstore().Addrs(p)
	for _, c := range r.host.Network().ConnsToPeer(p) {
		at = append(at, c.RemoteMultiaddr())
	}
	return slices.ContainsFunc(at, func(a multiaddr.Multiaddr) bool {
		ip, ok := protocol.IPOf(a)
		return ok && !protocol.IsCircuit(a) && slices.Contains(from, ip)
	})
}

// ping counts who answers.
func (r *Reach) ping(ctx context.Context, some []peer.ID) int {
	ctx, cancel := context.WithTimeout(network.WithNoDial(network.WithAllowLimitedConn(ctx, "earshot doctor"), "earshot doctor"), pingPatience)
	defer cancel()
	var answered atomic.Int64
	var each sync.WaitGroup
	for _, p := range some {
		each.Go(func() {
			within, stop := context.WithCancel(ctx)
			defer stop()
			if result, ok := <-ping.Ping(within, r.host, p); ok && result.Error == nil {
				answered.Add(1)
			}
		})
	}
	each.Wait()
	return int(answered.Load())
}

// try looks for one node.
func (r *Reach) try(ctx context.Context, target peer.AddrInfo) *Target {
	t := &Target{}
	connected := func() {
		for _, c := range r.host.Network().ConnsToPeer(target.ID) {
			t.Direct = t.Direct || r.direct(c)
			t.Circuit = t.Circuit || !r.direct(c)
		}
	}
	var through []multiaddr.Multiaddr
	for _, n := range r.PublicNeighbours() {
		if n.ID == target.ID {
			continue
		}
		for _, a := range n.Addrs {
			through = append(through, a.Encapsulate(multiaddr.StringCast("/p2p/"+n.ID.String()+"/p2p-circuit")))
		}
	}
	known := r.host.Peerstore().Addrs(target.ID)
	t.Addresses = len(target.Addrs)+len(known) > 0
	if s, ok := r.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(target.ID) // the person asks about now
	}
	dial := func(ctx context.Context, addrs []multiaddr.Multiaddr) {
		within, cancel := context.WithTimeout(network.WithDialPeerTimeout(ctx, r.cfg.patience), r.cfg.patience)
		defer cancel()
		if err := r.host.Connect(within, peer.AddrInfo{ID: target.ID, Addrs: addrs}); err != nil {
			t.Err = err
		}
		connected()
	}
	connected()
	if (t.Direct || t.Circuit) && r.ping(ctx, []peer.ID{target.ID}) == 0 {
		// Connections outlive a far side that is gone without a word by half a
		// minute. Whoever is just slow is dialled again.
		_ = r.host.Network().ClosePeer(target.ID)
		t.Direct, t.Circuit = false, false
	}
	if !t.Direct && !t.Circuit {
		dial(ctx, append(slices.Clone(target.Addrs), through...))
	}
	if t.Circuit && !t.Direct {
		dial(network.WithForceDirectDial(ctx, "earshot doctor"), target.Addrs)
	}
	return t
}
