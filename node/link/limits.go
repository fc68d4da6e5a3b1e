package link

import (
	"errors"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
)

// Implementation: ours to tune.
const (
	MaxInbound = 256 // links that others opened and this node does not want

	beat   = time.Second     // between Pings
	dead   = 3 * time.Second // without a whole message: the link is dead
	redial = time.Second     // between the starts of two attempts, give or take a fifth

	// Whoever restarts is back within seconds; later it is gone for longer, and
	// the pause between attempts doubles up to the longest.
	quickTries    = 10
	longestRedial = 15 * time.Second

	dialTimeout  = 4 * time.Second // of connecting; QUIC's retransmissions thin out later
	helloTimeout = 3 * time.Second // of the handshake on a fresh stream
	holdOff      = 10 * time.Second
	goodbye      = 300 * time.Millisecond // for Byes to be heard when Run ends

	// settle is how long after a link came up a stream that the far side
	// opened at the same time may still arrive; later it means that the far
	// side has lost the link and starts anew.
	settle = 2 * time.Second

	maxHandshakes       = 64 // at once, of streams that others opened
	maxHandshakesOfPeer = 2
	maxContacts         = 2048 // peers remembered, held off ones included
	maxAddressesOfPeer  = 16
	maxAgentBytes       = 64

	outboxMessages = 256
	outboxPongs    = 8
	inboxMoves     = 64
	inboxMet       = 64 // connections that came up

	// Moves of a link to another stream.
	lookout     = 100 * time.Millisecond // between looks for a reason
	doubt       = 400 * time.Millisecond // of silence, and two slow round trips: UDP may be blocked
	moveTimeout = 3 * time.Second        // of a move
	moveAgain   = 3 * time.Second        // between the starts of two moves, unless the stream is gone
	blockAgain  = 20 * time.Second       // of two for silence: a path may be that bad

	moveEvery = 2 * time.Second // of a peer's moves
	moveBurst = 4

	maxUnacknowledged      = 2 * outboxMessages // messages kept to be sent again
	maxUnacknowledgedBytes = 512 << 10

	// Packets of the media path on a stream.
	maxFrameBytes   = protocol.MaxPacketBytes + frameHeaderBytes
	maxFrameWait    = 200 * time.Millisecond // older ones are dropped at the sender
	maxFrameStall   = 3 * time.Second        // of a write, until the stream is given up
	maxFrameOverlap = 250 * time.Millisecond // for what a stream still held when a newer one came
	reopen          = time.Second            // between two attempts to open a stream, or a better one
	batchBytes      = 16 << 10               // of packets written at once
	maxBacklogBytes = 512 << 10              // more than honest sources say in maxFrameWait

	// frameHeaderBytes is room for what stands before an Opus packet: an RTP
	// header, one CSRC and extensions.
	frameHeaderBytes = 128

	// What one peer may send of them: all sources that a room may have at their
	// busiest, for some seconds at once after a stall.
	framePackets rate.Limit = protocol.MaxPacketsASecond * protocol.MaxSources // a second
	frameBytes   rate.Limit = protocol.MaxBitsASecond/8*protocol.MaxSources + frameHeaderBytes*framePackets
	frameBurst              = 3 // seconds

	// What one peer may send: the room feed at its busiest is a tenth of it.
	messageRate  rate.Limit = 400 // a second
	messageBurst            = 1000
	byteRate     rate.Limit = 512 << 10 // a second
	byteBurst               = 2 << 20
)

// Why a link came down, or never came up. protocol.ErrNetwork,
// protocol.ErrMalformed, protocol.ErrLarge and protocol.ErrPeer stand beside them.
var (
	ErrBye        = errors.New("the far side said goodbye")
	ErrDead       = errors.New("the far side fell silent")
	ErrClosed     = errors.New("the far side closed the link")
	ErrReleased   = errors.New("neither side wants the link")
	ErrReplaced   = errors.New("the far side opened the link anew")
	ErrStopped    = errors.New("this node is stopping")
	ErrDropped    = errors.New("this node dropped the link")
	ErrVersion    = errors.New("the far side speaks another version of Earshot; update the older of the two")
	ErrFlood      = errors.New("the far side sent too much")
	ErrInboxFull  = errors.New("messages came faster than they could be taken")
	ErrOutboxFull = errors.New("the far side reads too slowly")
	ErrFull       = errors.New("no room for another link")
	ErrHeldOff    = errors.New("the far side is held off for what it sent before")

	errCrossed  = errors.New("the far side's own stream won")
	errNoLink   = errors.New("the link that moves is not there")
	errNoBetter = errors.New("there is no better connection")
)

// hostile says whether err is the far side's doing, so that it is held off.
func hostile(err error) bool {
	for _, e := range []error{
		protocol.ErrMalformed, protocol.ErrLarge, protocol.ErrNetwork, ErrVersion,
		ErrFlood, ErrInboxFull, ErrDropped,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
