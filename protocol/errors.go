package protocol

import "errors"

// What can be wrong with what a peer or a person says.
var (
	ErrRoomID      = errors.New("not a room ID")
	ErrPeer        = errors.New("not an Ed25519 peer")
	ErrName        = errors.New("not a name: 1 to 48 bytes of printable text")
	ErrText        = errors.New("text too long or not printable")
	ErrLarge       = errors.New("too large")
	ErrMalformed   = errors.New("malformed")
	ErrSignature   = errors.New("signature does not fit")
	ErrNoRight     = errors.New("signer has no right to it")
	ErrLinkCut     = errors.New("the link is cut short or mistyped (its checksum does not fit); ask for it again")
	ErrLinkForm    = errors.New("not an Earshot link: it looks like earshot:room/ID/HINTS")
	ErrNetwork     = errors.New("of another network")
	ErrFrame       = errors.New("not a frame")
	ErrPacketSpan  = errors.New("packets of Opus must last 10 to 60 ms")
	ErrStale       = errors.New("older than what is known")
	ErrLater       = errors.New("of a kind that only a later version knows")
	ErrCertificate = errors.New("certificate does not hold")
)
