package roster

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/earshot-audio/earshot/protocol"
)

// The people of the tests. Their IDs are no keys: signatures are checked before
// a log gets an action.
const (
	founder  protocol.PeerID = "founder"
	alice    protocol.PeerID = "alice"
	bob      protocol.PeerID = "bob"
	carol    protocol.PeerID = "carol"
	dave     protocol.PeerID = "dave"
	erin     protocol.PeerID = "erin"
	stranger protocol.PeerID = "stranger"
)

// people may be appointed; stranger never is.
var people = [...]protocol.PeerID{alice, bob, carol, dave, erin}

func room() *protocol.Genesis {
	return &protocol.Genesis{Room: protocol.RoomID{1}, Founder: founder, Title: "Tea", Topics: []string{"tea"}}
}

// A world is a room that nodes of its people hold, some of them cut off from the
// others at times.
type world struct {
	rng    *rand.Rand
	nodes  [4]*Log // of the founder, alice, bob and carol
	apart  [4]bool
	pool   []*protocol.Action // all that was ever signed and is in place
	all    *Log               // who holds everything
	rogue  protocol.PeerID
	twice  bool // the founder's key is in two places
	trace  io.Writer
	broken []string
}

func newWorld(seed uint64, trace io.Writer) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 5)), all: New(room()), trace: trace}
	for i := range w.nodes {
		w.nodes[i] = New(room())
	}
	return w
}

func (w *world) note(format string, args ...any) {
	if w.trace != nil {
		fmt.Fprintf(w.trace, format+"\n", args...)
	}
}

