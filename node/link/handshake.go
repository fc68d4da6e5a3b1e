package link

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// offer is a stream past the far side's Hello, for the owner to take or refuse.
type offer struct {
	link  *link
	reply chan error // one; nil: taken, LinkUp was told
}

func newOffer(k *link) *offer { return &offer{link: k, reply: make(chan error, 1)} }

// dial is an attempt to open a link.
type dial struct {
	cancel  context.CancelFunc
	greeted bool // the owner let it say Hello; set by the owner
}

// post hands the owner a move; false: it takes none any more.
func (l *Links) post(move func(*table)) bool {
	select {
	case l.moves <- move:
		return true
	case <-l.ended:
		return false
	}
}

// ask hands the owner a move that answers on reply.
func (l *Links) ask(reply chan error, move func(*table)) error {
	if !l.post(move) {
		return ErrStopped
	}
	return <-reply
}

// incoming serves a stream that the far side opened.
func (l *Links) incoming(ctx context.Context, s network.Stream) {
	p := s.Conn().RemotePeer()
	if err := l.enter(p); err != nil {
		l.counts.refused.Add(1)
		s.ResetWithError(resetCode(err))
		return
	}
	defer l.work.Done()
	k, err := l.answer(ctx, s)
	l.leave(p)
	switch {
	case err != nil:
		l.refuse(s, p, err)
	case k != nil:
		k.serve()
	}
}

// enter counts a handshake that the far side began, if it may begin one.
func (l *Links) enter(p protocol.PeerID) error {
	if _, err := protocol.PeerKey(p); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stopping:
		return ErrStopped
	case l.shaking >= maxHandshakes, l.handshakes[p] >= maxHandshakesOfPeer:
		return ErrFull
	}
	l.shaking++
	l.handshakes[p]++
	l.work.Add(1)
	return nil
}

func (l *Links) leave(p protocol.PeerID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shaking--
	if l.handshakes[p]--; l.handshakes[p] == 0 {
		delete(l.handshakes, p)
	}
}

// shake bounds a handshake by helloTimeout and by ctx. What it returns says
// whether ctx lasted.
func shake(ctx context.Context, s network.Stream) (stop func() bool) {
	s.SetDeadline(time.Now().Add(helloTimeout))
	return context.AfterFunc(ctx, func() { s.SetDeadline(time.Unix(1, 0)) })
}

// answer reads the far side's Hello and asks the owner; the link's writer
// answers the Hello. No link: it was there before, and goes on on this stream.
func (l *Links) answer(ctx context.Context, s network.Stream) (*link, error) {
	stop := shake(ctx, s)
	in := newReader(s)
	h, err := in.hello(l.cfg.Network)
	if errors.Is(err, protocol.ErrNetwork) || errors.Is(err, ErrVersion) {
		l.sayHello(s, &pb.Hello{}) // so that the far side learns why, too
		s.CloseWrite()
		in.next() // until it has hung up
	}
	if !stop() {
		return nil, ErrStopped
	}
	if err != nil {
		return nil, err
	}
	s.SetDeadline(time.Time{})
	if h.Moves {
		return nil, l.resume(s, in, h)
	}
	o := newOffer(l.newLink(s, network.DirInbound, in, h))
	if err := l.ask(o.reply, func(t *table) { t.offered(o) }); err != nil {
		return nil, err
	}
	return o.link, nil
}

// refuse resets a stream that becomes no link.
func (l *Links) refuse(s network.Stream, p protocol.PeerID, err error) {
	s.ResetWithError(resetCode(err))
	switch {
	case hostile(err):
		l.post(func(t *table) { t.failed(p, err) })
	case errors.Is(err, ErrDead), errors.Is(err, ErrClosed):
		l.counts.handshakes.Add(1)
	default:
		l.counts.refused.Add(1)
	}
	l.cfg.Log.Debug("link refused", "peer", p, "err", err)
}

// dial makes one attempt to open a link, and serves it.
func (l *Links) dial(ctx context.Context, d *dial, p protocol.PeerID, addrs []multiaddr.Multiaddr) {
	defer l.work.Done()
	l.counts.dials.Add(1)
	k, err := l.connect(ctx, d, p, addrs)
	if err != nil {
		l.counts.failed.Add(1)
		l.post(func(t *table) { t.undialled(p, d, err) })
		return
	}
	k.serve()
}

// connect opens a stream, exchanges Hellos and asks the owner.
func (l *Links) connect(ctx context.Context, d *dial, p protocol.PeerID, addrs []multiaddr.Multiaddr) (*link, error) {
	s, err := l.open(ctx, p, addrs)
	if err != nil {
		return nil, err
	}
	reply := make(chan error, 1)
	err = l.ask(reply, func(t *table) { t.greet(p, d, reply) })
	if err != nil {
		s.ResetWithError(resetCode(err))
		return nil, err
	}
	in := newReader(s)
	ours := &pb.Hello{Link: rand.Uint64()}
	h, err := l.greet(ctx, s, in, ours)
	if err != nil {
		s.ResetWithError(resetCode(err))
		if errors.Is(err, ErrDead) {
			s.Conn().Close() // as in serve
		}
		return nil, err
	}
	s.SetDeadline(time.Time{})
	h.Link = ours.Link
	o := newOffer(l.newLink(s, network.DirOutbound, in, h))
	if err := l.ask(o.reply, func(t *table) { t.dialled(p, d, o) }); err != nil {
		s.ResetWithError(resetCode(err))
		return nil, err
	}
	return o.link, nil
}

// open connects where need be and opens a stream.
func (l *Links) open(ctx context.Context, p protocol.PeerID, addrs []multiaddr.Multiaddr) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	l.cfg.Host.Peerstore().AddAddrs(p, addrs, peerstore.TempAddrTTL)
	// libp2p's own backoff starts at 5 s: too long for people in a room.
	if n, ok := l.cfg.Host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		n.Backoff().Clear(p)
	}
	return l.cfg.Host.NewStream(network.WithAllowLimitedConn(ctx, "earshot link"), p, protocol.LinkStream)
}

// greet says Hello and reads the answer, while ctx lasts.
func (l *Links) greet(ctx context.Context, s network.Stream, in *reader, ours *pb.Hello) (h *pb.Hello, err error) {
	stop := shake(ctx, s)
	defer func() {
		if !stop() {
			err = errCrossed
		}
	}()
	if err := l.sayHello(s, ours); err != nil {
		return nil, err
	}
	return in.hello(l.cfg.Network)
}
