// Package protocol is what Earshot nodes say to each other and what it means:
// names, announcements, frames, claims, certificates, limits and errors. It is
// pure: no clock, goroutine, socket or file; where a time matters it is an
// argument. docs/protocol.md is its prose.
package protocol

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/text/unicode/norm"
)

// PeerID names a peer: libp2p's identity of its Ed25519 public key, which is
// the only kind of key that Earshot takes.
type PeerID = peer.ID

// RoomID names a room: the SHA-256 of its genesis.
type RoomID [32]byte

// Name is what a person calls themselves: at most MaxNameBytes of printable
// UTF-8 in NFC.
type Name string

// Source numbers one speaker's audio in one room, for one capture session.
type Source uint32

// Handle is a link's own number for a source (an RTP CSRC): it means something
// on one link in one direction only.
type Handle uint32

// Session is the random part of a source.
type Session [16]byte

var plain = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// RoomIDLetters is the length of a room ID in plain letters.
const RoomIDLetters = 52

// String gives the ID in plain letters (RFC 4648 base32, lower case).
func (id RoomID) String() string { return plain.EncodeToString(id[:]) }

// Short gives enough of the ID for a person to recognise it.
func (id RoomID) Short() string { return id.String()[:8] }

// ParseRoomID reads an ID in plain letters.
func ParseRoomID(s string) (RoomID, error) {
	var id RoomID
	if len(s) != RoomIDLetters {
		return id, ErrRoomID
	}
	b, err := plain.DecodeString(strings.ToLower(s))
	if err != nil || len(b) != len(id) || plain.EncodeToString(b) != strings.ToLower(s) {
		return id, ErrRoomID
	}
	return RoomID(b), nil
}

// ParseName checks and normalises what a person typed as a name.
func ParseName(s string) (Name, error) {
	s, err := text(s, MaxNameBytes)
	if err != nil || s == "" {
		return "", ErrName
	}
	return Name(s), nil
}

// text trims, normalises to NFC and bounds s, refusing what can't be printed.
func text(s string, limit int) (string, error) {
	if len(s) > 4*limit || !utf8.ValidString(s) {
		return "", ErrText
	}
	s = norm.NFC.String(strings.TrimSpace(s))
	if len(s) > limit {
		return "", ErrText
	}
	for i, r := range s {
		if hides(r) || i == 0 && leans(r) {
			return "", ErrText
		}
	}
	return s, nil
}

const (
	nonJoiner    = '\u200c'
	joiner       = '\u200d'
	brailleBlank = '\u2800'
)

// hides says whether r is no part of a printed text: format characters turn
// text around (bidi overrides) or can't be seen in it. Joiners are kept, since
// scripts and emoji need them, and so is what Unicode has yet to assign:
// whoever's tables are newer may know it.
func hides(r rune) bool {
	return r != joiner && r != nonJoiner && r != ' ' &&
		unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Z,
			unicode.Noncharacter_Code_Point, unicode.Other_Default_Ignorable_Code_Point)
}

// leans says whether r shows nothing by itself, so that a text can't begin
// with it.
func leans(r rune) bool {
	return r == joiner || r == nonJoiner || r == brailleBlank || unicode.Is(unicode.M, r)
}

// SourceOf gives the number of a peer's source: the first four bytes, big
// endian, of SHA-256 over "earshot-source", the room, the peer's ID (libp2p's 38
// bytes, of which its key is the last 32) and the session; 1 if that is zero.
func SourceOf(room RoomID, p PeerID, session Session) Source {
	h := sha256.New()
	h.Write([]byte("earshot-source"))
	h.Write(room[:])
	h.Write([]byte(p))
	h.Write(session[:])
	var sum [sha256.Size]byte
	return max(1, Source(binary.BigEndian.Uint32(h.Sum(sum[:0]))))
}

// PeerKey gives the 32-byte Ed25519 key inside a peer ID.
func PeerKey(p PeerID) ([]byte, error) {
	pub, err := p.ExtractPublicKey()
	if err != nil || pub.Type() != crypto.Ed25519 {
		return nil, ErrPeer
	}
	raw, err := pub.Raw()
	if err != nil {
		return nil, ErrPeer
	}
	return raw, nil
}

// PeerOf gives the peer whose Ed25519 key this is.
func PeerOf(key []byte) (PeerID, error) {
	if len(key) != ed25519.PublicKeySize {
		return "", ErrPeer
	}
	pub, err := crypto.UnmarshalEd25519PublicKey(key)
	if err != nil {
		return "", ErrPeer
	}
	p, err := peer.IDFromPublicKey(pub)
	if err != nil {
		return "", ErrPeer
	}
	return p, nil
}
