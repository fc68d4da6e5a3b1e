package room

import (
	"context"
	"errors"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
	"github.com/earshot-audio/earshot/protocol/roster"
)

var (
	// ErrBanned ends Run, or refuses a newcomer, when this node is banned here.
	ErrBanned = errors.New("banned from the room")
	// ErrRemoved ends Run when somebody who may removed this node.
	ErrRemoved = errors.New("removed from the room")
	// ErrLocked refuses a newcomer: the room takes nobody new.
	ErrLocked = errors.New("the room takes nobody new")
	// ErrMuted refuses to speak: somebody who may has muted this node.
	ErrMuted = errors.New("muted by somebody who may")
)

// Act does something in the room that its log keeps, if this node may:
// protocol.ErrNoRight; roster.ErrShare if it has done all that it can.
func (r *Room) Act(ctx context.Context, deed protocol.Deed) (err error) {
	if e := r.ask(ctx, func(r *Room) { err = r.act(deed, r.cfg.Now()) }); e != nil {
		return e
	}
	return err
}

func (r *Room) act(deed protocol.Deed, now time.Duration) error {
	if r.log == nil {
		return protocol.ErrNoRight
	}
	a, err := r.log.Draft(r.cfg.Self)
	if err != nil {
		return err
	}
	if g, ok := deed.(protocol.Grant); ok && g.Role == protocol.RoleModerator && g.Share == 0 {
		if g.Share = r.share(); g.Share == 0 {
			return roster.ErrShare
		}
		deed = g
	}
	a.At, a.Deed = r.cfg.Wall(), deed
	if err := a.Seal(r.cfg.Key); err != nil {
		return err
	}
	added, _, err := r.log.Add(a)
	if err != nil {
		return err
	}
	// Whom it removes is still to hear of it.
	r.say(&protocol.Message{Action: a.Signed()})
	r.logged(added, true, now)
	return nil
}

// share is what this node gives a moderator of its own if nothing else is said: a
// quarter of what it has left at most, so that others may follow.
func (r *Room) share() uint32 {
	spare := r.log.Spare(r.cfg.Self)
	return uint32(min(protocol.ModeratorShare, (spare+3)/4))
}

// carryOut does what a new action does once, beside what its roster says from
// now on. What was done before this node could hear of it, is not done again.
func (r *Room) carryOut(a *protocol.Action, fresh bool, now time.Duration) {
	if d, ok := a.Deed.(protocol.Ban); ok && d.Peer == r.cfg.Self && r.settled && r.sentences.Out(r.lawful, d.Peer, now) {
		r.end = ErrBanned
	}
	if !fresh {
		return
	}
	switch d := a.Deed.(type) {
	case protocol.Remove:
		if by, ok := r.lawful.Removed(d.Peer); ok && by == a.Hash {
			r.showOut(d.Peer, pb.Refuse_NOT_RELAY, now)
			if d.Peer == r.cfg.Self && r.settled {
				r.end = ErrRemoved
			}
		}
	case protocol.Mute:
		for s, v := range r.voices {
			m, ok := r.lawful.Muted(v.owner)
			if ok && m.Action == a.Hash && m.MayUnmute {
				r.endVoice(s, now)
				r.closeVoice(s)
			}
		}
	}
}

// banned says whether p is kept out. Whether this node is, the others say to it when
// it comes: what it stored may lack that the ban was lifted.
func (r *Room) banned(p protocol.PeerID, now time.Duration) bool {
	return p != r.cfg.Self && r.lawful != nil && r.sentences.Out(r.lawful, p, now)
}

// maySound says whether what p says is to be heard: it may speak, and nobody who
// may has silenced it. A mute that its target may end silences only what was
// said when it came.
func (r *Room) maySound(p protocol.PeerID, now time.Duration) bool {
	if !r.maySpeak(p, now) || r.lawful.Paused() {
		return false
	}
	m, ok := r.lawful.Muted(p)
	return !ok || m.MayUnmute
}

// enforce brings what goes on in the room into line with who may do what.
func (r *Room) enforce(now time.Duration) {
	for s, v := range r.voices {
		switch may := r.maySound(v.owner, now); {
		case !may && !v.hushed:
			r.silence(s, v, now)
		case may && v.hushed:
			r.unsilence(s, v)
		}
	}
	for _, p := range r.lawful.Banned() {
		if r.banned(p, now) {
			r.showOut(p, pb.Refuse_BANNED, now)
		}
	}
}

// silence has nothing more be heard of a source here. Others' sources are
// forgotten: they say again what they have open. This node's own wait.
func (r *Room) silence(s protocol.Source, v *voice, now time.Duration) {
	if v.owner != r.cfg.Self || !r.maySpeak(v.owner, now) {
		r.endVoice(s, now)
		r.closeVoice(s)
		return
	}
	v.hushed = true
	r.unbindAll(s)
	r.cfg.Forwarder.CloseSource(s)
	r.changed()
}

// unsilence opens a source of this node again.
func (r *Room) unsilence(s protocol.Source, v *voice) {
	v.hushed = false
	r.cfg.Forwarder.OpenSource(s, v.owner, r.bringer(v.owner))
	r.sayVoices()
	for id, p := range r.paths {
		r.bind(id, p, s, v)
	}
	r.changed()
}

// showOut ends p's stay here: it is nobody's child, and no member any more.
func (r *Room) showOut(p protocol.PeerID, why pb.Refuse_Reason, now time.Duration) {
	if at := r.paths[p]; at != nil && (at.child || at.early != nil) {
		at.early = nil
		r.refuse(p, why)
		r.giveUp(p, at)
		r.aim(p)
	}
	r.sendAway(p, why == pb.Refuse_BANNED, now)
	if r.members[p] != nil || r.hands[p] != nil {
		delete(r.hands, p)
		r.forget(p, now)
	}
	if r.parents[p] != nil {
		r.detach(p)
	}
}

// moderated notes that somebody who moderates is here: it renews the places on
// stage of those who are here too.
func (r *Room) moderated(by protocol.PeerID, now time.Duration) {
	if !r.lawful.MayModerate(by) {
		return
	}
	r.leases.Heard(now)
	for _, p := range r.lawful.Speakers() {
		if p == r.cfg.Self || r.members[p] != nil {
			r.leases.Renew(p, now)
		}
	}
}

// tendLeases ends places on stage that nobody renewed.
func (r *Room) tendLeases(now time.Duration) {
	if len(r.leases.Tick(now)) > 0 {
		r.rosterChanged(now)
		r.enforce(now)
		r.changed()
	}
}

// livesEach is how often what has passed of lives is stored: so much longer a ban may
// last at most where a node ends without a word.
const livesEach = time.Minute

// tendLives has stored, now and then, what has passed of bans' lives and of grants'.
func (r *Room) tendLives(now time.Duration) {
	if now-r.livesAt >= livesEach {
		r.saveLives(now)
	}
}

func (r *Room) saveLives(now time.Duration) {
	r.livesAt = now
	if l := roster.LivesOf(r.lawful, r.sentences, r.leases, now); !l.Equal(r.livesKept) {
		r.livesKept = l
		r.cfg.SaveLives(l)
	}
}

// Log gives the room's log, ancestors first, and what it comes to.
func (r *Room) Log(ctx context.Context) (entries []roster.Entry, lawful *roster.Roster, err error) {
	err = r.ask(ctx, func(r *Room) {
		if r.log != nil {
			entries, lawful = r.log.Entries(), r.lawful
		}
	})
	return entries, lawful, err
}
