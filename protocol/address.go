package protocol

import (
	"crypto/sha256"

	"github.com/multiformats/go-multiaddr"
)

func hash(b []byte) RoomID { return sha256.Sum256(b) }

// travels says whether an address may be told to others: it names no peer, does
// not lead through a circuit (that is another peer's address) and holds no
// certificate hash (they age in days, and are large).
func travels(a multiaddr.Multiaddr) bool {
	for _, c := range a {
		switch c.Protocol().Code {
		case multiaddr.P_P2P, multiaddr.P_CIRCUIT, multiaddr.P_CERTHASH:
			return false
		}
	}
	return len(a) > 0
}

// AddressBytes gives up to most addresses in binary, together at most
// MaxAddressesBytes, without the /p2p at their ends and without those that
// others have no use for.
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
