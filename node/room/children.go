package room

import (
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

const (
	// stateBytes is how much of a room's messages goes into one RoomState, if
	// the certificates leave as much; the rest follows as feed.
	stateBytes = 8 << 10
	// stateMargin is what a RoomState takes in a link message beside its parts.
	stateMargin = 512
	// maxRest is how many messages follow: a link's outbox has to hold them. Who
	// is left out is heard of within a presence's beat.
	maxRest = 128
)

// linkMessage takes what a link brought for this room.
func (r *Room) linkMessage(id protocol.PeerID, m *pb.LinkMessage, now time.Duration) {
	switch w := m.What.(type) {
	case *pb.LinkMessage_Attach:
		r.takeAttach(id, w.Attach)
	case *pb.LinkMessage_Detach:
		if p := r.paths[id]; p != nil {
			p.early = nil
			r.giveUp(id, p)
			r.aim(id)
		}
	case *pb.LinkMessage_Accept:
		r.takeAccept(id, w.Accept, now)
	case *pb.LinkMessage_Redirect:
		r.takeRedirect(id, w.Redirect, now)
	case *pb.LinkMessage_Refuse:
		r.takeRefuse(id, w.Refuse, now)
	case *pb.LinkMessage_Bind:
		r.takeBind(id, w.Bind, now)
	case *pb.LinkMessage_Resume:
		r.takeResume(id, w.Resume)
	case *pb.LinkMessage_Activity:
		if r.parents[id] != nil {
			r.cfg.Forwarder.Activity(id, w.Activity.Hot)
		}
	case *pb.LinkMessage_Feed:
		r.takeFeed(id, w.Feed, now)
	case *pb.LinkMessage_Recall:
		r.takeRecall(id, w.Recall, now)
	case *pb.LinkMessage_Recalled:
		r.takeRecalled(id, w.Recalled, now)
	case *pb.LinkMessage_LogAsk:
		r.takeLogAsk(id, w.LogAsk, now)
	case *pb.LinkMessage_LogTold:
		r.takeLogTold(id, w.LogTold, now)
	case *pb.LinkMessage_Report:
		r.takeReport(id, w.Report, now)
	case *pb.LinkMessage_ReportReceipt:
		r.takeReceipt(id, w.ReportReceipt, now)
	}
}

// takeAttach takes a child, or tells it whom to ask.
func (r *Room) takeAttach(id protocol.PeerID, m *pb.Attach) {
	p, now := r.pathTo(id), r.cfg.Now()
	switch {
	case r.genesis == nil:
		r.refuse(id, pb.Refuse_UNKNOWN_ROOM)
	case r.banned(id, now):
		r.refuse(id, pb.Refuse_BANNED)
	case !p.child && r.shut() && r.members[id] == nil && !r.hasDuty(id, now):
		r.refuse(id, pb.Refuse_LOCKED)
	case p.way == nil: // the far side's path came up first
		p.early = m
	case r.cfg.RelayOnly, !r.mayCarry(r.cfg.Self, now):
		if p.mayTell(now) {
			r.redirect(id)
		}
	case !p.child && !r.hasPlace(id):
		if !p.redirected { // once: a crowd that asks again each second has read it
			p.redirected = true
			r.redirect(id)
		}
		r.refuse(id, pb.Refuse_FULL)
	default:
		known := p.child
		again := known && p.childMode == m.Mode // it has begun anew, and knows nothing
		p.child, p.childMode = true, m.Mode
		if (again || !known) && p.mayTell(now) { // else it asks again
			if again {
				r.closeOutlet(id, p)
			}
			r.accept(id)
		}
		r.aim(id)
	}
}

func (r *Room) refuse(id protocol.PeerID, why pb.Refuse_Reason) {
	m := &pb.Refuse{Room: r.cfg.Room[:], Reason: why}
	var until ClosedUntil
	if why == pb.Refuse_CLOSED && errors.As(r.end, &until) {
		m.NextMs = protocol.NextMS(until.Next)
	}
	if keepsOut(why) {
		m.Genesis = r.genesis.Signed()
	}
	r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Refuse{Refuse: m}})
}

// hasPlace takes a place for a child, if there is one: those who speak or carry
// have places of their own, which no crowd can take.
func (r *Room) hasPlace(id protocol.PeerID) bool {
	duty, most := r.hasDuty(id, r.cfg.Now()), protocol.MaxChildren
	if duty {
		most += protocol.MaxCertificates
	}
	return r.children() < most && (r.cfg.Place == nil || r.cfg.Place(id, duty))
}

// giveUp has id be a child no more, and gives its place back.
func (r *Room) giveUp(id protocol.PeerID, p *path) {
	if p.child && r.cfg.Leave != nil {
		r.cfg.Leave(id)
	}
	p.child = false
}

func (r *Room) children() (n int) {
	for _, p := range r.paths {
		if p.child {
			n++
		}
	}
	return n
}

func (r *Room) accept(id protocol.PeerID) {
	state, rest := r.state()
	r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Accept{Accept: &pb.Accept{Room: r.cfg.Room[:], State: state}}})
	for _, raw := range rest {
		r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Feed{Feed: &pb.Feed{Room: r.cfg.Room[:], Message: raw}}})
	}
	r.cfg.Links.Send(id, r.activity())
}

