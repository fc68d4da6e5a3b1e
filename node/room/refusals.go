package room

import (
	"errors"
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// Unproven is why a newcomer is not let in by any who answers it, as they say: they
// show no log by which that is so.
type Unproven struct {
	By  protocol.PeerID // one of them
	Why error           // ErrBanned or ErrLocked
}

func (u *Unproven) Error() string {
	return fmt.Sprintf("%s says: %v, and shows nothing for it", u.By, u.Why)
}

// keepsOut says whether a refusal is one that the log has to show.
func keepsOut(why pb.Refuse_Reason) bool {
	return why == pb.Refuse_BANNED || why == pb.Refuse_LOCKED
}

// checkRefusal asks who refuses this node for the log by which it does.
func (r *Room) checkRefusal(id protocol.PeerID, m *pb.Refuse, now time.Duration) {
	if m.Genesis != nil && r.genesis == nil {
		if g, err := protocol.OpenGenesis(m.Genesis); err == nil {
			r.learn(g, now)
		} else {
			r.drop("malformed")
		}
	}
	if p := r.paths[id]; r.genesis != nil && p != nil && !p.log.open {
		r.askLog(id, false, now)
	}
}

// keptOut ends the joining of one whom all refuse who answer in time, if their log
// shows that it is banned, or that the room takes nobody new. Without that it goes on
// to ask, those too who have not answered yet and who announces the room; so neither
// one of several alone nor the relay can keep this node out by a lie.
func (r *Room) keptOut(now time.Duration) {
	by, why := r.refused(now)
	switch {
	case why == nil:
		r.unproven = nil
	case r.shows(why, now):
		r.joinErr, r.end = why, why
	default:
		r.unproven = &Unproven{by, why}
	}
}

// refused gives why all refuse this node who answer in time, and one of them; nil: not
// all do, or not for a reason that keeps it out.
func (r *Room) refused(now time.Duration) (by protocol.PeerID, err error) {
	all := true
	says := func(id protocol.PeerID, why pb.Refuse_Reason) {
		all = all && keepsOut(why)
		switch {
		case why == pb.Refuse_BANNED:
			by, err = id, ErrBanned
		case why == pb.Refuse_LOCKED && err == nil:
			by, err = id, ErrLocked
		}
	}
	for id, p := range r.parents {
		says(id, p.why)
	}
	if len(r.parents) == 0 {
		for id, s := range r.seeds {
			asked := s.since > 0
			if s.refused || !asked || now-s.since < seedPatience {
				says(id, s.why)
			}
		}
	}
	if !all {
		return "", nil
	}
	return by, err
}

// shows says whether the log, once those who were asked for it have told what they
// have, keeps this node out.
func (r *Room) shows(why error, now time.Duration) bool {
	for _, p := range r.paths {
		if p.log.open {
			return false
		}
	}
	switch {
	case r.lawful == nil:
		return false
	case errors.Is(why, ErrBanned):
		return r.sentences.Out(r.lawful, r.cfg.Self, now)
	}
	return r.shut()
}

// takeRefuge has a node that accepts this one, though relay and standby don't and show
// no reason, bring the room until one of these does.
func (r *Room) takeRefuge(id protocol.PeerID) bool {
	if r.unproven == nil || r.cfg.RelayOnly {
		return false
	}
	r.refuge, r.unproven = id, nil
	r.cfg.Log.Info("take the room from another than its relay, who keeps this node out for no reason", "room", r.cfg.Room.Short(), "from", id)
	return true
}

// leaveRefuge goes back to relay and standby once one of them accepts.
func (r *Room) leaveRefuge() {
	for _, id := range []protocol.PeerID{r.relay, r.standby} {
		if p := r.parents[id]; id == r.refuge || p != nil && p.accepted {
			r.refuge = ""
		}
	}
}
