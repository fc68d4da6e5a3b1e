package protocol

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// ActionHash names an action: the SHA-256 of what its signature covers.
type ActionHash [32]byte

// String gives the hash in hexadecimal.
func (h ActionHash) String() string { return hex.EncodeToString(h[:]) }

// Short gives enough of the hash for a person to recognise it.
func (h ActionHash) Short() string { return hex.EncodeToString(h[:4]) }

// Compare orders hashes by their bytes.
func (h ActionHash) Compare(i ActionHash) int { return bytes.Compare(h[:], i[:]) }

// Action is an entry of a room's log: one deed, signed by its actor, with the
// newest actions that the actor knew of. Package roster says what actions mean
// together.
type Action struct {
	Room     RoomID
	Actor    PeerID
	Sequence uint32       // one more than the actor's highest among the ancestors, from 1
	Parents  []ActionHash // at most MaxParents, ascending; none: the genesis alone
	At       time.Time    // by the actor's clock; shown, never decides
	Deed     Deed         // nil: of a later version

	Hash ActionHash // set by Seal and ParseAction

	bytes, signature []byte
}

// Seal checks the fields, signs a as its actor, and sets Actor and Hash. Room,
// Sequence, Parents, At and Deed are set before.
func (a *Action) Seal(key crypto.PrivKey) error {
	actor, err := key.GetPublic().Raw()
	if err != nil {
		return err
	}
	if a.Actor, err = PeerOf(actor); err != nil {
		return err
	}
	if err := a.check(); err != nil {
		return err
	}
	at := clampMS(a.At)
	w := &pb.Action{Actor: actor, Sequence: a.Sequence, AtMs: uint64(at)}
	for _, p := range a.Parents {
		w.Parents = append(w.Parents, p[:])
	}
	if err := fillDeed(w, a.Deed); err != nil {
		return err
	}
	if a.bytes, err = (proto.MarshalOptions{Deterministic: true}).Marshal(w); err != nil {
		return err
	}
	if a.signature, err = sign(key, domainAction, a.Room[:], a.bytes); err != nil {
		return err
	}
	if proto.Size(a.Signed()) > MaxActionBytes {
		return ErrLarge
	}
	a.At, a.Hash = time.UnixMilli(at), a.hash()
	return nil
}

// Signed gives the action as it travels.
func (a *Action) Signed() *pb.SignedAction {
	return &pb.SignedAction{Action: a.bytes, Signature: a.signature}
}

