package guest

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What one household may take. A household is an IPv4 address, or an IPv6 /64: what
// a line at home usually is (RFC 6177).
const (
	maxHouseholdConns   = 24
	maxHouseholdStreams = 12 // of events

	requestRate  = 20 // a second
	requestBurst = 80
	offerRate    = 1 // a second
	offerBurst   = 8

	// What guests write is passed on under their keys, which are free, by a node that
	// is somebody: so a household has less than a room would take of one key, and all
	// together less than it takes of newcomers.
	chatEach   = 5 * time.Second
	chatBurst  = 3
	chatsRate  = 1 // a second, of all
	chatsBurst = 10

	// Reactions likewise: a household has what a room would take of one, all guests a
	// part of what it takes of newcomers.
	reactEach   = 500 * time.Millisecond
	reactBurst  = 2
	reactsRate  = 4 // a second, of all
	reactsBurst = 8

	// Reports of a household; of all guests together the room takes few.
	reportEach  = 40 * time.Second
	reportBurst = 2

	maxHouseholds = 8192
	forgetAfter   = time.Minute // without anything
)

func householdOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	home, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // all without an address are one
	}
	return home
}

// household is what one takes.
type household struct {
	requests, offers, chats, reactions, reports *rate.Limiter

	conns, streams int
	seen           time.Time
}

// census counts what households take.
type census struct {
	mu               sync.Mutex
	known            map[netip.Prefix]*household
	chats, reactions *rate.Limiter // of all
}

func newCensus() *census {
	return &census{known: map[netip.Prefix]*household{}, chats: rate.NewLimiter(chatsRate, chatsBurst), reactions: rate.NewLimiter(reactsRate, reactsBurst)}
}

// of gives a household, nil if there are too many. It is called with mu held.
func (c *census) of(addr netip.Addr) *household {
	home, now := householdOf(addr), time.Now()
	h := c.known[home]
	if h == nil {
		if len(c.known) >= maxHouseholds {
			c.forget(now)
		}
		if len(c.known) >= maxHouseholds {
			return nil
		}
		h = &household{requests: rate.NewLimiter(requestRate, requestBurst), offers: rate.NewLimiter(offerRate, offerBurst),
			chats: rate.NewLimiter(rate.Every(chatEach), chatBurst), reactions: rate.NewLimiter(rate.Every(reactEach), reactBurst),
			reports: rate.NewLimiter(rate.Every(reportEach), reportBurst)}
		c.known[home] = h
	}
	h.seen = now
	return h
}

func (c *census) forget(now time.Time) {
	for home, h := range c.known {
		if h.conns == 0 && h.streams == 0 && now.Sub(h.seen) > forgetAfter {
			delete(c.known, home)
		}
	}
}

// request says whether one more is within the household's rate, and offer so of an
// offer.
func (c *census) request(addr netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.of(addr)
	return h != nil && h.requests.Allow()
}

func (c *census) offer(addr netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.of(addr)
	return h != nil && h.offers.Allow()
}

// chat says so of something written, which counts against all guests too.
func (c *census) chat(addr netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.of(addr)
	return h != nil && h.chats.Allow() && c.chats.Allow()
}

// react says so of a reaction, which counts likewise, and report of a report.
func (c *census) react(addr netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.of(addr)
	return h != nil && h.reactions.Allow() && c.reactions.Allow()
}

func (c *census) report(addr netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.of(addr)
	return h != nil && h.reports.Allow()
}

// connect counts a connection, if there may be one more; disconnect takes it back.
func (c *census) connect(addr netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.of(addr)
	if h == nil || h.conns >= maxHouseholdConns {
		return false
	}
	h.conns++
	return true
}

func (c *census) disconnect(addr netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[householdOf(addr)].conns-- // it is kept while it has any
}

// follow counts a stream of events, if there may be one more; unfollow takes it back.
func (c *census) follow(addr netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.of(addr)
	if h == nil || h.streams >= maxHouseholdStreams {
		return false
	}
	h.streams++
	return true
}

func (c *census) unfollow(addr netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[householdOf(addr)].streams--
}

// counted is a listener that takes no more connections of a household than it may
// have.
type counted struct {
	net.Listener
	census *census
}

// Accept waits for one that may come in.
func (l *counted) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := addrPortOf(conn.RemoteAddr()).Addr()
		if l.census.connect(from) {
			return &countedConn{Conn: conn, leave: func() { l.census.disconnect(from) }}, nil
		}
		_ = conn.Close()
	}
}

type countedConn struct {
	net.Conn
	once  sync.Once
	leave func()
}

// Close closes it and gives its place back.
func (c *countedConn) Close() error {
	c.once.Do(c.leave)
	return c.Conn.Close()
}