func (r *Room) redirect(id protocol.PeerID) {
	m := &pb.Redirect{Room: r.cfg.Room[:], State: r.gist()}
	for _, to := range []protocol.PeerID{r.relay, r.standby} {
		if to == "" || to == id {
			continue
		}
		if a, err := protocol.WireAddress(peer.AddrInfo{ID: to, Addrs: r.claimedAddresses(to)}, protocol.MaxClaimAddresses); err == nil {
			m.To = append(m.To, a)
		}
	}
	r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Redirect{Redirect: m}})
}

// gist gives what it takes to know whom to ask: rights, and the claim.
func (r *Room) gist() *pb.RoomState {
	s := &pb.RoomState{Genesis: r.genesis.Signed()}
	founders, others := []*pb.Certificate{}, []*pb.Certificate{}
	for _, h := range r.rights {
		if h.Issuer == r.genesis.Founder {
			founders = append(founders, h.Wire())
		} else {
			others = append(others, h.Wire())
		}
	}
	s.Certificates = append(founders, others...) // a delegate's stand on the founder's
	for _, m := range []*protocol.Message{r.closing, r.claim} {
		if m != nil {
			s.Messages = append(s.Messages, m.Raw)
		}
	}
	return s
}

// state gives what a child needs: the gist, voices, and as many presences as fit;
// rest is what did not fit.
func (r *Room) state() (s *pb.RoomState, rest [][]byte) {
	s = r.gist()
	room := min(stateBytes, protocol.MaxLinkMessageBytes-stateMargin-proto.Size(s))
	add := func(raw []byte) {
		switch room -= len(raw) + 3; { // with its tag and length
		case room >= 0:
			s.Messages = append(s.Messages, raw)
		case len(rest) < maxRest:
			rest = append(rest, raw)
		}
	}
	for _, v := range r.voices {
		if !v.ended {
			add(v.raw)
		}
	}
	for _, m := range r.queue.parts {
		add(m.Raw)
	}
	own := &protocol.Message{Boot: r.cfg.Boot, Sequence: r.sequence + 1, Presence: r.ownPresence()}
	r.sequence++
	if own.Seal(r.cfg.Room, r.cfg.Key) == nil {
		add(own.Raw)
	}
	for _, raw := range r.heard() {
		add(raw)
	}
	if own := r.cfg.Profile; own != (protocol.Profile{}) {
		r.sequence++
		m := &protocol.Message{Boot: r.cfg.Boot, Sequence: r.sequence, Profile: &own}
		if m.Seal(r.cfg.Room, r.cfg.Key) == nil {
			add(m.Raw)
		}
	}
	for _, m := range r.members {
		if m.profileRaw != nil {
			add(m.profileRaw)
		}
	}
	return s, rest
}

// heard gives the members' presences: who names guests goes before them, and a crowd
// behind all others.
func (r *Room) heard() [][]byte {
	var in [4][][]byte // nodes, guests; the same of those who may have to make way
	now := r.cfg.Now()
	for p, m := range r.members {
		i := 0
		if m.presence.Door != "" {
			i++
		}
		if !r.standsFor(p, now) && !r.isAttached(p, now) {
			i += 2
		}
		if m.raw != nil {
			in[i] = append(in[i], m.raw)
		}
	}
	return slices.Concat(in[:]...)
}

// takeFeed takes a signed message that a link brought; who may not send us any
// is not listened to.
func (r *Room) takeFeed(id protocol.PeerID, m *pb.Feed, now time.Duration) {
	p := r.paths[id]
	if p == nil || !p.child && r.parents[id] == nil && r.seeds[id] == nil {
		r.drop("fed by a stranger")
		return
	}
	said := r.parse(m.Message)
	if said == nil {
		return
	}
	if m.Attached && r.believes(id) {
		r.noteAttached(said.From, now)
	}
	r.hear(said, id, now)
}

func (r *Room) hearRaw(raw []byte, from protocol.PeerID, now time.Duration) {
	if m := r.parse(raw); m != nil {
		r.hear(m, from, now)
	}
}

// parse reads a message of a link; nil: there is nothing to read.
func (r *Room) parse(raw []byte) *protocol.Message {
	m, err := protocol.ParseMessage(raw)
	switch {
	case errors.Is(err, protocol.ErrLater):
		r.drop("of a later version")
		return nil
	case err != nil:
		r.drop("malformed")
		return nil
	}
	return m
}

// takeResume makes a warm child live, from where it stands.
func (r *Room) takeResume(id protocol.PeerID, m *pb.Resume) {
	p := r.paths[id]
	if p == nil || !p.child || len(m.Positions) > protocol.MaxSources {
		r.drop("resume by a stranger")
		return
	}
	p.childMode = pb.Attach_LIVE
	r.aim(id)
	r.cfg.Forwarder.Resume(id, m.Positions)
}

// setHot tells those attached that somebody speaks: a warm child whose parent
// died in silence learns so that it misses something.
func (r *Room) setHot(hot bool) {
	r.hot = hot
	for id, p := range r.paths {
		if p.child {
			r.cfg.Links.Send(id, r.activity())
		}
	}
	r.changed()
}

func (r *Room) activity() *pb.LinkMessage {
	return &pb.LinkMessage{What: &pb.LinkMessage_Activity{Activity: &pb.Activity{Room: r.cfg.Room[:], Hot: r.hot}}}
}
