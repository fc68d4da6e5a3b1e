package reach

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-msgio/pbio"
	"github.com/multiformats/go-multiaddr"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// Implementation: ours to tune.
const (
	maxAnswerBytes  = 256
	maxPorts        = 4 // on which one server answers STUN
	stunServers     = 3
	hintNeighbours  = 4 // in PublicNeighbours
	askPatience     = 3 * time.Second
	askInterval     = 5 * time.Minute
	askSoonest      = time.Second     // after the last time, whatever happens
	askRetry        = 5 * time.Second // after no answer; doubles
	askRetries      = 6               // doublings
	askAtMost       = 8               // at once
	answersAtOnce   = 8
	answersASecond  = 20
	answersBurst    = 200 // all that reconnect after a public node has restarted
	maxNeighbours   = 256 // that are public and remembered
	answerPatience  = 2 * time.Second
	answerEachBurst = 4
	answerEach      = 2 * time.Second
	askersKept      = 512
)

// neighbour is an Earshot node that this one has reached at an address of the
// Internet.
type neighbour struct {
	id    peer.ID
	at    multiaddr.Multiaddr // where
	addr  netip.Addr          // of at
	over  string              // the connection that tells so
	came  bool                // by itself, by that: whether others can reach it isn't known
	due   time.Time           // when to ask it
	last  time.Time           // when it was asked
	busy  bool                // it is being asked
	stale bool                // what it says may have changed meanwhile
	fail  int                 // asked in vain, in a row

	told bool // the rest is its answer
	reply
	rtt time.Duration

	circuit circuit
}

// public says whether it says so, where it was reached.
func (n *neighbour) public() bool { return n.told && (len(n.ports) > 0 || n.relays) }

// reply is a ReachAnswer, checked.
type reply struct {
	ports  []uint16
	relays bool
	seen   multiaddr.Multiaddr // nil: it doesn't say
}

var errAnswer = errors.New("reach: an answer that can't be one")

// readReply reads a ReachAnswer. There is nothing in it but ports: the address is
// the one at which the neighbour was reached, or it could name a victim's.
func readReply(m *pb.ReachAnswer) (reply, error) {
	a := reply{relays: m.Relays}
	if len(m.StunPorts) > maxPorts || len(m.Seen) > protocol.MaxAddressBytes {
		return reply{}, errAnswer
	}
	for _, p := range m.StunPorts {
		if p == 0 || p > 65535 {
			return reply{}, errAnswer
		}
		if !slices.Contains(a.ports, uint16(p)) {
			a.ports = append(a.ports, uint16(p))
		}
	}
	if len(m.Seen) > 0 {
		seen, err := multiaddr.NewMultiaddrBytes(m.Seen)
		if err != nil {
			return reply{}, errAnswer
		}
		a.seen = seen
	}
	return a, nil
}

// direct says whether a connection goes through no relay.
func (r *Reach) direct(c network.Conn) bool {
	return !c.Stat().Limited && !protocol.IsCircuit(c.RemoteMultiaddr())
}

// look sees how a peer is connected.
func (r *Reach) look(p peer.ID) {
	n := r.neighbours[p]
	way := r.wayTo(p, n)
	if way == nil || !r.cfg.Neighbour(p) {
		if n != nil {
			r.forget(n)
		}
		return
	}
	if n == nil {
		if len(r.neighbours) >= maxNeighbours {
			return
		}
		n = &neighbour{id: p}
		r.neighbours[p] = n
	}
	if at := way.RemoteMultiaddr(); n.at == nil || !n.at.Equal(at) {
		n.at, n.told = at, false
		n.addr, _ = protocol.IPOf(at)
		n.due = n.last.Add(askSoonest)
	}
	if n.over != way.ID() { // it may have restarted, and knows of no reservation
		n.over, n.came = way.ID(), way.Stat().Direction == network.DirInbound
		r.release(n)
	}
	r.keepCircuit(n)
}

