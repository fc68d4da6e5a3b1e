package room

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// visitor is a guest: a key, and a door.
type visitor struct {
	t        testing.TB
	room     protocol.RoomID
	door     protocol.PeerID
	key      crypto.PrivKey
	id       protocol.PeerID
	sequence uint64
}

func visits(t testing.TB, room protocol.RoomID, door protocol.PeerID) *visitor {
	t.Helper()
	key, public, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := public.Raw()
	id, err := protocol.PeerOf(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, room: room, door: door, key: key, id: id}
}

func (v *visitor) word(m protocol.Message) *protocol.Message {
	v.t.Helper()
	v.sequence++
	m.Boot, m.Sequence = 1, v.sequence
	if err := m.Seal(v.room, v.key); err != nil {
		v.t.Fatal(err)
	}
	back, err := protocol.ParseMessage(m.Raw)
	if err != nil {
		v.t.Fatal(err)
	}
	return back
}

func (v *visitor) here() *protocol.Message {
	return v.word(protocol.Message{Presence: &protocol.Presence{Name: "gita", Listening: true, Door: v.door}})
}

func (v *visitor) leaving() *protocol.Message {
	return v.word(protocol.Message{Presence: &protocol.Presence{Name: "gita", Leaving: true, Door: v.door}})
}

func (v *visitor) voice() *protocol.Message {
	return v.word(protocol.Message{Voice: &protocol.Voice{}})
}

func (v *visitor) writes(name protocol.Name, order uint64) *protocol.Message {
	return v.word(protocol.Message{Chat: &protocol.Chat{Order: order, Name: name, Text: "from the door"}})
}

func (v *visitor) source() protocol.Source {
	return protocol.SourceOf(v.room, v.id, protocol.Session{})
}

// tells has a guest say something at its door.
func (n *node) tells(m *protocol.Message) {
	n.w.t.Helper()
	if err := n.room.GuestSays(context.Background(), m); err != nil {
		n.w.t.Fatalf("%v, of its guest: %v", n, err)
	}
	synctest.Wait()
}

// hear wants all who listen to hear the guest of a door, within a time.
func (w *world) hear(v *visitor, door *node, within time.Duration, group ...*node) {
	w.t.Helper()
	for end := w.now() + within; ; w.sleep(100 * ms) {
		w.mu.Lock()
		heard := map[*node]bool{door: true}
		for a := range w.hearing(v.source(), door) {
			if a.to == door {
				w.misuse("the door is given its own guest's voice")
			}
			heard[a.to] = true
		}
		w.mu.Unlock()
		deaf := ""
		for _, n := range group {
			if !heard[n] && n.use.Listening > 0 {
				deaf += n.String()
			}
		}
		if deaf == "" {
			return
		}
		if w.now() >= end {
			w.t.Fatalf("%s don't hear the guest of %v", deaf, door)
		}
	}
}

// A guest of one in the audience asks to speak, is let on stage, and is heard; the
// relay dies; the guest goes on, and is sent away.
func TestAGuestSpeaks(t *testing.T) {
	t.Parallel()
	asking(t, 1, 6, func(w *world) {
		host, door := w.nodes[0], w.nodes[4]
		v := visits(w.t, w.genesis.Room, door.id)
		door.uses(Use{Listening: 3, Guests: 3})
		w.sleep(time.Second)
		door.tells(v.here())
		door.tells(v.word(protocol.Message{Hand: &protocol.Hand{Up: true, Raised: 1}}))
		w.lines("gita", soon, w.nodes...)
		for _, n := range w.nodes {
			all := n.view()
			if d, g := all.of(door.id).Presence, all.of(v.id); d.Guests.Count != 3 || d.Listening || g.Presence.Door != door.id || g.Role != "listener" {
				w.t.Errorf("at %v the door is %+v, its guest %+v", n, d, g)
			}
		}
		if _, err := door.room.OpenGuestVoice(w.t.Context(), v.voice()); !errors.Is(err, protocol.ErrNoRight) {
			w.t.Errorf("a guest who was not let on stage speaks: %v", err)
		}
		if err := host.room.Act(w.t.Context(), protocol.Grant{Peer: v.id, Role: protocol.RoleSpeaker}); err != nil {
			w.t.Fatal(err)
		}
		w.lines("", soon, w.nodes...)
		if s, err := door.room.OpenGuestVoice(w.t.Context(), v.voice()); err != nil || s != v.source() {
			w.t.Fatal(s, err)
		}
		w.hear(v, door, time.Second, w.nodes...)

		dead := w.relay()
		dead.kill()
		var rest []*node
		for _, n := range w.nodes {
			if n != dead {
				rest = append(rest, n)
			}
		}
		for range 4 {
			w.hear(v, door, promised, rest...)
			w.sleep(9 * time.Second)
			door.tells(v.here())
			door.tells(v.voice())
		}
		w.hear(v, door, time.Second, rest...)

		door.room.GuestGone(v.id)
		w.sleep(2 * time.Second)
		for _, n := range rest {
			if all := n.view(); all.of(v.id).Peer != "" || len(all.Voices) != 0 {
				w.t.Errorf("%v still has who was sent away: %+v, %v", n, all.of(v.id), all.Voices)
			}
		}
	})
}

