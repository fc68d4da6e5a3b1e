package link

import (
	"errors"
	"sync/atomic"

	"github.com/earshot-audio/earshot/protocol"
)

// Counts say what happened on links since the start.
type Counts struct {
	Up, Down         uint64 // links
	Dials, Failed    uint64 // attempts
	Messages         uint64 // taken, Pings and Pongs included
	Dead, Byes       uint64 // links that ended so
	OtherNetwork     uint64 // handshakes refused: network
	OtherVersion     uint64 // handshakes refused: version
	Malformed        uint64 // peers cut off: what they sent was none, or too large
	Floods           uint64 // peers cut off: they sent too much
	InboxFull        uint64 // peers cut off: this node could not keep up
	OutboxFull       uint64 // peers cut off: they could not keep up
	Refused          uint64 // streams: no room, held off, or crossed with our own
	PongsDropped     uint64
	UnknownMessages  uint64 // of a newer version
	HandshakesFailed uint64 // streams that never said Hello

	Moved   uint64 // links, to another connection
	Blocked uint64 // of them, since a connection over UDP fell silent

	FramesSent, FramesTaken uint64 // packets of the media path, on streams
	FramesDropped           uint64 // that no stream took in time
	FramesRefused           uint64 // streams of them: without a link, malformed, or too much
}

// counters are Counts that goroutines share.
type counters struct {
	up, down, dials, failed, messages, dead, byes, network, version, malformed,
	floods, inbox, outbox, refused, pongs, unknown, handshakes, moved, blocked,
	framesSent, framesTaken, framesDropped, framesRefused atomic.Uint64
}

// Counts gives the counts so far.
func (l *Links) Counts() Counts {
	c := &l.counts
	return Counts{
		Up: c.up.Load(), Down: c.down.Load(), Dials: c.dials.Load(), Failed: c.failed.Load(),
		Messages: c.messages.Load(), Dead: c.dead.Load(), Byes: c.byes.Load(),
		OtherNetwork: c.network.Load(), OtherVersion: c.version.Load(), Malformed: c.malformed.Load(),
		Floods: c.floods.Load(), InboxFull: c.inbox.Load(), OutboxFull: c.outbox.Load(),
		Refused: c.refused.Load(), PongsDropped: c.pongs.Load(), UnknownMessages: c.unknown.Load(),
		HandshakesFailed: c.handshakes.Load(),
		Moved:            c.moved.Load(), Blocked: c.blocked.Load(),
		FramesSent: c.framesSent.Load(), FramesTaken: c.framesTaken.Load(),
		FramesDropped: c.framesDropped.Load(), FramesRefused: c.framesRefused.Load(),
	}
}

// failure counts why a link ended, or never came up.
func (c *counters) failure(err error) {
	switch {
	case errors.Is(err, ErrBye):
		c.byes.Add(1)
	case errors.Is(err, ErrDead):
		c.dead.Add(1)
	case errors.Is(err, protocol.ErrNetwork):
		c.network.Add(1)
	case errors.Is(err, ErrVersion):
		c.version.Add(1)
	case errors.Is(err, protocol.ErrMalformed), errors.Is(err, protocol.ErrLarge):
		c.malformed.Add(1)
	case errors.Is(err, ErrFlood):
		c.floods.Add(1)
	case errors.Is(err, ErrInboxFull):
		c.inbox.Add(1)
	case errors.Is(err, ErrOutboxFull):
		c.outbox.Add(1)
	}
}
