package room

import (
	"math"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// parent is a node that this one gets the room from: the relay, the standby.
type parent struct {
	accepted bool
	full     bool             // it had no place, as of its last answer
	why      pb.Refuse_Reason // it refused, as of its last answer
	mode     pb.Attach_Mode   // as last asked for
	askedAt  time.Duration
	asked    bool
	until    time.Duration // it is not wanted any more, and stays until then
}

// parentLinger is how long a former parent is kept: the new one has to accept
// first, and the former may not know yet that it relays no more. What both send
// is heard once.
const parentLinger = 4 * time.Second

const never = time.Duration(math.MaxInt64)

// wanted gives the nodes that this one should be attached to, and how.
func (r *Room) wanted() map[protocol.PeerID]pb.Attach_Mode {
	out := map[protocol.PeerID]pb.Attach_Mode{}
	if r.relay == "" || r.root {
		return out
	}
	for _, p := range []protocol.PeerID{r.relay, r.standby, r.refuge} {
		switch {
		case p == "" || p == r.cfg.Self:
		case p != r.relay && r.cfg.RelayOnly: // it is not to learn where this node is
		case p == r.relay && r.standby == r.cfg.Self:
			out[p] = pb.Attach_MIRROR
		case p == r.live && r.use.Listening > 0:
			out[p] = pb.Attach_LIVE
		default:
			out[p] = pb.Attach_WARM
		}
	}
	return out
}

// steer keeps this node attached to relay and standby, and chooses whose sound
// it takes.
func (r *Room) steer(now time.Duration) {
	r.leaveRefuge()
	r.chooseLive(now)
	want := r.wanted()
	for id, p := range r.parents {
		if _, ok := want[id]; ok {
			p.until = never
		} else if p.until == never {
			p.until = now + parentLinger
		} else if now >= p.until || !p.accepted {
			r.detach(id)
		}
	}
	for p, mode := range want {
		r.attach(p, mode, now)
	}
	r.askSeeds(now)
	r.watch()
}

// chooseLive takes the relay's sound, the standby's if the relay does not accept
// in time, and stays with the standby after a switch until the relay changes.
func (r *Room) chooseLive(now time.Duration) {
	if r.root || r.relay == "" {
		r.live = ""
		return
	}
	if r.live != r.relay && (r.live != r.standby && r.live != r.refuge || r.live == r.cfg.Self || r.live == "") {
		if p := r.parents[r.relay]; r.live != "" && p != nil && p.accepted {
			r.switchTo(r.relay, nil, now) // the former relay may be silent already
		}
		r.live, r.liveAt = r.relay, now
	}
	p, other := r.parents[r.live], r.otherParent()
	if (p == nil || !p.accepted) && now-r.liveAt > attachPatience && other != "" {
		r.switchTo(other, nil, now)
	}
}

// otherParent gives the accepted parent that is not live; "" if there is none.
func (r *Room) otherParent() protocol.PeerID {
	for id, p := range r.parents {
		if id != r.live && p.accepted && r.paths[id] != nil {
			return id
		}
	}
	return ""
}

func (r *Room) attach(id protocol.PeerID, mode pb.Attach_Mode, now time.Duration) {
	p := r.parents[id]
	if p == nil {
		p = &parent{until: never}
		r.parents[id] = p
		r.cfg.Links.Want(peer.AddrInfo{ID: id, Addrs: r.claimedAddresses(id)})
	}
	path := r.paths[id]
	if path == nil || path.way == nil {
		return
	}
	if p.asked && p.mode == mode && (p.accepted || now-p.askedAt < askAgain) {
		return
	}
	p.asked, p.askedAt, p.mode = true, now, mode
	offers := uint32(0)
	if r.cfg.Lends {
		offers = protocol.MaxChildren
	}
	r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Attach{Attach: &pb.Attach{Room: r.cfg.Room[:], Mode: mode, Offers: offers}}})
}

func (r *Room) detach(id protocol.PeerID) {
	delete(r.parents, id)
	r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Detach{Detach: &pb.Detach{Room: r.cfg.Room[:]}}})
	if s := r.seeds[id]; s == nil || !s.wanted {
		r.cfg.Links.Release(id)
	}
	r.aim(id)
}

// claimedAddresses gives what the best claim says of a node's addresses, and
// what else is known.
func (r *Room) claimedAddresses(id protocol.PeerID) []multiaddr.Multiaddr {
	var out []multiaddr.Multiaddr
	if c := r.claim; c != nil && c.Claim.Relay == id {
		out = append(out, c.Claim.RelayAddresses...)
	} else if c != nil && c.Claim.Standby == id {
		out = append(out, c.Claim.StandbyAddresses...)
	}
	return append(out, r.cfg.Links.Addresses(id)...)
}

// asked says whether id owes this node an answer: whatever a stranger says of a
// room, nobody asked it.
func (r *Room) asked(id protocol.PeerID) bool {
	p, s := r.parents[id], r.seeds[id]
	return p != nil && p.asked || s != nil && s.asked
}

// accepted: a parent, or a seed, took this node as a child.
func (r *Room) takeAccept(id protocol.PeerID, m *pb.Accept, now time.Duration) {
	if !r.asked(id) {
		r.drop("answered unasked")
		r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Detach{Detach: &pb.Detach{Room: r.cfg.Room[:]}}})
		return
	}
	r.takeState(id, m.GetState(), now)
	p := r.parents[id]
	if p == nil && r.takeRefuge(id) {
		r.steer(now)
		return
	}
	if p == nil {
		r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Detach{Detach: &pb.Detach{Room: r.cfg.Room[:]}}})
		return
	}
	p.full, p.why = false, pb.Refuse_UNKNOWN_ROOM
	if !p.accepted {
		p.accepted, r.newcomer, r.inside = true, true, true
		r.presentNow(now) // before its voices, so that they have a name where they are heard
		r.describedAt = now - profileEach
		r.aim(id)
		r.catchUp(id, now)
		r.askLog(id, false, now)
	}
	r.steer(now)
	r.settle()
}

