package ogg

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// What can be wrong with an input, beside the types below. Explain puts them
// into words for a person.
var (
	ErrEmpty     = errors.New("empty")
	ErrNoSound   = errors.New("headers, but no sound")
	ErrTruncated = errors.New("cut off in the middle")
	ErrChecksum  = errors.New("damaged: a page's checksum does not fit")
	ErrPage      = errors.New("damaged: no Ogg page where one should begin")
	ErrMissing   = errors.New("damaged: a page is missing")
	ErrHeader    = errors.New("damaged: its Opus header makes no sense")
	ErrPacket    = errors.New("damaged: an Opus packet makes no sense")
	ErrGranule   = errors.New("damaged: its times make no sense")
	ErrMiddle    = errors.New("begins in the middle of a stream")
)

// NotOggError is an input that is not Ogg at all.
type NotOggError struct {
	Looks Look // "" if it looks like nothing known
}

func (e *NotOggError) Error() string {
	if e.Looks == "" {
		return "not Ogg"
	}
	return fmt.Sprintf("not Ogg (it looks like %s)", e.Looks)
}

// CodecError is Ogg without Opus in it.
type CodecError struct {
	Codecs []string // that are in it, as people call them
}

func (e *CodecError) Error() string {
	return fmt.Sprintf("Ogg, but %s rather than Opus", strings.Join(e.Codecs, " and "))
}

// DurationError is a packet shorter or longer than a frame may be.
type DurationError struct{ Duration time.Duration }

func (e *DurationError) Error() string {
	return fmt.Sprintf("its packets last %v, and frames last 10 to 60 ms", e.Duration)
}

// SizeError is a packet larger than a frame may be.
type SizeError struct{}

func (e *SizeError) Error() string {
	return fmt.Sprintf("it holds packets of more than %d bytes", protocol.MaxPacketBytes)
}

// ChannelsError is Opus in more than stereo, or in several streams at once.
type ChannelsError struct {
	Channels int
	Family   int // channel mapping family (RFC 7845 section 5.1.1)
}

func (e *ChannelsError) Error() string {
	return fmt.Sprintf("it has %d channels of mapping family %d, and frames are mono or stereo", e.Channels, e.Family)
}

// PositionError tells where in the input it went wrong.
type PositionError struct {
	Offset int64 // of the page, in bytes
	Err    error
}

func (e *PositionError) Error() string { return fmt.Sprintf("%v (byte %d)", e.Err, e.Offset) }

func (e *PositionError) Unwrap() error { return e.Err }
