package node

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/node/link"
	"github.com/earshot-audio/earshot/node/relay"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/rtc"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// pairs joins the link and the media path of each other node: to a room, a node
// is there when both are. Its methods are called by links' and media's
// goroutines and only post.
type pairs struct {
	n *Node

	mu    sync.Mutex
	peers map[protocol.PeerID]*pair
	wants map[protocol.PeerID]map[protocol.RoomID]bool
}

// pair is one other node whose link is up.
type pair struct {
	media     *rtc.Link // until the link is down
	loopback  bool
	up        bool          // frames can pass
	handle    atomic.Uint32 // the last one given
	redirects *rate.Limiter // of those it sends, whatever the room
}

// Implementation: how fast others may have this node dial. A claim or a redirect
// names nodes and addresses, and its sender may lie: were each dialled at once, a
// room's members would call a victim as often as one of them wishes.
const (
	// wantsASecond and wantsAtOnce bound the nodes, not linked yet, that a room
	// begins to want: seeds, relay and standby, and what a few changes make of them.
	wantsASecond = 1
	wantsAtOnce  = 4 * protocol.MaxHints
	// redirectsASecond and redirectsAtOnce bound what one node sends: it answers
	// an Attach, which comes once a second and room at most.
	redirectsASecond = 2
	redirectsAtOnce  = 8
)

func newPairs(n *Node) *pairs {
	return &pairs{n: n, peers: map[protocol.PeerID]*pair{}, wants: map[protocol.PeerID]map[protocol.RoomID]bool{}}
}

// LinkUp starts the media path of a pair: UDP, or the link's own streams where
// that does not work.
func (p *pairs) LinkUp(id protocol.PeerID, remote multiaddr.Multiaddr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A circuit that leads through this machine's own relay may come from anywhere.
	loopback := manet.IsIPLoopback(remote) && !protocol.IsCircuit(remote)
	at := &pair{loopback: loopback, media: p.n.media.Connect(id, loopback, p), redirects: rate.NewLimiter(redirectsASecond, redirectsAtOnce)}
	if frames := p.n.links.Frames(id); frames != nil {
		at.media.SetDetour(frames)
	}
	p.peers[id] = at
}

// Frame takes a packet that came by the link's streams.
func (p *pairs) Frame(id protocol.PeerID, packet []byte) {
	if at := p.at(id); at != nil {
		at.media.Detoured(packet)
	}
}

// LinkMoved says that the link took a better way, which changes nothing for rooms.
func (p *pairs) LinkMoved(protocol.PeerID, multiaddr.Multiaddr) { p.n.changed() }

// LinkDown ends it.
func (p *pairs) LinkDown(id protocol.PeerID, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.peers, id)
	p.n.media.Disconnect(id)
	p.tell(func(r *room.Room) { r.PathDown(id) })
}

// Signal carries a step of offer and answer over the link.
func (p *pairs) Signal(id protocol.PeerID, s rtc.Signal) {
	p.n.links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Description{Description: &pb.Description{Kind: s.Kind, Generation: s.Generation, Sdp: s.SDP}}})
}

// Up says that frames can pass.
func (p *pairs) Up(id protocol.PeerID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := p.peers[id]; at != nil {
		at.up = true
		p.tell(func(r *room.Room) { r.PathUp(id) })
	}
}

// Moved says that they pass another way now, which changes nothing for rooms. What
// stopped UDP for sound may have stopped it for the link, too.
func (p *pairs) Moved(id protocol.PeerID) {
	p.n.links.Probe(id)
	p.n.changed()
}

// Down says that they can't, and tries again while the link is there.
func (p *pairs) Down(id protocol.PeerID, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.peers[id]
	if at == nil {
		return
	}
	if at.up {
		at.up = false
		p.tell(func(r *room.Room) { r.PathDown(id) })
	}
	p.n.media.Connect(id, at.loopback, p)
}

// LinkMessage brings a message to the room that it names; false if that room
// has no place for it.
func (p *pairs) LinkMessage(id protocol.PeerID, m *pb.LinkMessage) bool {
	switch w := m.What.(type) {
	case *pb.LinkMessage_Description:
		p.n.media.Signal(id, rtc.Signal{Kind: w.Description.Kind, Generation: w.Description.Generation, SDP: w.Description.Sdp})
		return true
	case *pb.LinkMessage_Redirect:
		if at := p.at(id); at == nil || !at.redirects.Allow() {
			return true
		}
	case *pb.LinkMessage_Bound: // its handle names a room of the pair
		p.tell(func(r *room.Room) { r.Bound(id, protocol.Handle(w.Bound.Handle), w.Bound.Refused) })
		return true
	case *pb.LinkMessage_Unbind:
		p.tell(func(r *room.Room) { r.Unbind(id, protocol.Handle(w.Unbind.Handle)) })
		return true
	}
	name := roomOf(m)
	if len(name) != len(protocol.RoomID{}) {
		return true
	}
	if c := p.n.room(protocol.RoomID(name)); c != nil {
		select {
		case <-c.room.Done():
			return true // it ended just now
		default:
			return c.room.LinkMessage(id, m)
		}
	}
	if _, ok := m.What.(*pb.LinkMessage_Attach); ok {
		p.n.links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Refuse{Refuse: p.n.whyNot(protocol.RoomID(name))}})
	}
	return true
}

