package room

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// voice is one source of the room.
type voice struct {
	owner   protocol.PeerID
	session protocol.Session
	raw     []byte // the Voice message that opened it: it proves itself
	ended   bool
	endedAt time.Duration
}

// voicesEach bounds what one speaker has open: capture sessions may overlap when
// one is begun anew.
const voicesEach = 3

// openVoice opens a source of this node, if it may speak here.
func (r *Room) openVoice(session protocol.Session, now time.Duration) (protocol.Source, error) {
	if !r.may(r.cfg.Self, protocol.Speak, now) {
		return 0, protocol.ErrNoRight
	}
	m := &protocol.Message{Voice: &protocol.Voice{Session: session}}
	r.say(m)
	return r.addVoice(r.cfg.Self, session, m.Raw), nil
}

// openHeard opens a source that another node announced or bound; an error if it
// may not be heard here. Opening an open one changes nothing.
func (r *Room) openHeard(m *protocol.Message, now time.Duration) error {
	s := protocol.SourceOf(r.cfg.Room, m.From, m.Voice.Session)
	v := r.voices[s]
	switch {
	case r.genesis == nil || m.Voice.Ended || !r.may(m.From, protocol.Speak, now):
		return protocol.ErrNoRight
	case v != nil && v.ended:
		return protocol.ErrStale
	case v != nil:
		return nil
	case len(r.voices) >= protocol.MaxSources || r.voicesOf(m.From) >= voicesEach:
		return protocol.ErrLarge
	}
	if err := m.Verify(r.cfg.Room); err != nil {
		return err
	}
	r.addVoice(m.From, m.Voice.Session, m.Raw)
	return nil
}

func (r *Room) voicesOf(p protocol.PeerID) (n int) {
	for _, v := range r.voices {
		if v.owner == p && !v.ended {
			n++
		}
	}
	return n
}

func (r *Room) addVoice(owner protocol.PeerID, session protocol.Session, raw []byte) protocol.Source {
	s := protocol.SourceOf(r.cfg.Room, owner, session)
	v := &voice{owner: owner, session: session, raw: raw}
	r.voices[s] = v
	r.cfg.Forwarder.OpenSource(s, owner)
	for id, p := range r.paths {
		r.bind(id, p, s, v)
	}
	r.changed()
	return s
}

// takeVoice takes a Voice message from the topic or a feed.
func (r *Room) takeVoice(m *protocol.Message, now time.Duration) error {
	if !m.Voice.Ended {
		return r.openHeard(m, now)
	}
	s := protocol.SourceOf(r.cfg.Room, m.From, m.Voice.Session)
	if v := r.voices[s]; v == nil || v.ended {
		return protocol.ErrStale
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

func (r *Room) closeVoice(s protocol.Source) {
	r.unbindAll(s)
	delete(r.voices, s)
	r.cfg.Forwarder.CloseSource(s)
}
