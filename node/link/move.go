package link

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// look begins a move, if this side opened the link and there is reason to: it
// runs through a circuit although there is a direct connection, or its connection
// has died.
func (k *link) look(c *bearer) {
	if k.direction != network.DirOutbound || k.move || time.Now().Before(k.again) {
		return
	}
	conn := c.stream.Conn()
	if circuit(conn) && k.links.direct(k.peer) {
		k.depart(c, false)
		return
	}
	if !k.links.mayBlock(conn) {
		return
	}
	flowed := k.flows
	if k.flows = k.mediaCame(); flowed && !k.flows {
		nudge(k.probe)
	}
	if k.flows || !k.health.unanswered(time.Now()) {
		k.doubts = 0
		return
	}
	// Looked for twice: a machine that stood still finds the answer by then.
	if k.doubts++; k.doubts > 1 && k.links.elsewhere(k.peer) {
		k.links.counts.blocked.Add(1)
		k.depart(c, true)
	}
}

// mediaCame says whether any did since the last look.
func (k *link) mediaCame() bool {
	if k.links.cfg.Media == nil {
		return false
	}
	before := k.came
	k.came = k.links.cfg.Media(k.peer).Received
	return k.came != before
}

// depart begins a move; dead: the bearer's connection carries nothing any more.
func (k *link) depart(c *bearer, dead bool) {
	k.move, k.doubts = true, 0
	k.again = time.Now().Add(moveAgain)
	if dead {
		k.again = time.Now().Add(blockAgain)
	}
	k.work.Go(func() {
		next, err := k.transfer(c, dead)
		if err == nil {
			if err = k.offer(next); err != nil {
				hangUp(next.stream)
			}
			return
		}
		select {
		case k.unmoved <- err:
		case <-k.quit:
		}
	})
}

// offer hands ride another bearer.
func (k *link) offer(next *bearer) error {
	select {
	case k.moves <- next:
		return nil
	case <-k.quit:
		return ErrClosed
	}
}

// transfer opens another stream for the link, and says Hello there.
func (k *link) transfer(c *bearer, dead bool) (*bearer, error) {
	ctx, cancel := context.WithTimeout(k.ctx, moveTimeout)
	defer cancel()
	s, err := k.reopen(ctx, dead)
	if err != nil {
		return nil, err
	}
	if s.Conn() == c.stream.Conn() || circuit(s.Conn()) && !c.stream.Conn().IsClosed() {
		hangUp(s)
		return nil, errNoBetter
	}
	next := newBearer(s, newReader(s))
	next.moved = true
	next.told = k.tally.freeze()
	h, err := k.links.greet(ctx, s, next.in, &pb.Hello{Link: k.name, Moves: true, Taken: next.told})
	if err == nil && !h.Moves {
		err = protocol.ErrMalformed
	}
	if err == nil {
		next.heard, err = h.Taken, k.sent.holds(h.Taken)
	}
	if err != nil {
		k.tally.thaw()
		hangUp(s)
		return nil, err
	}
	s.SetDeadline(time.Time{})
	return next, nil
}

// reopen opens a stream on the best connection. Where that is dead another one is
// dialled, and again soon if nothing comes: handshakes repeat their packets less
// and less, and would find late that it was but an outage.
func (k *link) reopen(ctx context.Context, dead bool) (network.Stream, error) {
	addrs := k.links.addresses(k.peer)
	if dead {
		k.links.supplant(k.peer) // while it is there, libp2p dials no other
		k.work.Go(func() { k.links.revive(ctx, k.peer) })
		try, cancel := context.WithTimeout(ctx, moveTimeout/3)
		defer cancel()
		if s, err := k.links.open(try, k.peer, addrs); err == nil {
			return s, nil
		}
	}
	return k.links.open(ctx, k.peer, addrs)
}