// A guest who falls silent is forgotten, with its voice.
func TestASilentGuestIsForgotten(t *testing.T) {
	inWorld(t, 1, protocol.StageOpen, 3, func(w *world) {
		w.party()
		door := w.nodes[1]
		v := visits(w.t, w.genesis.Room, door.id)
		w.sleep(time.Second)
		door.tells(v.here())
		if _, err := door.room.OpenGuestVoice(w.t.Context(), v.voice()); err != nil {
			w.t.Fatal(err)
		}
		w.hear(v, door, time.Second, w.nodes...)
		w.sleep(protocol.PresenceLife + 3*time.Second)
		for _, n := range w.nodes {
			if all := n.view(); all.of(v.id).Peer != "" || len(all.Voices) != len(w.nodes) && all.Voices[v.source()] != "" {
				w.t.Errorf("%v still has the guest: %v", n, all.Voices)
			}
		}
	})
}

// That somebody is a guest of a node both have to say.
func TestGuestsAreNamedByBoth(t *testing.T) {
	names := func(g ...protocol.PeerID) protocol.Message {
		p := protocol.Presence{Name: "door"}
		copy(p.Guests.Named[:], g)
		return protocol.Message{Presence: &p}
	}
	for _, test := range []struct {
		name string
		say  func(s *stillness, v *visitor)
		want bool
	}{
		{"both", func(s *stillness, v *visitor) { s.says(1, 1, 1, names(v.id)); s.repeats(1, v.here()) }, true},
		{"the guest alone", func(s *stillness, v *visitor) { s.says(1, 1, 1, names()); s.repeats(1, v.here()) }, false},
		{"the guest of nobody here", func(s *stillness, v *visitor) { s.repeats(1, v.here()) }, false},
		{"the door alone", func(s *stillness, v *visitor) { s.says(1, 1, 1, names(v.id)) }, false},
		{"another door", func(s *stillness, v *visitor) { s.says(2, 1, 1, names(v.id)); s.repeats(1, v.here()) }, false},
		{"no more", func(s *stillness, v *visitor) {
			s.says(1, 1, 1, names(v.id))
			s.repeats(1, v.here())
			s.says(1, 1, 2, names())
		}, false},
		{"the door has left", func(s *stillness, v *visitor) {
			s.says(1, 1, 1, names(v.id))
			s.repeats(1, v.here())
			s.says(1, 1, 2, protocol.Message{Presence: &protocol.Presence{Name: "door", Leaving: true}})
		}, false},
		{"it has left", func(s *stillness, v *visitor) {
			s.says(1, 1, 1, names(v.id))
			s.repeats(1, v.here())
			s.repeats(1, v.leaving())
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := still(t, protocol.StageOpen, 3, 0)
			v := visits(t, s.cfg.Room, s.nodes[1].id)
			p := s.pathTo(s.nodes[1].id)
			p.child = true
			test.say(s, v)
			if s.members[v.id] != nil != test.want {
				t.Errorf("it is here: %v", !test.want)
			}
			if got := s.doorOf(v.id) != ""; got != test.want {
				t.Errorf("it is a guest: %v", got)
			}
		})
	}
}

