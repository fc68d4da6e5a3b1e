package room

import (
	"context"
	"maps"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// View is what this node knows of a room, for showing.
type View struct {
	Genesis        *protocol.Genesis // nil while nobody told
	Term           uint64
	TermFor        time.Duration
	Relay, Standby protocol.PeerID
	Independent    bool
	Live           protocol.PeerID // whose sound this node takes
	Full           bool            // nobody has a place for this node
	KeptOut        *Unproven       // who keeps this node out without showing why; nil: nobody
	Members        []Member
	Names          map[protocol.PeerID]protocol.Name // also of who has gone
	Paths          []PathView
	Voices         map[protocol.Source]protocol.PeerID
	Certificates   []protocol.Certificate
	Lawful         *roster.Roster // nil while nobody told of the room
	LogHash        [32]byte
	LogLength      int
	Dropped        map[string]int64
}

// Member is somebody in the room.
type Member struct {
	Peer     protocol.PeerID
	Presence protocol.Presence
	Profile  protocol.Profile
	Role     string // host, moderator, speaker, carrier or listener
	MaySpeak bool   // and would be heard
	Silenced bool   // by who moderates
	Muted    bool   // on the stage, and nothing comes from their microphone
	Hand     int    // place in the queue; 0: down, or not stamped yet
	Waiting  time.Duration
	Lost     bool // it relayed, and is silent since another one does
}

// PathView is a link as this room uses it.
type PathView struct {
	Peer          protocol.PeerID
	Parent, Child bool
	Live          bool // sound flows on it
}

// View gives the room as it stands.
func (r *Room) View(ctx context.Context) (v View, err error) {
	err = r.ask(ctx, func(r *Room) { v = r.view(r.cfg.Now()) })
	return v, err
}

func (r *Room) view(now time.Duration) View {
	v := View{Genesis: r.genesis, Term: r.term, TermFor: now - r.termAt, Relay: r.relay, Standby: r.standby, Live: r.live, Full: r.full(), KeptOut: r.unproven,
		Dropped: maps.Clone(r.dropped), Voices: map[protocol.Source]protocol.PeerID{}, Names: map[protocol.PeerID]protocol.Name{r.cfg.Self: r.cfg.Name}}
	for p, s := range r.senders {
		v.Names[p] = s.name
	}
	if r.genesis == nil {
		return v
	}
	v.Independent = r.machine.Independent()
	v.Lawful, v.LogHash, v.LogLength = r.lawful, r.log.Hash(), r.log.Len()
	v.Members = append(v.Members, Member{Peer: r.cfg.Self, Presence: *r.ownPresence(), Profile: r.cfg.Profile, Role: r.role(r.cfg.Self, now)})
	for p, m := range r.members {
		if m.presence.Name != "" {
			v.Members = append(v.Members, Member{Peer: p, Presence: m.presence, Profile: m.profile, Role: r.role(p, now), Lost: m.lost})
		}
	}
	for id, p := range r.paths {
		parent := r.parents[id]
		up := parent != nil && parent.accepted
		if up || p.child {
			v.Paths = append(v.Paths, PathView{Peer: id, Parent: up, Child: p.child,
				Live: up && id == r.live || p.child && (p.mode == Live || p.mode == Mirror)})
		}
	}
	for s, w := range r.voices {
		if !w.ended {
			v.Voices[s] = w.owner
		}
	}
	r.viewHands(&v, now)
	for _, h := range r.rights {
		if h.holds(now) {
			v.Certificates = append(v.Certificates, h.Certificate)
		}
	}
	return v
}

// viewHands adds to the members whose hand is up, in which place, and who on the
// stage is silent.
func (r *Room) viewHands(v *View, now time.Duration) {
	places, voiced := map[protocol.PeerID]int{}, map[protocol.PeerID]bool{}
	stamps := r.stamps(now)
	for i, s := range stamps {
		places[s.Peer] = i + 1
	}
	for _, owner := range v.Voices {
		voiced[owner] = true
	}
	for i := range v.Members {
		m := &v.Members[i]
		if m.Hand = places[m.Peer]; m.Hand > 0 {
			m.Waiting = stamps[m.Hand-1].Waited
		}
		_, m.Silenced = r.lawful.Muted(m.Peer)
		m.MaySpeak = r.maySound(m.Peer, now)
		m.Muted = r.seated(m.Peer, now) && (m.Presence.Muted || !voiced[m.Peer])
	}
}

func (r *Room) role(p protocol.PeerID, now time.Duration) string {
	m := r.members[p]
	speaking := m != nil && m.presence.Speaking || p == r.cfg.Self && r.use.Speaking > 0
	switch {
	case p == r.genesis.Founder:
		return "host"
	case r.lawful.MayModerate(p):
		return "moderator"
	case r.placed(p, now), speaking && r.maySpeak(p, now):
		return "speaker"
	case r.mayCarry(p, now):
		return "carrier"
	}
	return "listener"
}
