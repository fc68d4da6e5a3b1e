package protocol

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Link is what people pass on to let others into a room:
// earshot:room/<id>/<hints>, or http(s)://HOST/r#room/<id>/<hints> for browsers.
type Link struct {
	Room    RoomID
	Network string
	Peers   []peer.AddrInfo // who may know the room, best first
}

const (
	linkPrefix    = "earshot:room/"
	maxLinkBytes  = 4096
	checksumBytes = 4
)

// String writes the link; peers beyond MaxHints are left out.
func (l Link) String() string {
	h := &pb.Hints{Network: l.Network}
	for _, p := range l.Peers[:min(len(l.Peers), MaxHints)] {
		if key, err := PeerKey(p.ID); err == nil {
			h.Peers = append(h.Peers, &pb.Address{Peer: key, Addresses: AddressBytes(p.Addrs, MaxAddresses)})
		}
	}
	b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(h) // plain fields marshal
	return linkPrefix + l.Room.String() + "/" + base64.RawURLEncoding.EncodeToString(append(b, linkChecksum(l.Room, b)...))
}

// linkChecksum covers ID and hints, so that a slip in either shows.
func linkChecksum(room RoomID, hints []byte) []byte {
	h := sha256.New()
	h.Write([]byte("earshot-link"))
	h.Write(room[:])
	h.Write(hints)
	return h.Sum(nil)[:checksumBytes]
}

// IsLink says whether s means to be a link.
func IsLink(s string) bool {
	return strings.HasPrefix(s, "earshot:") || strings.Contains(s, "/r#room/")
}

// ParseLink reads a link. ErrLinkForm: it is none; ErrLinkCut: it was one.
func ParseLink(s string) (Link, error) {
	var l Link
	rest, ok := strings.CutPrefix(s, linkPrefix)
	if !ok {
		_, rest, ok = strings.Cut(s, "/r#room/")
	}
	if !ok || len(s) > maxLinkBytes {
		return l, ErrLinkForm
	}
	id, hints, _ := strings.Cut(rest, "/")
	var err error
	if l.Room, err = ParseRoomID(id); err != nil {
		return l, ErrLinkCut
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(hints)
	if err != nil || len(b) < checksumBytes {
		return l, ErrLinkCut
	}
	b, sum := b[:len(b)-checksumBytes], b[len(b)-checksumBytes:]
	if string(sum) != string(linkChecksum(l.Room, b)) {
		return l, ErrLinkCut
	}
	var h pb.Hints
	if proto.Unmarshal(b, &h) != nil || len(h.Peers) > MaxHints {
		return l, ErrLinkForm
	}
	if n, err := text(h.Network, MaxNetworkBytes); err != nil || n != h.Network {
		return l, ErrLinkForm
	}
	l.Network = h.Network
	for _, p := range h.Peers {
		info, err := OpenAddress(p)
		if err != nil {
			return l, ErrLinkForm
		}
		l.Peers = append(l.Peers, info)
	}
	return l, nil
}

// OpenAddress reads a peer and its addresses from the wire.
func OpenAddress(a *pb.Address) (peer.AddrInfo, error) {
	p, err := PeerOf(a.GetPeer())
	if err != nil {
		return peer.AddrInfo{}, err
	}
	addrs, err := Addresses(a.GetAddresses(), MaxAddresses)
	return peer.AddrInfo{ID: p, Addrs: addrs}, err
}

// WireAddress writes a peer and up to most of its addresses.
func WireAddress(p peer.AddrInfo, most int) (*pb.Address, error) {
	key, err := PeerKey(p.ID)
	return &pb.Address{Peer: key, Addresses: AddressBytes(p.Addrs, most)}, err
}
