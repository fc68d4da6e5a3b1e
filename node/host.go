package node

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/host/observedaddrs"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/x/rate"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"go.uber.org/fx"

	"github.com/earshot-audio/earshot/node/reach"
	"github.com/earshot-audio/earshot/protocol"
)

// usualPort is tried first, so that addresses in old links stay true.
const usualPort = 41641

// newHost opens the host, on UDP sockets that are closed after it, and with a gate
// that is shut before. What AutoNAT tells goes to dialBacks.
func newHost(cfg Config, key crypto.PrivKey, sockets *sockets, gate *gate, dialBacks *reach.DialBacks) (host.Host, error) {
	listen := cfg.Listen
	if len(listen) == 0 {
		listen = usualAddresses()
	}
	resources, err := resourceManager()
	if err != nil {
		return nil, fmt.Errorf("limit what other nodes take: %w", err)
	}
	options := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.ResourceManager(resources), // closed with the host, or when there is none
		libp2p.ListenAddrs(listen...),
		libp2p.UserAgent("earshot/" + cfg.Version),
		libp2p.Transport(sockets.tcp),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.QUICReuse(sockets.manager),
		libp2p.ConnectionGater(gate),
	}
	if loopbackOnly(listen) {
		options = append(options, libp2p.DisableRelay())
	} else {
		options = append(options, reachOptions(cfg, sockets, dialBacks)...)
	}
	h, err := libp2p.New(options...)
	if err != nil {
		return nil, &protocol.Problem{Code: protocol.CodeBadAddress, Message: "can't listen on " + join(listen),
			Hint: "choose another address with --listen", Cause: err}
	}
	return h, nil
}

// reachOptions are what a host needs to be reached behind a router, beside what
// node/reach does.
func reachOptions(cfg Config, sockets *sockets, dialBacks *reach.DialBacks) []libp2p.Option {
	believeOneObserver()
	options := []libp2p.Option{
		libp2p.DisableRelay(), libp2p.WithFxOption(fx.Invoke(useCircuits)), // to come and go by circuits
		// After a hundred dials by UDP of which fewer than five succeed, libp2p takes
		// UDP for blocked and hardly tries it any more. Where most other nodes are
		// behind routers that is how it always looks; node/reach measures UDP instead.
		libp2p.UDPBlackHoleSuccessCounter(nil),
	}
	if cfg.RelayOnly {
		// No address of its own leaves this node: not in what it says of itself, and
		// not to punch a hole or to have it tried.
		return append(options, libp2p.ForceReachabilityPrivate(), libp2p.AddrsFactory(circuits))
	}
	options = append(options, libp2p.EnableHolePunching(),
		libp2p.WithFxOption(fx.Decorate(func(*autonatv2.AutoNAT) (*autonatv2.AutoNAT, error) { return newAutoNAT(cfg, sockets, dialBacks) })))
	if cfg.PortMap {
		sockets.ports = reach.NewPorts()
		options = append(options, libp2p.NATManager(func(network.Network) basichost.NATManager { return sockets.ports }))
	}
	return options
}

// circuits are those addresses that lead through a relay.
func circuits(addrs []multiaddr.Multiaddr) []multiaddr.Multiaddr {
	return slices.DeleteFunc(slices.Clone(addrs), func(a multiaddr.Multiaddr) bool { return !protocol.IsCircuit(a) })
}

// believeOneObserver lets a node consider an address at which it is seen from
// one place. libp2p wants four, which a federation with one public node never
// has. Whoever lies there gains little: an address is not believed until AutoNAT
// has tried it, and anybody may announce any addresses as its own.
var believeOneObserver = sync.OnceFunc(func() { observedaddrs.ActivationThresh = 1 })

// newAutoNAT makes what libp2p.EnableAutoNATv2 would, with each result told to
// dialBacks. It tries addresses for others from a host of its own, since a
// router in front of them may let in whom they know already.
func newAutoNAT(cfg Config, sockets *sockets, dialBacks *reach.DialBacks) (*autonatv2.AutoNAT, error) {
	dialer, err := libp2p.New(
		libp2p.NoListenAddrs,
		libp2p.DisableRelay(),
		libp2p.UserAgent("earshot/"+cfg.Version+" AutoNAT"),
		libp2p.Transport(sockets.tcp),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.QUICReuse(sockets.manager),
		libp2p.SwarmOpts(swarm.WithDialRanker(swarm.NoDelayDialRanker)),
		libp2p.UDPBlackHoleSuccessCounter(nil), // most of what it tries fails
		libp2p.IPv6BlackHoleSuccessCounter(nil),
	)
	if err != nil {
		return nil, fmt.Errorf("open a host to try addresses from: %w", err)
	}
	return autonatv2.New(dialer, autonatv2.WithMetricsTracer(dialBacks))
}

