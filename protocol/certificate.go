package protocol

import (
	"encoding/binary"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Duties are what a certificate allows in one room.
type Duties uint8

const (
	// Speak let its holder on the host's stage before rooms had a log, which does
	// that now. It is read, and lets nobody do anything.
	Speak Duties = 1 << iota
	Carry        // relay, stand by, announce, certify others
)

// Certificate gives Subject its Duties in one room. Its life runs on each
// receiver's own monotonic clock from the first receipt.
type Certificate struct {
	Issuer, Subject PeerID
	Duties          Duties
	Life            time.Duration // whole seconds
	Serial          uint64        // of the issuer; a higher one replaces a lower one
	Signature       []byte
}

// body is what the signature covers: both keys, duties, life in seconds and
// serial, big endian.
func (c *Certificate) body() ([]byte, error) {
	issuer, err := PeerKey(c.Issuer)
	if err != nil {
		return nil, err
	}
	subject, err := PeerKey(c.Subject)
	if err != nil {
		return nil, err
	}
	b := append(append(make([]byte, 0, 77), issuer...), subject...)
	b = append(b, byte(c.Duties))
	b = binary.BigEndian.AppendUint32(b, uint32(c.Life/time.Second))
	return binary.BigEndian.AppendUint64(b, c.Serial), nil
}

// Issue signs c as its issuer, for room.
func (c *Certificate) Issue(room RoomID, key crypto.PrivKey) error {
	raw, err := key.GetPublic().Raw()
	if err != nil {
		return err
	}
	if c.Issuer, err = PeerOf(raw); err != nil {
		return err
	}
	c.Life = c.Life.Truncate(time.Second)
	body, err := c.body()
	if err != nil {
		return err
	}
	c.Signature, err = sign(key, domainCertificate, room[:], body)
	return err
}

// Wire gives the certificate as it travels.
func (c *Certificate) Wire() *pb.Certificate {
	issuer, _ := PeerKey(c.Issuer)
	subject, _ := PeerKey(c.Subject)
	return &pb.Certificate{Issuer: issuer, Subject: subject, Duties: uint32(c.Duties),
		LifeS: uint32(c.Life / time.Second), Serial: c.Serial, Signature: c.Signature}
}

// OpenCertificate checks a certificate of room from the wire: form, bounds and
// its issuer's signature; not whether the issuer may issue it.
func OpenCertificate(room RoomID, m *pb.Certificate) (Certificate, error) {
	c := Certificate{Duties: Duties(m.GetDuties()), Life: time.Duration(m.GetLifeS()) * time.Second,
		Serial: m.GetSerial(), Signature: m.GetSignature()}
	if m.GetDuties() == 0 || m.GetDuties() > uint32(Speak|Carry) || c.Life <= 0 || c.Life > MaxCertificate {
		return c, ErrCertificate
	}
	var err error
	if c.Issuer, err = PeerOf(m.GetIssuer()); err != nil {
		return c, err
	}
	if c.Subject, err = PeerOf(m.GetSubject()); err != nil {
		return c, err
	}
	body, err := c.body()
	if err != nil {
		return c, err
	}
	return c, verify(c.Issuer, domainCertificate, room[:], body, c.Signature)
}

// CheckChain says whether chain leads from founder to holder with all of duty: at most
// MaxChain links, each issued by the one before, the links above the last with
// Carry, and none with a duty that its issuer lacks. Signatures are checked
// already.
func CheckChain(founder, holder PeerID, duty Duties, chain []Certificate) error {
	if holder == founder && len(chain) == 0 {
		return nil
	}
	if len(chain) == 0 || len(chain) > MaxChain || duty == 0 {
		return ErrNoRight
	}
	at := founder
	for i, c := range chain {
		want := Carry
		if i == len(chain)-1 {
			want = duty
		}
		if c.Issuer != at || c.Duties&want != want || i > 0 && c.Duties&^chain[i-1].Duties != 0 {
			return ErrNoRight
		}
		at = c.Subject
	}
	if at != holder {
		return ErrNoRight
	}
	return nil
}
