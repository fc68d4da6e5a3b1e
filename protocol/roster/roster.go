package roster

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// A Roster is who may do what in a room, and the room's settings, as one set of
// actions has them. It does not change. What runs out with time is not in it:
// see [Leases] and [Sentences].
type Roster struct {
	founder    protocol.PeerID
	era        uint32
	moderators []protocol.PeerID // in force, by rank
	rights     map[protocol.PeerID]Right
	roles      map[given]protocol.ActionHash // speakers' and carriers'
	vouched    map[protocol.PeerID]bool
	bans       map[protocol.PeerID][]Ban
	removed    map[protocol.PeerID]protocol.ActionHash
	mutes      map[protocol.PeerID]Mute
	muteAll    *Mute
	unmuted    map[protocol.PeerID]bool // since the mute of all

	title, language, pin string
	topics               []string
	stage                protocol.Stage
	locked               bool
	paused, closed       bool
	next                 time.Time
}

// A Right is by what a peer is a moderator.
type Right struct {
	Grant protocol.ActionHash // the appointment
	Above []protocol.PeerID   // who made it, who appointed that one, and so on; the founder last
}

// By gives who made the appointment.
func (r Right) By() protocol.PeerID { return r.Above[0] }

// Rank is 1 for whom the founder appointed.
func (r Right) Rank() int { return len(r.Above) }

// given is a role that a peer was given.
type given struct {
	peer protocol.PeerID
	role protocol.Role
}

// A Ban keeps a peer out.
type Ban struct {
	Action protocol.ActionHash
	By     protocol.PeerID
	Life   time.Duration // from each node's own first sight; 0: until lifted
}

// A Mute silences a peer.
type Mute struct {
	Action    protocol.ActionHash
	By        protocol.PeerID
	MayUnmute bool // by itself
}

// Founder gives who opened the room.
func (r *Roster) Founder() protocol.PeerID { return r.founder }

// RoleOf gives the highest role that p was given. Whether a ban of p is over is
// for the room to say; while it is not, no role counts.
func (r *Roster) RoleOf(p protocol.PeerID) protocol.Role {
	switch {
	case p == r.founder:
		return protocol.RoleHost
	case r.MayModerate(p):
		return protocol.RoleModerator
	case r.Has(p, protocol.RoleSpeaker):
		return protocol.RoleSpeaker
	case r.Has(p, protocol.RoleCarrier):
		return protocol.RoleCarrier
	}
	return protocol.RoleListener
}

// MayModerate says whether p is the founder or a moderator.
func (r *Roster) MayModerate(p protocol.PeerID) bool {
	_, ok := r.rights[p]
	return ok || p == r.founder
}

// Has says whether p was given the role to speak or to carry, and has it still.
func (r *Roster) Has(p protocol.PeerID, role protocol.Role) bool {
	_, ok := r.roles[given{p, role}]
	return ok
}

// MayCarry says whether p may relay and announce: the founder, the moderators, and
// whom they gave the role to carry or to speak. Where the stage is open, speaking
// alone makes nobody a carrier.
func (r *Roster) MayCarry(p protocol.PeerID) bool {
	return r.MayModerate(p) || r.Has(p, protocol.RoleCarrier) || r.Has(p, protocol.RoleSpeaker)
}

// Vouched says whether the room stands for p: the founder, and whom somebody who
// might gave a role, whichever it was and also once it is taken back, until they are
// removed or banned.
func (r *Roster) Vouched(p protocol.PeerID) bool { return p == r.founder || r.vouched[p] }

// MaySpeak says whether p may be on stage: the founder and the moderators; where
// the stage is open everybody; where it is the host's, whom they let on. A
// speaker's lease, a mute, a ban and a pause are asked for apart.
func (r *Roster) MaySpeak(p protocol.PeerID) bool {
	if r.MayModerate(p) {
		return true
	}
	switch r.stage {
	case protocol.StageOpen:
		return true
	case protocol.StageModerators:
		return false
	}
	return r.Has(p, protocol.RoleSpeaker)
}

