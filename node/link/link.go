// Package link keeps this node's control links to others: one libp2p stream a
// pair of nodes (protocol.LinkStream), for all their rooms, that lives as long
// as the link. On it go length-delimited pb.LinkMessages: Hello first, both
// ways, then a Ping each second and whatever the rooms have to say.
//
// Rooms say which peers they Want; a link is dialled until it is up and dialled
// again when it breaks, and lives while either side wants it. When both sides
// open one at once, the stream of the lower peer ID stays.
//
// A link goes on over another connection when there is a better one, or its own has
// died, and loses no message by that. Beside it go Frames: packets of the media
// path that UDP does not carry.
//
// One goroutine owns the table of links (Run). Each link has one reader and one
// writer. What a peer sends is bounded in size and rate; one that breaks a bound
// is cut off and held off for some seconds.
//
//	link.go       Links, their options and what is known of each
//	table.go      the owner: who is dialled, taken, refused
//	handshake.go  from a stream to a link
//	stream.go     one link's messages
//	bearer.go    the stream that a link goes on now
//	move.go       to another one
//	sent.go       what is sent again there
//	health.go     Ping and Pong
//	frames.go     packets out, which wait in backlog.go
//	intake.go     packets in
package link

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// Events is told what happens on links, from their own goroutines: it may only
// post. Of one link come LinkUp, then its messages, then LinkDown, in this
// order; between them LinkMoved.
type Events interface {
	LinkUp(p protocol.PeerID, remote multiaddr.Multiaddr)
	// LinkMessage takes a message; never Hello, Ping, Pong or Bye. False: the
	// inbox is full, and the link is dropped.
	LinkMessage(p protocol.PeerID, m *pb.LinkMessage) bool
	// LinkMoved says that the link goes on over another connection.
	LinkMoved(p protocol.PeerID, remote multiaddr.Multiaddr)
	// LinkDown says why, as one of this package's errors: ErrBye when the far
	// side is leaving.
	LinkDown(p protocol.PeerID, err error)
}

// Config is what Links need.
type Config struct {
	Host    host.Host
	Network string // "": the open one
	Agent   string // shown to others: program and version, at most 64 bytes
	Log     *slog.Logger
	Events  Events
	// Media gives what came from a peer on its media path so far, for Pings, and
	// as a sign that the path lives; nil: nothing. It must not block.
	Media func(p protocol.PeerID) Media
	// Frame takes a packet of a peer's Frames; it must not block, nor keep packet.
	// One goroutine a peer calls it, which may be a moment before LinkUp or after
	// LinkDown. nil: streams of packets are refused.
	Frame func(p protocol.PeerID, packet []byte)
	// Aloof: only those that are wanted get a link. What follows it tells them
	// where this node is.
	Aloof bool
	Beat  time.Duration // between Pings; 0: 1 s
	Dead  time.Duration // of silence until a link is dead; 0: 3 s
}

// Links are this node's links. Its methods may be called from any goroutine,
// before, during and after Run.
type Links struct {
	cfg  Config
	self protocol.PeerID

	moves chan func(*table)    // to the owner
	kick  chan struct{}        // wants changed
	met   chan protocol.PeerID // with whom a connection came up
	ended chan struct{}        // closed when the owner takes no more moves
	work  sync.WaitGroup       // dials, handshakes and links

	// mayBlock says whether a connection may die without a word; see overUDP.
	mayBlock func(network.Conn) bool

	counts counters

	mu         sync.RWMutex
	stopping   bool // no more work begins
	wants      map[protocol.PeerID][]multiaddr.Multiaddr
	up         map[protocol.PeerID]*link // written by the owner only
	troubles   map[protocol.PeerID]error // written by the owner only
	handshakes map[protocol.PeerID]int   // of streams that others opened
	shaking    int                       // their sum
}

// New makes Links that do nothing until Run.
func New(cfg Config) *Links {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Beat == 0 {
		cfg.Beat = beat
	}
	if cfg.Dead == 0 {
		cfg.Dead = dead
	}
	return &Links{
		cfg:        cfg,
		mayBlock:   overUDP,
		self:       cfg.Host.ID(),
		moves:      make(chan func(*table), inboxMoves),
		kick:       make(chan struct{}, 1),
		met:        make(chan protocol.PeerID, inboxMet),
		ended:      make(chan struct{}),
		wants:      map[protocol.PeerID][]multiaddr.Multiaddr{},
		up:         map[protocol.PeerID]*link{},
		troubles:   map[protocol.PeerID]error{},
		handshakes: map[protocol.PeerID]int{},
	}
}

