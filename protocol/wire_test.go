package protocol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/multiformats/go-multiaddr"
)

// This file writes the wire by hand, with the standard library's Ed25519 and
// without the generated code: what the package writes is held to it.

// person is somebody whose key comes from a seed.
type person struct {
	seed []byte
	priv ed25519.PrivateKey
	pub  []byte
	key  crypto.PrivKey
	id   PeerID
}

// someone is the person whose seed is 32 times n.
func someone(n byte) *person {
	p := &person{seed: bytes.Repeat([]byte{n}, ed25519.SeedSize)}
	p.priv = ed25519.NewKeyFromSeed(p.seed)
	p.pub = p.priv.Public().(ed25519.PublicKey)
	var err error
	if p.key, err = crypto.UnmarshalEd25519PrivateKey(p.priv); err != nil {
		panic(err)
	}
	if p.id, err = PeerOf(p.pub); err != nil {
		panic(err)
	}
	return p
}

// cast is who appears in the vectors.
type cast struct{ founder, delegate, announcer, stranger *person }

func people() cast { return cast{someone(1), someone(2), someone(3), someone(4)} }

func (c cast) seeds() map[string]hexBytes {
	return map[string]hexBytes{"founder": c.founder.seed, "delegate": c.delegate.seed,
		"announcer": c.announcer.seed, "stranger": c.stranger.seed}
}

// sign signs domain, a zero byte, the room (nil for a genesis) and body.
func (p *person) sign(domain string, room, body []byte) []byte {
	return ed25519.Sign(p.priv, bytes.Join([][]byte{[]byte(domain), {0}, room, body}, nil))
}

// message is a protobuf message, written field by field in order.
type message []byte

// number adds a varint field; zero is left out.
func (m message) number(field int, v uint64) message {
	if v == 0 {
		return m
	}
	return binary.AppendUvarint(binary.AppendUvarint(slices.Clip(m), uint64(field)<<3), v)
}

func (m message) flag(field int, v bool) message {
	if v {
		return m.number(field, 1)
	}
	return m
}

// part adds a field of bytes, also an empty one.
func (m message) part(field int, b []byte) message {
	m = binary.AppendUvarint(slices.Clip(m), uint64(field)<<3|2)
	return append(binary.AppendUvarint(m, uint64(len(b))), b...)
}

// bytes adds a field of bytes; an empty one is left out.
func (m message) bytes(field int, b []byte) message {
	if len(b) == 0 {
		return m
	}
	return m.part(field, b)
}

func (m message) text(field int, s string) message { return m.bytes(field, []byte(s)) }

func (m message) list(field int, all [][]byte) message {
	for _, b := range all {
		m = m.part(field, b)
	}
	return m
}

// envelope is libp2p's signed envelope (RFC 0002): the signature covers domain,
// type and payload, each after its length.
func (p *person) envelope(domain, kind string, payload []byte) message {
	var b []byte
	for _, f := range [][]byte{[]byte(domain), []byte(kind), payload} {
		b = append(binary.AppendUvarint(b, uint64(len(f))), f...)
	}
	return message{}.part(1, message{}.number(1, 1).bytes(2, p.pub)).
		text(2, kind).bytes(3, payload).bytes(5, ed25519.Sign(p.priv, b))
}

// groupOrder is the order of Ed25519's group, little endian.
var groupOrder, _ = hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")

// plusOrder gives the signature with the order added to its S: the same
// signature to a verifier that forgets RFC 8032 section 5.1.7.
func plusOrder(signature []byte) []byte {
	s, carry := bytes.Clone(signature), 0
	for i, b := range groupOrder {
		carry += int(s[32+i]) + int(b)
		s[32+i] = byte(carry)
		carry >>= 8
	}
	return s
}

// binaries gives addresses as they travel.
func binaries(texts ...string) (out [][]byte) {
	for _, s := range texts {
		out = append(out, multiaddr.StringCast(s).Bytes())
	}
	return out
}

func addresses(texts []string) (out []multiaddr.Multiaddr) {
	for _, s := range texts {
		out = append(out, multiaddr.StringCast(s))
	}
	return out
}

func texts(addrs []multiaddr.Multiaddr) (out []string) {
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
