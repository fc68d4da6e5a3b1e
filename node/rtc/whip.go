package rtc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/opus"
)

// Publication is where a publisher's audio goes.
type Publication struct {
	Source protocol.Source
	Push   func(*protocol.Frame) // must not block, nor keep the frame or its packet
	Closed func()                // once, when the session has ended; may be nil
}

// Publish answers a WHIP offer (RFC 9725) of one audio track. ctx bounds the
// negotiation, not the session.
func (e *Engine) Publish(ctx context.Context, offer string, p Publication) (*Session, string, error) {
	api, err := e.local.api(true, e.cfg.times)
	if err != nil {
		return nil, "", err
	}
	return e.publish(ctx, api, offer, p)
}

func (e *Engine) publish(ctx context.Context, api *webrtc.API, offer string, p Publication) (*Session, string, error) {
	switch sends, _, err := readOffer(offer); {
	case err != nil:
		return nil, "", err
	case sends != 1:
		return nil, "", fmt.Errorf("%w: it sends %d audio tracks, offer one", ErrOffer, sends)
	}
	s, err := e.session(api, p.Closed)
	if err != nil {
		return nil, "", err
	}
	s.pc.OnTrack(func(from *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		if from.Kind() != webrtc.RTPCodecTypeAudio || !s.enter() {
			return
		}
		defer s.tasks.Done()
		level, _ := extensions(r.GetParameters().HeaderExtensions)
		s.publish(from, level, p)
	})
	answer, err := negotiate(ctx, s.pc, offer, func() error { return nil })
	if err == nil {
		err = s.start()
	}
	if err != nil {
		s.abandon()
		return nil, "", err
	}
	return s, useDTX(answer), nil
}

// publish reads the track until the session ends.
func (s *Session) publish(from *webrtc.TrackRemote, level uint8, p Publication) {
	buf := make([]byte, receiveMTU)
	m := minter{source: p.Source}
	var header rtp.Header
	var f protocol.Frame
	push := func() {
		p.Push(&f)
		s.stats.frames.Add(1)
	}
	for {
		n, _, err := from.Read(buf)
		switch {
		case err == nil:
			if m.mint(&f, &header, buf[:n], level, time.Now()) == nil {
				push()
			} else {
				s.stats.dropped.Add(1)
			}
		case isTimeout(err):
		case s.ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe):
			if m.end(&f) {
				push()
			}
			return
		default:
			s.stats.dropped.Add(1)
		}
		var quiet time.Time
		if m.speaking {
			quiet = m.at.Add(talkspurtPause)
			if !time.Now().Before(quiet) && m.end(&f) {
				push()
				quiet = time.Time{}
			}
		}
		if err := from.SetReadDeadline(quiet); err != nil {
			return
		}
	}
}

const (
	// talkspurtPause without a packet ends a talkspurt. Browsers' DTX sends
	// one in 400 ms.
	talkspurtPause = 500 * time.Millisecond
	// unmeasured is the level of who sends none: somebody who talks.
	unmeasured = 30
)

var errOld = errors.New("older than what came before it")

// minter gives a publisher's packets the timestamps, counters and marks that
// they have from here on. A browser's own timestamps are no wall clock: they
// stand still while its track is replaced by nothing.
type minter struct {
	source   protocol.Source
	speaking bool
	theirs   uint32 // the publisher's timestamp of the last frame
	last     uint32 // ours
	samples  uint32 // that it lasts
	counter  uint16 // of the next frame
	toc      byte   // of the last packet
	at       time.Time
}

// mint makes a frame of an RTP packet that came at this time.
func (m *minter) mint(f *protocol.Frame, h *rtp.Header, b []byte, levelID uint8, at time.Time) error {
	n, err := h.Unmarshal(b)
	if err != nil {
		return err
	}
	packet := b[n:]
	if h.Padding { // RFC 3550 section 5.1: the last byte says how much
		if len(packet) == 0 || int(packet[len(packet)-1]) > len(packet) {
			return errMalformed
		}
		packet = packet[:len(packet)-int(packet[len(packet)-1])]
	}
	samples, err := opus.Samples(packet)
	if err != nil {
		return err
	}
	const khz = protocol.ClockRate / 1000
	span := time.Duration(samples) * time.Millisecond / khz
	if span < protocol.MinPacketDuration || span > protocol.MaxPacketDuration || len(packet) > protocol.MaxPacketBytes {
		return protocol.ErrPacketSpan
	}
	*f = protocol.Frame{Source: m.source, Level: unmeasured, Packet: packet}
	if l := h.GetExtension(levelID); levelID != 0 && len(l) > 0 {
		f.Level = l[0] & silent
	}
	if err := m.stamp(f, h.Timestamp, at); err != nil {
		return err
	}
	f.Counter = m.counter
	m.counter++
	m.theirs, m.last, m.samples = h.Timestamp, f.Timestamp, uint32(samples)
	m.toc, m.at = packet[0], at
	return nil
}

// stamp finds the frame's timestamp: in step with the publisher's within a
// talkspurt, from the wall clock at the start of one, and never back.
func (m *minter) stamp(f *protocol.Frame, theirs uint32, at time.Time) error {
	step := int32(theirs - m.theirs)
	if m.speaking {
		if step <= 0 && step > -protocol.ClockRate {
			return errOld
		}
		if gap := at.Sub(m.at); gap < talkspurtPause && step > 0 && step <= samplesIn(gap+talkspurtPause) {
			f.Timestamp = m.last + uint32(step)
			return nil
		}
	}
	f.Timestamp = wallClock(at)
	if after := m.last + m.samples; at.Sub(m.at) < orderedFor && !protocol.Newer(f.Timestamp, after) {
		f.Timestamp = after
	}
	f.Marks = protocol.Start
	m.speaking = true
	return nil
}

// end makes the frame that ends a talkspurt, if one is under way. Nobody knows
// of a packet that it is the last, so this is one more, of silence.
func (m *minter) end(f *protocol.Frame) bool {
	if !m.speaking {
		return false
	}
	m.speaking = false
	quiet := silence(m.toc)
	*f = protocol.Frame{
		Source: m.source, Timestamp: m.last + m.samples, Counter: m.counter, Level: silent,
		Marks: protocol.End, Packet: quiet[:],
	}
	m.counter++
	samples, _ := opus.Samples(quiet[:])
	m.last, m.samples = f.Timestamp, uint32(samples)
	return true
}

// wallClock is the time on RTP's 48 kHz scale.
func wallClock(at time.Time) uint32 {
	return uint32(at.UnixMicro() * (protocol.ClockRate / 1000) / 1000)
}

func samplesIn(d time.Duration) int32 {
	return int32(d.Microseconds() * (protocol.ClockRate / 1000) / 1000)
}

// silence is an Opus packet of the TOC byte alone (RFC 6716 section 3.1), which
// a decoder takes for a pause instead of concealing a loss. It is like the
// packet with this TOC byte, if that makes it last 10 ms or more.
func silence(toc byte) [1]byte {
	like := [1]byte{toc &^ 3}
	if samples, err := opus.Samples(like[:]); err == nil && samples >= protocol.ClockRate/100 {
		return like
	}
	const celt20 = 31 << 3 // fullband, 20 ms
	return [1]byte{celt20 | toc&4}
}
