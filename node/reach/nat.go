package reach

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multiaddr"
)

// Implementation: ours to tune.
const (
	natPatience = 1200 * time.Millisecond // for all answers
	natCarrying = 30 * time.Second        // between looks while a room is carried
	natIdle     = 5 * time.Minute
	natUnsure   = 5 * time.Second // after no answer, doubled
	natRetries  = 5
)

// Answer is what a STUN server said (RFC 8489): where it sees the asker.
type Answer struct {
	Server netip.AddrPort
	Seen   netip.AddrPort
	RTT    time.Duration
	Err    error // it didn't answer
}

// seen is what the servers said, together.
type seen struct{ answers []Answer }

// natWatch is what is known of the NAT.
type natWatch struct {
	due     time.Time
	busy    bool
	fail    int
	nat     NAT
	outside []netip.AddrPort
	answers []Answer // the last
}

// askNAT asks public neighbours how they see the socket for sound, if it is
// time, and says when that will be.
func (r *Reach) askNAT(ctx context.Context, now time.Time) time.Duration {
	w := &r.nat
	if w.nat == "" {
		w.nat = NATUnknown
	}
	interval := natIdle
	if r.cfg.Carrying() {
		interval = natCarrying
	}
	if w.due.After(now.Add(interval)) {
		w.due = now.Add(interval)
	}
	servers := r.servers()
	if r.cfg.Ask == nil || w.busy || len(servers) == 0 {
		return interval
	}
	if wait := w.due.Sub(now); wait > 0 {
		return wait
	}
	w.busy = true
	r.tasks.Go(func() {
		within, cancel := context.WithTimeout(ctx, natPatience)
		defer cancel()
		s := seen{r.cfg.Ask(within, servers)}
		select {
		case r.seen <- s:
		case <-ctx.Done():
		}
	})
	return interval
}

// mirrored takes in where servers see the socket for sound.
func (r *Reach) mirrored(s seen) {
	w := &r.nat
	w.busy = false
	w.answers = s.answers
	w.outside = outside(s.answers)
	w.nat = behaviour(s.answers, r.evidence.local, r.cfg.MediaPort())
	if len(w.outside) > 0 {
		w.fail, w.due = 0, time.Now().Add(natIdle)
		return
	}
	w.due = time.Now().Add(natUnsure << min(w.fail, natRetries))
	w.fail++
}

// udp says whether UDP works: an answer shows it, or a connection by QUIC. Where
// nobody answers and there are only connections by TCP, it is blocked.
func (r *Reach) udp(answers []Answer) UDP {
	if len(outside(answers)) > 0 {
		return UDPWorks
	}
	blocked := UDPUnknown
	for _, n := range r.neighbours {
		for _, c := range r.host.Network().ConnsToPeer(n.id) {
			if _, err := c.RemoteMultiaddr().ValueForProtocol(multiaddr.P_UDP); err == nil && r.direct(c) && c.Stat().Direction == network.DirOutbound {
				return UDPWorks
			}
			if slices.ContainsFunc(answers, func(a Answer) bool { return a.Server.Addr() == n.addr }) {
				blocked = UDPBlocked
			}
		}
	}
	return blocked
}

func (a Answer) ok() bool { return a.Err == nil && a.Seen.IsValid() }

// outside gives where the servers see the socket, each place once.
func outside(answers []Answer) (at []netip.AddrPort) {
	for _, a := range answers {
		if a.ok() && !slices.Contains(at, a.Seen) {
			at = append(at, a.Seen)
		}
	}
	return at
}

// behaviour tells the mapping behaviour of a NAT (RFC 4787 section 4.1) from what
// several servers, or one at several ports, saw of one socket. Two ports of one
// address can't tell an address-dependent mapping from an endpoint-independent
// one; such routers are rare, and what is tried next shows it. IPv4 decides: where
// IPv6 is, it has no NAT.
func behaviour(answers []Answer, local locals, port uint16) NAT {
	var asked int
	var places []netip.AddrPort
	for _, a := range answers {
		if !a.ok() || !a.Seen.Addr().Unmap().Is4() {
			continue
		}
		asked++
		if !slices.Contains(places, a.Seen) {
			places = append(places, a.Seen)
		}
	}
	switch {
	case len(places) == 1 && local.has(places[0].Addr().Unmap()) && places[0].Port() == port:
		return NATNone
	case len(places) > 1:
		return Dependent
	case asked > 1:
		return EndpointIndependent
	}
	return NATUnknown
}
