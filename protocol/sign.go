package protocol

import (
	"github.com/libp2p/go-libp2p/core/crypto"
)

// Domains keep a signature made for one purpose from being taken for another.
const (
	domainGenesis     = "earshot-genesis"
	domainCertificate = "earshot-certificate"
	domainMessage     = "earshot-room-message"
	domainAction      = "earshot-action"
	domainReport      = "earshot-report"
	domainSeal        = "earshot-sealed-report" // no signature: HPKE's info
)

// covered is what a signature covers: domain, a zero byte, the room (none for a
// genesis, whose hash is the room) and the body.
func covered(domain string, room []byte, body []byte) []byte {
	b := make([]byte, 0, len(domain)+1+len(room)+len(body))
	b = append(b, domain...)
	b = append(b, 0)
	b = append(b, room...)
	return append(b, body...)
}

func sign(key crypto.PrivKey, domain string, room, body []byte) ([]byte, error) {
	if key.Type() != crypto.Ed25519 {
		return nil, ErrPeer
	}
	return key.Sign(covered(domain, room, body))
}

func verify(p PeerID, domain string, room, body, signature []byte) error {
	pub, err := p.ExtractPublicKey()
	if err != nil || pub.Type() != crypto.Ed25519 {
		return ErrPeer
	}
	if ok, err := pub.Verify(covered(domain, room, body), signature); err != nil || !ok {
		return ErrSignature
	}
	return nil
}
