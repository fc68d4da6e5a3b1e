package protocol

import (
	"crypto/sha256"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Guests is what a node tells of those who listen through its guest door in one
// room: a friend with a browser and no node.
type Guests struct {
	Count int // at most MaxGuests
	Named NamedGuests
}

// NamedGuests are those guests of a node who have a key, and may ask to speak under
// it; "" where there are fewer.
type NamedGuests [MaxNamedGuests]PeerID

// Has says whether p is one of them.
func (g NamedGuests) Has(p PeerID) bool {
	for _, named := range g {
		if named == p && p != "" {
			return true
		}
	}
	return false
}

func (g Guests) fill(w *pb.Presence) error {
	w.Guests = uint32(min(max(g.Count, 0), MaxGuests))
	for _, p := range g.Named {
		if p == "" {
			continue
		}
		key, err := PeerKey(p)
		if err != nil {
			return err
		}
		w.NamedGuests = append(w.NamedGuests, key)
	}
	return nil
}

func takeGuests(w *pb.Presence) (g Guests, err error) {
	g.Count = int(min(w.Guests, MaxGuests))
	if len(w.NamedGuests) > MaxNamedGuests {
		return g, ErrLarge
	}
	for i, key := range w.NamedGuests {
		p, err := PeerOf(key)
		if err != nil {
			return g, err
		}
		if g.Named.Has(p) {
			return g, ErrMalformed
		}
		g.Named[i] = p
	}
	return g, nil
}

// GuestSession gives the session under which a guest speaks whose browser proves
// itself by a DTLS certificate with this SHA-256 fingerprint (RFC 8122 section 5):
// the guest's signature on its Voice so binds its key to that connection.
func GuestSession(fingerprint [sha256.Size]byte) (s Session) {
	sum := sha256.Sum256(append([]byte("earshot-guest-voice"), fingerprint[:]...))
	copy(s[:], sum[:])
	return s
}
