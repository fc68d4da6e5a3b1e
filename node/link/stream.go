package link

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// link is one that is up: a stream past its handshake, with one reader and one
// writer.
type link struct {
	links     *Links
	peer      protocol.PeerID
	direction network.Direction
	agent     string
	stream    network.Stream
	in        *reader
	since     time.Time
	health    health
	frames    *Frames
	cancel    context.CancelFunc // ends frames

	outbox  chan []byte   // framed messages
	pongs   chan uint64   // stamps to return
	stamp   atomic.Uint64 // of the newest Ping
	leaving chan struct{} // closed by the owner: say Bye
	quit    chan struct{} // closed by end
	wrote   chan struct{} // closed when the writer is gone

	once sync.Once
	why  error // set by end
}

func (l *Links) newLink(s network.Stream, d network.Direction, in *reader, agent string) *link {
	now := time.Now()
	k := &link{
		links: l, peer: s.Conn().RemotePeer(), direction: d, agent: agent, stream: s, in: in, since: now,
		outbox:  make(chan []byte, outboxMessages),
		pongs:   make(chan uint64, outboxPongs),
		leaving: make(chan struct{}),
		quit:    make(chan struct{}),
		wrote:   make(chan struct{}),
	}
	var ctx context.Context
	ctx, k.cancel = context.WithCancel(context.Background())
	k.frames = newFrames(ctx, l, k.peer)
	k.health.farWanted = now // whoever opens a link wants it
	return k
}

func (k *link) state() PeerLink {
	s := PeerLink{
		Peer: k.peer, Direction: k.direction, Agent: k.agent, Since: k.since,
		Remote: k.stream.Conn().RemoteMultiaddr(), Limited: circuit(k.stream.Conn()),
	}
	s.RTT, _ = k.health.roundTrip()
	s.Far, s.Loss = k.health.loss()
	s.Frames = k.frames.state()
	return s
}

// serve reads and writes until the link ends, and tells the owner.
func (k *link) serve() {
	go func() {
		defer close(k.wrote)
		if err := k.write(); err != nil {
			k.end(err)
		}
	}()
	var frames sync.WaitGroup
	frames.Go(k.frames.run)
	k.end(k.read())
	k.frames.intake.close()
	frames.Wait()
	k.stream.ResetWithError(resetCode(k.why))
	<-k.wrote
	if errors.Is(k.why, ErrDead) {
		// libp2p would take this connection for open for half a minute more, and
		// a redial would go into the void.
		k.stream.Conn().Close()
	}
	k.links.post(func(t *table) { t.down(k) })
}

// end ends the link; the first reason stands. It does not block.
func (k *link) end(why error) {
	k.once.Do(func() {
		k.why = why
		close(k.quit)
		k.cancel()
		k.stream.SetDeadline(time.Unix(1, 0)) // wakes reader and writer
	})
}

// dropped is the end of a link whose far side did what it may not.
func dropped(why error) error { return fmt.Errorf("%w: %w", ErrDropped, why) }

// post queues a framed message. False: the outbox is full, and that was its end.
func (k *link) post(b []byte) bool {
	select {
	case <-k.quit:
		return false
	default:
	}
	select {
	case k.outbox <- b:
		return true
	default:
		k.end(ErrOutboxFull)
		return false
	}
}

// alive says that the link has not been ended. Asked after a deadline is set,
// since end sets one too.
func (k *link) alive() error {
	select {
	case <-k.quit:
		return ErrClosed // end has the reason
	default:
		return nil
	}
}

// read takes messages until the far side says goodbye, falls silent, or breaks
// a bound.
func (k *link) read() error {
	messages, bytes := rate.NewLimiter(messageRate, messageBurst), rate.NewLimiter(byteRate, byteBurst)
	for {
		k.stream.SetReadDeadline(time.Now().Add(k.links.cfg.Dead))
		if err := k.alive(); err != nil {
			return err
		}
		m, err := k.in.next()
		if err != nil {
			return err
		}
		k.links.counts.messages.Add(1)
		if now := time.Now(); !messages.AllowN(now, 1) || !bytes.AllowN(now, k.in.size) {
			return ErrFlood
		}
		if err := k.take(m); err != nil {
			return err
		}
	}
}