// takeRedirect learns from a member that is neither relay nor standby.
func (r *Room) takeRedirect(id protocol.PeerID, m *pb.Redirect, now time.Duration) {
	if !r.asked(id) {
		r.drop("answered unasked")
		return
	}
	r.takeState(id, m.GetState(), now)
	for _, a := range m.To[:min(len(m.To), 2)] {
		info, err := protocol.OpenAddress(a)
		switch {
		case err != nil:
			r.drop("malformed")
		case r.parents[info.ID] != nil || r.seeds[info.ID] != nil && r.seeds[info.ID].wanted:
			r.cfg.Links.Want(info) // addresses; released with the seed or parent
		default:
			r.addSeed(info)
		}
	}
	if p := r.parents[id]; p != nil {
		p.askedAt = now // ask again, later
	}
	r.steer(now)
}

func (r *Room) takeRefuse(id protocol.PeerID, m *pb.Refuse, now time.Duration) {
	if !r.asked(id) {
		r.drop("answered unasked")
		return
	}
	closed := m.Reason == pb.Refuse_CLOSED
	if s := r.seeds[id]; s != nil && !r.joined(now) {
		s.refused, s.closed, s.why = true, closed, m.Reason
	}
	if closed && (r.genesis == nil && r.closedByAll() || r.genesis != nil && id == r.genesis.Founder) {
		r.end = closedUntil(m)
		r.joinErr = r.end
	}
	p := r.parents[id]
	if p != nil {
		p.full, p.why = m.Reason == pb.Refuse_FULL, m.Reason
	}
	if keepsOut(m.Reason) && !r.joined(now) {
		r.checkRefusal(id, m, now)
	}
	if !r.joined(now) {
		r.keptOut(now)
	}
	if p != nil && p.accepted {
		p.accepted, p.askedAt = false, now // ask again, later
		r.aim(id)
		if other := r.otherParent(); id == r.live && other != "" {
			r.switchTo(other, nil, now)
		}
	}
}

// closedUntil reads when a room opens again, of which a node says that it is closed.
func closedUntil(m *pb.Refuse) error {
	if next, ok := protocol.NextAt(m.NextMs); ok && !next.IsZero() {
		return ClosedUntil{next}
	}
	return ErrClosed
}

// takeState takes a newcomer's lesson; each part proves itself.
func (r *Room) takeState(id protocol.PeerID, s *pb.RoomState, now time.Duration) {
	if r.genesis == nil && s.GetGenesis() != nil {
		if g, err := protocol.OpenGenesis(s.Genesis); err == nil {
			r.learn(g, now)
		} else {
			r.drop("malformed")
		}
	}
	if r.genesis == nil {
		return
	}
	for i, w := range s.GetCertificates() {
		if i >= protocol.MaxCertificates {
			break
		}
		if old, ok := r.known(w); ok && old.Serial >= w.GetSerial() {
			continue
		}
		if c, err := protocol.OpenCertificate(r.cfg.Room, w); err == nil {
			r.hold(c, now)
		}
	}
	for _, raw := range s.GetMessages() {
		r.hearRaw(raw, id, now)
	}
	if r.relay == "" || r.machine.Lost(now) {
		r.askLog(id, false, now) // the claim may be of an era, or of a right, that only the log shows
	}
}

// known gives the certificate that this node holds for w's subject from w's
// issuer.
func (r *Room) known(w *pb.Certificate) (held, bool) {
	subject, err := protocol.PeerOf(w.GetSubject())
	if err != nil {
		return held{}, false
	}
	issuer, err := protocol.PeerOf(w.GetIssuer())
	h, ok := r.rights[subject]
	return h, err == nil && ok && h.Issuer == issuer
}

// joined says whether this node relays the room or is attached to who does, so
// that nobody has to be asked about it.
func (r *Room) joined(now time.Duration) bool {
	if r.root || r.relay == "" || r.machine.Lost(now) {
		return r.root
	}
	p := r.parents[r.live]
	return p != nil && p.accepted
}

// full says whether this node is kept out because nobody has a place for it.
func (r *Room) full() bool {
	full := false
	for _, p := range r.parents {
		if p.accepted {
			return false
		}
		full = full || p.full
	}
	return full
}

// silent: the live parent's path is; the other one goes on from where this node
// has everything.
func (r *Room) silent(id protocol.PeerID, have []*pb.Position, now time.Duration) {
	if id != r.live {
		return
	}
	if other := r.otherParent(); other != "" {
		r.switchTo(other, have, now)
	}
}

func (r *Room) switchTo(id protocol.PeerID, have []*pb.Position, now time.Duration) {
	r.cfg.Log.Info("take the sound from another", "room", r.cfg.Room.Short(), "from", r.live, "to", id)
	r.live, r.liveAt = id, now
	if r.use.Listening == 0 {
		return
	}
	r.parents[id].mode = pb.Attach_LIVE
	r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Resume{Resume: &pb.Resume{Room: r.cfg.Room[:], Positions: have}}})
	r.watch()
	r.changed()
}

// watch tells the forwarder whose silence matters.
func (r *Room) watch() {
	p := r.parents[r.live]
	if r.use.Listening > 0 && !r.root && r.standby != r.cfg.Self && p != nil && p.accepted {
		r.cfg.Forwarder.Watch(r.live)
		return
	}
	r.cfg.Forwarder.Watch("")
}