// Right gives by what p is a moderator; the founder needs none.
func (r *Roster) Right(p protocol.PeerID) (Right, bool) {
	right, ok := r.rights[p]
	return right, ok
}

// MayEnd says whether by, as the roster is, may mute, remove or ban p: the founder
// everybody else; a moderator those who are none, and the moderators below it.
func (r *Roster) MayEnd(by, p protocol.PeerID) bool {
	if p == r.founder || p == by || !r.MayModerate(by) {
		return false
	}
	right, moderates := r.rights[p]
	below := slices.Contains(right.Above, by) && r.rights[by].Rank() < right.Rank() // by may have sunk since
	return by == r.founder || !moderates || below
}

// Granted gives the action that gave p the role to speak or to carry.
func (r *Roster) Granted(p protocol.PeerID, role protocol.Role) (protocol.ActionHash, bool) {
	h, ok := r.roles[given{p, role}]
	return h, ok
}

// Moderators gives the moderators in force, those nearest to the founder first,
// at most MaxModerators.
func (r *Roster) Moderators() []protocol.PeerID { return slices.Clone(r.moderators) }

// Speakers gives who was let on stage, sorted.
func (r *Roster) Speakers() []protocol.PeerID { return r.with(protocol.RoleSpeaker) }

// Carriers gives who has the duty to carry, sorted.
func (r *Roster) Carriers() []protocol.PeerID { return r.with(protocol.RoleCarrier) }

func (r *Roster) with(role protocol.Role) (out []protocol.PeerID) {
	for g := range r.roles {
		if g.role == role {
			out = append(out, g.peer)
		}
	}
	slices.Sort(out)
	return out
}

// Bans gives the bans on p that are not lifted; the room asks its [Sentences]
// which of them are over.
func (r *Roster) Bans(p protocol.PeerID) []Ban { return slices.Clone(r.bans[p]) }

// Banned gives who has bans, sorted.
func (r *Roster) Banned() (out []protocol.PeerID) {
	for p := range r.bans {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// Removed gives the last action that removed p: who is here longer than that is
// to go.
func (r *Roster) Removed(p protocol.PeerID) (protocol.ActionHash, bool) {
	h, ok := r.removed[p]
	return h, ok
}

// Muted gives the mute of p that is not lifted. The founder and the moderators
// are not muted with all.
func (r *Roster) Muted(p protocol.PeerID) (Mute, bool) {
	if m, ok := r.mutes[p]; ok {
		return m, true
	}
	if r.muteAll == nil || r.unmuted[p] || r.MayModerate(p) {
		return Mute{}, false
	}
	return *r.muteAll, true
}

// MutedAll gives the mute of all that is not lifted.
func (r *Roster) MutedAll() (Mute, bool) {
	if r.muteAll == nil {
		return Mute{}, false
	}
	return *r.muteAll, true
}

// Title, Language, Topics, Stage, Pin and Next are the room's, as its genesis
// has them until an action says otherwise. A zero Next is not said.
func (r *Roster) Title() string         { return r.title }
func (r *Roster) Language() string      { return r.language }
func (r *Roster) Topics() []string      { return slices.Clone(r.topics) }
func (r *Roster) Stage() protocol.Stage { return r.stage }
func (r *Roster) Pin() string           { return r.pin }
func (r *Roster) Next() time.Time       { return r.next }

// Listing gives what those outside are shown of the room.
func (r *Roster) Listing() protocol.Listing {
	return protocol.Listing{Title: r.title, Topics: r.Topics(), Language: r.language, Locked: r.locked, Next: r.next}
}

// Locked says that the room takes no new listeners; Paused, that microphones are
// off, nobody new comes and nobody chats; Closed, that its founder closed it.
func (r *Roster) Locked() bool { return r.locked }
func (r *Roster) Paused() bool { return r.paused }
func (r *Roster) Closed() bool { return r.closed }

// Era counts the actions that took a role, removed or banned somebody who had been
// given a role; of one whom the founder appointed and all below, MaxEras at most. It is
// the election's: more actions never lessen it, but for what an actor signed beyond
// its share.
func (r *Roster) Era() uint32 { return r.era }
