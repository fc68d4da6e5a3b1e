package link

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
)

// protectTag keeps libp2p's connection manager off connections with links.
const protectTag = "earshot-link"

// table is what the owner knows of each peer; nobody else touches it.
//
// At most one link a pair: of two streams opened at once the one of the lower
// peer ID stays. Since the lower side says Hello on its own stream only while
// it has answered none, and answers none while its own Hello is under way, the
// two sides never disagree about which it is.
type table struct {
	*Links
	contacts map[protocol.PeerID]*contact
	stopped  bool
}

// contact is one peer with a link, a wish for one, or a bad name.
type contact struct {
	up       *link
	next     *offer                // replaces up once that is down
	dial     *dial                 // under way; never beside up
	due      time.Time             // the next dial may begin
	begun    time.Time             // the last dial
	tries    int                   // since there was hope
	addrs    []multiaddr.Multiaddr // of the last dial
	held     time.Time             // until then it gets no link
	released time.Time             // up is not wanted since; zero: it is
}

func (t *table) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case move := <-t.moves:
			move(t)
		case <-t.kick:
		case p := <-t.met:
			t.connectedTo(p)
		case <-timer.C:
		}
		if next, ok := t.tend(ctx, time.Now()); ok {
			timer.Reset(time.Until(next))
		}
	}
}

// stop says Bye on each link and waits for all goroutines.
func (t *table) stop() {
	t.stopped = true
	t.mu.Lock()
	t.stopping = true
	t.mu.Unlock()
	for _, c := range t.contacts {
		if c.up != nil {
			close(c.up.leaving)
		}
		if c.next != nil {
			c.next.reply <- ErrStopped
			c.next = nil
		}
	}
	idle := make(chan struct{})
	go func() {
		t.work.Wait()
		close(idle)
	}()
	grace := time.NewTimer(goodbye)
	defer grace.Stop()
	for {
		select {
		case move := <-t.moves:
			move(t)
		case <-grace.C:
			for _, c := range t.contacts {
				if c.up != nil {
					c.up.end(ErrStopped)
				}
			}
		case <-idle:
			for len(t.moves) > 0 {
				move := <-t.moves
				move(t)
			}
			return
		}
	}
}

// tend begins dials that are due, ends links that neither side wants, forgets
// what is over, and says when to come again.
func (t *table) tend(ctx context.Context, now time.Time) (next time.Time, again bool) {
	wants := t.wishes()
	later := func(at time.Time) {
		if !again || at.Before(next) {
			next, again = at, true
		}
	}
	for p, addrs := range wants {
		c := t.contact(p)
		if c.released = (time.Time{}); c.up != nil || c.dial != nil || c.next != nil {
			continue
		}
		if c.news(addrs) {
			c.hope()
		}
		if due := latest(c.due, c.held); due.After(now) {
			later(due)
			continue
		}
		t.begin(ctx, p, c, addrs, now)
	}
	for p, c := range t.contacts {
		if _, ok := wants[p]; ok {
			continue
		}
		if c.dial != nil {
			c.dial.cancel()
		}
		switch {
		case c.up != nil:
			if at, ok := t.unwanted(c, now); ok {
				later(at)
			}
		case c.dial == nil && c.next == nil && c.held.After(now):
			later(c.held)
		case c.dial == nil && c.next == nil:
			delete(t.contacts, p)
		}
	}
	return next, again
}

// wishes copies what is wanted now, and forgets the troubles of what is not.
func (t *table) wishes() map[protocol.PeerID][]multiaddr.Multiaddr {
	t.mu.Lock()
	defer t.mu.Unlock()
	wants := make(map[protocol.PeerID][]multiaddr.Multiaddr, len(t.wants))
	for p, addrs := range t.wants {
		wants[p] = addrs // never written again: Want makes a new slice
	}
	for p := range t.troubles {
		if _, ok := wants[p]; !ok {
			delete(t.troubles, p)
		}
	}
	return wants
}

// unwanted ends a link that this node opened and that neither side has wanted
// for as long as a Ping may be late; or says when to look again.
func (t *table) unwanted(c *contact, now time.Time) (again time.Time, ok bool) {
	if c.released.IsZero() {
		c.released = now
	}
	if c.up.direction != network.DirOutbound {
		return again, false // its dialler sees to it
	}
	again = latest(c.released, c.up.health.lastWanted()).Add(t.cfg.Dead)
	if again.After(now) {
		return again, true
	}
	c.up.end(ErrReleased)
	return again, false
}

func (t *table) begin(ctx context.Context, p protocol.PeerID, c *contact, addrs []multiaddr.Multiaddr, now time.Time) {
	ctx, cancel := context.WithCancel(ctx)
	c.dial = &dial{cancel: cancel}
	c.begun, c.addrs = now, addrs
	c.tries++
	c.due = now.Add(pause(c.tries))
	t.work.Add(1)
	go t.Links.dial(ctx, c.dial, p, addrs)
}

// pause is the time from the start of an attempt, one of so many, to the start of
// the next. Jitter: a relay that comes back is not met by all its children at once.
func pause(tries int) time.Duration {
	d := redial
	for ; tries > quickTries && d < longestRedial; tries-- {
		d *= 2
	}
	d = min(d, longestRedial)
	return d*4/5 + rand.N(d*2/5)
}

