package protocol

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha512"
	"crypto/subtle"
	"math/big"
	"slices"

	"github.com/libp2p/go-libp2p/core/crypto"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// A report goes by way of a third node, for the key of one who moderates alone:
// HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and
// ChaCha20-Poly1305, its info the domain, room and key. The X25519 keys are those
// of the same points as the peers' Ed25519 keys (RFC 7748 section 4.1). That one
// pair may serve both, Thormarker shows ("On using the same key pair for Ed25519
// and an X25519 based KEM", 2021).

const (
	encapsulated = 32 // bytes of an encapsulated key
	sealTag      = 16 // bytes that sealing adds

	// MaxSealedBytes is the largest sealed report.
	MaxSealedBytes = encapsulated + MaxReportBytes + sealTag
)

// ReportProof shows that a sealed report was opened: its sender and whoever
// opened it know it, and nobody else.
type ReportProof [32]byte

const proofContext = "earshot-report-receipt"

// Is says whether b is the proof; how long that takes tells nothing.
func (p ReportProof) Is(b []byte) bool { return subtle.ConstantTimeCompare(p[:], b) == 1 }

// SealFor seals a signed report for one peer, and gives the proof that is to come
// back. ErrPeer: nothing can be sealed for its key.
func (r *Report) SealFor(room RoomID, to PeerID) (sealed []byte, proof ReportProof, err error) {
	reporter, err := PeerKey(r.Reporter)
	if err != nil {
		return nil, proof, err
	}
	key, info, err := sealKey(room, to)
	if err != nil {
		return nil, proof, err
	}
	enc, sender, err := hpke.NewSender(key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info)
	if err != nil {
		return nil, proof, ErrPeer
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(&pb.SignedReport{Reporter: reporter, Report: r.body, Signature: r.signature})
	if err != nil {
		return nil, proof, err
	}
	if b, err = sender.Seal(nil, b); err != nil {
		return nil, proof, err
	}
	secret, err := sender.Export(proofContext, len(proof))
	copy(proof[:], secret)
	return slices.Concat(enc, b), proof, err
}

// OpenReport opens what SealFor sealed for key's peer, and verifies all of it; the
// proof is to go back to the reporter.
func OpenReport(room RoomID, key crypto.PrivKey, sealed []byte) (*Report, ReportProof, error) {
	var proof ReportProof
	if len(sealed) <= encapsulated+sealTag || len(sealed) > MaxSealedBytes {
		return nil, proof, ErrLarge
	}
	own, info, err := openKey(room, key)
	if err != nil {
		return nil, proof, err
	}
	recipient, err := hpke.NewRecipient(sealed[:encapsulated], own, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info)
	if err != nil {
		return nil, proof, ErrMalformed
	}
	b, err := recipient.Open(nil, sealed[encapsulated:])
	if err != nil {
		return nil, proof, ErrMalformed
	}
	secret, err := recipient.Export(proofContext, len(proof))
	if err != nil {
		return nil, proof, err
	}
	copy(proof[:], secret)
	r, err := parseReport(room, b)
	return r, proof, err
}

// sealKey gives what to seal by for a peer.
func sealKey(room RoomID, to PeerID) (key hpke.PublicKey, info []byte, err error) {
	pub, err := PeerKey(to)
	if err != nil {
		return nil, nil, err
	}
	u, err := montgomery(pub)
	if err != nil {
		return nil, nil, err
	}
	key, err = hpke.DHKEM(ecdh.X25519()).NewPublicKey(u)
	return key, covered(domainSeal, room[:], pub), err
}

// openKey gives what the owner of key opens by.
func openKey(room RoomID, key crypto.PrivKey) (own hpke.PrivateKey, info []byte, err error) {
	pub, err := key.GetPublic().Raw()
	if err != nil || key.Type() != crypto.Ed25519 {
		return nil, nil, ErrPeer
	}
	raw, err := key.Raw()
	if err != nil {
		return nil, nil, err
	}
	secret := sha512.Sum512(raw[:32]) // its first half is Ed25519's scalar (RFC 8032 section 5.1.5), clamped as X25519's
	x, err := ecdh.X25519().NewPrivateKey(secret[:32])
	if err != nil {
		return nil, nil, err
	}
	own, err = hpke.NewDHKEMPrivateKey(x)
	return own, covered(domainSeal, room[:], pub), err
}

// montgomery gives the u of an Ed25519 key's point on Curve25519, u = (1+y)/(1-y)
// (RFC 7748 section 4.1), little endian. The keys are public, so its time may
// depend on them. ErrPeer: it has none.
func montgomery(pub []byte) ([]byte, error) {
	one := big.NewInt(1)
	p := new(big.Int).Sub(new(big.Int).Lsh(one, 255), big.NewInt(19))
	le := slices.Clone(pub)
	le[31] &= 0x7f // the sign of x
	slices.Reverse(le)
	y := new(big.Int).SetBytes(le)
	below := new(big.Int).Sub(one, y)
	if below.Mod(below, p).ModInverse(below, p) == nil {
		return nil, ErrPeer
	}
	u := below.Mul(below, y.Add(y, one))
	b := u.Mod(u, p).FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b, nil
}
