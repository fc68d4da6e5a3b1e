package rtc

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/protocol"
)

// joinTimeout is how long a program or browser may take from the answer until
// it is connected.
const joinTimeout = 15 * time.Second

var errEnded = errors.New("rtc: the node is shutting down")

// Session is one program or browser on this machine that publishes (WHIP) or
// plays (WHEP), or a guest's browser that plays. It lives until Close, until the far side goes, or until the
// engine ends. A playing session is a sink of frames.
type Session struct {
	engine  *Engine
	id      string
	pc      *webrtc.PeerConnection
	closed  func() // the owner's, may be nil
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}
	changed chan struct{} // the connection's state has
	up      atomic.Bool
	turnstile

	inbox *inbox // of one that plays
	stats struct{ frames, dropped atomic.Uint64 }
}

// SessionStats is what a session has done.
type SessionStats struct {
	Frames  uint64 // taken from the publisher, or sent to the player
	Dropped uint64 // not 10 to 60 ms, or old; or the player was not ready for them
}

// ID names the session, unguessably.
func (s *Session) ID() string { return s.id }

// Close ends the session; Done tells when it has ended.
func (s *Session) Close() { s.cancel() }

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Stats gives the session's figures.
func (s *Session) Stats() SessionStats {
	return SessionStats{Frames: s.stats.frames.Load(), Dropped: s.stats.dropped.Load()}
}

// Beat is for links: players need no heartbeats.
func (s *Session) Beat(protocol.Beat) {}

// session makes one; the caller negotiates and then calls start, or abandon.
func (e *Engine) session(api *webrtc.API, closed func()) (*Session, error) {
	// Without a certificate here, pion makes one: a browser must not be able to
	// tell that two sessions belong to the peer that the links know.
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	s := &Session{
		engine: e, id: rand.Text(), pc: pc, closed: closed,
		done: make(chan struct{}), changed: make(chan struct{}, 1),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	})
	return s, nil
}

// start hands a negotiated session to the engine.
func (s *Session) start() error {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return errEnded
	}
	e.sessions[s.id] = s
	e.tasks.Go(s.run)
	return nil
}

// abandon ends a session that was not started.
func (s *Session) abandon() {
	s.closed = nil
	s.end()
}

func (s *Session) run() {
	late := time.NewTimer(joinTimeout)
	defer late.Stop()
	for s.ctx.Err() == nil {
		select {
		case <-s.ctx.Done():
		case <-late.C:
			s.cancel()
		case <-s.changed:
			switch s.pc.ConnectionState() {
			case webrtc.PeerConnectionStateConnected:
				late.Stop()
				s.up.Store(true)
			case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
				s.cancel()
			}
		}
	}
	s.end()
}

// end closes the connection, waits for the session's goroutines and tells.
func (s *Session) end() {
	s.up.Store(false)
	s.cancel()
	s.close(s.pc, s.engine.log)
	s.engine.mu.Lock()
	delete(s.engine.sessions, s.id)
	s.engine.mu.Unlock()
	if s.closed != nil {
		s.closed()
	}
	close(s.done)
}
