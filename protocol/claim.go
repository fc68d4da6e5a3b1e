package protocol

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
)

// Key orders claims within an era: by term, then by the hash of room, term and
// relay, then by the relay itself. Nothing that depends on who looks is in it.
type Key struct {
	Term  uint64 // 0: no claim
	Relay PeerID
}

// Rank is the hash that breaks ties: SHA-256 over "earshot-rank", the room, the
// term (8 bytes, big endian) and the peer's ID (libp2p's 38 bytes).
func Rank(room RoomID, term uint64, p PeerID) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte("earshot-rank"))
	h.Write(room[:])
	var t [8]byte
	binary.BigEndian.PutUint64(t[:], term)
	h.Write(t[:])
	h.Write([]byte(p))
	var sum [sha256.Size]byte
	return [sha256.Size]byte(h.Sum(sum[:0]))
}

// Compare gives -1, 0 or +1 as k is below, equal to or above l in room.
func (k Key) Compare(l Key, room RoomID) int {
	switch {
	case k.Term != l.Term && k.Term < l.Term:
		return -1
	case k.Term != l.Term:
		return 1
	case k.Relay == l.Relay:
		return 0
	}
	a, b := Rank(room, k.Term, k.Relay), Rank(room, l.Term, l.Relay)
	if c := bytes.Compare(a[:], b[:]); c != 0 {
		return c
	}
	return bytes.Compare([]byte(k.Relay), []byte(l.Relay))
}

// Claim says who relays a room and who stands by. Its relay signs it; it is
// compared by its Key alone.
type Claim struct {
	Era uint32
	Key
	Standby        PeerID // "": none
	Boot, Sequence uint64 // of the relay's messages: which life, which message
	Solo           bool   // claimed while hearing nobody
}

// Pulse is a candidate's sign of life.
type Pulse struct {
	From           PeerID
	Boot, Sequence uint64
	Era            uint32
	Class          uint8 // how well it could carry; higher is better
	Max            Key   // the highest key it has seen
	Suspects       bool  // it hears no relay
	Yields         bool  // it relays alone and gives way
	Bye            bool  // it is leaving
}
