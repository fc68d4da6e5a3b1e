package node

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/earshot-audio/earshot/protocol"
)

// usualPort is tried first, so that addresses in old links stay true.
const usualPort = 41641

// newHost opens the host, on UDP sockets that are closed after it.
func newHost(cfg Config, key crypto.PrivKey, sockets *sockets) (host.Host, error) {
	listen := cfg.Listen
	if len(listen) == 0 {
		listen = usualAddresses()
	}
	resources, err := resourceManager()
	if err != nil {
		return nil, fmt.Errorf("limit what other nodes take: %w", err)
	}
	h, err := libp2p.New(
		libp2p.Identity(key),
		libp2p.ResourceManager(resources), // closed with the host, or when there is none
		libp2p.ListenAddrs(listen...),
		libp2p.UserAgent("earshot/"+cfg.Version),
		// Sharing a TCP port with another node of this machine would hand each
		// the other's visitors.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.QUICReuse(sockets.manager),
		libp2p.DisableRelay(),
	)
	if err != nil {
		return nil, &protocol.Problem{Code: protocol.CodeBadAddress, Message: "can't listen on " + join(listen),
			Hint: "choose another address with --listen", Cause: err}
	}
	return h, nil
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

// resourceManager is libp2p's, but for the connections with one address. What
// all peers may take together is as by default, by the machine's memory.
func resourceManager() (network.ResourceManager, error) {
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)
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

// addresses gives where others reach this node: those of loopback only if there
// are no others.
func (n *Node) addresses() []multiaddr.Multiaddr {
	all := n.host.Addrs()
	out := slices.DeleteFunc(slices.Clone(all), manet.IsIPLoopback)
	if len(out) == 0 {
		return all
	}
	return out
}

func loopbackOnly(addrs []multiaddr.Multiaddr) bool {
	return len(addrs) > 0 && !slices.ContainsFunc(addrs, func(a multiaddr.Multiaddr) bool { return !manet.IsIPLoopback(a) })
}
