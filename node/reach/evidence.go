package reach

import (
	"net/netip"
	"slices"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
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

// way is an address family and a transport.
type way struct{ four, udp bool }

func wayOf(a multiaddr.Multiaddr) (way, bool) {
	ip, ok := ipOf(a)
	_, err := a.ValueForProtocol(multiaddr.P_UDP)
	return way{four: ip.Is4(), udp: err == nil}, ok
}

// ipOf gives the IP address that a begins with.
func ipOf(a multiaddr.Multiaddr) (netip.Addr, bool) {
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.Addr{}, false
	}
	addr, ok := netip.AddrFromSlice(ip)
	return addr.Unmap(), ok
}

// evidence is what there is to tell by whether this node can be reached.
type evidence struct {
	local     locals
	reachable []multiaddr.Multiaddr // libp2p is sure of these
	results   map[way]dialBack      // the last one each
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
		ip, ok := ipOf(a)
		switch {
		case !ok || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || slices.Contains(l.public, ip) || slices.Contains(l.private, ip):
		case public(a):
			l.public = append(l.public, ip)
		case !ip.IsLoopback():
			l.private = append(l.private, ip)
		}
	}
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

// arrival is a connection that another node has made to this one.
type arrival struct {
	peer peer.ID
	from multiaddr.Multiaddr
}

// visited takes a visit from the Internet for a sign that the way is open,
// unless the visitor was known: a hole that both have punched lets just the two
// through.
func (e *evidence) visited(a arrival, known bool) {
	if w, ok := wayOf(a.from); ok && !known && e.local.family(w.four) == InternetAddress {
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
		e.results = make(map[way]dialBack)
	}
	e.results[w] = d
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
	v := verdict{reach: Unknown, circuits: true}
	open := map[way]bool{} // reached or not; missing: not tried
	own := false           // reached at an address of this machine's own
	add := func(a multiaddr.Multiaddr) {
		w, _ := wayOf(a)
		ip, _ := ipOf(a)
		open[w] = true
		own = own || e.local.has(ip)
		if !slices.ContainsFunc(v.addrs, a.Equal) {
			v.addrs = append(v.addrs, a)
		}
	}
	for _, a := range e.reachable {
		add(a)
	}
	for w, d := range e.results {
		if d.reached {
			add(d.addr)
		} else if !open[w] {
			open[w] = false
		}
	}
	for w := range e.visits {
		open[w], own = true, true
	}
	reached := func(four bool) bool { return open[way{four, true}] || open[way{four, false}] }
	refused := func(four bool) bool {
		return !reached(four) && (isFalse(open, way{four, true}) || isFalse(open, way{four, false}))
	}
	v.confirmed = reached(true) || reached(false)
	v.circuits = !reached(true)
	four, six := e.local.family(true), e.local.family(false)
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
	}
	slices.SortFunc(v.addrs, multiaddr.Multiaddr.Compare)
	return v
}

func isFalse(m map[way]bool, w way) bool {
	open, tried := m[w]
	return tried && !open
}

// visited is libp2p's callback: somebody is connected.
func (r *Reach) visited(_ network.Network, c network.Conn) {
	if c.Stat().Direction != network.DirInbound || !r.direct(c) || !r.cfg.Public(c.RemoteMultiaddr()) {
		return
	}
	select {
	case r.inbound <- arrival{c.RemotePeer(), c.RemoteMultiaddr()}:
	default: // others will come
	}
}

// knew says whether there is or was another connection with p than one inbound,
// by which a hole may have been punched.
func (r *Reach) knew(p peer.ID) bool {
	conns := r.host.Network().ConnsToPeer(p)
	return len(conns) > 1 || slices.ContainsFunc(conns, func(c network.Conn) bool { return c.Stat().Direction != network.DirInbound })
}
