package protocol

import (
	"crypto/sha256"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Stage says who may speak in a room.
type Stage uint8

const (
	StageHost Stage = iota // the founder, the moderators, and those they let on
	StageOpen              // anybody

	// StageModerators leaves the stage to the founder and the moderators. Only an
	// action sets it, no genesis.
	StageModerators
)

// String gives the word that people use for it: "host", "open" or "moderators".
func (s Stage) String() string {
	switch s {
	case StageOpen:
		return "open"
	case StageModerators:
		return "moderators"
	}
	return "host"
}

// ParseStage reads what String gives; "" is the host's stage.
func ParseStage(s string) (Stage, error) {
	switch s {
	case "", "host":
		return StageHost, nil
	case "open":
		return StageOpen, nil
	}
	return 0, ErrMalformed
}

// Genesis is what a room is, signed by its founder. The room's ID is the
// SHA-256 of its bytes, so whoever knows the ID can check it.
type Genesis struct {
	Room     RoomID
	Founder  PeerID
	Salt     [16]byte
	Title    string
	Language string // BCP 47, "" if not said
	Topics   []string
	Stage    Stage
	Unlisted bool
	Created  time.Time // shown, never decides
	Network  string    // "": the common one

	bytes, signature []byte
}

// maxCreatedMS keeps Created to what RFC 3339 can write: it ends in 6429.
const maxCreatedMS = 1<<47 - 1

// Seal checks the fields, signs g as its founder and sets Founder and Room.
func (g *Genesis) Seal(key crypto.PrivKey) error {
	if err := g.checkText(); err != nil {
		return err
	}
	if g.Stage > StageOpen {
		return ErrMalformed
	}
	raw, err := key.GetPublic().Raw()
	if err != nil {
		return err
	}
	if g.Founder, err = PeerOf(raw); err != nil {
		return err
	}
	created := min(max(0, g.Created.UnixMilli()), maxCreatedMS)
	g.bytes, err = proto.MarshalOptions{Deterministic: true}.Marshal(&pb.Genesis{
		Founder: raw, Salt: g.Salt[:], Title: g.Title, Language: g.Language, Topics: g.Topics,
		Stage: pb.Stage(g.Stage), Unlisted: g.Unlisted, CreatedMs: uint64(created), Network: g.Network,
	})
	if err != nil {
		return err
	}
	if len(g.bytes) > MaxGenesisBytes {
		return ErrLarge
	}
	g.Created = time.UnixMilli(created)
	g.Room = sha256.Sum256(g.bytes)
	g.signature, err = sign(key, domainGenesis, nil, g.bytes)
	return err
}

// Signed gives the genesis as it travels.
func (g *Genesis) Signed() *pb.SignedGenesis {
	return &pb.SignedGenesis{Genesis: g.bytes, Signature: g.signature}
}

// checkText bounds what people wrote, in the form in which it travels.
func (g *Genesis) checkText() error {
	for _, f := range []struct {
		s     string
		limit int
	}{{g.Title, MaxTitleBytes}, {g.Language, MaxLanguageBytes}, {g.Network, MaxNetworkBytes}} {
		if t, err := text(f.s, f.limit); err != nil || t != f.s {
			return ErrText
		}
	}
	if g.Title == "" || len(g.Topics) > MaxTopics {
		return ErrText
	}
	for _, t := range g.Topics {
		if u, err := text(t, MaxTopicBytes); err != nil || u != t || t == "" {
			return ErrText
		}
	}
	return nil
}

// CleanTitle trims and normalises what a person typed as a title.
func CleanTitle(s string) (string, error) { return text(s, MaxTitleBytes) }

// CleanTopic trims and normalises what a person typed as a topic.
func CleanTopic(s string) (string, error) { return text(s, MaxTopicBytes) }

// OpenGenesis checks a genesis from the wire: size, form and its founder's
// signature. ErrLater: all of that holds, but who may speak in such a room only a
// later version knows.
func OpenGenesis(s *pb.SignedGenesis) (*Genesis, error) {
	if len(s.GetGenesis()) == 0 || len(s.GetGenesis()) > MaxGenesisBytes {
		return nil, ErrLarge
	}
	var m pb.Genesis
	if proto.Unmarshal(s.Genesis, &m) != nil || len(m.Salt) != 16 {
		return nil, ErrMalformed
	}
	founder, err := PeerOf(m.Founder)
	if err != nil {
		return nil, err
	}
	g := &Genesis{
		Room: sha256.Sum256(s.Genesis), Founder: founder, Salt: [16]byte(m.Salt), Title: m.Title, Language: m.Language,
		Topics: m.Topics, Stage: Stage(m.Stage), Unlisted: m.Unlisted, Created: time.UnixMilli(int64(min(m.CreatedMs, maxCreatedMS))),
		Network: m.Network, bytes: s.Genesis, signature: s.Signature,
	}
	if err := g.checkText(); err != nil {
		return nil, err
	}
	if err := verify(founder, domainGenesis, nil, s.Genesis, s.Signature); err != nil {
		return nil, err
	}
	if m.Stage < 0 || m.Stage > pb.Stage_STAGE_OPEN {
		return nil, ErrLater
	}
	return g, nil
}
