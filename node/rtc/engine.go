// Package rtc is a node's media path and the only importer of pion. Between
// nodes it keeps one PeerConnection a pair, over which the frames of all their
// rooms travel, or where UDP does not work a Detour; to programs and browsers on this machine it speaks WHIP
// (RFC 9725) and WHEP.
package rtc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/protocol"
)

// Config says how an Engine is to work. It is a value: an Engine keeps a copy.
type Config struct {
	Self     protocol.PeerID
	Listen   netip.AddrPort // UDP; port 0: any; an unspecified address: all of IPv4, and of IPv6 where there is any
	Log      *slog.Logger   // nil: none
	Loopback bool           // offer loopback addresses to all nodes, not just to those on this machine

	// Guests is where browsers of other machines are played to (PlayGuest), in UDP;
	// the zero AddrPort: nowhere.
	Guests netip.AddrPort

	// Wrap stands between an engine and each of its sockets towards other
	// nodes, if it is not nil. What it gives should have ReadFromAddrPort and
	// WriteToAddrPort (ice.AddrPortReaderWriter) too, or each packet allocates.
	Wrap func(net.PacketConn) net.PacketConn

	first uint16 // sequence number of a connection's first packet
	times timing // zero: as fill says
}

// Engine owns a node's UDP sockets, its links and its local sessions.
type Engine struct {
	cfg         Config
	log         *slog.Logger
	started     time.Time
	certificate webrtc.Certificate
	sockets     *sockets  // of the links
	asides      []*socket // for STUN alone, on a port of their own
	addr        netip.AddrPort
	server      *server
	outside     outside
	local       *local
	guests      *doorway // nil: none are served

	generation atomic.Uint32
	cut        atomic.Bool
	strange    atomic.Uint64
	leftOut    atomic.Uint64
	tasks      sync.WaitGroup

	mu       sync.Mutex
	ended    bool
	links    map[protocol.PeerID]*Link
	closing  map[protocol.PeerID]*Link // disconnected, but not yet ended
	sessions map[string]*Session
}

// New opens the sockets. Run must follow: it closes them. The error is
// syscall.EADDRINUSE, among others, if another program has the port.
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
	e := &Engine{
		cfg:         cfg,
		log:         cfg.Log,
		started:     time.Now(),
		certificate: *certificate,
		server:      newServer(),
		outside:     outside{turn: make(chan struct{}, 1), known: make(map[netip.AddrPort]learnt)},
		links:       make(map[protocol.PeerID]*Link),
		closing:     make(map[protocol.PeerID]*Link),
		sessions:    make(map[string]*Session),
	}
	if err := e.open(); err != nil {
		return nil, err
	}
	// Generations keep growing over a restart, so that an answer to a
	// connection of a former life is known as stale.
	e.generation.Store(uint32(time.Now().Unix()))
	return e, nil
}

// open opens the sockets: the links', those beside them for STUN, those on
// loopback, and those for guests.
func (e *Engine) open() error {
	shared, err := e.listen(e.cfg.Listen)
	if err != nil {
		return err
	}
	if e.local, err = listenLocal(e.log); err == nil && e.cfg.Guests.IsValid() {
		if e.guests, err = listenGuests(e.cfg.Guests, e.cfg.Wrap, e.log); err != nil {
			e.local.close()
		}
	}
	if err != nil {
		for _, s := range shared {
			_ = s.Close()
		}
		return err
	}
	e.addr = shared[0].local
	e.sockets = share(shared, pionLogs{e.log}.NewLogger("ice"))
	// Without a second port askers learn less, which is no reason to do without
	// the first.
	if e.asides, err = e.listenAside(); err != nil {
		e.log.Warn("no second port to answer STUN on", "error", err)
	}
	for _, s := range e.asides {
		e.tasks.Go(s.serve)
	}
	return nil
}

// listen opens sockets on addr, one of each address family.
func (e *Engine) listen(addr netip.AddrPort) ([]*socket, error) {
	conns, err := listen(addr)
	if err != nil {
		return nil, err
	}
	var opened []*socket
	for _, conn := range conns {
		var wrapped net.PacketConn = conn
		if e.cfg.Wrap != nil {
			wrapped = e.cfg.Wrap(wrapped)
		}
		opened = append(opened, newSocket(wrapped, e.server, &e.strange))
	}
	return opened, nil
}

// listenAside opens the sockets for STUN alone: on the port after the links', if
// that was asked for by number, as a person opens ports in a firewall by number.
func (e *Engine) listenAside() ([]*socket, error) {
	addr := e.cfg.Listen.Addr()
	if port := e.cfg.Listen.Port(); port != 0 && port < math.MaxUint16 {
		if asides, err := e.listen(netip.AddrPortFrom(addr, port+1)); err == nil {
			return asides, nil
		}
	}
	return e.listen(netip.AddrPortFrom(addr, 0))
}

func (e *Engine) closeAsides() error {
	var errs []error
	for _, s := range e.asides {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// STUNPorts gives the ports that answer STUN: the links' own first, and, if it
// could be opened, another for those who want to know whether their router maps
// by address and port (RFC 4787 section 4.1).
func (e *Engine) STUNPorts() []uint16 {
	ports := []uint16{e.addr.Port()}
	if len(e.asides) > 0 {
		ports = append(ports, e.asides[0].local.Port())
	}
	return ports
}

// Addr gives the address of the socket that all links share; where there is one
// for IPv4 and one for IPv6, that of the first. The port is the same.
func (e *Engine) Addr() netip.AddrPort { return e.addr }

// Cut closes the links' sockets at once: to the far sides, this node has died
// without a word. Run still has to be ended.
func (e *Engine) Cut() {
	e.cut.Store(true)
	_ = e.sockets.close()
	_ = e.closeAsides()
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
	// The sockets of the links have to last until those have ended.
	err := e.closeAsides()
	e.tasks.Wait()
	e.local.close()
	if e.guests != nil {
		e.guests.close()
	}
	if err = errors.Join(err, e.sockets.close()); err != nil && !e.cut.Load() {
		return fmt.Errorf("rtc: closing the UDP sockets: %w", err)
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
