package rtc

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Playback is a player without a PeerConnection, for whom the way by ICE is
// closed: the loudest speakers, switched as Play switches them. It is a sink for
// a room's frames. Send and Close are anybody's, Next is one goroutine's.
type Playback struct {
	inbox *inbox
	began time.Time
	timer *time.Timer
	slots *slots
	ready []protocol.Frame // switched, and not given out yet
	over  chan struct{}
	close sync.Once
}

// NewPlayback begins to play; Close ends it.
func NewPlayback() *Playback {
	p := &Playback{inbox: newInbox(), began: time.Now(), timer: time.NewTimer(time.Hour), over: make(chan struct{})}
	p.slots = newSlots(maxSlots, func(out emission) {
		p.ready = append(p.ready, protocol.Frame{Source: out.source, Timestamp: out.timestamp, Counter: out.sequence,
			Level: out.level, Packet: bytes.Clone(out.packet)})
	})
	return p
}

// Send hands a frame over; false: it was dropped. It never blocks, and keeps
// neither f nor f.Packet.
func (p *Playback) Send(f *protocol.Frame) bool {
	return len(f.Packet) <= protocol.MaxPacketBytes && p.inbox.put(f)
}

// Beat means nothing to a player.
func (p *Playback) Beat(protocol.Beat) {}

// Next waits for the next frame. Its timestamp is on the player's own clock, the
// same for all sources: 48 kHz since playing began. io.EOF after Close.
func (p *Playback) Next(ctx context.Context) (protocol.Frame, error) {
	for len(p.ready) == 0 {
		p.timer.Stop()
		if at, ok := p.slots.wake(); ok {
			p.timer.Reset(at - time.Since(p.began))
		}
		select {
		case <-ctx.Done():
			return protocol.Frame{}, ctx.Err()
		case <-p.over:
			return protocol.Frame{}, io.EOF
		case w := <-p.inbox.full:
			p.slots.take(&w.Frame, time.Since(p.began))
			p.inbox.release(w)
		case <-p.timer.C:
			p.slots.expire(time.Since(p.began))
		}
	}
	f := p.ready[0]
	p.ready = p.ready[1:]
	return f, nil
}

// Close ends Next, the one that waits included.
func (p *Playback) Close() { p.close.Do(func() { close(p.over) }) }