func (w *world) breaks(format string, args ...any) {
	w.note("BROKEN: "+format, args...)
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

func (w *world) anyone() protocol.PeerID { return people[w.rng.IntN(len(people))] }

// deed is something that somebody may think of.
func (w *world) deed() protocol.Deed {
	p, on := w.anyone(), w.rng.IntN(2) == 0
	switch w.rng.IntN(20) {
	case 0, 1, 2, 3:
		return protocol.Grant{Peer: p, Role: protocol.RoleModerator, Share: [...]uint32{1, 2, 5, 20, 64}[w.rng.IntN(5)]}
	case 4:
		return protocol.Grant{Peer: p, Role: protocol.RoleSpeaker}
	case 5:
		return protocol.Grant{Peer: p, Role: protocol.RoleCarrier}
	case 6, 7:
		return protocol.Revoke{Peer: p, Role: protocol.RoleModerator}
	case 8:
		return protocol.Revoke{Peer: p, Role: protocol.RoleSpeaker}
	case 9:
		return protocol.Remove{Peer: p}
	case 10, 11, 12:
		return protocol.Ban{Peer: p}
	case 13:
		return protocol.Unban{Peer: p}
	case 14:
		return protocol.Mute{Peer: []protocol.PeerID{p, ""}[w.rng.IntN(2)], MayUnmute: on}
	case 15:
		return protocol.Unmute{Peer: []protocol.PeerID{p, ""}[w.rng.IntN(2)]}
	case 16:
		return protocol.Title([]string{"Coffee", "Milk", "Water"}[w.rng.IntN(3)])
	case 17:
		return protocol.Stage(w.rng.IntN(3))
	case 18:
		return protocol.Lock(on)
	}
	return protocol.Pause(on)
}

// hash names an action at random, so that ties fall either way.
func (w *world) hash() (h protocol.ActionHash) {
	binary.BigEndian.PutUint64(h[:], w.rng.Uint64())
	binary.BigEndian.PutUint64(h[8:], w.rng.Uint64())
	return h
}

// act has p do something at its own node, as an honest one would.
func (w *world) act(at int, p protocol.PeerID) {
	a, err := w.nodes[at].Draft(p)
	if err != nil {
		return
	}
	a.Hash, a.Deed = w.hash(), w.deed()
	w.sign(a)
	if w.all.Has(a.Hash) {
		w.deliver(at, a)
		w.send(at, a)
	}
}

// forge gives an action of p behind any actions there are: it may hide what p
// knows, and stand beside others with the same sequence.
func (w *world) forge(p protocol.PeerID) *protocol.Action {
	a := &protocol.Action{Room: w.all.genesis.Room, Actor: p, Hash: w.hash(), Deed: w.deed()}
	for range w.rng.IntN(4) {
		if len(w.all.nodes) > 0 {
			a.Parents = append(a.Parents, w.all.nodes[w.rng.IntN(len(w.all.nodes))].Hash)
		}
	}
	slices.SortFunc(a.Parents, protocol.ActionHash.Compare)
	a.Parents = slices.Compact(a.Parents)
	n, _ := w.all.place(a)
	for _, i := range w.all.of(p).actions {
		if n.past.has(i) {
			a.Sequence = max(a.Sequence, w.all.nodes[i].Sequence)
		}
	}
	a.Sequence++
	return a
}

// sign puts an action into the world if anybody would take it.
func (w *world) sign(a *protocol.Action) {
	err := w.give(w.all, a)
	w.note("%s %T%v #%d %s after %v: %v", a.Actor, a.Deed, a.Deed, a.Sequence, a.Hash.Short(), shorts(a.Parents), err)
	if err == nil {
		w.pool = append(w.pool, a)
	}
}

// give brings an action to a log, and what that lacks before it: what is beyond a
// share may have been dropped.
func (w *world) give(l *Log, a *protocol.Action) error {
	_, missing, err := l.Add(a)
	for len(missing) > 0 && err == nil {
		before := missing
		for _, h := range missing {
			at := slices.IndexFunc(w.pool, func(b *protocol.Action) bool { return b.Hash == h })
			if _, _, err := l.Add(w.pool[at]); err != nil {
				return err
			}
		}
		if missing = l.Missing(); slices.Equal(missing, before) {
			w.breaks("%v are given and yet missing", shorts(missing))
			return nil
		}
	}
	return err
}

func shorts(hs []protocol.ActionHash) (out []string) {
	for _, h := range hs {
		out = append(out, h.Short())
	}
	return out
}

// send brings an action to those who can be reached.
func (w *world) send(from int, a *protocol.Action) {
	for to := range w.nodes {
		if to != from && w.apart[to] == w.apart[from] && w.rng.IntN(8) > 0 {
			w.deliver(to, a)
		}
	}
}

func (w *world) deliver(to int, a *protocol.Action) {
	if err := w.give(w.nodes[to], a); err != nil {
		w.breaks("node %d refuses %s, which all others took: %v", to, a.Hash.Short(), err)
	}
}

// pour gives a log actions in any order.
func (w *world) pour(l *Log, actions []*protocol.Action) {
	for _, i := range w.rng.Perm(len(actions)) {
		if _, _, err := l.Add(actions[i]); err != nil {
			w.breaks("%s is refused in another order: %v", actions[i].Hash.Short(), err)
		}
	}
}

// sync gives one log what another one has and it has not, until they agree.
func (w *world) sync(to, from *Log) {
	for range 4 {
		if to.Hash() == from.Hash() {
			return
		}
		for _, a := range from.Since(to.Heads()) {
			if err := w.give(to, a); err != nil {
				w.breaks("%s is refused at last: %v", a.Hash.Short(), err)
			}
		}
	}
}

// same says whether two rosters are; era apart.
func (r *Roster) same(s *Roster) bool {
	return slices.Equal(r.moderators, s.moderators) && maps.EqualFunc(r.rights, s.rights, Right.same) && maps.Equal(r.roles, s.roles) &&
		maps.EqualFunc(r.bans, s.bans, slices.Equal) && maps.Equal(r.removed, s.removed) && maps.Equal(r.vouched, s.vouched) && r.silences(s) &&
		r.title == s.title && r.language == s.language && r.pin == s.pin && slices.Equal(r.topics, s.topics) &&
		r.stage == s.stage && r.locked == s.locked && r.paused == s.paused && r.closed == s.closed && r.next.Equal(s.next)
}

func (r Right) same(s Right) bool { return r.Grant == s.Grant && slices.Equal(r.Above, s.Above) }

func (r *Roster) silences(s *Roster) bool {
	if r.muteAll != nil && s.muteAll != nil && *r.muteAll != *s.muteAll || (r.muteAll == nil) != (s.muteAll == nil) {
		return false
	}
	return maps.Equal(r.mutes, s.mutes) && maps.Equal(r.unmuted, s.unmuted)
}

// A script writes a log by hand: each line is an action of somebody.
type script struct {
	t   *testing.T
	log *Log
	n   uint32
}

func newScript(t *testing.T) *script {
	return &script{t: t, log: New(room())}
}

// do has p act behind all that there is.
func (s *script) do(p protocol.PeerID, deed protocol.Deed) protocol.ActionHash {
	s.t.Helper()
	return s.after(p, deed, s.log.Heads()...)
}

// after has p act behind some actions only.
func (s *script) after(p protocol.PeerID, deed protocol.Deed, parents ...protocol.ActionHash) protocol.ActionHash {
	s.t.Helper()
	h, err := s.try(p, deed, parents...)
	if err != nil {
		s.t.Fatalf("%s %T%v: %v", p, deed, deed, err)
	}
	return h
}

func (s *script) try(p protocol.PeerID, deed protocol.Deed, parents ...protocol.ActionHash) (protocol.ActionHash, error) {
	a := &protocol.Action{Room: s.log.genesis.Room, Actor: p, Deed: deed, Parents: slices.Clone(parents), Hash: s.hash()}
	slices.SortFunc(a.Parents, protocol.ActionHash.Compare)
	n, _ := s.log.place(a)
	for _, i := range s.log.of(p).actions {
		if n.past.has(i) {
			a.Sequence = max(a.Sequence, s.log.nodes[i].Sequence)
		}
	}
	a.Sequence++
	_, _, err := s.log.Add(a)
	return a.Hash, err
}
