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

// link is one that is up. It goes on a bearer, a stream past its handshake, with
// one reader and one writer.
type link struct {
	links     *Links
	peer      protocol.PeerID
	direction network.Direction
	name      uint64 // its opener's number for it
	agent     string
	since     time.Time
	bearer    atomic.Pointer[bearer] // written by serve
	health    health
	frames    *Frames
	ctx       context.Context // until the link ends
	cancel    context.CancelFunc

	// What one peer may send, on all bearers together, and how often move.
	messages, bytes, movable *rate.Limiter

	outbox  chan []byte   // framed messages
	sent    sent          // those that the far side may not have taken
	tally   tally         // of those taken
	pongs   chan uint64   // stamps to return
	probe   chan struct{} // ping now
	stamp   atomic.Uint64 // of the newest Ping
	leaving chan struct{} // closed by the owner: say Bye
	quit    chan struct{} // closed by end

	moves   chan *bearer   // to serve: go on there
	unmoved chan error     // to serve: a move came to nothing
	poke    chan struct{}  // to serve: there may be a better connection
	work    sync.WaitGroup // moves
	move    bool           // one is under way; serve's, as those below
	doubts  int            // times looked at without an answer to Pings
	again   time.Time      // no move before
	came    uint64         // media packets, at the last look
	flows   bool           // more came than at the look before it

	once sync.Once
	why  error // set by end
}

