package room

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
)

// kind is a sort of message, each with a newest one a sender.
type kind uint8

const (
	claims kind = iota
	pulses
	presences
	closings
	hands
	reactions
	captions
	profiles
	queues // from here on each message tells its own age
	chats
	hides
	others // certificates, voices, hands lowered
	kinds
)

// messagesASecond bounds what one sender may say of each kind; an election's
// urgent pulses come between the regular 2.5.
var messagesASecond = [kinds]int{claims: 8, pulses: 12, presences: 3, closings: 2, hands: 8, reactions: 4, captions: 8, profiles: 2,
	queues: 36, chats: chatsAtOnce + chatsLate, hides: 8, others: 32}

func kindOf(m *protocol.Message) kind {
	switch {
	case m.Claim != nil:
		return claims
	case m.Pulse != nil:
		return pulses
	case m.Presence != nil:
		return presences
	case m.Closed != nil:
		return closings
	case m.Hand != nil:
		return hands
	case m.Queue != nil:
		return queues
	case m.Reaction != nil:
		return reactions
	case m.Caption != nil:
		return captions
	case m.Profile != nil:
		return profiles
	case m.Chat != nil:
		return chats
	case m.Hide != nil:
		return hides
	}
	return others
}

// member is somebody who is in the room.
type member struct {
	presence   protocol.Presence
	raw        []byte // their newest Presence as signed
	profile    protocol.Profile
	profileRaw []byte // the message that said so; nil: none did
	at         time.Duration
	pulseAt    time.Duration // 0: never pulsed
	lost       bool          // silent since another one relays in its place
}

// sender is what was heard from somebody last. It is remembered longer than
// they are here: a message that comes again, late or by an enemy's hand, must
// not bring them back, nor go round between relay and standby.
type sender struct {
	boot   uint64
	newest [kinds]uint64
	at     time.Duration
	here   time.Duration // for how long they have been heard, without the pauses
	name   protocol.Name // as they said last, also when they have gone
	chat   *rate.Limiter // nil: they wrote nothing
	hand   *rate.Limiter // nil: it was never up

	door protocol.PeerID // whose guest they said last that they are

	second time.Duration // when the counts below began
	said   [kinds]int
}

const (
	senderLife = 24 * time.Hour
	maxSenders = 4 * protocol.MaxMembers
)

// hear takes a message from the topic (from == "") or from a link.
func (r *Room) hear(m *protocol.Message, from protocol.PeerID, now time.Duration) {
	if m.From == r.cfg.Self {
		if m.Claim != nil && m.Boot != r.cfg.Boot && r.machine != nil && m.Verify(r.cfg.Room) == nil {
			r.machine.Claim(m.Claim.Claim, now) // of an earlier life
		}
		return
	}
	if r.genesis == nil || !r.mayShow(m, now) {
		r.drop("without right")
		return
	}
	if !r.fresh(m, now) {
		return
	}
	// What came by gossip was verified there.
	if from != "" && m.Verify(r.cfg.Room) != nil {
		r.drop("wrongly signed")
		return
	}
	r.remember(m, now)
	if r.take(m, from, now) {
		r.noteShown(m, now)
		r.pass(m, from)
	} else if s, k := r.senders[m.From], kindOf(m); s != nil && k >= queues {
		s.said[k]-- // said before: others may repeat it, and not at its sender's cost
	}
}

// mayShow says whether the sender has the right to this kind of message.
func (r *Room) mayShow(m *protocol.Message, now time.Duration) bool {
	switch {
	case r.banned(m.From, now):
		return false
	case m.Claim != nil, m.Pulse != nil:
		return r.mayCarry(m.From, now)
	case m.Closed != nil:
		return m.From == r.genesis.Founder && (r.closing == nil || after(m, r.closing))
	case m.Queue != nil:
		return m.From == r.relay && r.mayCarry(m.From, now)
	case m.Lowered != nil:
		return r.lawful.MayModerate(m.From)
	case m.Presence != nil && m.Presence.Door != "":
		return r.namedBy(m.Presence.Door).Has(m.From)
	case m.Voice != nil:
		return m.Voice.Ended || r.maySpeak(m.From, now)
	case m.Caption != nil:
		return r.maySound(m.From, now)
	case m.Chat != nil, m.Reaction != nil:
		return r.chatRights().MayWrite(m.From)
	case m.Hide != nil:
		return r.chatRights().MayHide(m.From, m.Hide.Of.From)
	}
	return true
}

// fresh says whether m is newer than what its sender said before, and within
// the sender's rate. It changes nothing that an unsigned message must not.
func (r *Room) fresh(m *protocol.Message, now time.Duration) bool {
	s, k := r.senders[m.From], kindOf(m)
	switch {
	case r.arrives(m, now) && !r.within(r.arrivals, m.From, now):
		return false
	case !r.freshTalk(m, s, now):
		return false
	case s == nil:
		return true
	case m.Boot < s.boot:
		return false
	case m.Boot == s.boot && k < queues && m.Sequence <= s.newest[k]:
		return false
	case m.Queue != nil && !r.queue.newer(m):
		return false
	case now-s.second < time.Second && s.said[k] >= messagesASecond[k]+goodbyes(m):
		r.drop("messages too often")
		return false
	}
	return true
}