// wayTo gives the connection that tells where a peer can be reached: one that
// this node has opened itself. It may have gone through a hole that both have
// punched, but a peer that needs holes doesn't say that it is public. Where the
// peer came by itself, from where it listens, that has to do: nobody opens
// another connection then. The one that did so far is kept.
func (r *Reach) wayTo(p peer.ID, n *neighbour) (way network.Conn) {
	for _, c := range r.host.Network().ConnsToPeer(p) {
		a := c.RemoteMultiaddr()
		opened := c.Stat().Direction == network.DirOutbound
		switch {
		case !r.direct(c) || !r.cfg.Public(a) || !opened && !multiaddr.Contains(r.host.Peerstore().Addrs(p), a):
		case n != nil && n.over == c.ID():
			return c
		case way == nil || opened && way.Stat().Direction == network.DirInbound:
			way = c
		}
	}
	return way
}

func (r *Reach) forget(n *neighbour) {
	r.release(n)
	delete(r.neighbours, n.id)
}

// asked is how asking a neighbour ended.
type asked struct {
	neighbour *neighbour
	reply     reply
	rtt       time.Duration
	err       error
}

// askDue asks those whose time has come and says when the next one's will.
func (r *Reach) askDue(ctx context.Context, now time.Time) time.Duration {
	pause := askInterval
	for _, n := range r.neighbours {
		switch wait := n.due.Sub(now); {
		case n.busy:
		case wait > 0:
			pause = min(pause, wait)
		case r.asking < askAtMost: // else an answer will wake us
			n.busy, n.last = true, now
			r.asking++
			r.tasks.Go(func() {
				a := asked{neighbour: n}
				a.reply, a.rtt, a.err = r.ask(ctx, n.id)
				select {
				case r.asked <- a:
				case <-ctx.Done():
				}
			})
		}
	}
	return pause
}

// ask opens a ReachStream and reads.
func (r *Reach) ask(ctx context.Context, p peer.ID) (reply, time.Duration, error) {
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "earshot reach"), askPatience)
	defer cancel()
	started := time.Now()
	s, err := r.host.NewStream(ctx, p, protocol.ReachStream)
	if err != nil {
		return reply{}, 0, err
	}
	stop := context.AfterFunc(ctx, func() { s.Reset() })
	defer stop()
	defer s.Close()
	if !r.direct(s.Conn()) {
		s.Reset()
		return reply{}, 0, errAnswer
	}
	if err := s.CloseWrite(); err != nil {
		return reply{}, 0, err
	}
	var m pb.ReachAnswer
	if err := pbio.NewDelimitedReader(s, maxAnswerBytes).ReadMsg(&m); err != nil {
		s.Reset()
		return reply{}, 0, err
	}
	a, err := readReply(&m)
	return a, time.Since(started), err
}

// answered takes in an answer.
func (r *Reach) answered(a asked) {
	r.asking--
	n := a.neighbour
	n.busy = false
	if r.neighbours[n.id] != n {
		return
	}
	if a.err != nil {
		r.log.Debug("a neighbour doesn't say how it is reached", "peer", n.id, "err", a.err)
		n.due = time.Now().Add(askRetry << min(n.fail, askRetries))
		n.fail++
		return
	}
	n.due, n.fail = time.Now().Add(askInterval), 0
	if n.stale {
		n.due, n.stale = n.last.Add(askSoonest), false
	}
	n.told, n.reply, n.rtt = true, a.reply, a.rtt
	r.nat.due = time.Time{} // another server to ask, or other ports
	if !n.relays {
		r.release(n)
	}
}

// byNearness gives the neighbours that are public, the nearest first.
func (r *Reach) byNearness() []*neighbour {
	near := slices.DeleteFunc(slices.Collect(maps.Values(r.neighbours)), func(n *neighbour) bool { return !n.public() })
	slices.SortFunc(near, func(a, b *neighbour) int { return cmp.Or(cmp.Compare(a.rtt, b.rtt), cmp.Compare(a.id, b.id)) })
	return near
}

