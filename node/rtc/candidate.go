package rtc

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/sdp/v3"
)

const (
	maxServers = 3 // asked for a description
	maxOutside = 6 // candidates added to a description
	// askTimeout is what a description waits for servers, next to its own
	// gathering.
	askTimeout = 300 * time.Millisecond
	// A router keeps an address that was used for 30 s and more (RFC 4787
	// section 4.3 asks for two minutes).
	answerLife  = 15 * time.Second
	silenceLife = 5 * time.Second // a server that said nothing is asked again after
)

// outside is how an engine learns the addresses under which the world outside
// its router reaches the links' sockets.
type outside struct {
	servers, mapped atomic.Pointer[func() []netip.AddrPort]

	turn  chan struct{} // has room for one: who asks; the others wait for what it learns
	mu    sync.Mutex
	known map[netip.AddrPort]learnt // by server
}

// learnt is what a server said.
type learnt struct {
	seen netip.AddrPort // zero: nothing
	at   time.Time
}

func (l learnt) fresh(now time.Time) bool {
	if l.seen.IsValid() {
		return now.Sub(l.at) < answerLife
	}
	return now.Sub(l.at) < silenceLife
}

// SetServers names those who may be asked now, before each offer and answer,
// where they see this node: the best first. servers must not block.
func (e *Engine) SetServers(servers func() []netip.AddrPort) { e.outside.servers.Store(&servers) }

// SetMapped names the addresses that routers map to the media port at the
// moment (UPnP, NAT-PMP). mapped must not block.
func (e *Engine) SetMapped(mapped func() []netip.AddrPort) { e.outside.mapped.Store(&mapped) }

func call(f *atomic.Pointer[func() []netip.AddrPort]) []netip.AddrPort {
	if f := f.Load(); f != nil && *f != nil {
		return (*f)()
	}
	return nil
}

// seen gives where this node is reached from outside, as far as that is known
// or can be learnt within askTimeout.
func (e *Engine) seen(ctx context.Context) []netip.AddrPort {
	addrs := call(&e.outside.mapped)
	servers := choose(call(&e.outside.servers))
	e.refresh(ctx, servers)
	e.outside.mu.Lock()
	defer e.outside.mu.Unlock()
	now := time.Now()
	for _, server := range servers {
		if l := e.outside.known[server]; l.seen.IsValid() && l.fresh(now) {
			addrs = append(addrs, l.seen)
		}
	}
	return addrs
}

