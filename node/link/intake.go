package link

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
)

// intake is where a peer's stream of packets comes in: one at a time.
type intake struct {
	packets, bytes *rate.Limiter // of all its streams together

	mu      sync.Mutex
	stream  network.Stream // the newest
	reading sync.Mutex     // held by the reader that hands packets on
}

func newIntake() intake {
	return intake{
		packets: rate.NewLimiter(framePackets, frameBurst*int(framePackets)),
		bytes:   rate.NewLimiter(frameBytes, frameBurst*int(frameBytes)),
	}
}

// incomingFrames serves a stream of packets that the far side opened.
func (l *Links) incomingFrames(s network.Stream) {
	k := l.link(s.Conn().RemotePeer())
	if k == nil || !l.start() {
		l.counts.framesRefused.Add(1)
		s.ResetWithError(network.StreamResourceLimitExceeded)
		return
	}
	defer l.work.Done()
	err := k.frames.receive(s)
	switch {
	case errors.Is(err, io.EOF):
		s.Close()
		return
	case errors.Is(err, ErrFlood), errors.Is(err, protocol.ErrLarge), errors.Is(err, io.ErrUnexpectedEOF):
		l.counts.framesRefused.Add(1)
	}
	s.ResetWithError(resetCode(err))
	l.cfg.Log.Debug("stream of frames ended", "peer", k.peer, "err", err)
}

// start counts one more goroutine, unless Run is ending.
func (l *Links) start() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping {
		return false
	}
	l.work.Add(1)
	return true
}

// receive hands on what comes on a stream until it, or the link, ends or a newer
// one takes its place. The older one's packets come first.
func (f *Frames) receive(s network.Stream) error {
	in := &f.intake
	in.mu.Lock()
	if in.stream != nil {
		in.stream.SetReadDeadline(time.Now().Add(maxFrameOverlap))
	}
	in.stream = s
	in.mu.Unlock()

	in.reading.Lock()
	defer in.reading.Unlock()
	in.mu.Lock()
	replaced := in.stream != s
	in.mu.Unlock()
	if replaced {
		return ErrReplaced
	}
	return f.read(s)
}

// close wakes the reader, so that it ends.
func (in *intake) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.stream != nil {
		in.stream.Reset()
	}
}

// read hands packets on. io.EOF: the far side closed the stream.
func (f *Frames) read(r io.Reader) error {
	in := bufio.NewReaderSize(r, lengthBytes+maxFrameBytes)
	for f.ctx.Err() == nil {
		packet, err := nextFrame(in)
		if err != nil {
			return err
		}
		now := time.Now()
		if !f.intake.packets.AllowN(now, 1) || !f.intake.bytes.AllowN(now, lengthBytes+len(packet)) {
			return ErrFlood
		}
		if len(packet) > 0 {
			f.taken.Add(1)
			f.links.counts.framesTaken.Add(1)
			f.links.cfg.Frame(f.peer, packet)
		}
		in.Discard(len(packet)) // they are in its buffer
	}
	return ErrStopped
}

// nextFrame gives the next packet, good until it is discarded; an empty one is
// RFC 4571's null packet. Its error is protocol.ErrLarge, io.EOF between packets,
// io.ErrUnexpectedEOF within one, or the stream's.
func nextFrame(in *bufio.Reader) ([]byte, error) {
	length, err := in.Peek(lengthBytes)
	if err != nil {
		return nil, cut(err, len(length) > 0)
	}
	n := int(binary.BigEndian.Uint16(length))
	if n > maxFrameBytes {
		return nil, protocol.ErrLarge
	}
	in.Discard(lengthBytes)
	packet, err := in.Peek(n)
	if err != nil {
		return nil, cut(err, true)
	}
	return packet, nil
}

// cut tells the end of a stream from one in the middle of a packet.
func cut(err error, within bool) error {
	if within && errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