func (k *link) take(m *pb.LinkMessage) error {
	switch what := m.What.(type) {
	case *pb.LinkMessage_Ping:
		k.health.pinged(what.Ping, time.Now())
		select {
		case k.pongs <- what.Ping.Stamp:
		default:
			k.links.counts.pongs.Add(1)
		}
	case *pb.LinkMessage_Pong:
		k.ponged(what.Pong.Stamp)
	case *pb.LinkMessage_Bye:
		return ErrBye
	case *pb.LinkMessage_Hello:
		return protocol.ErrMalformed
	case nil:
		k.links.counts.unknown.Add(1)
	default:
		if !k.links.cfg.Events.LinkMessage(k.peer, m) {
			return ErrInboxFull
		}
	}
	return nil
}

// clock is what Pings are stamped with: microseconds since the link came up.
func (k *link) clock() uint64 { return uint64(time.Since(k.since).Microseconds()) }

func (k *link) ponged(stamp uint64) {
	now := k.clock()
	if stamp > k.stamp.Load() || now < stamp {
		return // of no Ping of ours
	}
	rtt := time.Duration(now-stamp) * time.Microsecond
	if rtt <= k.links.cfg.Dead {
		k.health.ponged(max(rtt, time.Microsecond))
	}
}

// Write bounds how long the far side may take to read.
func (k *link) Write(b []byte) (int, error) {
	k.stream.SetWriteDeadline(time.Now().Add(k.links.cfg.Dead))
	if err := k.alive(); err != nil {
		return 0, err
	}
	n, err := k.stream.Write(b)
	if err != nil {
		return n, lost(err)
	}
	return n, nil
}

// write sends what is posted, Pings and Pongs, gathered as far as they are at
// hand at once.
func (k *link) write() error {
	w := bufio.NewWriter(k)
	if k.direction == network.DirInbound {
		if err := k.links.sayHello(w); err != nil {
			return err
		}
	}
	ticker := time.NewTicker(k.links.cfg.Beat)
	defer ticker.Stop()
	err := k.ping(w)
	for err == nil {
		if len(k.outbox) == 0 && len(k.pongs) == 0 {
			if err = w.Flush(); err != nil {
				break
			}
		}
		select {
		case <-k.quit:
			return nil
		case <-k.leaving:
			return k.farewell(w)
		case b := <-k.outbox:
			_, err = w.Write(b)
		case stamp := <-k.pongs:
			err = put(w, &pb.LinkMessage{What: &pb.LinkMessage_Pong{Pong: &pb.Pong{Stamp: stamp}}})
		case <-ticker.C:
			err = k.ping(w)
		}
	}
	return err
}

func put(w *bufio.Writer, m *pb.LinkMessage) error {
	b, err := encode(m)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

func (k *link) ping(w *bufio.Writer) error {
	p := &pb.Ping{Stamp: k.clock(), Wanted: k.links.wanted(k.peer)}
	if k.links.cfg.Media != nil {
		m := k.links.cfg.Media(k.peer)
		p.Received, p.Lost = m.Received, m.Lost
	}
	k.stamp.Store(p.Stamp)
	return put(w, &pb.LinkMessage{What: &pb.LinkMessage_Ping{Ping: p}})
}

// farewell sends what is still queued, then Bye. The far side's end of the
// stream then shows that it was heard.
func (k *link) farewell(w *bufio.Writer) error {
	for range len(k.outbox) {
		if _, err := w.Write(<-k.outbox); err != nil {
			return err
		}
	}
	if err := put(w, &pb.LinkMessage{What: &pb.LinkMessage_Bye{Bye: &pb.Bye{}}}); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return k.stream.CloseWrite()
}