// refresh asks the servers that have said nothing lately.
func (e *Engine) refresh(ctx context.Context, servers []netip.AddrPort) {
	o := &e.outside
	if len(o.stale(servers)) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	select {
	case o.turn <- struct{}{}:
		defer func() { <-o.turn }()
	case <-ctx.Done():
		return
	}
	answers := e.Ask(ctx, o.stale(servers))
	if ctx.Err() == context.Canceled {
		return // it was not the servers that took too long
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for server, l := range o.known {
		if !l.fresh(now) {
			delete(o.known, server)
		}
	}
	for _, a := range answers {
		o.known[a.Server] = learnt{seen: a.Seen, at: now}
	}
}

func (o *outside) stale(servers []netip.AddrPort) []netip.AddrPort {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	var stale []netip.AddrPort
	for _, server := range servers {
		if l, ok := o.known[server]; !ok || !l.fresh(now) {
			stale = append(stale, server)
		}
	}
	return stale
}

// choose takes the first servers, among them one of IPv6 if there is one: it is
// IPv4 that has the translators.
func choose(servers []netip.AddrPort) []netip.AddrPort {
	var four, six []netip.AddrPort
	for _, server := range servers {
		switch server = unmap(server); {
		case !server.IsValid() || slices.Contains(four, server) || slices.Contains(six, server):
		case server.Addr().Is4():
			four = append(four, server)
		default:
			six = append(six, server)
		}
	}
	four = four[:min(len(four), maxServers-min(len(six), 1))]
	return append(four, six[:min(len(six), maxServers-len(four))]...)
}

// candidate is what we look at of a candidate attribute (RFC 8839 section 5.1).
type candidate struct {
	addr netip.AddrPort
	host bool
}

// readCandidate reads a UDP candidate; names, of mDNS or DNS, are none.
func readCandidate(value string) (candidate, bool) {
	// foundation component transport priority address port "typ" type ...
	f := strings.Fields(value)
	if len(f) < 8 || !strings.EqualFold(f[2], "udp") || f[6] != "typ" {
		return candidate{}, false
	}
	addr, err := netip.ParseAddr(f[4])
	if err != nil {
		return candidate{}, false
	}
	port, err := strconv.ParseUint(f[5], 10, 16)
	if err != nil {
		return candidate{}, false
	}
	return candidate{addr: netip.AddrPortFrom(addr.Unmap(), uint16(port)), host: f[7] == "host"}, true
}

// leaveOut takes from a far side's description the candidates that are of no
// use, and those that would have us send to this machine unless it is there
// too. It says how many.
func leaveOut(d *sdp.SessionDescription, loopback bool) (left uint64) {
	useless := func(a sdp.Attribute) bool {
		if !a.IsICECandidate() {
			return false
		}
		c, ok := readCandidate(a.Value)
		if ok && unicast(c.addr, loopback) {
			return false
		}
		left++
		return true
	}
	d.Attributes = slices.DeleteFunc(d.Attributes, useless)
	for _, m := range d.MediaDescriptions {
		m.Attributes = slices.DeleteFunc(m.Attributes, useless)
	}
	return left
}

// addCandidates adds to our own description where we were seen, as
// server-reflexive candidates. pion's agent need not know of them: it checks
// from their base, which is a host candidate.
func addCandidates(description string, seen []netip.AddrPort, loopback bool) (string, error) {
	if len(seen) == 0 {
		return description, nil
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(description); err != nil {
		return "", fmt.Errorf("reading our own description: %w", err)
	}
	m := d.MediaDescriptions[0]
	var known, hosts []netip.AddrPort
	end := len(m.Attributes)
	for i, a := range m.Attributes {
		if c, ok := readCandidate(a.Value); a.IsICECandidate() && ok && c.host {
			known, hosts = append(known, c.addr), append(hosts, c.addr)
		}
		if a.Key == "end-of-candidates" {
			end = i
		}
	}
	var added []sdp.Attribute
	for _, addr := range seen {
		addr = unmap(addr)
		if len(added) == maxOutside || slices.Contains(known, addr) || !unicast(addr, loopback) {
			continue
		}
		known = append(known, addr)
		c, err := reflexive(addr, hosts, len(added))
		if err != nil {
			return "", err
		}
		added = append(added, sdp.NewAttribute("candidate", c))
	}
	m.Attributes = slices.Insert(m.Attributes, end, added...)
	text, err := d.Marshal()
	return string(text), err
}

// reflexive writes a server-reflexive candidate, the n-th of a description. Its
// related address is a host candidate of its family; without one it says
// nothing (RFC 8839 section 5.1).
func reflexive(addr netip.AddrPort, hosts []netip.AddrPort, n int) (string, error) {
	base := netip.AddrPortFrom(netip.IPv4Unspecified(), 9)
	if addr.Addr().Is6() {
		base = netip.AddrPortFrom(netip.IPv6Unspecified(), 9)
	}
	if i := slices.IndexFunc(hosts, func(h netip.AddrPort) bool { return h.Addr().Is4() == addr.Addr().Is4() }); i >= 0 {
		base = hosts[i]
	}
	c, err := ice.NewCandidateServerReflexive(&ice.CandidateServerReflexiveConfig{
		Network: "udp", Address: addr.Addr().String(), Port: int(addr.Port()), Component: ice.ComponentRTP,
		Priority: reflexivePriority(n), RelAddr: base.Addr().String(), RelPort: int(base.Port()),
	})
	if err != nil {
		return "", fmt.Errorf("a candidate for %s: %w", addr, err)
	}
	return c.Marshal(), nil
}

// reflexivePriority is that of RFC 8445 section 5.1.2.1, with its recommended
// type preference of 100, for RTP's component; n tells local candidates apart.
func reflexivePriority(n int) uint32 {
	return 100<<24 | uint32(65535-n)<<8 | (256 - uint32(ice.ComponentRTP))
}