// news says that some of addrs was not known at the last dial.
func (c *contact) news(addrs []multiaddr.Multiaddr) bool {
	return slices.ContainsFunc(addrs, func(a multiaddr.Multiaddr) bool { return !multiaddr.Contains(c.addrs, a) })
}

// hope lets dials be quick again.
func (c *contact) hope() {
	c.tries = 0
	if soon := c.begun.Add(pause(0)); soon.Before(c.due) {
		c.due = soon
	}
}

// connectedTo takes libp2p's word that there is a connection now.
func (t *table) connectedTo(p protocol.PeerID) {
	c := t.contacts[p]
	if c == nil {
		return
	}
	c.hope()
	if c.up != nil {
		nudge(c.up.poke)
	}
}

func (t *table) contact(p protocol.PeerID) *contact {
	c := t.contacts[p]
	if c == nil {
		c = new(contact)
		t.contacts[p] = c
	}
	return c
}

// offered takes or refuses a stream that the far side opened.
func (t *table) offered(o *offer) {
	p := o.link.peer
	c := t.contact(p)
	ours := t.self < p // of two streams at once, ours stays
	now := time.Now()
	switch {
	case t.stopped:
		o.reply <- ErrStopped
	case c.held.After(now):
		o.reply <- ErrHeldOff
	case ours && c.dial != nil && c.dial.greeted,
		ours && c.up != nil && c.up.direction == network.DirOutbound && now.Sub(c.up.since) < settle:
		o.reply <- errCrossed
	case c.up == nil && !t.wanted(p) && (t.cfg.Aloof || t.guests() >= MaxInbound):
		o.reply <- ErrFull
	case c.up != nil:
		if c.next != nil {
			c.next.reply <- ErrReplaced
		}
		c.next = o
		c.up.end(ErrReplaced)
	default:
		t.admit(c, o)
	}
}

// guests counts links that others opened and this node does not want.
func (t *table) guests() int {
	n := 0
	for p, c := range t.contacts {
		if c.up != nil && c.up.direction == network.DirInbound && !t.wanted(p) {
			n++
		}
	}
	return n
}

// greet lets a dial say Hello, unless the far side was quicker.
func (t *table) greet(p protocol.PeerID, d *dial, reply chan error) {
	c := t.contact(p)
	switch {
	case t.stopped:
		reply <- ErrStopped
	case c.dial != d, !t.wanted(p):
		reply <- errCrossed
	default:
		d.greeted = true
		reply <- nil
	}
}

// dialled takes a stream on which the far side has answered our Hello.
func (t *table) dialled(p protocol.PeerID, d *dial, o *offer) {
	c := t.contact(p)
	switch {
	case t.stopped:
		o.reply <- ErrStopped
	case c.dial != d:
		o.reply <- errCrossed
	default:
		c.dial = nil
		d.cancel()
		t.admit(c, o)
	}
}

// undialled ends a dial that came to nothing.
func (t *table) undialled(p protocol.PeerID, d *dial, err error) {
	d.cancel()
	if c := t.contact(p); c.dial == d {
		c.dial = nil
	}
	if !errors.Is(err, errCrossed) && !errors.Is(err, ErrStopped) {
		t.failed(p, err)
	}
}

// failed notes why a handshake failed, and holds the peer off if it is to blame.
func (t *table) failed(p protocol.PeerID, err error) {
	t.counts.failure(err)
	c := t.contact(p)
	if hostile(err) && len(t.contacts) <= maxContacts {
		c.held = time.Now().Add(holdOff)
	}
	t.mu.Lock()
	_, wanted := t.wants[p]
	if wanted {
		t.troubles[p] = err
	}
	t.mu.Unlock()
	t.cfg.Log.Debug("no link", "peer", p, "wanted", wanted, "err", err)
}

// admit makes an offer the link.
func (t *table) admit(c *contact, o *offer) {
	k := o.link
	c.up = k
	c.tries = 0
	c.released = time.Time{}
	if c.dial != nil {
		c.dial.cancel() // the far side was quicker
		c.dial = nil
	}
	t.mu.Lock()
	t.up[k.peer] = k
	delete(t.troubles, k.peer)
	t.mu.Unlock()
	t.counts.up.Add(1)
	t.cfg.Host.ConnManager().Protect(k.peer, protectTag)
	remote := k.conn().RemoteMultiaddr()
	t.cfg.Log.Debug("link up", "peer", k.peer, "remote", remote, "direction", k.direction, "agent", k.agent)
	t.cfg.Events.LinkUp(k.peer, remote)
	o.reply <- nil
}

// down takes a link out that has ended.
func (t *table) down(k *link) {
	c := t.contact(k.peer)
	c.up = nil
	t.mu.Lock()
	delete(t.up, k.peer)
	t.mu.Unlock()
	t.counts.down.Add(1)
	t.cfg.Host.ConnManager().Unprotect(k.peer, protectTag)
	now := time.Now()
	if errors.Is(k.why, ErrBye) || now.Sub(k.since) < redial {
		c.due = now.Add(redial)
	} else {
		c.due = now
	}
	why := k.why
	if t.stopped {
		why = ErrStopped // whatever the far side did upon our Bye
	}
	t.failed(k.peer, why)
	t.cfg.Events.LinkDown(k.peer, why)
	if o := c.next; o != nil {
		c.next = nil
		t.admit(c, o)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
