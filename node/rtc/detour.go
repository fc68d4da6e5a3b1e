package rtc

import (
	"errors"
	"time"
)

// Detour carries a link's packets where UDP does not. Send copies the packet and
// must not block; false: dropped.
type Detour interface{ Send(packet []byte) bool }

// What on UDP the offer and answer settle, the detour has fixed.
const (
	detourPayloadType = opusPayloadType
	detourSSRC        = 0
	detourLevelID     = 1 // header extension of protocol.LevelExtension
	detourFrameID     = 2 // of protocol.FrameExtension
	detourSentID      = 3 // of http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
)

var errDetourEnded = errors.New("the detour ended, and no UDP works")

// SetDetour gives the link a way for its packets where UDP does not work; nil:
// none any more. What the far side sends that way comes by Detoured.
func (l *Link) SetDetour(d Detour) {
	if d == nil {
		l.detour.Store(nil)
	} else {
		l.detour.Store(&d)
	}
	l.poke()
}

// Detoured takes a packet that came by the detour. One goroutine calls it, the
// stream's reader; it does not block, nor keep packet.
func (l *Link) Detoured(packet []byte) { l.in.take(packet) }

// framer makes the bytes of a detour's packets: RTP (RFC 3550 section 5.1) as on
// UDP, with numbers of its own and the time of sending.
type framer struct {
	next   uint16
	buffer [receiveMTU]byte
}

// detourPath is the same for all links: nothing is negotiated.
var detourPath = &path{
	ssrc: detourSSRC, payloadType: detourPayloadType,
	level: detourLevelID, frame: detourFrameID, sent: detourSentID,
}

// frame gives a packet's bytes, which are the framer's until the next call. The
// payload must not be larger than protocol.MaxPacketBytes.
func (f *framer) frame(p *packet, payload []byte, at time.Duration) []byte {
	p.prepare(detourPath)
	p.header.SequenceNumber = f.next
	f.next++
	putSendTime(p.sent[:], at)
	n, _ := p.header.MarshalTo(f.buffer[:]) // can't fail: 32 bytes
	n += copy(f.buffer[n:], payload)
	return f.buffer[:n]
}

// sendTimeBytes is the size of abs-send-time: seconds of a clock of the sender,
// modulo 64, with 18 bits of fraction.
const (
	sendTimeBytes = 3
	sendTimeBits  = 24
	sendTimeShift = 18
)

func putSendTime(b []byte, at time.Duration) {
	t := uint32(at/time.Second)<<sendTimeShift | uint32((at%time.Second)<<sendTimeShift/time.Second)
	b[0], b[1], b[2] = byte(t>>16), byte(t>>8), byte(t)
}

func takeSendTime(b []byte) uint32 {
	return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
}

// sendTimeSince gives the time from send time b to a, by signed difference: at
// most 32 s either way.
func sendTimeSince(a, b uint32) time.Duration {
	const unused = 32 - sendTimeBits
	ticks := int32((a-b)<<unused) >> unused
	return time.Duration(ticks) * time.Second >> sendTimeShift
}