// roomOf gives the room that a message names.
func roomOf(m *pb.LinkMessage) []byte {
	switch w := m.What.(type) {
	case *pb.LinkMessage_Attach:
		return w.Attach.Room
	case *pb.LinkMessage_Accept:
		return w.Accept.Room
	case *pb.LinkMessage_Refuse:
		return w.Refuse.Room
	case *pb.LinkMessage_Redirect:
		return w.Redirect.Room
	case *pb.LinkMessage_Detach:
		return w.Detach.Room
	case *pb.LinkMessage_Bind:
		return w.Bind.Room
	case *pb.LinkMessage_Resume:
		return w.Resume.Room
	case *pb.LinkMessage_Activity:
		return w.Activity.Room
	case *pb.LinkMessage_Feed:
		return w.Feed.Room
	case *pb.LinkMessage_Recall:
		return w.Recall.Room
	case *pb.LinkMessage_Recalled:
		return w.Recalled.Room
	case *pb.LinkMessage_LogAsk:
		return w.LogAsk.Room
	case *pb.LinkMessage_LogTold:
		return w.LogTold.Room
	case *pb.LinkMessage_Report:
		return w.Report.Room
	case *pb.LinkMessage_ReportReceipt:
		return w.ReportReceipt.Room
	}
	return nil
}

// tell says something to every room.
func (p *pairs) tell(say func(*room.Room)) {
	for _, c := range p.n.carriedRooms() {
		say(c.room)
	}
}

// greet tells a new room which nodes are there already.
func (p *pairs) greet(r *room.Room) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, at := range p.peers {
		if at.up {
			r.PathUp(id)
		}
	}
}

// received counts a pair's media, for the link's pings, and hands the link's
// round trip to the media path, which paces its repairs by it.
func (p *pairs) received(id protocol.PeerID) link.Media {
	at := p.at(id)
	if at == nil {
		return link.Media{}
	}
	if rtt, ok := p.n.links.RTT(id); ok {
		at.media.SetRTT(rtt)
	}
	s := at.media.Stats()
	return link.Media{Received: s.PacketsReceived, Lost: s.Lost}
}

func (p *pairs) at(id protocol.PeerID) *pair {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.peers[id]
}

// links is one room's use of the pairs.
type links struct {
	*pairs
	of    protocol.RoomID
	via   *relay.Forwarder
	fresh *rate.Limiter // of nodes, not linked yet, that the room begins to want; nil: none yet
}

// Want keeps a path to a node. Beyond the room's rate it does nothing: relay and
// standby are wanted again with each of their claims.
func (l *links) Want(info peer.AddrInfo) {
	if l.begin(info.ID) {
		l.n.links.Want(info)
	}
}

// begin notes that the room wants a node, if it may.
func (l *links) begin(id protocol.PeerID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wants[id][l.of] {
		return true
	}
	if l.fresh == nil {
		l.fresh = rate.NewLimiter(wantsASecond, wantsAtOnce)
	}
	if l.peers[id] == nil && !l.fresh.Allow() {
		l.n.log.Debug("the room names too many nodes", "room", l.of.Short(), "peer", id)
		return false
	}
	if l.wants[id] == nil {
		l.wants[id] = map[protocol.RoomID]bool{}
	}
	l.wants[id][l.of] = true
	return true
}

// Release lets it go, once no room wants it.
func (l *links) Release(id protocol.PeerID) {
	l.mu.Lock()
	rooms := l.wants[id]
	had := rooms[l.of]
	delete(rooms, l.of)
	last := had && len(rooms) == 0
	if last {
		delete(l.wants, id)
	}
	l.mu.Unlock()
	if last {
		l.n.links.Release(id)
	}
}

// Send posts a message to a node's link.
func (l *links) Send(id protocol.PeerID, m *pb.LinkMessage) bool { return l.n.links.Send(id, m) }

// Addresses gives what is known of a node's addresses.
func (l *links) Addresses(id protocol.PeerID) []multiaddr.Multiaddr {
	return l.n.host.Peerstore().Addrs(id)
}

// Path gives the way of frames to a node.
func (l *links) Path(id protocol.PeerID) room.Path {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := l.peers[id]; at != nil && at.up {
		return way{pair: at, to: l.via}
	}
	return nil
}

// way is one room's way over a pair's media path.
type way struct {
	*pair
	to *relay.Forwarder
}

// Handle gives one that nothing on this path uses.
func (w way) Handle() protocol.Handle { return protocol.Handle(w.handle.Add(1)) }

// Accept lets frames under the far side's handle in.
func (w way) Accept(h protocol.Handle, s protocol.Source) { w.media.Accept(h, s, w.to) }

// Forget ends that.
func (w way) Forget(h protocol.Handle) { w.media.Forget(h) }

// Outlet is the room's way out.
func (w way) Outlet(beats protocol.Handle) room.Outlet { return w.media.Outlet(beats) }

// list gives the pairs that are up.
func (p *pairs) list() []protocol.PeerID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.peers))
}