// Connections with one address, or with one network of IPv6 addresses: a site has
// a /48, a household a /56 (RFC 6177). libp2p's own limits are an eighth of
// these, which shuts out whoever comes ninth from a university, a mobile
// carrier's NAT or a conference. Loopback has no limit.
const (
	connectionsOfAddress = 64 // an IPv4 address, or an IPv6 /56
	connectionsOfSite    = 8 * connectionsOfAddress

	// New ones, in both directions, attempts included: all at once twice over,
	// as when everyone there reconnects, and then so many a second. A node that
	// redials another each second by QUIC and TCP stays within it for minutes.
	attemptsOfAddress       = 2 * connectionsOfAddress
	attemptsOfSite          = 2 * connectionsOfSite
	attemptsOfAddressSecond = 1.6
	attemptsOfSiteSecond    = 4
)

// Circuits that one peer may have here. To it there is room for the relay of a
// room whose children all come by circuits, and for its other neighbours; libp2p's
// own limit is half of that. From it there are fewer: whoever opens circuits and
// says nothing on them must not take all that lead to another.
const (
	circuitsTo   = 2 * protocol.MaxChildren
	circuitsFrom = 32
)

// resourceManager is libp2p's, but for the connections with one address, and for
// circuits. What all peers may take together is as by default, by the machine's
// memory.
func resourceManager() (network.ResourceManager, error) {
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)
	ofPeer := rcmgr.BaseLimit{StreamsInbound: circuitsFrom, StreamsOutbound: circuitsTo, Streams: circuitsFrom + circuitsTo, Memory: 2 << 20}
	limits.AddServicePeerLimit(relay.ServiceName, ofPeer, rcmgr.BaseLimitIncrease{})
	address := rate.Limit{RPS: attemptsOfAddressSecond, Burst: attemptsOfAddress}
	site := rate.Limit{RPS: attemptsOfSiteSecond, Burst: attemptsOfSite}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.AutoScale()),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: connectionsOfAddress}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: connectionsOfAddress}, {PrefixLength: 48, ConnCount: connectionsOfSite}}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: []rate.PrefixLimit{ // none for loopback
				{Prefix: netip.MustParsePrefix("127.0.0.0/8")},
				{Prefix: netip.MustParsePrefix("::1/128")},
			},
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: address}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: address}, {PrefixLength: 48, Limit: site}},
				GracePeriod:      time.Minute,
			},
		}))
}

func join(addrs []multiaddr.Multiaddr) string {
	var s []string
	for _, a := range addrs {
		s = append(s, a.String())
	}
	return strings.Join(s, ", ")
}

// usualAddresses are all interfaces, on the usual port if nothing else has it.
func usualAddresses() []multiaddr.Multiaddr {
	port := usualPort
	if !free(port) {
		port = 0
	}
	var out []multiaddr.Multiaddr
	for _, ip := range []string{"/ip4/0.0.0.0", "/ip6/::"} {
		out = append(out, multiaddr.StringCast(fmt.Sprintf("%s/udp/%d/quic-v1", ip, port)), multiaddr.StringCast(fmt.Sprintf("%s/tcp/%d", ip, port)))
	}
	return out
}

func free(port int) bool {
	t, err := net.ListenTCP("tcp", &net.TCPAddr{Port: port})
	if err != nil {
		return false
	}
	t.Close()
	u, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
	if err != nil {
		return false
	}
	u.Close()
	return true
}

// addresses gives where others reach this node, those of most use first: those
// of loopback only if there are no others.
func (n *Node) addresses() []multiaddr.Multiaddr {
	all := n.host.Addrs()
	for _, c := range n.reach.Circuits() { // the host leaves them out once any other address is sure
		all = append(all, c.Addrs...)
	}
	all = protocol.BestFirst(multiaddr.Unique(all))
	out := slices.DeleteFunc(slices.Clone(all), manet.IsIPLoopback)
	if len(out) == 0 {
		return all
	}
	return out
}

func loopbackOnly(addrs []multiaddr.Multiaddr) bool {
	return len(addrs) > 0 && !slices.ContainsFunc(addrs, func(a multiaddr.Multiaddr) bool { return !manet.IsIPLoopback(a) })
}
