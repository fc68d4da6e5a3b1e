package protocol

import (
	"bytes"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	cpb "github.com/libp2p/go-libp2p/core/crypto/pb"
	"github.com/libp2p/go-libp2p/core/record"
	rpb "github.com/libp2p/go-libp2p/core/record/pb"
	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Announcement says that a room is live and where its announcer is found. It
// proves itself: the genesis hashes to the room, and a chain of certificates
// leads from the founder to the announcer.
type Announcement struct {
	Room                RoomID
	Genesis             *Genesis
	Announcer           PeerID
	Chain               []Certificate
	Sequence            uint64        // of the announcer, max(previous + 1, Unix ms)
	Life                time.Duration // from receipt
	Addresses           []multiaddr.Multiaddr
	Speakers, Listeners uint32
	Closed              bool // by the founder
	Listing             Listing
}

// announcementRecord is the payload of the signed Envelope (libp2p RFC 0002).
type announcementRecord struct{ payload []byte }

func (announcementRecord) Domain() string                   { return EnvelopeDomain }
func (announcementRecord) Codec() []byte                    { return []byte(AnnouncementType) }
func (r announcementRecord) MarshalRecord() ([]byte, error) { return r.payload, nil }
func (r *announcementRecord) UnmarshalRecord(b []byte) error {
	r.payload = b
	return nil
}

// Seal signs the announcement as its announcer and gives its envelope, at most
// MaxAnnouncementBytes. Where it would be larger, topics that are not the genesis'
// are left out, then addresses, last first. A listing without a title is the
// genesis'.
func (a *Announcement) Seal(key crypto.PrivKey) ([]byte, error) {
	m := &pb.RoomAnnouncement{Genesis: a.Genesis.Signed(), Sequence: a.Sequence, LifeS: uint32(a.Life / time.Second),
		Addresses: AddressBytes(a.Addresses, MaxAddresses), Speakers: a.Speakers, Listeners: a.Listeners, Closed: a.Closed}
	if a.Listing.Title != "" {
		if err := a.Listing.check(); err != nil {
			return nil, err
		}
		m.Listing = a.Listing.wire(a.Genesis)
	}
	for i := range a.Chain {
		m.Chain = append(m.Chain, a.Chain[i].Wire())
	}
	for {
		payload, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			return nil, err
		}
		envelope, err := record.Seal(&announcementRecord{payload}, key)
		if err != nil {
			return nil, err
		}
		b, err := envelope.Marshal()
		if err != nil {
			return nil, err
		}
		if len(b) <= MaxAnnouncementBytes {
			return b, nil
		}
		switch {
		case len(m.GetListing().GetTopics().GetTopics()) > 0:
			m.Listing.Topics = &pb.Topics{}
		case len(m.Addresses) > 0:
			m.Addresses = m.Addresses[:len(m.Addresses)-1]
		default:
			return nil, ErrLarge
		}
	}
}

// PeekAnnouncement reads whose announcement of which room this is, and its
// sequence, before anything is verified.
func PeekAnnouncement(envelope []byte) (room RoomID, announcer PeerID, sequence uint64, err error) {
	key, m, err := parseAnnouncement(envelope)
	if err != nil {
		return room, "", 0, err
	}
	if announcer, err = PeerOf(key); err != nil {
		return room, "", 0, err
	}
	return hash(m.GetGenesis().GetGenesis()), announcer, m.Sequence, nil
}

func parseAnnouncement(envelope []byte) (key []byte, m *pb.RoomAnnouncement, err error) {
	if len(envelope) > MaxAnnouncementBytes {
		return nil, nil, ErrLarge
	}
	var e rpb.Envelope
	if proto.Unmarshal(envelope, &e) != nil || !bytes.Equal(e.PayloadType, []byte(AnnouncementType)) ||
		e.GetPublicKey().GetType() != cpb.KeyType_Ed25519 {
		return nil, nil, ErrMalformed
	}
	m = &pb.RoomAnnouncement{}
	if proto.Unmarshal(e.Payload, m) != nil {
		return nil, nil, ErrMalformed
	}
	return e.PublicKey.Data, m, nil
}

// OpenAnnouncement checks everything that can be checked without a clock:
// bounds, the envelope's signature, the genesis, the chain and its right. ErrLater:
// all of that holds, but what the room is only a later version understands.
func OpenAnnouncement(envelope []byte) (*Announcement, error) {
	key, m, err := parseAnnouncement(envelope)
	if err != nil {
		return nil, err
	}
	a := &Announcement{Sequence: m.Sequence, Life: time.Duration(m.LifeS) * time.Second,
		Speakers: m.Speakers, Listeners: m.Listeners, Closed: m.Closed}
	if a.Announcer, err = PeerOf(key); err != nil {
		return nil, err
	}
	if a.Life <= 0 || a.Life > MaxLife || a.Sequence == 0 || a.Sequence >= 1<<63 || len(m.Chain) > MaxChain {
		return nil, ErrMalformed
	}
	if a.Addresses, err = Addresses(m.Addresses, MaxAddresses); err != nil {
		return nil, err
	}
	e, err := record.ConsumeTypedEnvelope(envelope, &announcementRecord{})
	if err != nil {
		return nil, ErrSignature
	}
	// Around what is signed there is one form, so that nobody can make a second
	// announcement out of another's.
	if b, err := e.Marshal(); err != nil || !bytes.Equal(b, envelope) {
		return nil, ErrMalformed
	}
	if a.Genesis, err = OpenGenesis(m.Genesis); err != nil {
		return nil, err
	}
	listing, unread := openListing(m.Listing, a.Genesis)
	if unread != nil && !errors.Is(unread, ErrLater) {
		return nil, unread
	}
	a.Listing = listing
	a.Room = a.Genesis.Room
	for _, w := range m.Chain {
		c, err := OpenCertificate(a.Room, w)
		if err != nil {
			return nil, err
		}
		a.Chain = append(a.Chain, c)
	}
	if err := CheckChain(a.Genesis.Founder, a.Announcer, Carry, a.Chain); err != nil {
		return nil, err
	}
	if a.Closed && a.Announcer != a.Genesis.Founder || a.Genesis.Unlisted {
		return nil, ErrNoRight
	}
	if unread != nil {
		return nil, unread
	}
	return a, nil
}
