package protocol

import (
	"bytes"
	"crypto/ed25519"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Message is what somebody in a room tells the others, by gossip and along the
// links. Exactly one of the pointers is set.
type Message struct {
	From     PeerID
	Boot     uint64 // grows with each start of the sender
	Sequence uint64 // grows with each message of a boot

	Claim       *RelayClaim
	Pulse       *Pulse
	Presence    *Presence
	Certificate *pb.Certificate // OpenCertificate checks it
	Voice       *Voice
	Closed      *bool // by the founder
	Hand        *Hand
	Queue       *Queue
	Lowered     *Stamp // by who moderates
	Chat        *Chat
	Hide        *Hide // by who may
	Reaction    *Reaction
	Caption     *Caption
	Profile     *Profile
	Action      *pb.SignedAction // ParseAction reads it; its actor need not be the sender

	Raw             []byte // as signed
	body, signature []byte
}

// RelayClaim is a Claim with the addresses that its followers need.
type RelayClaim struct {
	Claim
	RelayAddresses, StandbyAddresses []multiaddr.Multiaddr
	Log                              uint64 // begins the hash of the relay's log
	Chat                             uint64 // the exclusive or of the digests of the chat that the relay shows
}

// Presence is what somebody in a room says of themselves.
type Presence struct {
	Name                                            Name
	Listening, Speaking, Recording, Offers, Leaving bool
	Muted                                           bool   // on the stage, and nothing comes from their microphone
	LiveParent, WarmParent                          PeerID // whose sound they take, or would, and who stands by for that; "": nobody
	Guests                                          Guests
	Door                                            PeerID // of a guest: the node through whose guest door it comes; "": it is no guest
}

// Voice opens one source of its sender, or ends it.
type Voice struct {
	Session Session
	Ended   bool
}

// Seal signs m for room as its sender; Boot, Sequence and one pointer are set.
// It sets From and Raw. A claim's addresses that don't fit are left out, last
// first.
func (m *Message) Seal(room RoomID, key crypto.PrivKey) error {
	signer, err := key.GetPublic().Raw()
	if err != nil {
		return err
	}
	if m.From, err = PeerOf(signer); err != nil {
		return err
	}
	body := &pb.RoomBody{Boot: m.Boot, Sequence: m.Sequence}
	if err := m.fill(body); err != nil {
		return err
	}
	for {
		if m.body, err = (proto.MarshalOptions{Deterministic: true}).Marshal(body); err != nil {
			return err
		}
		if len(wireMessage(signer, m.body, make([]byte, ed25519.SignatureSize))) <= MaxMessageBytes {
			break
		}
		if !leaveOut(body.GetClaim()) {
			return ErrLarge
		}
	}
	if m.signature, err = sign(key, domainMessage, room[:], m.body); err != nil {
		return err
	}
	m.Raw = wireMessage(signer, m.body, m.signature)
	return nil
}

func wireMessage(signer, body, signature []byte) []byte {
	b, _ := proto.MarshalOptions{Deterministic: true}.Marshal( // plain fields marshal
		&pb.RoomMessage{Signer: signer, Body: body, Signature: signature})
	return b
}

// leaveOut shortens a claim by one address, and says whether there was one.
func leaveOut(c *pb.Claim) bool {
	relay, standby := len(c.GetRelayAddresses()), len(c.GetStandbyAddresses())
	switch {
	case relay+standby == 0:
		return false
	case standby >= relay:
		c.StandbyAddresses = c.StandbyAddresses[:standby-1]
	default:
		c.RelayAddresses = c.RelayAddresses[:relay-1]
	}
	return true
}

func (m *Message) fill(b *pb.RoomBody) error {
	switch {
	case m.Claim != nil:
		c := &pb.Claim{Log: m.Claim.Log, Chat: m.Claim.Chat, Era: m.Claim.Era, Term: m.Claim.Term, Solo: m.Claim.Solo,
			RelayAddresses:   AddressBytes(m.Claim.RelayAddresses, MaxClaimAddresses),
			StandbyAddresses: AddressBytes(m.Claim.StandbyAddresses, MaxClaimAddresses)}
		if m.Claim.Standby != "" {
			var err error
			if c.Standby, err = PeerKey(m.Claim.Standby); err != nil {
				return err
			}
		}
		b.What = &pb.RoomBody_Claim{Claim: c}
	case m.Pulse != nil:
		p := &pb.Pulse{Era: m.Pulse.Era, Class: uint32(m.Pulse.Class), Suspects: m.Pulse.Suspects, Yields: m.Pulse.Yields, Bye: m.Pulse.Bye}
		if m.Pulse.Max.Term > 0 {
			relay, err := PeerKey(m.Pulse.Max.Relay)
			if err != nil {
				return err
			}
			p.Max = &pb.Key{Term: m.Pulse.Max.Term, Relay: relay}
		}
		b.What = &pb.RoomBody_Pulse{Pulse: p}
	case m.Presence != nil:
		p, err := wirePresence(m.Presence)
		if err != nil {
			return err
		}
		b.What = &pb.RoomBody_Presence{Presence: p}
	case m.Certificate != nil:
		b.What = &pb.RoomBody_Certificate{Certificate: m.Certificate}
	case m.Profile != nil:
		b.What = &pb.RoomBody_Profile{Profile: m.Profile.wire()}
	case m.Action != nil:
		b.What = &pb.RoomBody_Action{Action: m.Action}
	case m.Voice != nil:
		b.What = &pb.RoomBody_Voice{Voice: &pb.Voice{Session: m.Voice.Session[:], Ended: m.Voice.Ended}}
	case m.Closed != nil:
		b.What = &pb.RoomBody_Closed{Closed: &pb.Closed{Closed: *m.Closed}}
	case m.Hand != nil, m.Queue != nil, m.Lowered != nil:
		return m.fillHands(b)
	case m.Chat != nil, m.Hide != nil, m.Reaction != nil, m.Caption != nil:
		return m.fillChat(b)
	default:
		return ErrMalformed
	}
	return nil
}

// ParseMessage reads a message from the wire without checking its signature,
// so that who may send it can be asked first; Verify comes after. With ErrLater,
// for a kind that it does not know, the message is given too: Verify says whether
// somebody did say that, or its bytes are nobody's.
func ParseMessage(raw []byte) (*Message, error) {
	if len(raw) > MaxMessageBytes {
		return nil, ErrLarge
	}
	var w pb.RoomMessage
	var b pb.RoomBody
	if proto.Unmarshal(raw, &w) != nil || proto.Unmarshal(w.Body, &b) != nil {
		return nil, ErrMalformed
	}
	// Around what is signed there is one form, so that nobody can make a second
	// message out of another's.
	if !bytes.Equal(raw, wireMessage(w.Signer, w.Body, w.Signature)) {
		return nil, ErrMalformed
	}
	from, err := PeerOf(w.Signer)
	if err != nil {
		return nil, err
	}
	m := &Message{From: from, Boot: b.Boot, Sequence: b.Sequence, Raw: raw, body: w.Body, signature: w.Signature}
	return m, m.take(&b)
}

func (m *Message) take(b *pb.RoomBody) (err error) {
	switch w := b.What.(type) {
	case *pb.RoomBody_Claim:
		m.Claim, err = takeClaim(m, w.Claim)
	case *pb.RoomBody_Pulse:
		m.Pulse, err = takePulse(m, w.Pulse)
	case *pb.RoomBody_Presence:
		m.Presence, err = takePresence(w.Presence)
	case *pb.RoomBody_Certificate:
		m.Certificate = w.Certificate
	case *pb.RoomBody_Profile:
		m.Profile, err = takeProfile(w.Profile)
	case *pb.RoomBody_Action:
		m.Action = w.Action
	case *pb.RoomBody_Voice:
		if len(w.Voice.Session) != len(Session{}) {
			return ErrMalformed
		}
		m.Voice = &Voice{Session: Session(w.Voice.Session), Ended: w.Voice.Ended}
	case *pb.RoomBody_Closed:
		m.Closed = &w.Closed.Closed
	case *pb.RoomBody_Hand:
		m.Hand = &Hand{Up: w.Hand.Up, Raised: w.Hand.Raised}
	case *pb.RoomBody_Queue:
		m.Queue, err = takeQueue(w.Queue)
	case *pb.RoomBody_Lowered:
		m.Lowered, err = takeStamp(w.Lowered)
	case *pb.RoomBody_Chat:
		m.Chat, err = takeChat(w.Chat)
	case *pb.RoomBody_Hide:
		m.Hide, err = takeHide(w.Hide)
	case *pb.RoomBody_Reaction:
		m.Reaction, err = takeReaction(w.Reaction)
	case *pb.RoomBody_Caption:
		m.Caption, err = takeCaption(w.Caption)
	default:
		if len(b.ProtoReflect().GetUnknown()) > 0 {
			return ErrLater
		}
		return ErrMalformed
	}
	return err
}

func takeClaim(m *Message, w *pb.Claim) (*RelayClaim, error) {
	c := &RelayClaim{Log: w.Log, Chat: w.Chat, Claim: Claim{Era: w.Era, Key: Key{Term: w.Term, Relay: m.From}, Boot: m.Boot, Sequence: m.Sequence, Solo: w.Solo}}
	if w.Term == 0 || w.Term >= 1<<63 {
		return nil, ErrMalformed
	}
	var err error
	if len(w.Standby) > 0 {
		if c.Standby, err = PeerOf(w.Standby); err != nil {
			return nil, err
		}
	}
	if c.RelayAddresses, err = Addresses(w.RelayAddresses, MaxClaimAddresses); err != nil {
		return nil, err
	}
	c.StandbyAddresses, err = Addresses(w.StandbyAddresses, MaxClaimAddresses)
	return c, err
}

func takePulse(m *Message, w *pb.Pulse) (*Pulse, error) {
	p := &Pulse{From: m.From, Boot: m.Boot, Sequence: m.Sequence, Era: w.Era, Class: uint8(min(w.Class, 255)),
		Suspects: w.Suspects, Yields: w.Yields, Bye: w.Bye}
	if w.Max == nil {
		return p, nil
	}
	if w.Max.Term == 0 || w.Max.Term >= 1<<63 {
		return nil, ErrMalformed
	}
	relay, err := PeerOf(w.Max.Relay)
	p.Max = Key{Term: w.Max.Term, Relay: relay}
	return p, err
}

func wirePresence(p *Presence) (w *pb.Presence, err error) {
	w = &pb.Presence{Name: string(p.Name), Listening: p.Listening, Speaking: p.Speaking, Recording: p.Recording,
		Muted: p.Muted, Offers: p.Offers, Leaving: p.Leaving}
	if p.LiveParent != "" {
		if w.LiveParent, err = PeerKey(p.LiveParent); err != nil {
			return nil, err
		}
	}
	if p.WarmParent != "" {
		if w.WarmParent, err = PeerKey(p.WarmParent); err != nil {
			return nil, err
		}
	}
	if p.Door != "" {
		if w.Door, err = PeerKey(p.Door); err != nil {
			return nil, err
		}
	}
	return w, p.Guests.fill(w)
}

func takePresence(w *pb.Presence) (*Presence, error) {
	name, err := ParseName(w.Name)
	if err != nil || string(name) != w.Name {
		return nil, ErrName
	}
	p := &Presence{Name: name, Listening: w.Listening, Speaking: w.Speaking, Recording: w.Recording,
		Muted: w.Muted, Offers: w.Offers, Leaving: w.Leaving}
	if len(w.LiveParent) > 0 {
		if p.LiveParent, err = PeerOf(w.LiveParent); err != nil {
			return nil, err
		}
	}
	if len(w.WarmParent) > 0 {
		if p.WarmParent, err = PeerOf(w.WarmParent); err != nil {
			return nil, err
		}
	}
	if len(w.Door) > 0 {
		if p.Door, err = PeerOf(w.Door); err != nil {
			return nil, err
		}
	}
	p.Guests, err = takeGuests(w)
	return p, err
}

// Verify checks the signature of a parsed message for room.
func (m *Message) Verify(room RoomID) error {
	return verify(m.From, domainMessage, room[:], m.body, m.signature)
}
