package room

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// path is this room's share of the link to one node.
type path struct {
	way   Path // nil until frames can pass
	early *pb.Attach

	tells *rate.Limiter // how often the far side is told all that it takes to follow the room

	child      bool // the far side gets the room from here
	childMode  pb.Attach_Mode
	redirected bool // there was no place for it, and it was told who else has the room

	outlet Outlet // nil: no sink
	beats  *binding
	recall recall // of chat
	log    askingLog

	letters *rate.Limiter // sealed reports passed on for the far side; nil: none yet

	mode  Mode
	out   map[protocol.Source]*binding
	in    map[protocol.Handle]protocol.Source
	later map[protocol.Handle]*pb.Bind // refused for now
}

// binding is a source that is named to the far side.
type binding struct {
	handle protocol.Handle
	bound  bool
	at     time.Duration // last asked
}

const maxInHandles = 2 * protocol.MaxSources

// An honest node asks once a second, and anew when it has lost something; what it
// is told is a thousand times its question.
const (
	tellsASecond = 1
	tellsAtOnce  = 8
)

// mayTell says whether the far side may be told all once more, and counts it.
func (p *path) mayTell(now time.Duration) bool { return p.tells.AllowN(time.Unix(0, int64(now)), 1) }

func (r *Room) pathTo(id protocol.PeerID) *path {
	p := r.paths[id]
	if p == nil {
		p = &path{tells: rate.NewLimiter(tellsASecond, tellsAtOnce), out: map[protocol.Source]*binding{}, in: map[protocol.Handle]protocol.Source{}, later: map[protocol.Handle]*pb.Bind{}}
		r.paths[id] = p
	}
	return p
}

func (r *Room) pathUp(id protocol.PeerID, now time.Duration) {
	p, way := r.pathTo(id), r.cfg.Links.Path(id)
	if way == nil || way == p.way {
		return
	}
	if p.way != nil {
		r.pathDown(id, now) // another one: nothing of the old holds
		p = r.pathTo(id)
	}
	p.way = way
	if early := p.early; early != nil {
		p.early = nil
		r.takeAttach(id, early)
	}
	r.steer(now)
}

func (r *Room) pathDown(id protocol.PeerID, now time.Duration) {
	if r.paths[id] == nil {
		return
	}
	r.closePath(id)
	if s := r.seeds[id]; s != nil {
		s.asked = false
	}
	if p := r.parents[id]; p != nil {
		p.accepted, p.asked = false, false
		if other := r.otherParent(); id == r.live && other != "" {
			r.switchTo(other, nil, now)
		}
	}
	r.steer(now)
	r.changed()
}

// lookAtPaths finds paths that came or went while the inbox was full.
func (r *Room) lookAtPaths(now time.Duration) {
	for id, p := range r.paths {
		switch way := r.cfg.Links.Path(id); {
		case way == p.way:
		case way == nil:
			r.pathDown(id, now)
		default:
			r.pathUp(id, now)
		}
	}
	for id := range r.parents {
		if r.paths[id] == nil && r.cfg.Links.Path(id) != nil {
			r.pathUp(id, now)
		}
	}
}

func (r *Room) closePath(id protocol.PeerID) {
	p := r.paths[id]
	r.giveUp(id, p)
	r.closeOutlet(id, p)
	for h := range p.in {
		if p.way != nil {
			p.way.Forget(h)
		}
	}
	delete(r.paths, id)
}

func (r *Room) aimAll() {
	for id := range r.paths {
		r.aim(id)
	}
}

// aim gives the far side of a path what it should get from here: as a child what
// it asked for, as a parent this node's own voices, and between relay and
// standby everything.
func (r *Room) aim(id protocol.PeerID) {
	p := r.paths[id]
	if p == nil || p.way == nil {
		return
	}
	r.disown(id, p)
	up := r.parents[id] != nil && r.parents[id].accepted
	mode, any := Up, up || p.child
	pair := id == r.relay && r.standby == r.cfg.Self || id == r.standby && r.root
	switch {
	case !any:
		r.closeOutlet(id, p)
		return
	case pair:
		mode = Mirror
	case p.child && p.childMode == pb.Attach_LIVE || p.child && p.childMode == pb.Attach_MIRROR:
		mode = Live
	case p.child && !up:
		mode = Warm
	}
	if p.outlet == nil {
		p.beats = &binding{handle: p.way.Handle(), at: r.cfg.Now()}
		p.outlet, p.mode = p.way.Outlet(p.beats.handle), mode
		r.cfg.Forwarder.AddSink(id, mode, p.outlet)
		r.sendBind(id, p.beats.handle, nil)
		r.changed()
	} else if p.mode != mode {
		p.mode = mode
		r.cfg.Forwarder.SetMode(id, mode)
		r.changed()
	}
	for s, v := range r.voices {
		if p.out[s] != nil && !r.carries(id, p, v) {
			r.cfg.Forwarder.Disable(id, s)
			r.unbind(id, p, s)
		}
		r.bind(id, p, s, v)
	}
}

// closeOutlet ends what goes to the far side, and gives its handles back.
func (r *Room) closeOutlet(id protocol.PeerID, p *path) {
	if p.outlet == nil {
		return
	}
	r.cfg.Forwarder.RemoveSink(id)
	for s := range p.out {
		r.unbind(id, p, s)
	}
	r.sendUnbind(id, p.beats.handle)
	p.outlet, p.beats = nil, nil
}

// carries says whether a voice may go to the far side at all.
func (r *Room) carries(id protocol.PeerID, p *path, v *voice) bool {
	by := r.bringer(v.owner)
	return p.outlet != nil && by != id && (by == r.cfg.Self || p.child || p.mode == Mirror)
}

