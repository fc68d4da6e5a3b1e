package link

import (
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// bearer is a stream that carries a link, for a while: a link moves to another
// one when there is a better connection, or when its own has died. Both sides say
// in their Hellos how many messages they took so far, and send again what came
// after: none is lost, none comes twice, and their order stays.
type bearer struct {
	stream  network.Stream
	in      *reader
	answers bool          // the far side opened it: our Hello has yet to be said
	moved   bool          // it is not the link's first
	heard   uint64        // messages of ours that the far side had taken when it said Hello
	told    uint64        // messages of its that we had taken when we said Hello
	again   uint64        // of the messages that come, so many at first were taken before
	quit    chan struct{} // closed: the link ended, or goes on elsewhere
}

func newBearer(s network.Stream, in *reader) *bearer {
	return &bearer{stream: s, in: in, quit: make(chan struct{})}
}

// alive says that the bearer is still the link's. Asked after a deadline is set,
// since ride sets one too.
func (c *bearer) alive() error {
	select {
	case <-c.quit:
		return ErrClosed // the link has the reason
	default:
		return nil
	}
}

// ride reads and writes on a bearer until the link ends, then it gives nil, or
// goes on on another.
func (k *link) ride(c *bearer) (next *bearer) {
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
	var why error                 // the bearer failed
	var patience <-chan time.Time // until the link ends for it
	for {
		select {
		case <-k.quit:
			return nil
		case next = <-k.moves:
			if next.answers && !k.movable.Allow() {
				hangUp(next.stream)
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

// patience is how long a link whose bearer failed waits for another one; 0: it
// ends now. It waits where a move is under way, where the far side says that it
// moves, and where there is another connection to move to; but no longer than it
// would have stayed up in silence.
func (k *link) patience(c *bearer, err error) time.Duration {
	select {
	case <-k.leaving:
		return 0
	default:
	}
	if !errors.Is(err, ErrClosed) {
		return 0
	}
	conn := c.stream.Conn()
	var closed *network.ConnError
	switch {
	case k.move:
	case errors.As(err, &closed) && closed.Remote && closed.ErrorCode == network.ConnSupplanted:
	case conn.IsClosed() && k.links.connectedBeside(conn):
		if k.direction == network.DirOutbound {
			k.depart(c, false)
		}
	default:
		return 0
	}
	return max(0, time.Until(k.health.lastHeard().Add(k.links.cfg.Dead)))
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
