package room

import (
	"cmp"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// voice is one source of the room.
type voice struct {
	owner   protocol.PeerID
	session protocol.Session
	raw     []byte // the Voice message that opened it: it proves itself
	boot    uint64 // of that message, and its sequence: which voice is newer
	opened  uint64
	heard   time.Duration // when its owner last said so
	hushed  bool          // this node's own, that is not to be heard for now
	ended   bool
	endedAt time.Duration
}

// voicesEach bounds what one speaker has open: capture sessions may overlap when
// one is begun anew. The oldest makes way for a newer one, never for an older:
// a Voice message of an hour ago, said again by an enemy, is in nobody's way.
const voicesEach = 3

// openVoice opens a source of this node, if it may speak here.
func (r *Room) openVoice(session protocol.Session, now time.Duration) (protocol.Source, error) {
	if !r.maySpeak(r.cfg.Self, now) {
		return 0, protocol.ErrNoRight
	}
	if !r.maySound(r.cfg.Self, now) {
		return 0, ErrMuted
	}
	if len(r.voices) >= protocol.MaxSources && !r.makeWay(now) {
		return 0, protocol.ErrLarge
	}
	m := &protocol.Message{Voice: &protocol.Voice{Session: session}}
	r.say(m)
	return r.addVoice(m), nil
}

// openHeard opens a source that another node announced or bound; an error if it
// may not be heard here. Opening an open one changes nothing.
func (r *Room) openHeard(m *protocol.Message, now time.Duration) error {
	s := protocol.SourceOf(r.cfg.Room, m.From, m.Voice.Session)
	v := r.voices[s]
	switch {
	case r.genesis == nil || m.Voice.Ended || !r.maySound(m.From, now):
		return protocol.ErrNoRight
	case r.senders[m.From] != nil && m.Boot < r.senders[m.From].boot:
		return protocol.ErrStale
	case v != nil && v.ended:
		return protocol.ErrStale
	case v != nil:
		return nil
	}
	oldest, open := r.oldestOf(m.From)
	switch {
	case open >= voicesEach && !r.voices[oldest].before(m):
		return protocol.ErrStale
	case len(r.voices) >= protocol.MaxSources && !r.hasDuty(m.From, now):
		return protocol.ErrLarge
	}
	if err := m.Verify(r.cfg.Room); err != nil {
		return err
	}
	if len(r.voices) >= protocol.MaxSources && !r.makeWay(now) {
		return protocol.ErrLarge
	}
	if open >= voicesEach {
		r.endVoice(oldest, now)
	}
	r.addVoice(m)
	return nil
}

// before says whether a voice was opened earlier than m opens one.
func (v *voice) before(m *protocol.Message) bool {
	return v.boot < m.Boot || v.boot == m.Boot && v.opened < m.Sequence
}

// oldestOf gives p's open voice that was opened first, and how many it has.
func (r *Room) oldestOf(p protocol.PeerID) (oldest protocol.Source, n int) {
	for s, v := range r.voices {
		if v.owner != p || v.ended {
			continue
		}
		if o := r.voices[oldest]; n == 0 || v.boot < o.boot || v.boot == o.boot && v.opened < o.opened {
			oldest = s
		}
		n++
	}
	return oldest, n
}

func (r *Room) addVoice(m *protocol.Message) protocol.Source {
	s := protocol.SourceOf(r.cfg.Room, m.From, m.Voice.Session)
	v := &voice{owner: m.From, session: m.Voice.Session, raw: m.Raw, boot: m.Boot, opened: m.Sequence, heard: r.cfg.Now()}
	r.voices[s] = v
	r.cfg.Forwarder.OpenSource(s, m.From, r.bringer(m.From))
	for id, p := range r.paths {
		r.bind(id, p, s, v)
	}
	r.changed()
	return s
}

// makeWay closes a voice of somebody without a duty here, the one unheard of for
// longest, for one who has a duty: on an open stage strangers may have opened
// all that there may be.
func (r *Room) makeWay(now time.Duration) bool {
	var oldest protocol.Source
	var found *voice
	for s, v := range r.voices {
		if v.owner != r.cfg.Self && !r.hasDuty(v.owner, now) && (found == nil || v.heard < found.heard) {
			oldest, found = s, v
		}
	}
	if found != nil {
		r.closeVoice(oldest)
	}
	return found != nil
}

// takeVoice takes a Voice message from the topic or a feed. Only its speaker's
// own link, its door's or a parent's opens a source: who repeats old messages, or
// has many keys, would else fill the room, and put an end to what is spoken now.
func (r *Room) takeVoice(m *protocol.Message, from protocol.PeerID, now time.Duration) error {
	s := protocol.SourceOf(r.cfg.Room, m.From, m.Voice.Session)
	v := r.voices[s]
	switch {
	case v == nil && !m.Voice.Ended && (from == "" || !r.mayBring(from, m.From)):
		return protocol.ErrNoRight
	case v == nil && !m.Voice.Ended:
		return r.openHeard(m, now)
	case v == nil || v.ended || !m.Voice.Ended && !v.before(m): // nothing new: it would go round
		return protocol.ErrStale
	case !m.Voice.Ended:
		v.raw, v.boot, v.opened, v.heard = m.Raw, m.Boot, m.Sequence, now
		return nil
	}
	r.endVoice(s, now)
	return nil
}

// endVoice marks a source as over. It is closed a ring's length later: until
// then a switch may still resume it.
func (r *Room) endVoice(s protocol.Source, now time.Duration) {
	v := r.voices[s]
	if v == nil || v.ended {
		return
	}
	v.ended, v.endedAt = true, now
	if v.owner == r.cfg.Self {
		r.say(&protocol.Message{Voice: &protocol.Voice{Session: v.session, Ended: true}})
	}
	r.changed()
}

// endVoices ends all that p has open.
func (r *Room) endVoices(p protocol.PeerID, now time.Duration) {
	for s, v := range r.voices {
		if v.owner == p {
			r.endVoice(s, now)
		}
	}
}

// endEarlier ends the voices of p's lives before boot: it did not live to say so.
func (r *Room) endEarlier(p protocol.PeerID, boot uint64, now time.Duration) {
	for s, v := range r.voices {
		if v.owner == p && v.boot < boot {
			r.endVoice(s, now)
		}
	}
}

// sayVoices repeats what this node has open, in the order of opening: who missed
// that a voice ended takes it for over when it is not repeated.
func (r *Room) sayVoices() {
	var own []*voice
	for _, v := range r.voices {
		if v.owner == r.cfg.Self && !v.ended && !v.hushed {
			own = append(own, v)
		}
	}
	slices.SortFunc(own, func(a, b *voice) int { return cmp.Compare(a.opened, b.opened) })
	for _, v := range own {
		m := &protocol.Message{Voice: &protocol.Voice{Session: v.session}}
		r.say(m)
		v.raw, v.opened = m.Raw, m.Sequence
	}
}

func (r *Room) closeVoice(s protocol.Source) {
	r.unbindAll(s)
	delete(r.voices, s)
	r.cfg.Forwarder.CloseSource(s)
}
