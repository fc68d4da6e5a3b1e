// Package relay takes one room's frames to its sinks: links to peers and local
// listeners. A Forwarder is one goroutine that owns the room's sources, their
// rings and the sinks; everything else posts to its one bounded inbox, so that
// a frame runs to completion without a lock:
//
//	Push ─▶ inbox ─▶ open and not muted? ─▶ seen before? ─▶ within its rate?
//	     ─▶ ring ─▶ level, talkspurt ─▶ one of the three loudest? ─▶ sinks
//
// Beside the frames it keeps the links honest: children of a room in which
// somebody speaks hear a heartbeat at least every protocol.Heartbeat or so, and
// a parent that falls silent is reported with the positions from which another
// one has to resume.
//
// Hearing and Voice are the two ends of that path on one machine: what a
// listener hears, in order, with its figures; and a file or a pipe turned into
// frames at its own pace.
//
// The package knows neither WebRTC nor libp2p.
package relay

import (
	"log/slog"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Sink is where a room's frames go: a link to a peer, or a local listener. The
// forwarder's goroutine calls it, so neither method may block.
type Sink interface {
	// Send takes one frame; it keeps neither f nor f.Packet. False: dropped.
	Send(f *protocol.Frame) bool
	// Beat takes a heartbeat. Local sinks get none.
	Beat(b protocol.Beat)
}

// SinkID is the caller's own number for a sink of a forwarder.
type SinkID uint64

// Mode is what a sink gets.
type Mode uint8

const (
	Warm   Mode = iota // nothing until Resume
	Live               // the loudest MaxHeard, and heartbeats
	Mirror             // all sources, and heartbeats
	Up                 // this node's own voices
	Local              // all that arrives; needs no Enable
)

// Event is something that a room wants to know of its forwarder: Silent, Hot
// or Speaking.
type Event interface{ event() }

// Silent says that nothing came from the watched parent for longer than its
// link's pace explains. It is said once until the parent is heard again.
type Silent struct {
	Parent    protocol.PeerID
	Positions []Position // what to ask another parent to resume from
}

// Hot says that the room's first source became hot or its last one cold.
type Hot struct{ Hot bool }

// Speaking says that a talkspurt of a source began or ended.
type Speaking struct {
	Source   protocol.Source
	Speaking bool
}

func (Silent) event()   {}
func (Hot) event()      {}
func (Speaking) event() {}

// Position is how far a source has been heard without a hole.
type Position struct {
	Source    protocol.Source
	Timestamp uint32
}

// Config is what a forwarder needs.
type Config struct {
	Room   protocol.RoomID
	Now    func() time.Duration // monotonic; called from many goroutines
	Events func(Event)          // called by the forwarder's goroutine, must not block; nil: nobody asks
	Log    *slog.Logger         // nil: silent
}
