package rtc

import (
	"context"
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/protocol"
)

// Playing says how a player is to be served.
type Playing struct {
	Closed func() // once, when the session has ended; may be nil
}

// Play answers a WHEP offer of one to three audio m-lines that receive, onto
// which the loudest speakers are switched. The session is a sink for a room's
// frames. ctx bounds the negotiation, not the session.
func (e *Engine) Play(ctx context.Context, offer string, p Playing) (*Session, string, error) {
	api, err := e.local.api(false, e.cfg.times)
	if err != nil {
		return nil, "", err
	}
	return e.play(ctx, api, offer, p)
}

func (e *Engine) play(ctx context.Context, api *webrtc.API, offer string, p Playing) (*Session, string, error) {
	_, receives, err := readOffer(offer)
	switch {
	case err != nil:
		return nil, "", err
	case receives < 1 || receives > maxSlots:
		return nil, "", fmt.Errorf("%w: it receives %d audio tracks, offer one to %d", ErrOffer, receives, maxSlots)
	}
	s, err := e.session(api, p.Closed)
	if err != nil {
		return nil, "", err
	}
	tracks := make([]*track, receives)
	answer, err := negotiate(ctx, s.pc, offer, func() error {
		for n := range tracks {
			// A stream each: tracks of one stream are played in step.
			id := fmt.Sprintf("speaker-%d", n+1)
			tracks[n] = &track{id: id, stream: id}
			if _, err := s.pc.AddTrack(tracks[n]); err != nil {
				return err
			}
		}
		return nil
	})
	s.inbox = newInbox()
	if err == nil {
		s.tasks.Go(func() { s.play(tracks) })
		err = s.start()
	}
	if err != nil {
		s.abandon()
		return nil, "", err
	}
	return s, answer, nil
}

// Send hands a frame to a player; false: it was dropped. It never blocks, and
// keeps neither f nor f.Packet.
func (s *Session) Send(f *protocol.Frame) bool {
	if s.inbox == nil || !s.up.Load() || len(f.Packet) > protocol.MaxPacketBytes || !s.inbox.put(f) {
		s.stats.dropped.Add(1)
		return false
	}
	return true
}

// play is the player's goroutine: it owns the slots.
func (s *Session) play(tracks []*track) {
	began := time.Now() // the slots' clock begins with them
	packets := make([]packet, len(tracks))
	sl := newSlots(len(tracks), func(out emission) {
		to := tracks[out.slot].path.Load()
		if to == nil {
			s.stats.dropped.Add(1)
			return
		}
		p := &packets[out.slot]
		p.prepare(to)
		p.header.SequenceNumber, p.header.Timestamp = out.sequence, out.timestamp
		p.csrc[0] = uint32(out.source)
		p.setLevel(out.level)
		if _, err := to.writer.WriteRTP(&p.header, out.packet); err != nil {
			s.stats.dropped.Add(1)
			return
		}
		s.stats.frames.Add(1)
	})
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case w := <-s.inbox.full:
			sl.take(&w.Frame, time.Since(began))
			s.inbox.release(w)
		case <-timer.C:
			sl.expire(time.Since(began))
		}
		if at, ok := sl.wake(); ok {
			timer.Reset(at - time.Since(began))
		} else {
			timer.Stop()
		}
	}
}