func (l *Links) newLink(s network.Stream, d network.Direction, in *reader, h *pb.Hello) *link {
	now := time.Now()
	k := &link{
		links: l, peer: s.Conn().RemotePeer(), direction: d, name: h.Link, agent: h.Agent, since: now,
		messages: rate.NewLimiter(messageRate, messageBurst),
		bytes:    rate.NewLimiter(byteRate, byteBurst),
		movable:  rate.NewLimiter(rate.Every(moveEvery), moveBurst),
		outbox:   make(chan []byte, outboxMessages),
		pongs:    make(chan uint64, outboxPongs),
		probe:    make(chan struct{}, 1),
		leaving:  make(chan struct{}),
		quit:     make(chan struct{}),
		moves:    make(chan *bearer),
		unmoved:  make(chan error),
		poke:     make(chan struct{}, 1),
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	k.frames = newFrames(k.ctx, l, k.peer, k.probe)
	k.health.farWanted = now // whoever opens a link wants it
	k.health.last = now
	c := newBearer(s, in)
	c.answers = d == network.DirInbound
	k.bearer.Store(c)
	return k
}

func (k *link) conn() network.Conn { return k.bearer.Load().stream.Conn() }

func (k *link) state() PeerLink {
	conn := k.conn()
	s := PeerLink{
		Peer: k.peer, Direction: k.direction, Agent: k.agent, Since: k.since,
		Remote: conn.RemoteMultiaddr(), Circuit: circuit(conn),
	}
	s.RTT, _ = k.health.roundTrip()
	s.Far, s.Loss = k.health.loss()
	s.Frames = k.frames.state()
	return s
}

// serve reads and writes until the link ends, and tells the owner.
func (k *link) serve() {
	k.work.Go(k.frames.run)
	c := k.bearer.Load()
	for next := k.ride(c); next != nil; next = k.ride(c) {
		k.moveTo(c, next)
		c = next
	}
	k.frames.intake.close()
	c.stream.ResetWithError(resetCode(k.why))
	k.work.Wait()
	if errors.Is(k.why, ErrDead) {
		// libp2p would take this connection for open for half a minute more, and
		// a redial would go into the void.
		c.stream.Conn().Close()
	}
	k.links.post(func(t *table) { t.down(k) })
}

// end ends the link; the first reason stands. It does not block.
func (k *link) end(why error) {
	k.once.Do(func() {
		k.why = why
		close(k.quit)
		k.cancel()
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

// read takes messages until the far side says goodbye, falls silent, or breaks
// a bound.
func (k *link) read(c *bearer) error {
	for {
		c.stream.SetReadDeadline(time.Now().Add(k.links.cfg.Dead))
		if err := c.alive(); err != nil {
			return err
		}
		m, err := c.in.next()
		if err != nil {
			return err
		}
		k.links.counts.messages.Add(1)
		now := time.Now()
		if !k.messages.AllowN(now, 1) || !k.bytes.AllowN(now, c.in.size) {
			return ErrFlood
		}
		k.health.heard(now)
		if err := k.take(c, m); err != nil {
			return err
		}
	}
}

func (k *link) take(c *bearer, m *pb.LinkMessage) error {
	switch what := m.What.(type) {
	case *pb.LinkMessage_Ping:
		k.health.pinged(what.Ping, time.Now())
		select {
		case k.pongs <- what.Ping.Stamp:
		default:
			k.links.counts.pongs.Add(1)
		}
		return k.sent.acknowledge(what.Ping.Taken)
	case *pb.LinkMessage_Pong:
		k.ponged(what.Pong.Stamp)
	case *pb.LinkMessage_Bye:
		return ErrBye
	case *pb.LinkMessage_Hello:
		return protocol.ErrMalformed
	default:
		return k.hear(c, m)
	}
	return nil
}

// hear takes a message that counts: what rooms say, or a newer version.
func (k *link) hear(c *bearer, m *pb.LinkMessage) error {
	if c.again > 0 {
		c.again--
		return nil
	}
	k.tally.add()
	if m.What == nil {
		k.links.counts.unknown.Add(1)
		return nil
	}
	if !k.links.cfg.Events.LinkMessage(k.peer, m) {
		return ErrInboxFull
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

// outflow bounds how long the far side may take to read.
type outflow struct {
	*bearer
	within time.Duration
}

func (o outflow) Write(b []byte) (int, error) {
	o.stream.SetWriteDeadline(time.Now().Add(o.within))
	if err := o.alive(); err != nil {
		return 0, err
	}
	n, err := o.stream.Write(b)
	if err != nil {
		return n, lost(err)
	}
	return n, nil
}

// write sends what is posted, Pings and Pongs, gathered as far as they are at
// hand at once.
func (k *link) write(c *bearer) error {
	w := bufio.NewWriter(outflow{c, k.links.cfg.Dead})
	ticker := time.NewTicker(k.links.cfg.Beat)
	defer ticker.Stop()
	err := k.introduce(c, w)
	for err == nil {
		if len(k.outbox) == 0 && len(k.pongs) == 0 {
			if err = w.Flush(); err != nil {
				break
			}
		}
		select {
		case <-c.quit:
			return nil
		case <-k.leaving:
			return k.farewell(c, w)
		case b := <-k.outbox:
			k.sent.add(b)
			_, err = w.Write(b)
		case stamp := <-k.pongs:
			err = put(w, &pb.LinkMessage{What: &pb.LinkMessage_Pong{Pong: &pb.Pong{Stamp: stamp}}})
		case <-k.probe:
			err = k.ping(w)
		case <-ticker.C:
			err = k.ping(w)
		}
	}
	return err
}

// introduce writes what comes first on a bearer: the Hello that the far side waits
// for, a Ping, and what it has not taken of what was sent.
func (k *link) introduce(c *bearer, w *bufio.Writer) error {
	if c.answers {
		h := &pb.Hello{Link: k.name}
		if c.moved {
			h.Moves, h.Taken = true, k.tally.tell()
		}
		if err := k.links.sayHello(w, h); err != nil {
			return err
		}
	}
	if err := k.ping(w); err != nil {
		return err
	}
	messages, err := k.sent.after(c.heard)
	if err != nil {
		return err
	}
	for _, b := range messages {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
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
	p := &pb.Ping{Stamp: k.clock(), Wanted: k.links.wanted(k.peer), Taken: k.tally.tell()}
	if k.links.cfg.Media != nil {
		m := k.links.cfg.Media(k.peer)
		p.Received, p.Lost = m.Received, m.Lost
	}
	k.stamp.Store(p.Stamp)
	k.health.asked(time.Now())
	return put(w, &pb.LinkMessage{What: &pb.LinkMessage_Ping{Ping: p}})
}

// farewell sends what is still queued, then Bye. The far side's end of the
// stream then shows that it was heard.
func (k *link) farewell(c *bearer, w *bufio.Writer) error {
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
	return c.stream.CloseWrite()
}
