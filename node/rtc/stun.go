package rtc

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v4"
	"golang.org/x/time/rate"
)

// A node tells others their addresses as it sees them (STUN, RFC 8489, the
// Binding method alone), so that those behind routers find out what to offer
// each other and nobody needs a third party for it.
//
// An answer is 32 bytes over IPv4 and 44 over IPv6 to a request of 20: with IP
// and UDP headers, 1.25 and 1.35 times what was asked with. A sender of forged
// addresses gains nothing by that.
const (
	// A dormitory of 64 nodes behind one address asks with at most three
	// packets each, all at once when its power comes back, and later each 15
	// seconds: that must get through.
	answersASource      = 256 // at once
	answersASourceAgain = 32  // a second
	// 256 answers a second are 160 kbit/s of upload.
	answersAtOnce  = 1024
	answersASecond = 256

	maxSources = 4096 // that are remembered
	// sourceLife is longer than a source needs to have all its answers at once
	// again, so that forgetting it makes no difference.
	sourceLife = 10 * time.Second

	// maxAsides is the largest packet read on the port for STUN alone.
	maxAsides = 576
)

// SocketStats is what an engine's sockets have done besides carrying links.
type SocketStats struct {
	Answered uint64 // binding requests of others
	Refused  uint64 // binding requests over the limits
	Strange  uint64 // dropped: answers from another address than was asked, or that say nothing
	LeftOut  uint64 // candidates of far sides that are of no use: not UDP, names, not unicast
}

// SocketStats gives the sockets' figures.
func (e *Engine) SocketStats() SocketStats {
	return SocketStats{
		Answered: e.server.answered.Load(), Refused: e.server.refused.Load(),
		Strange: e.strange.Load(), LeftOut: e.leftOut.Load(),
	}
}

// socket is a UDP socket whose STUN packets stay here, if they are not of an
// ICE agent. All others pass as they are.
type socket struct {
	packetConn
	local  netip.AddrPort
	server *server
	asking
}

func newSocket(conn net.PacketConn, s *server, strange *atomic.Uint64) *socket {
	from := &socket{local: localAddr(conn), server: s}
	from.asking = asking{strange: strange, pending: make(map[transaction]pending)}
	switch c := conn.(type) {
	case *net.UDPConn:
		from.packetConn = udpConn{c}
	case packetConn:
		from.packetConn = c
	default:
		from.packetConn = addrConn{c}
	}
	return from
}

// ReadFromAddrPort gives the next packet that is not of this file.
func (s *socket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := s.packetConn.ReadFromAddrPort(b)
		if err != nil || !isSTUN(b[:n]) || !s.takes(b[:n], from) {
			return n, from, err
		}
	}
}

// ReadFrom is ReadFromAddrPort with an allocation, as net.UDPConn's own.
func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.ReadFromAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// isSTUN tells STUN from DTLS and SRTP (RFC 7983 section 7), and from strangers
// by its magic cookie (RFC 8489 section 5).
func isSTUN(b []byte) bool { return len(b) > 0 && b[0] <= 3 && stun.IsMessage(b) }

// takes says whether a STUN packet was for the socket itself.
func (s *socket) takes(packet []byte, from netip.AddrPort) bool {
	switch binary.BigEndian.Uint16(packet) {
	case stun.BindingRequest.Value():
		return s.answer(packet, from)
	case stun.BindingSuccess.Value():
		return s.hear(packet, from)
	}
	return false
}

// answer tells who asked what address that came from. It leaves alone what has
// attributes that must be understood: USERNAME and the like are of ICE (RFC
// 8445 section 7.1), the others ask for more than a Binding.
func (s *socket) answer(request []byte, from netip.AddrPort) bool {
	m := stun.Message{Raw: request}
	if m.Decode() != nil {
		return false
	}
	for _, a := range m.Attributes {
		if a.Type.Required() {
			return false
		}
	}
	fingerprint := m.Contains(stun.AttrFingerprint)
	if fingerprint && stun.Fingerprint.Check(&m) != nil {
		return false
	}
	if !s.server.allow(from.Addr(), time.Now()) {
		s.server.refused.Add(1)
		return true
	}
	setters := []stun.Setter{
		stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess,
		&stun.XORMappedAddress{IP: from.Addr().AsSlice(), Port: int(from.Port())},
	}
	if fingerprint {
		setters = append(setters, stun.Fingerprint)
	}
	if answer, err := stun.Build(setters...); err == nil {
		// Who gets no answer asks again.
		if _, err := s.WriteToAddrPort(answer.Raw, from); err == nil {
			s.server.answered.Add(1)
		}
	}
	return true
}

// serve reads until the socket is closed: it is for STUN alone.
func (s *socket) serve() {
	packet := make([]byte, maxAsides)
	for {
		if _, _, err := s.ReadFromAddrPort(packet); errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// server bounds the answers of all sockets together.
type server struct {
	answered, refused atomic.Uint64

	mu  sync.Mutex
	all *rate.Limiter
	// The limiters of those who asked lately. From time to time, or when there
	// are too many, recent becomes former, and former is forgotten: no search.
	recent, former map[netip.Prefix]*rate.Limiter
	turned         time.Time
}

func newServer() *server {
	return &server{
		all:    rate.NewLimiter(answersASecond, answersAtOnce),
		recent: make(map[netip.Prefix]*rate.Limiter),
	}
}

// allow says whether addr gets an answer. Its own limit comes first, so that
// one source can't use up what there is for all.
func (s *server) allow(addr netip.Addr, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.recent) >= maxSources || now.Sub(s.turned) >= sourceLife {
		s.former, s.recent, s.turned = s.recent, make(map[netip.Prefix]*rate.Limiter), now
	}
	who := site(addr)
	limiter := s.recent[who]
	if limiter == nil {
		if limiter = s.former[who]; limiter == nil {
			limiter = rate.NewLimiter(answersASourceAgain, answersASource)
		}
		s.recent[who] = limiter
	}
	return limiter.AllowN(now, 1) && s.all.AllowN(now, 1)
}

// site is what one household has for itself: an IPv4 address, or an IPv6 /64.
func site(addr netip.Addr) netip.Prefix {
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.WithZone("").Prefix(bits)
	return p
}