// resume hands a stream to the link that the far side says moves there.
func (l *Links) resume(s network.Stream, in *reader, h *pb.Hello) error {
	k := l.link(s.Conn().RemotePeer())
	if k == nil || k.direction != network.DirInbound || k.name != h.Link {
		return errNoLink
	}
	if err := k.sent.holds(h.Taken); err != nil {
		return err
	}
	next := newBearer(s, in)
	next.moved, next.answers, next.heard = true, true, h.Taken
	if k.offer(next) != nil {
		return errNoLink // it has ended just now
	}
	return nil
}

// moveTo leaves a bearer for another.
func (k *link) moveTo(c, next *bearer) {
	old, conn := c.stream.Conn(), next.stream.Conn()
	c.stream.ResetWithError(network.StreamSupplanted)
	if old != conn && !(circuit(old) && !circuit(conn)) {
		old.CloseWithError(network.ConnSupplanted) // only for a direct one is one left that lives
	}
	if taken := k.tally.thaw(); !next.answers {
		next.again = taken - next.told
	}
	k.bearer.Store(next)
	k.links.counts.moved.Add(1)
	k.move, k.doubts = false, 0
	k.health.moved()
	k.frames.elsewhere()
	k.links.cfg.Log.Debug("link moved", "peer", k.peer, "remote", conn.RemoteMultiaddr())
	k.links.cfg.Events.LinkMoved(k.peer, conn.RemoteMultiaddr())
}

// supplant closes the connections to a peer that may be dead.
func (l *Links) supplant(p protocol.PeerID) {
	for _, conn := range l.cfg.Host.Network().ConnsToPeer(p) {
		if l.mayBlock(conn) {
			conn.CloseWithError(network.ConnSupplanted)
		}
	}
}

// revive looks after the relays through which a peer can be reached: what blocks
// UDP on the way to the peer does so on the way to them, and circuits through a
// dead connection would not come up. Where there are direct addresses, too,
// libp2p dials circuits half a second later: by then this is done.
//
// The peer says which relays these are, and may fall silent on purpose: one that
// is merely far away must not lose its connection by that.
func (l *Links) revive(ctx context.Context, p protocol.PeerID) {
	relays := map[protocol.PeerID]bool{}
	for _, a := range l.cfg.Host.Peerstore().Addrs(p) {
		if id, err := a.ValueForProtocol(multiaddr.P_P2P); err == nil && protocol.IsCircuit(a) {
			if relay, err := peer.Decode(id); err == nil {
				relays[relay] = true
			}
		}
	}
	var pings sync.WaitGroup
	for relay := range relays {
		if !slices.ContainsFunc(l.cfg.Host.Network().ConnsToPeer(relay), l.mayBlock) {
			continue
		}
		pings.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, doubt+2*l.trip(relay))
			defer cancel()
			<-ping.Ping(network.WithNoDial(ctx, "a relay's connection"), l.cfg.Host, relay)
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				l.supplant(relay)
			}
		})
	}
	pings.Wait()
}

// trip gives the round trip to a peer that is connected, as far as it is known.
func (l *Links) trip(p protocol.PeerID) time.Duration {
	if rtt, ok := l.RTT(p); ok {
		return rtt
	}
	return l.cfg.Host.Peerstore().LatencyEWMA(p)
}

// overUDP says whether a connection may die without a word when a network begins
// to block UDP: one over UDP, to the peer or to a relay, that leaves this machine.
func overUDP(c network.Conn) bool {
	addr := c.RemoteMultiaddr()
	_, err := addr.ValueForProtocol(multiaddr.P_UDP)
	return err == nil && !manet.IsIPLoopback(addr)
}

// elsewhere says whether there is a way to a peer that is not over UDP.
func (l *Links) elsewhere(p protocol.PeerID) bool {
	for _, a := range l.cfg.Host.Peerstore().Addrs(p) {
		if _, err := a.ValueForProtocol(multiaddr.P_UDP); err != nil || protocol.IsCircuit(a) {
			return true
		}
	}
	return false
}
