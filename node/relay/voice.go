package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/opus"
)

// ErrBitRate says that an Opus stream has more bits than a source may send.
var ErrBitRate = fmt.Errorf("an Opus stream must stay below %d kbit/s", protocol.MaxBitsASecond/1000)

const (
	// lead is how long a talkspurt's first packet waits, and with it the whole
	// schedule: time to see whether another one follows, and something for a
	// pipe's jitter. It is less than the shortest packet, so that a live pipe
	// isn't late by one.
	lead = protocol.MinPacketDuration / 2
	// catchUp is how far behind its schedule a pipe may fall and still catch up;
	// beyond, it was silent, and a new talkspurt begins.
	catchUp = 200 * time.Millisecond
	// stallCatchUp is the same where the packet was there in time and this
	// machine was not: what was said has no pause there.
	stallCatchUp = protocol.RingSpan
	// plainLevel stands for a level that nobody measured.
	plainLevel = 40
)

// Voice turns the Opus packets of a file or a pipe into frames of one source at
// their own pace.
type Voice struct {
	Source protocol.Source
	Wall   func() time.Time          // the clock that timestamps follow
	Level  func(packet []byte) uint8 // RFC 6464; nil: plainLevel for all

	counter uint16
	next    int64 // earliest RTP timestamp of the next frame, not yet cut to 32 bits
	audio   time.Duration
	bits    bound
}

// packet is what comes out of a file or a pipe.
type packet struct {
	data []byte
	gap  time.Duration // silence before it
	err  error
}

// Speak pushes frames until next returns io.EOF, which is a normal end, or
// another error, or a packet that is no frame: protocol.ErrPacketSpan,
// protocol.ErrLarge or ErrBitRate. next gives a packet, which it may reuse when
// it is called again, and the silence before it; it is called ahead of
// time, on a goroutine of its own, and must return when its context ends. push must
// not keep the frame.
//
// A packet is due when those before it have been spoken, by an absolute
// schedule: a pipe's delay of less than catchUp is caught up with, and this
// machine's of less than stallCatchUp. A gap, and a longer
// delay, begin a talkspurt, whose schedule and timestamps are anchored anew. The
// frame before a gap or the end is marked so if that is known when it is due: a
// live pipe isn't held up to find out.
func (v *Voice) Speak(ctx context.Context, next func(context.Context) ([]byte, time.Duration, error), push func(*protocol.Frame)) (frames int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	packets := make(chan packet, 1)
	defer func() {
		cancel()
		for range packets { // its goroutine has returned when this is closed
		}
	}()
	go read(ctx, next, packets)

	timer := time.NewTimer(never)
	defer timer.Stop()
	this := <-packets
	due := time.Now().Add(lead)
	marks, limit := protocol.Start, catchUp
	for this.err == nil {
		duration, err := v.check(this.data)
		if err != nil {
			return frames, err
		}
		if time.Since(due) >= limit {
			due, marks = time.Now(), protocol.Start
		}
		following, known := await(ctx, timer, due, packets)
		if ctx.Err() != nil {
			break
		}
		if known && (following.err != nil || following.gap > 0) {
			marks |= protocol.End
		}
		v.push(this.data, duration, due, marks, push)
		frames++
		limit = stallCatchUp
		if !known {
			following, limit = <-packets, catchUp
		}
		this, marks = following, 0
		due = due.Add(duration + this.gap)
		if this.gap > 0 {
			marks = protocol.Start
		}
	}
	switch {
	case ctx.Err() != nil:
		return frames, ctx.Err()
	case errors.Is(this.err, io.EOF):
		return frames, nil
	}
	return frames, this.err
}

// read passes on what next gives, up to and with its error.
func read(ctx context.Context, next func(context.Context) ([]byte, time.Duration, error), packets chan<- packet) {
	defer close(packets)
	for {
		data, gap, err := next(ctx)
		if err == nil {
			err = ctx.Err()
		}
		packets <- packet{bytes.Clone(data), max(0, gap), err}
		if err != nil {
			return
		}
	}
}

// await waits until a packet is due, and looks what follows it; false if that
// has yet to come.
func await(ctx context.Context, timer *time.Timer, due time.Time, packets <-chan packet) (following packet, known bool) {
	timer.Reset(time.Until(due))
	select {
	case <-timer.C:
	case <-ctx.Done():
		return packet{}, false
	}
	select {
	case following = <-packets:
		return following, true
	default:
		return packet{}, false
	}
}

// check gives a packet's duration if it may be a frame.
func (v *Voice) check(data []byte) (time.Duration, error) {
	if len(data) > protocol.MaxPacketBytes {
		return 0, protocol.ErrLarge
	}
	duration, err := opus.Duration(data)
	if err != nil {
		return 0, err
	}
	if duration < protocol.MinPacketDuration || duration > protocol.MaxPacketDuration {
		return 0, protocol.ErrPacketSpan
	}
	if !v.bits.take(v.audio, time.Duration(8*len(data))*bitCost, burst) {
		return 0, ErrBitRate
	}
	v.audio += duration
	return duration, nil
}

// push makes the frame that is due at a time.
func (v *Voice) push(data []byte, duration time.Duration, due time.Time, marks protocol.Marks, push func(*protocol.Frame)) {
	if marks&protocol.Start != 0 {
		spoken := v.Wall().Add(-time.Since(due))
		v.next = max(v.next, spoken.UnixMicro()*(ticksASecond/1000)/1000)
	}
	level := uint8(plainLevel)
	if v.Level != nil {
		level = min(v.Level(data), quietest)
	}
	push(&protocol.Frame{
		Source: v.Source, Timestamp: uint32(v.next), Counter: v.counter,
		Level: level, Marks: marks, Packet: data,
	})
	v.counter++
	v.next += int64(duration * ticksASecond / time.Second)
}
