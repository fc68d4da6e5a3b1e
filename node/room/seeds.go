package room

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// seed is a node that may know a room of which this one knows nothing yet.
type seed struct {
	info    peer.AddrInfo
	number  int // in the order in which they came
	wanted  bool
	since   time.Duration // wanted
	asked   bool
	askedAt time.Duration
	refused bool
	closed  bool // it says that the room is
	why     pb.Refuse_Reason
}

// seedPatience is how long a node that shows itself to one seed at a time waits
// for it: connecting through a circuit, and an answer.
const seedPatience = 3 * time.Second

func (r *Room) addSeed(info peer.AddrInfo) {
	if info.ID == r.cfg.Self || r.seeds[info.ID] != nil || len(r.seeds) >= 2*protocol.MaxHints || r.joined(r.cfg.Now()) {
		return
	}
	r.seedings++
	r.seeds[info.ID] = &seed{info: info, number: r.seedings}
	r.steer(r.cfg.Now())
}

// askSeeds asks whoever may know the room, until a relay is known; then lets
// them go. When the relay is lost, that is whoever announces the room by now.
func (r *Room) askSeeds(now time.Duration) {
	if r.joined(now) {
		for id := range r.seeds {
			r.dropSeed(id)
		}
		r.unproven = nil
		return
	}
	r.keptOut(now)
	r.seedAnnouncers(now)
	r.wantSeeds(now)
	for id, s := range r.seeds {
		path := r.paths[id]
		if s.asked && now-s.askedAt < askAgain || !s.wanted || path == nil || path.way == nil || r.parents[id] != nil {
			continue
		}
		s.asked, s.askedAt = true, now
		r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Attach{Attach: &pb.Attach{Room: r.cfg.Room[:], Mode: pb.Attach_WARM}}})
	}
}

// seedAnnouncers looks into the directory while the relay is lost, or keeps this node
// out and shows nothing for it.
func (r *Room) seedAnnouncers(now time.Duration) {
	if r.relay == "" || !r.machine.Lost(now) && r.unproven == nil || now-r.lookedUp < askAgain {
		return
	}
	r.lookedUp = now
	for _, a := range r.cfg.Announcers() {
		if a.ID != r.relay {
			r.addSeed(a)
		}
	}
}

// wantSeeds has links made to the seeds: to all at once, or to one after the
// other if only the relay is to learn where this node is.
func (r *Room) wantSeeds(now time.Duration) {
	if r.cfg.RelayOnly {
		if s := r.nextSeed(now); s != nil {
			s.wanted, s.since = true, now
			r.cfg.Links.Want(s.info)
		}
		return
	}
	for _, s := range r.seeds {
		if !s.wanted {
			s.wanted, s.since = true, now
			r.cfg.Links.Want(s.info)
		}
	}
}

// nextSeed gives the seed whose turn it is, and lets go of the one before; nil
// while that one may still answer. Once a relay is known, nobody else has a turn.
func (r *Room) nextSeed(now time.Duration) (next *seed) {
	last := -1
	for id, s := range r.seeds {
		if !s.wanted {
			continue
		}
		if !s.refused && now-s.since < seedPatience {
			return nil
		}
		last = max(last, s.number)
		s.wanted, s.asked = false, false
		if r.parents[id] == nil {
			r.cfg.Links.Release(id)
		}
	}
	if r.relay != "" && !r.machine.Lost(now) {
		return nil
	}
	var first *seed
	for _, s := range r.seeds {
		if first == nil || s.number < first.number {
			first = s
		}
		if s.number > last && (next == nil || s.number < next.number) {
			next = s
		}
	}
	if next == nil {
		next = first // none had an answer: begin again
	}
	return next
}

func (r *Room) dropSeed(id protocol.PeerID) {
	s := r.seeds[id]
	delete(r.seeds, id)
	if s.wanted && r.parents[id] == nil {
		r.cfg.Links.Release(id)
	}
}

// closedByAll says whether nobody is left who may know better: who is not known
// to be the founder can't close a room for this node by itself.
func (r *Room) closedByAll() bool {
	for _, s := range r.seeds {
		if !s.closed {
			return false
		}
	}
	return len(r.seeds) > 0
}
