package upload

import (
	"context"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Upgrader gives one that keeps the connections it upgrades, inbound and outbound,
// within the limit. It goes to the constructor of libp2p's TCP transport.
func (m *Meter) Upgrader(u transport.Upgrader) transport.Upgrader { return upgrader{u, m} }

type upgrader struct {
	transport.Upgrader
	m *Meter
}

// Upgrade limits an outbound connection. Inbound ones come from a listener.
func (u upgrader) Upgrade(ctx context.Context, t transport.Transport, c manet.Conn, dir network.Direction, p peer.ID, scope network.ConnManagementScope) (transport.CapableConn, error) {
	return u.Upgrader.Upgrade(ctx, t, u.m.stream(c), dir, p, scope)
}

func (u upgrader) UpgradeGatedMaListener(t transport.Transport, l transport.GatedMaListener) transport.Listener {
	return u.Upgrader.UpgradeGatedMaListener(t, listener{l, u.m})
}

func (u upgrader) UpgradeListener(t transport.Transport, l manet.Listener) transport.Listener {
	return u.UpgradeGatedMaListener(t, u.GateMaListener(l))
}

type listener struct {
	transport.GatedMaListener
	m *Meter
}

func (l listener) Accept() (manet.Conn, network.ConnManagementScope, error) {
	c, scope, err := l.GatedMaListener.Accept()
	if err != nil {
		return nil, nil, err
	}
	return l.m.stream(c), scope, nil
}

const (
	// segment is how much of a stream is written at once: no more than goes in one
	// segment of TCP.
	segment = 1400
	// unsent is how much the kernel may hold that it has not sent yet: it sends
	// that when it likes.
	unsent = 2 * segment
)

// stream is a TCP connection. What it writes is charged before; what the kernel
// sends beside that, once it shows.
type stream struct {
	manet.Conn
	m        *Meter
	ip6      bool
	kernel   syscall.RawConn // nil: not to be asked
	deadline atomic.Int64    // of writes, ns since 1970; 0: none
	once     sync.Once
	gone     chan struct{} // closed by Close

	mu      sync.Mutex // never held while anything waits
	charged uint64     // bytes on the wire
	handing uint64     // of them: not the kernel's yet
	heard   int        // bytes read that no acknowledgement was charged for
}

// stream wraps a connection unless it stays on this machine.
func (m *Meter) stream(c manet.Conn) manet.Conn {
	to := far(c.RemoteAddr())
	if to.loopback && !m.cfg.loopback {
		return c
	}
	s := &stream{Conn: c, m: m, ip6: to.ip6, gone: make(chan struct{})}
	if sc, ok := c.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil && holdLittle(raw, unsent) {
			if _, ok := sentBy(raw); ok {
				s.kernel = raw
			}
		}
	}
	s.settle(0) // its handshake
	return s
}

// Write writes a segment at a time, each when its turn comes.
func (s *stream) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		part := b[:min(len(b), segment)]
		if err := s.await(len(part)); err != nil {
			return n, err
		}
		w, err := s.Conn.Write(part)
		n += w
		s.handed()
		if err != nil {
			return n, err
		}
		b = b[w:]
	}
	return n, nil
}

func (s *stream) await(payload int) error {
	bytes := segmentBytes(payload, s.ip6)
	for !s.m.await(bytes, glance, s.gone) {
		select {
		case <-s.gone:
			return net.ErrClosed
		default:
		}
		if d := s.deadline.Load(); d != 0 && time.Now().UnixNano() >= d {
			return os.ErrDeadlineExceeded
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.charged += uint64(bytes)
	s.handing = uint64(bytes)
	return nil
}

// handed says that the kernel has what was charged.
func (s *stream) handed() {
	s.mu.Lock()
	s.handing = 0
	s.mu.Unlock()
	s.settle(0)
}

// Read charges the acknowledgements that the kernel sent for what came, and takes
// no more while the upload is overdrawn: the far side then slows down.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	s.settle(n)
	if err == nil {
		s.m.solvent(glance, s.gone)
	}
	return n, err
}

// settle charges what the kernel sent beyond what was charged before. read is how
// much came since: where the kernel can't be asked, every second segment was
// acknowledged (RFC 9293 section 3.8.6.3).
func (s *stream) settle(read int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kernel == nil {
		s.heard += read
		if acks := s.heard / (2 * segment); acks > 0 {
			s.heard -= acks * 2 * segment
			s.m.owe(acks * (segmentBytes(0, s.ip6) + sackBlocks))
		}
		return
	}
	out, ok := sentBy(s.kernel)
	if !ok {
		return
	}
	// What is held back unsent will go in a segment of its own, at most.
	wire := out.bytes + out.segments*uint64(segmentBytes(0, s.ip6))
	held := s.handing
	if out.held > 0 {
		held += out.held + uint64(segmentBytes(0, s.ip6))*(out.held/segment+1)
	}
	switch {
	case wire > s.charged:
		s.m.owe(int(wire - s.charged))
		s.charged = wire
	case wire+held < s.charged: // small writes went together
		s.charged = wire + held
	}
}

// Close charges its own segments, and ends all waiting.
func (s *stream) Close() error {
	s.once.Do(func() {
		close(s.gone)
		s.m.owe(2 * segmentBytes(0, s.ip6))
	})
	return s.Conn.Close()
}

// SetDeadline holds for waiting, too.
func (s *stream) SetDeadline(t time.Time) error {
	s.setDeadline(t)
	return s.Conn.SetDeadline(t)
}

// SetWriteDeadline holds for waiting, too.
func (s *stream) SetWriteDeadline(t time.Time) error {
	s.setDeadline(t)
	return s.Conn.SetWriteDeadline(t)
}

func (s *stream) setDeadline(t time.Time) {
	if t.IsZero() {
		s.deadline.Store(0)
		return
	}
	s.deadline.Store(t.UnixNano())
}
