package link

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// carrier is a stream that carries a link, for a while: a link moves to another
// one when there is a better connection, or when its own has died. Both sides say
// in their Hellos how many messages they took so far, and send again what came
// after: none is lost, none comes twice, and their order stays.
type carrier struct {
	stream  network.Stream
	in      *reader
	answers bool          // the far side opened it: our Hello has yet to be said
	moved   bool          // it is not the link's first
	heard   uint64        // messages of ours that the far side had taken when it said Hello
	told    uint64        // messages of its that we had taken when we said Hello
	again   uint64        // of the messages that come, so many at first were taken before
	quit    chan struct{} // closed: the link ended, or goes on elsewhere
}

func newCarrier(s network.Stream, in *reader) *carrier {
	return &carrier{stream: s, in: in, quit: make(chan struct{})}
}

// alive says that the carrier is still the link's. Asked after a deadline is set,
// since ride sets one too.
func (c *carrier) alive() error {
	select {
	case <-c.quit:
		return ErrClosed // the link has the reason
	default:
		return nil
	}
}

// ride reads and writes on a carrier until the link ends, then it gives nil, or
// goes on on another.
func (k *link) ride(c *carrier) (next *carrier) {
	var work sync.WaitGroup
	failed := make(chan error, 2)
	work.Go(func() {
		if err := k.write(c); err != nil {
			failed <- err
		}
	})
	work.Go(func() { failed <- k.read(c) })
	defer func() {
		close(c.quit)
		c.stream.SetDeadline(time.Unix(1, 0)) // wakes reader and writer
		work.Wait()
	}()
	look := time.NewTicker(min(lookout, k.links.cfg.Beat))
	defer look.Stop()
	since := time.Now()
	var why error                 // the carrier failed
	var patience <-chan time.Time // until the link ends for it
	for {
		select {
		case <-k.quit:
			return nil
		case next = <-k.moves:
			if next.answers && c.moved && time.Since(since) < settle {
				hangUp(next.stream) // too soon after the last one
				continue
			}
			return next
		case err := <-failed:
			if why != nil {
				continue
			}
			d := k.patience(c, err)
			if d == 0 {
				k.end(err)
				return nil
			}
			why, patience = err, time.After(d)
		case err := <-k.unmoved:
			k.move = false
			k.links.cfg.Log.Debug("link not moved", "peer", k.peer, "err", err)
			if why != nil {
				k.end(why)
				return nil
			}
		case <-patience:
			k.end(why)
			return nil
		case <-k.poke:
			k.look(c)
		case <-look.C:
			k.look(c)
		}
	}
}

// patience is how long a link whose carrier failed waits for another one; 0: it
// ends now. It waits where a move is under way, where the far side says that it
// moves, and where there is another connection to move to.
func (k *link) patience(c *carrier, err error) time.Duration {
	select {
	case <-k.leaving:
		return 0
	default:
	}
	if !errors.Is(err, ErrClosed) && !errors.Is(err, ErrDead) {
		return 0
	}
	if k.move {
		return dialTimeout
	}
	var closed *network.ConnError
	if errors.As(err, &closed) && closed.Remote && closed.ErrorCode == network.ConnSupplanted {
		return k.links.cfg.Dead
	}
	if !c.stream.Conn().IsClosed() || !k.links.connectedBeside(c.stream.Conn()) {
		return 0
	}
	if k.direction == network.DirOutbound {
		k.begin(c, false)
	}
	return moveTimeout
}

// connectedBeside says whether there is another connection to the same peer.
func (l *Links) connectedBeside(conn network.Conn) bool {
	for _, other := range l.cfg.Host.Network().ConnsToPeer(conn.RemotePeer()) {
		if other != conn && !other.IsClosed() {
			return true
		}
	}
	return false
}

// look begins a move, if this side opened the link and there is reason to: it
// runs through a circuit although there is a direct connection, or its connection
// has died.
func (k *link) look(c *carrier) {
	if k.direction != network.DirOutbound || k.move || time.Now().Before(k.again) {
		return
	}
	conn := c.stream.Conn()
	if circuit(conn) {
		if k.links.direct(k.peer) {
			k.begin(c, false)
		}
		return
	}
	if !k.links.mayBlock(conn) {
		return
	}
	if k.fellSilent() {
		nudge(k.probe)
	}
	if !k.health.unanswered(time.Now()) {
		k.doubts = 0
		return
	}
	// Looked for twice: a machine that stood still finds the answer by then.
	if k.doubts++; k.doubts > 1 && k.links.elsewhere(k.peer) {
		k.links.counts.blocked.Add(1)
		k.begin(c, true)
	}
}

