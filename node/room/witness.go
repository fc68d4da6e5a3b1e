package room

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// minute is what this node noted of one person in the last protocol.ReportSpan, for
// the case that its own person reports them. What they wrote, the chat has.
type minute struct {
	spoke    []spurt
	reacted  []reacted
	captions []shownCaption // of each utterance the newest
}

type spurt struct {
	source   protocol.Source
	from, to time.Duration // to 0: it goes on
}

type reacted struct {
	emoji string
	at    time.Duration
}

type shownCaption struct {
	*protocol.Message
	at time.Duration
}

// Spoke says that a talkspurt of a source began or ended.
func (r *Room) Spoke(s protocol.Source, speaking bool) bool {
	return r.post(func(r *Room) { r.noteSpurt(s, speaking, r.cfg.Now()) })
}

func (r *Room) noteSpurt(s protocol.Source, speaking bool, now time.Duration) {
	r.endSpurts(now, func(o protocol.Source) bool { return o == s })
	if v := r.voices[s]; v != nil && speaking {
		m := r.minuteOf(v.owner)
		m.spoke = append(newest(m.spoke), spurt{source: s, from: now})
	}
}

// endSpurts ends those that go on, of such sources.
func (r *Room) endSpurts(now time.Duration, such func(protocol.Source) bool) {
	for _, m := range r.minutes {
		for i := range m.spoke {
			if m.spoke[i].to == 0 && such(m.spoke[i].source) {
				m.spoke[i].to = now
			}
		}
	}
}

// noteShown notes what somebody showed to all.
func (r *Room) noteShown(m *protocol.Message, now time.Duration) {
	switch {
	case m.Reaction != nil:
		of := r.minuteOf(m.From)
		of.reacted = append(newest(of.reacted), reacted{m.Reaction.Emoji, now})
	case m.Caption != nil:
		of := r.minuteOf(m.From)
		of.captions = slices.DeleteFunc(of.captions, func(c shownCaption) bool {
			return c.Boot == m.Boot && c.Caption.Utterance == m.Caption.Utterance
		})
		of.captions = append(newest(of.captions), shownCaption{m, now})
	}
}

func (r *Room) minuteOf(p protocol.PeerID) *minute {
	m := r.minutes[p]
	if m == nil {
		m = &minute{}
		r.minutes[p] = m
	}
	return m
}

// newest makes place for one more of what a report may tell.
func newest[T any](all []T) []T { return all[max(0, len(all)-protocol.MaxReported+1):] }

// forgetMinutes drops what is too old to be told.
func (r *Room) forgetMinutes(now time.Duration) {
	r.endSpurts(now, func(s protocol.Source) bool { return r.voices[s] == nil }) // whose end was not told
	since := now - protocol.ReportSpan
	for p, m := range r.minutes {
		m.spoke = slices.DeleteFunc(m.spoke, func(s spurt) bool { return s.to != 0 && s.to < since })
		m.reacted = slices.DeleteFunc(m.reacted, func(o reacted) bool { return o.at < since })
		m.captions = slices.DeleteFunc(m.captions, func(c shownCaption) bool { return c.at < since })
		if len(m.spoke)+len(m.reacted)+len(m.captions) == 0 {
			delete(r.minutes, p)
		}
	}
}

// lastMinute is what this node knows of somebody's last minute.
func (r *Room) lastMinute(p protocol.PeerID, now time.Duration) *protocol.Report {
	r.forgetMinutes(now)
	out := &protocol.Report{Of: p, Role: r.givenRole(p, now)}
	if s := r.senders[p]; s != nil {
		out.Name = s.name
	}
	_, out.Muted = r.lawful.Muted(p)
	if h := r.hands[p]; h != nil {
		out.Hand = !h.lowered
	}
	for _, w := range r.chat.said {
		if w.From == p && now-w.at <= protocol.ReportSpan {
			out.Said = append(out.Said, protocol.Saying{Ago: now - w.at, Message: w.Message})
		}
	}
	m := r.minutes[p]
	if m == nil {
		return out
	}
	for _, s := range m.spoke {
		from, to := max(s.from, now-protocol.ReportSpan), s.to
		if to == 0 {
			to = now
		}
		out.Spoke = append(out.Spoke, protocol.Spurt{Ago: now - from, Lasted: to - from})
	}
	for _, o := range m.reacted {
		out.Reacted = append(out.Reacted, protocol.Reacted{Ago: now - o.at, Emoji: o.emoji})
	}
	for _, c := range m.captions {
		out.Said = append(out.Said, protocol.Saying{Ago: now - c.at, Message: c.Message})
	}
	return out
}

// givenRole is role, as a report has it.
func (r *Room) givenRole(p protocol.PeerID, now time.Duration) protocol.Role {
	for role := protocol.RoleCarrier; role <= protocol.RoleHost; role++ {
		if role.String() == r.role(p, now) {
			return role
		}
	}
	return protocol.RoleListener
}