// A guest's voice comes by its door's link, and by no other of the audience.
func TestWhoBringsAGuest(t *testing.T) {
	for by, want := range map[int]bool{1: true, 3: false} {
		s := still(t, protocol.StageOpen, 4, 2)
		v := visits(t, s.cfg.Room, s.nodes[1].id)
		door := protocol.Presence{Name: "door", Guests: protocol.Guests{Count: 1, Named: protocol.NamedGuests{v.id}}}
		s.says(1, 1, 1, protocol.Message{Presence: &door})
		s.repeats(1, v.here())
		way := &blank{}
		p := s.pathTo(s.nodes[by].id)
		p.way, p.child = way, true
		s.takeBind(s.nodes[by].id, &pb.Bind{Room: s.cfg.Room[:], Handle: 7, Voice: v.voice().Raw}, s.clock)
		if got := (*way)[7] == v.source() && s.opened[v.source()]; got != want {
			t.Errorf("by %d it comes in: %v; %v", by, got, s.dropped)
		}
		if !want {
			continue
		}
		door.Guests = protocol.Guests{}
		s.says(1, 1, 2, protocol.Message{Presence: &door})
		s.aim(s.nodes[by].id)
		if len(*way) != 0 || !s.voices[v.source()].ended {
			t.Errorf("of a former guest comes %v", *way)
		}
	}
}

