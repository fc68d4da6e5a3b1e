package upload

import (
	"net"
	"sync"
	"syscall"
)

// Media gives a socket that sends sound within the limit: packets beyond it, and
// those that would take what is kept for control, are dropped and counted. What
// keeps the paths themselves alive counts as control. WriteTo never waits.
func (m *Meter) Media(c net.PacketConn) net.PacketConn { return &mediaSocket{c, m} }

// Control gives a socket for QUIC: packets beyond the limit wait a little, and are
// dropped if that is not enough. Being no *net.UDPConn it has QUIC send packet by
// packet (quic-go's basic path, without segmentation offload and ECN), so that
// each is charged when it leaves.
func (m *Meter) Control(c *net.UDPConn) net.PacketConn {
	return &quicSocket{PacketConn: c, udp: c, m: m, gone: make(chan struct{})}
}

type mediaSocket struct {
	net.PacketConn
	m *Meter
}

// WriteTo sends or drops the datagram; dropping is no error, as on any network.
func (s *mediaSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	loopback, ip6 := far(to)
	if loopback && !s.m.cfg.loopback {
		return s.PacketConn.WriteTo(b, to)
	}
	keep := s.m.keep
	if urgent(b) {
		keep = 0
	}
	if !s.m.allow(datagramBytes(len(b), ip6), keep) {
		s.m.droppedMedia.Add(1)
		return len(b), nil
	}
	return s.PacketConn.WriteTo(b, to)
}

type quicSocket struct {
	net.PacketConn
	udp  *net.UDPConn
	m    *Meter
	once sync.Once
	gone chan struct{} // closed by Close
}

// WriteTo sends the datagram when its turn comes, or drops it. QUIC has a
// goroutine for each connection here, so one that waits holds up no other.
func (s *quicSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	loopback, ip6 := far(to)
	if loopback && !s.m.cfg.loopback {
		return s.PacketConn.WriteTo(b, to)
	}
	if !s.m.await(datagramBytes(len(b), ip6), patience, s.gone) {
		s.m.droppedControl.Add(1)
		return len(b), nil
	}
	return s.PacketConn.WriteTo(b, to)
}

// Close ends all waiting.
func (s *quicSocket) Close() error {
	s.once.Do(func() { close(s.gone) })
	return s.PacketConn.Close()
}

// SetReadBuffer, SetWriteBuffer and SyscallConn are what quic-go wants of a socket
// to size its buffers and to find a path's MTU.
func (s *quicSocket) SetReadBuffer(bytes int) error         { return s.udp.SetReadBuffer(bytes) }
func (s *quicSocket) SetWriteBuffer(bytes int) error        { return s.udp.SetWriteBuffer(bytes) }
func (s *quicSocket) SyscallConn() (syscall.RawConn, error) { return s.udp.SyscallConn() }
