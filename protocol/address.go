package protocol

import (
	"crypto/sha256"
	"net/netip"
	"slices"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

func hash(b []byte) RoomID { return sha256.Sum256(b) }

// travels says whether an address may be told to others: it leads to the node
// itself or through a circuit of one relay, whose address and ID it begins with
// (libp2p's circuit v2), and holds no certificate hash (they age in days, and are
// large).
func travels(a multiaddr.Multiaddr) bool {
	relay := -1
	for i, c := range a {
		switch c.Protocol().Code {
		case multiaddr.P_P2P:
			if relay >= 0 || i == 0 || i != len(a)-2 {
				return false
			}
			relay = i
		case multiaddr.P_CIRCUIT:
			if relay < 0 || i != relay+1 {
				return false
			}
		case multiaddr.P_CERTHASH:
			return false
		}
	}
	return len(a) > 0 && (relay < 0 || IsCircuit(a))
}

// IsCircuit says whether an address leads through a circuit relay.
func IsCircuit(a multiaddr.Multiaddr) bool {
	return slices.ContainsFunc(a, func(c multiaddr.Component) bool { return c.Protocol().Code == multiaddr.P_CIRCUIT })
}

// IPOf gives the IP address that an address begins with, an IPv4 address as such;
// false if it begins with a name or a peer. Of a circuit it is the relay's.
func IPOf(a multiaddr.Multiaddr) (netip.Addr, bool) {
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.Addr{}, false
	}
	addr, ok := netip.AddrFromSlice(ip)
	return addr.Unmap(), ok
}

// DirectFirst orders addresses by whether they are a node's own: circuits go
// last, since they end with their relay.
func DirectFirst(addrs []multiaddr.Multiaddr) []multiaddr.Multiaddr {
	circuits := func(a multiaddr.Multiaddr) int {
		if IsCircuit(a) {
			return 1
		}
		return 0
	}
	addrs = slices.Clone(addrs)
	slices.SortStableFunc(addrs, func(a, b multiaddr.Multiaddr) int { return circuits(a) - circuits(b) })
	return addrs
}

// BestFirst orders addresses by how many others they are of use to: public ones,
// circuits, those of a local network, those of this machine.
func BestFirst(addrs []multiaddr.Multiaddr) []multiaddr.Multiaddr {
	addrs = slices.Clone(addrs)
	slices.SortStableFunc(addrs, func(a, b multiaddr.Multiaddr) int { return usefulness(a) - usefulness(b) })
	return addrs
}

func usefulness(a multiaddr.Multiaddr) int {
	switch {
	case IsCircuit(a):
		return 1
	case manet.IsPublicAddr(a):
		return 0
	case manet.IsIPLoopback(a):
		return 3
	}
	return 2
}

// AddressBytes gives up to most addresses in binary, together at most
// MaxAddressesBytes, without the node's own /p2p at their ends and without those
// that others have no use for. Which go first is for the caller: see BestFirst.
func AddressBytes(addrs []multiaddr.Multiaddr, most int) [][]byte {
	var out [][]byte
	total := 0
	for _, a := range addrs {
		if n := len(a); n > 0 && a[n-1].Protocol().Code == multiaddr.P_P2P {
			a = a[:n-1]
		}
		if !travels(a) {
			continue
		}
		b := a.Bytes()
		if len(b) > MaxAddressBytes || total+len(b) > MaxAddressesBytes {
			continue
		}
		if total += len(b); len(out) == most {
			break
		}
		out = append(out, b)
	}
	return out
}

// Addresses reads binary addresses, refusing too many and too large ones. One
// that doesn't read is left out, since its transport may be newer than this
// node, and so is one that AddressBytes would not have written.
func Addresses(raw [][]byte, most int) ([]multiaddr.Multiaddr, error) {
	if len(raw) > most {
		return nil, ErrLarge
	}
	var out []multiaddr.Multiaddr
	total := 0
	for _, b := range raw {
		if total += len(b); len(b) > MaxAddressBytes || total > MaxAddressesBytes {
			return nil, ErrLarge
		}
		if a, err := multiaddr.NewMultiaddrBytes(b); err == nil && travels(a) {
			out = append(out, a)
		}
	}
	return out, nil
}