// servers gives the STUN servers of a few public neighbours: all their first
// ports, then all their others.
func (r *Reach) servers() (servers []netip.AddrPort) {
	var others []netip.AddrPort
	for _, n := range r.byNearness() {
		for i, port := range n.ports {
			if at := netip.AddrPortFrom(n.addr, port); i == 0 && len(servers) < stunServers {
				servers = append(servers, at)
			} else if i > 0 && len(others) < stunServers {
				others = append(others, at)
			}
		}
	}
	return append(servers, others...)
}

func (r *Reach) publicNeighbours() (infos []peer.AddrInfo) {
	for _, n := range r.byNearness() {
		if !n.came && len(infos) < hintNeighbours {
			infos = append(infos, peer.AddrInfo{ID: n.id, Addrs: []multiaddr.Multiaddr{n.at}})
		}
	}
	return infos
}

// seenFrom gives the addresses under which STUN servers and public neighbours
// see this node.
func (r *Reach) seenFrom() (from []netip.Addr) {
	for _, at := range r.nat.outside {
		from = append(from, at.Addr())
	}
	for _, n := range r.byNearness() {
		if ip, ok := protocol.IPOf(n.seen); ok && !slices.Contains(from, ip) {
			from = append(from, ip)
		}
	}
	return from
}

// Counts are what neighbours asked of a Reach since it began.
type Counts struct{ Answered, Refused uint64 }

// Counts gives them.
func (r *Reach) Counts() Counts {
	return Counts{Answered: r.answers.given.Load(), Refused: r.answers.refused.Load()}
}

// answers counts what was said to neighbours, and what not.
type answers struct{ given, refused atomic.Uint64 }

// request is the stream handler: it posts to serve's inbox.
func (r *Reach) request(s network.Stream) {
	select {
	case r.streams <- s:
	default:
		r.refuse(s)
	}
}

func (r *Reach) refuse(s network.Stream) {
	r.answers.refused.Add(1)
	_ = s.ResetWithError(network.StreamRateLimited) // it may be gone already
}

// serve answers neighbours, as many as its limits allow.
func (r *Reach) serve(ctx context.Context) {
	var writers errgroup.Group
	writers.SetLimit(answersAtOnce)
	defer func() { _ = writers.Wait() }()
	all := rate.NewLimiter(answersASecond, answersBurst)
	askers := make(map[peer.ID]*rate.Limiter)
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-r.streams:
			allowed := mayAsk(askers, s.Conn().RemotePeer()) && all.Allow()
			if !allowed || !writers.TryGo(func() error { r.answer(s); return nil }) {
				r.refuse(s)
			}
		}
	}
}

// mayAsk says whether p has not asked too often, and notes that it asked.
func mayAsk(askers map[peer.ID]*rate.Limiter, p peer.ID) bool {
	l := askers[p]
	if l == nil {
		if len(askers) >= askersKept {
			maps.DeleteFunc(askers, func(_ peer.ID, l *rate.Limiter) bool { return l.Tokens() >= answerEachBurst })
		}
		if len(askers) >= askersKept {
			return false
		}
		l = rate.NewLimiter(rate.Every(answerEach), answerEachBurst)
		askers[p] = l
	}
	return l.Allow()
}

// answer says how this node can help the one that asks.
func (r *Reach) answer(s network.Stream) {
	_ = s.SetDeadline(time.Now().Add(answerPatience)) // without one, the connection's end will do
	state := r.state.Load()
	m := &pb.ReachAnswer{Relays: r.service.running() && r.direct(s.Conn())}
	for _, p := range state.ports[:min(len(state.ports), maxPorts)] {
		m.StunPorts = append(m.StunPorts, uint32(p))
	}
	if seen := s.Conn().RemoteMultiaddr().Bytes(); len(seen) <= protocol.MaxAddressBytes {
		m.Seen = seen
	}
	if pbio.NewDelimitedWriter(s).WriteMsg(m) != nil || s.Close() != nil {
		s.Reset()
		return
	}
	r.answers.given.Add(1)
}