// goodbyes is the place that a sender's rate keeps for its goodbye: who comes,
// speaks and goes within a second is not to be taken for still here.
func goodbyes(m *protocol.Message) int {
	if m.Presence != nil && m.Presence.Leaving {
		return 1
	}
	return 0
}

// remember notes a verified message's sender.
func (r *Room) remember(m *protocol.Message, now time.Duration) {
	s, k := r.senders[m.From], kindOf(m)
	if r.arrives(m, now) {
		r.spend(r.arrivals, m.From, now)
	}
	if s == nil {
		if len(r.senders) >= maxSenders {
			r.forgetSender(now)
		}
		s = &sender{second: now, at: now}
		r.senders[m.From] = s
	}
	if m.Boot > s.boot {
		r.endEarlier(m.From, m.Boot, now)
		s.boot, s.newest = m.Boot, [kinds]uint64{}
	}
	if now-s.second >= time.Second {
		s.second, s.said = now, [kinds]int{}
	}
	s.newest[k] = max(s.newest[k], m.Sequence)
	s.said[k]++
	s.heard(now)
	r.countTalk(m, s, now)
}

// meet gives the member, new or known.
func (r *Room) meet(p protocol.PeerID, now time.Duration) *member {
	m := r.members[p]
	if m == nil {
		m = &member{}
		r.members[p] = m
		r.changed()
	}
	m.at = now
	return m
}

// beats notes a candidate's sign of life.
func (m *member) beats(now time.Duration) { m.pulseAt, m.lost = now, false }

// take does what a message says; false if it is not worth passing on.
func (r *Room) take(m *protocol.Message, from protocol.PeerID, now time.Duration) bool {
	switch {
	case m.Action != nil:
		return r.takeAction(m.Action, from, now)
	case m.Claim != nil:
		r.takeClaim(m, now)
	case m.Pulse != nil:
		r.takePulse(m, now)
	case m.Presence != nil:
		return r.takePresence(m, now)
	case m.Certificate != nil:
		c, err := protocol.OpenCertificate(r.cfg.Room, m.Certificate)
		return err == nil && r.hold(c, now)
	case m.Voice != nil:
		return r.takeVoice(m, from, now) == nil
	case m.Closed != nil:
		r.closing = m
		if *m.Closed {
			r.end = ErrClosed
		}
	case m.Hand != nil:
		r.takeHand(m, now)
	case m.Queue != nil:
		r.takeQueue(m, now)
	case m.Lowered != nil:
		return r.takeLowered(*m.Lowered, now)
	case m.Chat != nil:
		return r.keepChat(m, now)
	case m.Hide != nil:
		return r.keepHide(m)
	case m.Reaction != nil:
		r.countReaction(*m.Reaction, now)
	case m.Caption != nil:
		return r.takeCaption(m)
	case m.Profile != nil:
		return r.takeProfile(m)
	}
	return true
}

// after says whether m was said after n, by the same sender.
func after(m, n *protocol.Message) bool {
	return m.Boot > n.Boot || m.Boot == n.Boot && m.Sequence > n.Sequence
}

// forget drops a member who left.
func (r *Room) forget(p protocol.PeerID, now time.Duration) {
	delete(r.members, p)
	r.endVoices(p, now)
	r.dismiss(p, now)
	r.changed()
}

// expire drops whom nobody hears of any more, and voices that ended a while ago.
func (r *Room) expire(now time.Duration) {
	for p, m := range r.members {
		quiet := m.pulseAt != 0 && now-m.at > pulseLife && r.machine != nil && r.mayCarry(p, now)
		if now-m.at > protocol.PresenceLife || quiet {
			r.forget(p, now)
		}
	}
	for p, at := range r.attachments {
		if now-at > protocol.PresenceLife {
			delete(r.attachments, p)
		}
	}
	for p, s := range r.senders {
		if now-s.at > senderLife {
			delete(r.senders, p)
		}
	}
	for s, v := range r.voices {
		switch {
		case v.ended && now-v.endedAt > voiceLinger:
			r.closeVoice(s)
		case v.owner != r.cfg.Self && now-v.heard > protocol.PresenceLife:
			r.endVoice(s, now)
		}
	}
	for _, h := range r.rights {
		if !h.holds(now) {
			r.lapse(h, now)
		}
	}
}

// close is the founder's: everyone is told, and the room ends here; until next, if
// that is not zero.
func (r *Room) close(next time.Time) {
	r.sayClosed(true)
	r.announceClosed(next)
	if r.end = ErrClosed; !next.IsZero() {
		r.end = ClosedUntil{next}
	}
}

// sayClosed is the founder's. That the room is open is said by every later life
// of the founder's node: who keeps it, and passes it to newcomers, is deaf to an
// old message that says it is closed.
func (r *Room) sayClosed(closed bool) {
	r.closing = &protocol.Message{Closed: &closed}
	r.say(r.closing)
}

func (r *Room) changed() { r.cfg.Changed() }
