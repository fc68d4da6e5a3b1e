// Package rtc is a node's media path and the only importer of pion. Between
// nodes it keeps one PeerConnection a pair, over which the frames of all their
// rooms travel; to programs and browsers on this machine it speaks WHIP
// (RFC 9725) and WHEP.
package rtc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/protocol"
)

// Config says how an Engine is to work. It is a value: an Engine keeps a copy.
type Config struct {
	Self     protocol.PeerID
	Listen   netip.AddrPort // UDP; port 0: any; an unspecified address: all interfaces
	Log      *slog.Logger   // nil: none
	Loopback bool           // offer loopback addresses to all nodes, not just to those on this machine

	wrap  func(net.PacketConn) net.PacketConn // a test's grip on the nodes' socket
	first uint16                              // sequence number of a connection's first packet
	times timing                              // zero: as fill says
}

// timing is what tests shorten.
type timing struct {
	disconnected time.Duration // without a packet: an ICE path is shaky
	failed       time.Duration // and after this long more, dead
	keepalive    time.Duration // ICE checks on a silent path
	attempt      time.Duration // for a connection to come up
	repeat       time.Duration // of WANTED until an offer comes
}

// A silent room's traffic is a binding request a second each way; a far side
// that was killed is noticed after disconnected + failed.
func (t *timing) fill() {
	if *t == (timing{}) {
		*t = timing{
			disconnected: 2 * time.Second,
			failed:       2 * time.Second,
			keepalive:    time.Second,
			attempt:      10 * time.Second,
			repeat:       2 * time.Second,
		}
	}
}

// socketBuffer holds a fifth of a second of 64 sources to 64 children.
const socketBuffer = 1 << 20

// Engine owns a node's UDP socket, its links and its local sessions.
type Engine struct {
	cfg         Config
	log         *slog.Logger
	started     time.Time
	certificate webrtc.Certificate
	mux         *ice.UDPMuxDefault
	addr        netip.AddrPort
	local       *local

	generation atomic.Uint32
	cut        atomic.Bool
	tasks      sync.WaitGroup

	mu       sync.Mutex
	ended    bool
	links    map[protocol.PeerID]*Link
	closing  map[protocol.PeerID]*Link // disconnected, but not yet ended
	sessions map[string]*Session
}

// New opens the sockets. Run must follow: it closes them.
func New(cfg Config) (*Engine, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.times.fill()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("rtc: no key for DTLS: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("rtc: no certificate for DTLS: %w", err)
	}
	socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(cfg.Listen))
	if err != nil {
		return nil, fmt.Errorf("rtc: can't listen on UDP %s, choose another port: %w", cfg.Listen, err)
	}
	// Best effort: the system may allow less.
	_ = socket.SetReadBuffer(socketBuffer)
	_ = socket.SetWriteBuffer(socketBuffer)

	var conn net.PacketConn = socket
	if cfg.wrap != nil {
		conn = cfg.wrap(conn)
	}
	e := &Engine{
		cfg:         cfg,
		log:         cfg.Log,
		started:     time.Now(),
		certificate: *certificate,
		addr:        socket.LocalAddr().(*net.UDPAddr).AddrPort(),
		links:       make(map[protocol.PeerID]*Link),
		closing:     make(map[protocol.PeerID]*Link),
		sessions:    make(map[string]*Session),
	}
	e.local, err = listenLocal(cfg.Log)
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	e.mux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn, Logger: pionLogs{cfg.Log}.NewLogger("ice")})
	// Generations keep growing over a restart, so that an answer to a
	// connection of a former life is known as stale.
	e.generation.Store(uint32(time.Now().Unix()))
	return e, nil
}

// Addr gives the address of the socket that all links share.
func (e *Engine) Addr() netip.AddrPort { return e.addr }

// Cut closes the links' socket at once: to the far sides, this node has died
// without a word. Run still has to be ended.
func (e *Engine) Cut() {
	e.cut.Store(true)
	_ = e.mux.Close() // Run tells of errors
}

// Run waits for ctx, then ends all links and sessions, and returns when they
// have ended.
func (e *Engine) Run(ctx context.Context) error {
	<-ctx.Done()
	e.mu.Lock()
	e.ended = true
	for _, l := range e.links {
		l.cancel()
	}
	sessions := make([]*Session, 0, len(e.sessions))
	for _, s := range e.sessions {
		sessions = append(sessions, s)
	}
	e.mu.Unlock()
	for _, s := range sessions {
		s.Close()
	}
	e.tasks.Wait()
	e.local.close()
	if err := e.mux.Close(); err != nil && !e.cut.Load() {
		return fmt.Errorf("rtc: closing the UDP socket: %w", err)
	}
	return nil
}

// Connect asks for the pair's PeerConnection; the link it returns lives until
// Disconnect, over any number of connections. It is idempotent: it begins a
// connection if none is up or on its way, so after Events.Down it is how to try
// again. loopback says that the control connection runs over loopback.
func (e *Engine) Connect(p protocol.PeerID, loopback bool, ev Events) *Link {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.links[p]
	if l == nil {
		l = newLink(e, p)
		if e.ended {
			l.cancel()
			close(l.done)
			return l
		}
		l.before = e.closing[p]
		e.links[p] = l
		e.tasks.Go(l.run)
	}
	l.want(loopback || e.cfg.Loopback, ev)
	return l
}

// Signal takes what the far side's Events.Signal was given. Without a Connect
// to that peer it is dropped, and asked for again after one.
func (e *Engine) Signal(p protocol.PeerID, s Signal) {
	e.mu.Lock()
	l := e.links[p]
	e.mu.Unlock()
	if l != nil {
		l.hear(s)
	}
}

// Disconnect ends the link to p. Nothing of it calls Events after that, except
// for what is under way at this moment.
func (e *Engine) Disconnect(p protocol.PeerID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l := e.links[p]; l != nil {
		delete(e.links, p)
		e.closing[p] = l
		l.cancel()
	}
}

// forget drops a link that has ended.
func (e *Engine) forget(l *Link) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing[l.peer] == l {
		delete(e.closing, l.peer)
	}
}

// now is the engine's monotonic clock.
func (e *Engine) now() time.Duration { return time.Since(e.started) }
