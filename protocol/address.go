package protocol

import (
	"crypto/sha256"

	"github.com/multiformats/go-multiaddr"
)

func hash(b []byte) RoomID { return sha256.Sum256(b) }

func holds(a multiaddr.Multiaddr, code int) bool {
	_, err := a.ValueForProtocol(code)
	return err == nil
}

// AddressBytes gives up to most addresses in binary, without /p2p, and without
// those that lead through a circuit (they are another peer's) or hold a
// certificate hash (they age in days, and are large).
func AddressBytes(addrs []multiaddr.Multiaddr, most int) [][]byte {
	var out [][]byte
	total := 0
	for _, a := range addrs {
		if holds(a, multiaddr.P_CIRCUIT) || holds(a, multiaddr.P_CERTHASH) {
			continue
		}
		if last := p2pPart(a); last != nil {
			a = a.Decapsulate(last)
		}
		if len(a) == 0 {
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

// p2pPart gives the /p2p/ID at the end of a, or nothing.
func p2pPart(a multiaddr.Multiaddr) multiaddr.Multiaddr {
	if id, err := a.ValueForProtocol(multiaddr.P_P2P); err == nil {
		if m, err := multiaddr.NewMultiaddr("/p2p/" + id); err == nil {
			return m
		}
	}
	return nil
}

// Addresses reads binary addresses, refusing too many, too large and malformed
// ones.
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
		a, err := multiaddr.NewMultiaddrBytes(b)
		if err != nil || len(a) == 0 {
			return nil, ErrMalformed
		}
		out = append(out, a)
	}
	return out, nil
}