// fellSilent says that media came until now.
func (k *link) fellSilent() bool {
	if k.links.cfg.Media == nil {
		return false
	}
	came := k.links.cfg.Media(k.peer).Received
	flows := came != k.came
	ended := k.flows && !flows
	k.came, k.flows = came, flows
	return ended
}

// begin begins a move; dead: the carrier's connection carries nothing any more.
func (k *link) begin(c *carrier, dead bool) {
	k.move, k.doubts = true, 0
	k.again = time.Now().Add(moveAgain)
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

// offer hands ride another carrier.
func (k *link) offer(next *carrier) error {
	select {
	case k.moves <- next:
		return nil
	case <-k.quit:
		return ErrClosed
	}
}

// transfer opens another stream for the link, and says Hello there.
func (k *link) transfer(c *carrier, dead bool) (*carrier, error) {
	l := k.links
	ctx, cancel := context.WithTimeout(k.ctx, moveTimeout)
	defer cancel()
	if dead {
		// While it is there, libp2p dials no other.
		for _, conn := range l.cfg.Host.Network().ConnsToPeer(k.peer) {
			if l.mayBlock(conn) {
				conn.CloseWithError(network.ConnSupplanted)
			}
		}
	}
	s, err := l.open(ctx, k.peer, l.addresses(k.peer))
	if err != nil {
		return nil, err
	}
	if s.Conn() == c.stream.Conn() || circuit(s.Conn()) && !c.stream.Conn().IsClosed() {
		hangUp(s)
		return nil, errNoBetter
	}
	next := newCarrier(s, newReader(s))
	next.moved = true
	next.told = k.tally.freeze()
	h, err := l.greet(ctx, s, next.in, &pb.Hello{Link: k.name, Moves: true, Taken: next.told})
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

// resume hands a stream to the link that the far side says moves there.
func (l *Links) resume(s network.Stream, in *reader, h *pb.Hello) error {
	k := l.link(s.Conn().RemotePeer())
	if k == nil || k.direction != network.DirInbound || k.name != h.Link {
		return errNoLink
	}
	if err := k.sent.holds(h.Taken); err != nil {
		return err
	}
	next := newCarrier(s, in)
	next.moved, next.answers, next.heard = true, true, h.Taken
	return k.offer(next)
}

// moveTo leaves a carrier for another.
func (k *link) moveTo(c, next *carrier) {
	old, conn := c.stream.Conn(), next.stream.Conn()
	c.stream.ResetWithError(network.StreamSupplanted)
	if old != conn && !circuit(old) {
		old.CloseWithError(network.ConnSupplanted) // nobody leaves a direct one that lives
	}
	if taken := k.tally.thaw(); !next.answers {
		next.again = taken - next.told
	}
	k.carrier.Store(next)
	k.links.counts.moved.Add(1)
	k.move, k.doubts = false, 0
	k.health.moved()
	k.frames.elsewhere()
	k.links.cfg.Log.Debug("link moved", "peer", k.peer, "remote", conn.RemoteMultiaddr())
	k.links.cfg.Events.LinkMoved(k.peer, conn.RemoteMultiaddr())
}

// overUDP says whether a connection may die without a word when a network begins
// to block UDP: one over UDP that leaves this machine.
func overUDP(c network.Conn) bool {
	addr := c.RemoteMultiaddr()
	_, err := addr.ValueForProtocol(multiaddr.P_UDP)
	return err == nil && !manet.IsIPLoopback(addr) && !circuit(c)
}

// elsewhere says whether there is a way to a peer that is not over UDP.
func (l *Links) elsewhere(p protocol.PeerID) bool {
	for _, a := range l.cfg.Host.Peerstore().Addrs(p) {
		if _, err := a.ValueForProtocol(multiaddr.P_UDP); err != nil {
			return true
		}
		if _, err := a.ValueForProtocol(multiaddr.P_CIRCUIT); err == nil {
			return true
		}
	}
	return false
}