// bind names a source to the far side, before frames under its handle go there.
func (r *Room) bind(id protocol.PeerID, p *path, s protocol.Source, v *voice) {
	if v.ended || v.hushed || p.out[s] != nil || !r.carries(id, p, v) {
		return
	}
	b := &binding{handle: p.way.Handle(), at: r.cfg.Now()}
	p.out[s] = b
	p.outlet.Bind(s, b.handle)
	r.sendBind(id, b.handle, v.raw)
}

// sendBind names a voice, or nil: the room's heartbeats.
func (r *Room) sendBind(id protocol.PeerID, h protocol.Handle, voice []byte) {
	r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Bind{Bind: &pb.Bind{Room: r.cfg.Room[:], Handle: uint32(h), Voice: voice}}})
}

func (r *Room) unbind(id protocol.PeerID, p *path, s protocol.Source) {
	p.outlet.Unbind(s)
	r.sendUnbind(id, p.out[s].handle)
	delete(p.out, s)
}

func (r *Room) sendUnbind(id protocol.PeerID, h protocol.Handle) {
	r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Unbind{Unbind: &pb.Unbind{Handle: uint32(h)}}})
}

// bindAgain repeats what the far side has not answered with yes: it may have
// learnt since that the speaker may.
func (r *Room) bindAgain(now time.Duration) {
	for id, p := range r.paths {
		for s, b := range p.out {
			if v := r.voices[s]; !b.bound && v != nil && now-b.at >= refreshBinds {
				b.at = now
				r.sendBind(id, b.handle, v.raw)
			}
		}
		if b := p.beats; b != nil && !b.bound && now-b.at >= refreshBinds {
			b.at = now
			r.sendBind(id, b.handle, nil)
		}
	}
}

// Bound answers a Bind; it names no room, so every room of the link is asked.
func (r *Room) Bound(id protocol.PeerID, h protocol.Handle, refused bool) bool {
	return r.post(func(r *Room) {
		p := r.paths[id]
		if p == nil {
			return
		}
		if p.beats != nil && p.beats.handle == h && !refused {
			p.beats.bound = true
		}
		for s, b := range p.out {
			switch {
			case b.handle != h || b.bound != refused:
			case refused: // it was bound, and is no more: bindAgain asks for it
				b.bound, b.at = false, r.cfg.Now()
				r.cfg.Forwarder.Disable(id, s)
			default:
				b.bound = true
				r.cfg.Forwarder.Enable(id, s)
			}
		}
	})
}

// Unbind ends what the far side had bound.
func (r *Room) Unbind(id protocol.PeerID, h protocol.Handle) bool {
	return r.post(func(r *Room) {
		if p := r.paths[id]; p != nil {
			delete(p.later, h)
			if _, ok := p.in[h]; ok {
				delete(p.in, h)
				p.way.Forget(h)
			}
		}
	})
}

// takeBind lets frames under a handle in, if the source may be heard here and
// the sender may bring it.
func (r *Room) takeBind(id protocol.PeerID, m *pb.Bind, now time.Duration) {
	p, h := r.paths[id], protocol.Handle(m.Handle)
	if p == nil || p.way == nil {
		return
	}
	if h == 0 || len(p.in) >= maxInHandles || !p.child && !r.upstream(id) {
		r.drop("brought by a stranger")
		r.bound(id, h, true)
		return
	}
	if len(m.Voice) == 0 {
		p.in[h] = 0
		p.way.Accept(h, 0)
		r.bound(id, h, false)
		return
	}
	v, err := protocol.ParseMessage(m.Voice)
	if err != nil || v.Voice == nil {
		r.drop("malformed")
		return
	}
	if !r.mayBring(id, v.From) {
		r.drop("brought by a stranger")
		return
	}
	if err := r.openHeard(v, now); err != nil {
		if len(p.later) < protocol.MaxSources {
			p.later[h] = m
		}
		r.drop("not on the stage")
		r.bound(id, h, true)
		return
	}
	s := protocol.SourceOf(r.cfg.Room, v.From, v.Voice.Session)
	delete(p.later, h)
	p.in[h] = s
	p.way.Accept(h, s)
	r.bound(id, h, false)
}

// upstream says whether id brings what others say, too.
func (r *Room) upstream(id protocol.PeerID) bool {
	return r.parents[id] != nil || id == r.relay || id == r.standby
}

// mayBring says whether id may bring p's voice: who speaks does, the node at whose
// door a guest is, and whoever brings what all say.
func (r *Room) mayBring(id, p protocol.PeerID) bool {
	return id == p || id == r.bringer(p) || r.upstream(id)
}

// disown ends what the far side brought of others' voices, once it is neither
// relay nor standby nor a parent: what it sends under their names then is its own.
func (r *Room) disown(id protocol.PeerID, p *path) {
	if r.upstream(id) {
		return
	}
	for h, s := range p.in {
		if v := r.voices[s]; s != 0 && (v == nil || !r.mayBring(id, v.owner)) {
			delete(p.in, h)
			p.way.Forget(h)
			r.bound(id, h, true)
		}
	}
}

// bindPending looks again at what was refused: who may speak has changed.
func (r *Room) bindPending(now time.Duration) {
	for id, p := range r.paths {
		for _, m := range p.later {
			r.takeBind(id, m, now)
		}
	}
}

func (r *Room) bound(id protocol.PeerID, h protocol.Handle, refused bool) {
	r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Bound{Bound: &pb.Bound{Handle: uint32(h), Refused: refused}}})
}

func (r *Room) unbindAll(s protocol.Source) {
	for id, p := range r.paths {
		if p.out[s] != nil {
			r.unbind(id, p, s)
		}
	}
}