func TestWhatGuestsMayNotSay(t *testing.T) {
	type test struct {
		name string
		say  func(s *stillness, v *visitor) error
		want error
	}
	one := func(m func(s *stillness, v *visitor) *protocol.Message) func(*stillness, *visitor) error {
		return func(s *stillness, v *visitor) error { return s.guestSays(m(s, v), s.clock) }
	}
	then := func(m func(s *stillness, v *visitor) *protocol.Message) func(*stillness, *visitor) error { // that it is here
		return func(s *stillness, v *visitor) error {
			if err := s.guestSays(v.here(), s.clock); err != nil {
				return err
			}
			return s.guestSays(m(s, v), s.clock)
		}
	}
	for _, test := range []test{
		{"nothing wrong", one(func(_ *stillness, v *visitor) *protocol.Message { return v.here() }), nil},
		{"to be another door's", one(func(s *stillness, v *visitor) *protocol.Message {
			v.door = s.nodes[1].id
			return v.here()
		}), protocol.ErrNoRight},
		{"to be nobody's", one(func(_ *stillness, v *visitor) *protocol.Message {
			v.door = ""
			return v.here()
		}), protocol.ErrNoRight},
		{"a hand before its name", one(func(_ *stillness, v *visitor) *protocol.Message {
			return v.word(protocol.Message{Hand: &protocol.Hand{Up: true}})
		}), protocol.ErrNoRight},
		{"a voice that is not open", func(s *stillness, v *visitor) error {
			if err := s.guestSays(v.here(), s.clock); err != nil {
				return err
			}
			return s.guestSays(v.voice(), s.clock)
		}, protocol.ErrNoRight},
		{"a pulse", func(s *stillness, v *visitor) error {
			if err := s.guestSays(v.here(), s.clock); err != nil {
				return err
			}
			return s.guestSays(v.word(protocol.Message{Pulse: &protocol.Pulse{}}), s.clock)
		}, protocol.ErrNoRight},
		{"a line before its name", one(func(_ *stillness, v *visitor) *protocol.Message { return v.writes("gita", 1) }), protocol.ErrNoRight},
		{"a line", then(func(_ *stillness, v *visitor) *protocol.Message { return v.writes("gita", 1) }), nil},
		{"a line under another name", then(func(_ *stillness, v *visitor) *protocol.Message { return v.writes("ana", 1) }), protocol.ErrNoRight},
		{"a line far ahead of what was written", then(func(_ *stillness, v *visitor) *protocol.Message { return v.writes("gita", protocol.MaxOrder) }), protocol.ErrStale},
		{"a line in a room that is paused", then(func(s *stillness, v *visitor) *protocol.Message {
			s.acts(0, protocol.Pause(true))
			return v.writes("gita", 1)
		}), protocol.ErrNoRight},
		{"a caption", then(func(_ *stillness, v *visitor) *protocol.Message {
			return v.word(protocol.Message{Caption: &protocol.Caption{Utterance: 1, Text: "as if I spoke"}})
		}), protocol.ErrNoRight},
		{"that it is here, once it is banned", then(func(s *stillness, v *visitor) *protocol.Message {
			s.acts(0, protocol.Ban{Peer: v.id})
			return v.here()
		}), ErrBanned},
		{"a hand, once it is banned", then(func(s *stillness, v *visitor) *protocol.Message {
			s.acts(0, protocol.Ban{Peer: v.id})
			return v.word(protocol.Message{Hand: &protocol.Hand{Up: true}})
		}), ErrBanned},
		{"in another room", one(func(_ *stillness, v *visitor) *protocol.Message {
			v.room[0]++
			return v.here()
		}), protocol.ErrSignature},
		{"the same again", func(s *stillness, v *visitor) error {
			m := v.here()
			if err := s.guestSays(m, s.clock); err != nil {
				return err
			}
			return s.guestSays(m, s.clock)
		}, protocol.ErrStale},
		{"two names at once", func(s *stillness, v *visitor) error {
			if err := s.guestSays(v.here(), s.clock); err != nil {
				return err
			}
			return s.guestSays(visits(v.t, v.room, v.door).here(), s.clock)
		}, ErrHurry},
		{"one name too many", func(s *stillness, v *visitor) error {
			for range protocol.MaxNamedGuests {
				s.clock += time.Second
				if err := s.guestSays(visits(v.t, v.room, v.door).here(), s.clock); err != nil {
					return err
				}
			}
			s.clock += time.Second
			return s.guestSays(v.here(), s.clock)
		}, ErrGuestsFull},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := still(t, protocol.StageOpen, 2, 0)
			v := visits(t, s.cfg.Room, s.nodes[0].id)
			if err := test.say(s, v); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

// The door keeps the room's law: it is told whom the room takes out, and asks whether
// anybody new may come in.
func TestTheDoorKeepsTheLaw(t *testing.T) {
	s := still(t, protocol.StageHost, 3, 1)
	type away struct {
		who    protocol.PeerID
		banned bool
	}
	var told []away
	s.cfg.SendAway = func(p protocol.PeerID, banned bool) { told = append(told, away{p, banned}) }
	v := visits(t, s.cfg.Room, s.nodes[1].id)
	law := func() GuestLaw {
		t.Helper()
		return s.guestLaw(s.clock)
	}
	if err := s.guestSays(v.here(), s.clock); err != nil || law().Shut {
		t.Fatal(err, law())
	}
	s.acts(0, protocol.Remove{Peer: v.id})
	if len(told) != 1 || told[0] != (away{v.id, false}) || s.guests.Has(v.id) {
		t.Errorf("of one who is removed the door is told %v", told)
	}
	s.clock += time.Minute
	if err := s.guestSays(v.here(), s.clock); err != nil {
		t.Errorf("who was removed comes again: %v", err)
	}
	s.acts(0, protocol.Ban{Peer: v.id, Life: time.Minute})
	if len(told) != 2 || told[1] != (away{v.id, true}) || !slices.Equal(law().Banned, []protocol.PeerID{v.id}) {
		t.Errorf("of one who is banned the door is told %v, and asked %v", told, law())
	}
	s.clock += 2 * time.Minute
	if banned := law().Banned; len(banned) != 0 {
		t.Errorf("a ban that is over keeps out %v", banned)
	}
	for _, shut := range []protocol.Deed{protocol.Lock(true), protocol.Pause(true)} {
		s.acts(0, shut)
		if !law().Shut {
			t.Errorf("%v, and somebody new may come", shut)
		}
		s.acts(0, map[protocol.Deed]protocol.Deed{protocol.Lock(true): protocol.Lock(false), protocol.Pause(true): protocol.Pause(false)}[shut])
		if law().Shut {
			t.Errorf("%v is over, and nobody new may come", shut)
		}
	}
}