// Run takes and makes links until ctx ends, then says Bye on each, which takes
// 300 ms at most. It may be called once.
func (l *Links) Run(ctx context.Context) error {
	handshakes, cancel := context.WithCancel(ctx)
	defer cancel()
	l.cfg.Host.SetStreamHandler(protocol.LinkStream, func(s network.Stream) { l.incoming(handshakes, s) })
	defer l.cfg.Host.RemoveStreamHandler(protocol.LinkStream)
	if l.cfg.Frame != nil {
		l.cfg.Host.SetStreamHandler(protocol.FramesStream, l.incomingFrames)
		defer l.cfg.Host.RemoveStreamHandler(protocol.FramesStream)
	}
	connections := &network.NotifyBundle{ConnectedF: l.connected}
	l.cfg.Host.Network().Notify(connections)
	defer l.cfg.Host.Network().StopNotify(connections)
	t := &table{Links: l, contacts: map[protocol.PeerID]*contact{}}
	t.run(ctx)
	t.stop()
	close(l.ended)
	return nil
}

// connected is libp2p's word that a connection came up.
func (l *Links) connected(_ network.Network, c network.Conn) {
	select {
	case l.met <- c.RemotePeer():
	default: // it is dialled, or looked for, a little later
	}
}

// Want keeps a link to a peer until Release: it is dialled now, and again while
// it is not up, each second at first. Wanting it again adds addresses.
func (l *Links) Want(info peer.AddrInfo) {
	if info.ID == l.self {
		return
	}
	if _, err := protocol.PeerKey(info.ID); err != nil {
		l.cfg.Log.Warn("peer not wanted", "peer", info.ID, "err", err)
		return
	}
	l.mu.Lock()
	known := l.wants[info.ID]
	addrs := slices.Clone(info.Addrs)
	for _, a := range known {
		if !multiaddr.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	l.wants[info.ID] = addrs[:min(len(addrs), maxAddressesOfPeer)]
	l.mu.Unlock()
	l.wantsChanged()
}

// Release wants the link no more. It is closed a little later, unless the far
// side wants it.
func (l *Links) Release(p protocol.PeerID) {
	l.mu.Lock()
	delete(l.wants, p)
	l.mu.Unlock()
	l.wantsChanged()
}

func (l *Links) wantsChanged() { nudge(l.kick) }

// nudge wakes whom a channel of one belongs to, unless that is under way.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (l *Links) wanted(p protocol.PeerID) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, ok := l.wants[p]
	return ok
}

// addresses gives those that a peer is wanted at.
func (l *Links) addresses(p protocol.PeerID) []multiaddr.Multiaddr {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.wants[p]
}

func (l *Links) link(p protocol.PeerID) *link {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.up[p]
}

// Send posts a message to a peer; m is free again when it returns. False: there
// is no link, m is too large, or the link's outbox was full, and the link is
// dropped.
func (l *Links) Send(p protocol.PeerID, m *pb.LinkMessage) bool {
	k := l.link(p)
	if k == nil {
		return false
	}
	b, err := encode(m)
	if err != nil {
		l.cfg.Log.Error("link message not sent", "peer", p, "err", err)
		return false
	}
	return k.post(b)
}

// Probe has a link find out now whether its connection lives, rather than with
// its next Ping: the media path fell silent.
func (l *Links) Probe(p protocol.PeerID) {
	if k := l.link(p); k != nil {
		nudge(k.probe)
	}
}

// Drop cuts a link off whose far side did what it may not, and holds the peer
// off for some seconds.
func (l *Links) Drop(p protocol.PeerID, why error) {
	if k := l.link(p); k != nil {
		k.end(dropped(why))
	}
}

// RTT gives a link's round trip, smoothed; false while it is not known.
func (l *Links) RTT(p protocol.PeerID) (time.Duration, bool) {
	if k := l.link(p); k != nil {
		return k.health.roundTrip()
	}
	return 0, false
}

// PeerLink is what there is to know of a link that is up.
type PeerLink struct {
	Peer      protocol.PeerID
	Direction network.Direction // DirOutbound: this node opened it
	Remote    multiaddr.Multiaddr
	Circuit   bool // through a relay
	Agent     string
	Since     time.Time
	RTT       time.Duration // 0: not known yet
	Far       Media         // what the far side counted of this node's media
	Loss      float64       // fraction of it lost, over the last 10 beats
	Frames    FramesState
}

// Peers gives the links that are up, in order of peer ID.
func (l *Links) Peers() []PeerLink {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := make([]PeerLink, 0, len(l.up))
	for _, k := range l.up {
		out = append(out, k.state())
	}
	slices.SortFunc(out, func(a, b PeerLink) int { return cmp.Compare(a.Peer, b.Peer) })
	return out
}

// Peer gives one peer's link, if it is up.
func (l *Links) Peer(p protocol.PeerID) (PeerLink, bool) {
	if k := l.link(p); k != nil {
		return k.state(), true
	}
	return PeerLink{}, false
}

// Trouble says why there is no link to a wanted peer, or nil.
func (l *Links) Trouble(p protocol.PeerID) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.troubles[p]
}