// ParseAction reads an action of room from the wire without checking its
// signature, so that who may act can be asked first; Verify comes after.
func ParseAction(room RoomID, s *pb.SignedAction) (*Action, error) {
	if len(s.GetAction()) == 0 || proto.Size(s) > MaxActionBytes {
		return nil, ErrLarge
	}
	var w pb.Action
	if proto.Unmarshal(s.Action, &w) != nil || len(w.Parents) > MaxParents {
		return nil, ErrMalformed
	}
	actor, err := PeerOf(w.Actor)
	if err != nil {
		return nil, err
	}
	a := &Action{Room: room, Actor: actor, Sequence: w.Sequence, At: time.UnixMilli(int64(min(w.AtMs, maxCreatedMS))),
		bytes: s.Action, signature: s.Signature}
	for _, p := range w.Parents {
		if len(p) != len(ActionHash{}) {
			return nil, ErrMalformed
		}
		a.Parents = append(a.Parents, ActionHash(p))
	}
	if a.Deed, err = takeDeed(&w); err != nil {
		return nil, err
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	a.Hash = a.hash()
	return a, nil
}

// Verify checks the signature of a parsed action.
func (a *Action) Verify() error {
	return verify(a.Actor, domainAction, a.Room[:], a.bytes, a.signature)
}

func (a *Action) hash() ActionHash { return sha256.Sum256(covered(domainAction, a.Room[:], a.bytes)) }

// check bounds what all actions have, and what the deed says.
func (a *Action) check() error {
	if a.Sequence == 0 || a.Sequence > MaxActions || len(a.Parents) > MaxParents {
		return ErrMalformed
	}
	if !slices.IsSortedFunc(a.Parents, ActionHash.Compare) || len(slices.Compact(slices.Clone(a.Parents))) != len(a.Parents) {
		return ErrMalformed
	}
	if a.Deed == nil {
		return nil
	}
	return a.Deed.check()
}

// clampMS gives t in Unix milliseconds, within what RFC 3339 can write.
func clampMS(t time.Time) int64 { return min(max(0, t.UnixMilli()), maxCreatedMS) }

// Role is what a peer is in a room.
type Role uint8

// The roles, from the least. The log gives those from RoleCarrier to
// RoleModerator; the host is who signed the genesis.
const (
	RoleListener Role = iota
	RoleCarrier       // may relay and announce
	RoleSpeaker       // may speak
	RoleModerator
	RoleHost
)

// String gives the word that people use for the role.
func (r Role) String() string {
	names := [...]string{"listener", "carrier", "speaker", "moderator", "host"}
	if int(r) >= len(names) {
		return "unknown"
	}
	return names[r]
}

// A Deed is what an action does. Which ones there are is in this file.
type Deed interface {
	check() error
}

// Grant gives Peer a role: carrier, speaker or moderator.
type Grant struct {
	Peer PeerID
	Role Role
	// Share is how much of the log a moderator may fill: an action costs 1,
	// and appointing another one that one's share too.
	Share uint32
}

// Revoke takes a role from Peer.
type Revoke struct {
	Peer PeerID
	Role Role
}

// Remove takes all roles from Peer and ends its stay. It may come again, to
// listen.
type Remove struct{ Peer PeerID }

// Ban keeps Peer out. Each node counts Life from its own first sight of the
// ban; 0 is until lifted.
type Ban struct {
	Peer PeerID
	Life time.Duration // whole seconds, at most MaxBan
}

// Unban lifts the bans of Peer that its author knew and may lift.
type Unban struct{ Peer PeerID }

// Mute silences Peer; "" is everybody but the founder and the moderators.
type Mute struct {
	Peer      PeerID
	MayUnmute bool // by themselves
}

// Unmute ends a Mute; "" ends it for everybody.
type Unmute struct{ Peer PeerID }

// The room's own settings. Each replaces the earlier one of its kind; a Stage is
// a deed too.
type (
	Lock     bool   // no new listeners
	Pause    bool   // microphones off, nobody new, no chat
	Close    bool   // silent until reopened; the founder's alone
	Title    string // never empty
	Topics   []string
	Language string // BCP 47, "" if not said
	Pin      string // a link that all are shown; "": none
	Next     struct{ At time.Time }
)

func (d Grant) check() error {
	if (d.Role == RoleModerator) != (d.Share > 0) || d.Share > MaxShares {
		return ErrMalformed
	}
	return checkRole(d.Role)
}

func (d Revoke) check() error { return checkRole(d.Role) }

func checkRole(r Role) error {
	if r < RoleCarrier || r > RoleModerator {
		return ErrMalformed
	}
	return nil
}

func (d Ban) check() error {
	if d.Life < 0 || d.Life > MaxBan || d.Life%time.Second != 0 {
		return ErrMalformed
	}
	return nil
}

func (d Stage) check() error {
	if d > StageModerators {
		return ErrMalformed
	}
	return nil
}

func (d Title) check() error {
	if d == "" {
		return ErrText
	}
	return checkText(string(d), MaxTitleBytes)
}

func (d Topics) check() error {
	if len(d) > MaxTopics {
		return ErrText
	}
	for _, t := range d {
		if t == "" || checkText(t, MaxTopicBytes) != nil {
			return ErrText
		}
	}
	return nil
}

func (d Next) check() error {
	if !d.At.IsZero() && (d.At.UnixMilli() <= 0 || d.At.UnixMilli() > maxCreatedMS) {
		return ErrMalformed
	}
	return nil
}

func (d Language) check() error { return checkText(string(d), MaxLanguageBytes) }
func (d Pin) check() error      { return checkText(string(d), MaxPinBytes) }
func (Remove) check() error     { return nil }
func (Unban) check() error      { return nil }
func (Mute) check() error       { return nil }
func (Unmute) check() error     { return nil }
func (Lock) check() error       { return nil }
func (Pause) check() error      { return nil }
func (Close) check() error      { return nil }

// checkText says whether s is in the form in which texts travel.
func checkText(s string, limit int) error {
	if t, err := text(s, limit); err != nil || t != s {
		return ErrText
	}
	return nil
}
