package reach

import (
	"net/netip"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// Level says from where a node can be reached.
type Level string

const (
	Public  Level = "public"  // from anywhere, at an address of its own
	Mapped  Level = "mapped"  // from anywhere, at a port that a router keeps open for it
	Private Level = "private" // only from its own network, through circuits, or by those it talks to first
	Unknown Level = "unknown"
)

func (l Level) open() bool { return l == Public || l == Mapped }

// NAT is how a router maps the socket for sound (RFC 4787 section 4.1).
type NAT string

const (
	NATNone             NAT = "none"                 // others see the address that the machine has
	EndpointIndependent NAT = "endpoint-independent" // all others see the same address and port
	Dependent           NAT = "dependent"            // each other sees another one
	NATUnknown          NAT = "unknown"
)

// UDP says whether UDP gets out and back.
type UDP string

const (
	UDPWorks   UDP = "works"
	UDPBlocked UDP = "blocked"
	UDPUnknown UDP = "unknown"
)

// Family says what addresses a machine has in IPv4 or IPv6, loopback apart.
type Family string

const (
	NoAddress       Family = "none"
	PrivateAddress  Family = "private"
	InternetAddress Family = "public"
)

// Circuit is a reservation with a relay.
type Circuit struct {
	Relay peer.ID
	Addrs []multiaddr.Multiaddr // this node through it: they end in /p2p-circuit
}

// State is what a node knows of how it can be reached.
type State struct {
	Reach     Level
	Confirmed bool // somebody has tried; else it is concluded from the addresses of this machine
	NAT       NAT
	UDP       UDP
	IPv4      Family
	IPv6      Family
	Reachable []multiaddr.Multiaddr // where somebody has reached it
	Seen      []netip.AddrPort      // where the socket for sound is seen to be
	Mapped    []netip.AddrPort      // where a router lets sound in
	Circuits  []Circuit
	Serves    Serves
}

// same says whether nothing of s but the counts of Serves differs.
func (s State) same(t State) bool {
	return s.Reach == t.Reach && s.Confirmed == t.Confirmed && s.NAT == t.NAT && s.UDP == t.UDP && s.IPv4 == t.IPv4 && s.IPv6 == t.IPv6 &&
		s.Serves.Running == t.Serves.Running && slices.Equal(s.Seen, t.Seen) && slices.Equal(s.Mapped, t.Mapped) &&
		slices.EqualFunc(s.Reachable, t.Reachable, multiaddr.Multiaddr.Equal) && slices.EqualFunc(s.Circuits, t.Circuits, Circuit.same)
}

func (c Circuit) same(d Circuit) bool {
	return c.Relay == d.Relay && slices.EqualFunc(c.Addrs, d.Addrs, multiaddr.Multiaddr.Equal)
}
