package rtc

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v4"
)

// serversAtOnce is how many servers one call of Ask asks.
const serversAtOnce = 8

// patiences are the waits for an answer after each request: as RFC 8489 section
// 6.2.1, but quicker and fewer, since a link waits for it.
func patiences() [3]time.Duration {
	return [...]time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond}
}

// Errors of an Answer.
var (
	ErrNoAnswer = errors.New("rtc: no answer from the STUN server; is UDP blocked?")
	ErrFamily   = errors.New("rtc: no socket for the server's address family")
	errTooMany  = errors.New("rtc: too many servers to ask at once")
)

// Answer is what a STUN server said, or why it didn't.
type Answer struct {
	Server netip.AddrPort
	Seen   netip.AddrPort // where the server saw the links' socket
	RTT    time.Duration  // since the first request: too long, if that had to be repeated
	Err    error
}

// Ask asks STUN servers, at most 8, where they see the links' socket of their
// address family. The answers are in the order of servers. It takes 700 ms, or
// as long as ctx allows, if a server says nothing.
func (e *Engine) Ask(ctx context.Context, servers []netip.AddrPort) []Answer {
	answers := make([]Answer, len(servers))
	var each sync.WaitGroup
	for i, server := range servers {
		answers[i].Server = server
		socket := e.sockets.to(server.Addr().Unmap())
		switch {
		case i >= serversAtOnce:
			answers[i].Err = errTooMany
		case socket == nil:
			answers[i].Err = ErrFamily
		default:
			each.Go(func() {
				a := &answers[i]
				a.Seen, a.RTT, a.Err = socket.ask(ctx, unmap(server))
			})
		}
	}
	each.Wait()
	return answers
}

// transaction is the ID of a STUN request, by which its answer is known.
type transaction = [stun.TransactionIDSize]byte

// pending is a request that was not answered yet.
type pending struct {
	server netip.AddrPort
	seen   chan<- sighting // has room for one
}

// sighting is where a server saw us, and when we heard of it.
type sighting struct {
	addr netip.AddrPort
	at   time.Time
}

// asking is the requests of one socket.
type asking struct {
	strange *atomic.Uint64
	mu      sync.Mutex
	pending map[transaction]pending
}

func (a *asking) expect(id transaction, p pending) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pending[id] = p
}

func (a *asking) forget(id transaction) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.pending, id)
}

// hear says whether packet, a success response, has the transaction of a
// request from here. It counts only if it comes from where that went.
func (a *asking) hear(packet []byte, from netip.AddrPort) bool {
	var id transaction
	copy(id[:], packet[8:]) // isSTUN has seen that it is there
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ours := a.pending[id]
	if !ours {
		return false
	}
	seen, ok := mapped(packet)
	if !ok || from != p.server || seen.Addr().Is4() != from.Addr().Is4() ||
		!unicast(seen, from.Addr().IsLoopback()) {
		a.strange.Add(1)
		return true
	}
	p.seen <- sighting{addr: seen, at: time.Now()}
	delete(a.pending, id)
	return true
}

// mapped reads the XOR-MAPPED-ADDRESS of a STUN message.
func mapped(packet []byte) (netip.AddrPort, bool) {
	m := stun.Message{Raw: packet}
	if m.Decode() != nil {
		return netip.AddrPort{}, false
	}
	var x stun.XORMappedAddress
	if x.GetFrom(&m) != nil {
		return netip.AddrPort{}, false
	}
	addr, ok := netip.AddrFromSlice(x.IP)
	return netip.AddrPortFrom(addr.Unmap(), uint16(x.Port)), ok
}

// unicast says whether packets may be sent to addr at all.
func unicast(addr netip.AddrPort, loopback bool) bool {
	ip := addr.Addr()
	return addr.IsValid() && addr.Port() != 0 && ip.Zone() == "" &&
		(ip.IsGlobalUnicast() || ip.IsLinkLocalUnicast() || loopback && ip.IsLoopback())
}

// ask asks one server until it answers, or has had its chances.
func (s *socket) ask(ctx context.Context, server netip.AddrPort) (netip.AddrPort, time.Duration, error) {
	request, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		return netip.AddrPort{}, 0, err
	}
	seen := make(chan sighting, 1)
	s.expect(request.TransactionID, pending{server: server, seen: seen})
	defer s.forget(request.TransactionID)
	began := time.Now()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for _, patience := range patiences() {
		if _, err := s.WriteToAddrPort(request.Raw, server); err != nil {
			return netip.AddrPort{}, 0, err
		}
		timer.Reset(patience)
		select {
		case at := <-seen:
			return at.addr, at.at.Sub(began), nil
		case <-ctx.Done():
			return netip.AddrPort{}, 0, ctx.Err()
		case <-timer.C:
		}
	}
	return netip.AddrPort{}, 0, ErrNoAnswer
}
