package reach

import (
	"net/netip"
	"slices"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
)

// DialBacks takes each single result of AutoNAT v2: give it to
// autonatv2.WithMetricsTracer. libp2p's own verdict wants two results more of
// one kind than of the other for each address, and asks a server once in two
// minutes: with one public node in the world it takes a quarter of an hour. A
// node in want of circuits can't wait for that. A success is proof, since the
// server gave back a nonce over the connection that it made; a failure makes a
// node no worse than careful.
type DialBacks struct{ results chan dialBack }

// dialBack is one: whether an address of this node's was dialled.
type dialBack struct {
	addr    multiaddr.Multiaddr
	reached bool
}

// NewDialBacks makes an empty one.
func NewDialBacks() *DialBacks { return &DialBacks{make(chan dialBack, inboxSize)} }

// ClientCompletedRequest is told of a result for this node.
func (d *DialBacks) ClientCompletedRequest(_ []autonatv2.Request, r autonatv2.Result, err error) {
	if err != nil || r.AllAddrsRefused || r.Addr == nil || r.Reachability == network.ReachabilityUnknown {
		return
	}
	select {
	case d.results <- dialBack{r.Addr, r.Reachability == network.ReachabilityPublic}:
	default: // later results will do
	}
}

// CompletedRequest is told of what this node tried for others.
func (d *DialBacks) CompletedRequest(autonatv2.EventDialRequestCompleted) {}

// resultsKept for each way: of three, two decide, and of two that differ the
// success does, since a server whose own network blocks UDP fails with everyone.
const resultsKept = 3

// way is an address family and a transport.
type way struct{ four, udp bool }

func wayOf(a multiaddr.Multiaddr) (way, bool) {
	ip, ok := protocol.IPOf(a)
	_, err := a.ValueForProtocol(multiaddr.P_UDP)
	return way{four: ip.Is4(), udp: err == nil}, ok
}

// evidence is what there is to tell by whether this node can be reached.
type evidence struct {
	local     locals
	reachable []multiaddr.Multiaddr // libp2p is sure of these
	results   map[way][]dialBack    // the last few
	visits    map[way]bool          // strangers came since the last failure
}

// locals are the addresses of this machine's interfaces on which the node
// listens, loopback apart.
type locals struct {
	public  []netip.Addr
	private []netip.Addr
}

func interfaces(h host.Host, public func(multiaddr.Multiaddr) bool) (l locals) {
	addrs, err := h.Network().InterfaceListenAddresses()
	if err != nil {
		return l
	}
	for _, a := range addrs {
		ip, ok := protocol.IPOf(a)
		switch {
		case !ok || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || slices.Contains(l.public, ip) || slices.Contains(l.private, ip):
		case public(a):
			l.public = append(l.public, ip)
		case !ip.IsLoopback():
			l.private = append(l.private, ip)
		}
	}
	slices.SortFunc(l.public, netip.Addr.Compare)
	slices.SortFunc(l.private, netip.Addr.Compare)
	return l
}

func (l locals) family(four bool) Family {
	of := func(ip netip.Addr) bool { return ip.Is4() == four }
	switch {
	case slices.ContainsFunc(l.public, of):
		return InternetAddress
	case slices.ContainsFunc(l.private, of):
		return PrivateAddress
	}
	return NoAddress
}

func (l locals) has(ip netip.Addr) bool {
	return slices.Contains(l.public, ip) || slices.Contains(l.private, ip)
}

// moved takes in the addresses that the machine has now. What was found out of
// others says nothing of these.
func (e *evidence) moved(l locals) {
	if !slices.Equal(l.public, e.local.public) || !slices.Equal(l.private, e.local.private) {
		e.results, e.visits = nil, nil
	}
	e.local = l
}

// arrival is a connection that another node has made to this one.
type arrival struct {
	from  multiaddr.Multiaddr
	known bool // this node knew where the visitor is
}

// visited takes a visit from the Internet for a sign that the way is open,
// unless this node may have called the visitor just before: a firewall lets in
// whom one calls, and two that hear of each other call each other at once.
func (e *evidence) visited(a arrival) {
	if w, ok := wayOf(a.from); ok && !a.known && e.local.family(w.four) == InternetAddress {
		if e.visits == nil {
			e.visits = make(map[way]bool)
		}
		e.visits[w] = true
	}
}

func (e *evidence) dialled(d dialBack) {
	w, ok := wayOf(d.addr)
	if !ok {
		return
	}
	if e.results == nil {
		e.results = make(map[way][]dialBack)
	}
	few := append(e.results[w], d)
	e.results[w] = few[max(0, len(few)-resultsKept):]
	if !d.reached {
		delete(e.visits, w)
	}
}

// verdict is what follows.
type verdict struct {
	reach     Level
	confirmed bool
	circuits  bool // are of use to others that look for this node
	addrs     []multiaddr.Multiaddr
}

// judge weighs the evidence. A machine with an address of the Internet counts
// as public until somebody fails to reach it and nobody else does; until somebody
// does reach it by IPv4, which nearly all can dial, it holds circuits, too.
func (e *evidence) judge() verdict {
	open, own, addrs := e.weigh()
	some := func(four, reached bool) bool {
		for _, udp := range []bool{true, false} {
			if o, tried := open[way{four, udp}]; tried && o == reached {
				return true
			}
		}
		return false
	}
	four, six := e.local.family(true), e.local.family(false)
	refused := func(four bool) bool { return some(four, false) && !some(four, true) }
	v := verdict{confirmed: some(true, true) || some(false, true), circuits: !some(true, true), addrs: addrs}
	switch {
	case v.confirmed && own:
		v.reach = Public
	case v.confirmed:
		v.reach = Mapped
	case four == InternetAddress && !refused(true) || six == InternetAddress && !refused(false):
		v.reach = Public
	case four == InternetAddress || six == InternetAddress || refused(true) || refused(false):
		v.reach, v.confirmed = Private, true
	case four != NoAddress || six != NoAddress:
		v.reach = Private
	default:
		v.reach = Unknown
	}
	return v
}

// weigh gives which ways that were tried are open, at which addresses, and
// whether one of these is this machine's own.
func (e *evidence) weigh() (open map[way]bool, own bool, addrs []multiaddr.Multiaddr) {
	open = map[way]bool{}
	addrs = slices.Clone(e.reachable)
	for w, results := range e.results {
		var reached []multiaddr.Multiaddr
		for _, d := range results {
			if d.reached {
				reached = append(reached, d.addr)
			}
		}
		if open[w] = len(reached) > 0 && 2*len(reached) >= len(results); open[w] {
			addrs = append(addrs, reached...)
		}
	}
	for _, a := range addrs {
		w, _ := wayOf(a)
		ip, _ := protocol.IPOf(a)
		open[w] = true
		own = own || e.local.has(ip)
	}
	for w := range e.visits {
		open[w], own = true, true
	}
	slices.SortFunc(addrs, multiaddr.Multiaddr.Compare)
	return open, own, slices.CompactFunc(addrs, multiaddr.Multiaddr.Equal)
}

// visited is libp2p's callback: somebody is connected, and has yet to say where
// it is.
func (r *Reach) visited(_ network.Network, c network.Conn) {
	if c.Stat().Direction != network.DirInbound || !r.direct(c) || !r.cfg.Public(c.RemoteMultiaddr()) {
		return
	}
	select {
	case r.inbound <- arrival{c.RemoteMultiaddr(), len(r.host.Peerstore().Addrs(c.RemotePeer())) > 0}:
	default: // others will come
	}
}
