package room

import (
	"cmp"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
)

// Keys are free, so whoever is sent away may come again under another one. What
// people for whom the room does not stand may do together is bounded, and those
// among them who are new here may do half of it: the other half is for those who
// have been here for a while, whatever a crowd of new keys does. Of that half those
// who are not even attached may do half. Who is new each node says for itself, by what
// it has heard.

// newFor is how long somebody is new: so long they have to be heard in the room,
// and a pause that ends their presence does not count.
const newFor = 10 * time.Minute

// A second, of all for whom the room does not stand. Presences are said each 10 s, and
// passed on over each link, which takes 400 messages a second.
const (
	crowdArrivals  = 16
	crowdPresences = 256
)

const (
	newHandsASecond   = strangersASecond / 2
	looseHandsASecond = newHandsASecond - 1

	// Of the places in the queue. A crowd that has waited leaves some as well.
	strangersHands = protocol.MaxHands * 3 / 4
	newHands       = protocol.MaxHands / 2
	looseHands     = newHands / 2
)

// heard notes that somebody was heard.
func (s *sender) heard(now time.Duration) {
	if pause := now - s.at; pause <= protocol.PresenceLife {
		s.here += pause
	}
	s.at = now
}

// standsFor says whether the room stands for somebody: they have a duty, or somebody
// who might once gave them one, and nobody has put them out since.
func (r *Room) standsFor(p protocol.PeerID, now time.Duration) bool {
	return r.hasDuty(p, now) || r.lawful.Vouched(p)
}

// isNew says whether the room does not stand for somebody, who has not been heard
// here for long, nor is anybody of whom this node's person keeps a note.
func (r *Room) isNew(p protocol.PeerID, now time.Duration) bool {
	if r.standsFor(p, now) || r.noted(p) {
		return false
	}
	s := r.senders[p]
	return s == nil || s.here < newFor
}

func (r *Room) noted(p protocol.PeerID) bool { return r.cfg.Noted != nil && r.cfg.Noted(p) }

// isLoose says whether somebody is new and not attached: a key that anybody may have
// made just now.
func (r *Room) isLoose(p protocol.PeerID, now time.Duration) bool {
	return r.isNew(p, now) && !r.isAttached(p, now)
}

// allowance is what people for whom the room does not stand may say together of a
// kind, how much of it those who are new, and of that those who are loose.
type allowance struct {
	kind                    string
	crowd, newcomers, loose *rate.Limiter
}

// newAllowance gives all so many a second, and those of a few seconds at once;
// newcomers half of that, and loose ones a quarter.
func newAllowance(kind string, aSecond int) allowance {
	const atOnce = 4 // seconds' worth
	return allowance{
		kind: kind, crowd: rate.NewLimiter(rate.Limit(aSecond), aSecond*atOnce),
		newcomers: rate.NewLimiter(rate.Limit(aSecond)/2, aSecond*atOnce/2),
		loose:     rate.NewLimiter(rate.Limit(aSecond)/4, aSecond*atOnce/4),
	}
}

// within says whether one more of p is within an allowance, which it does not use.
func (r *Room) within(a allowance, p protocol.PeerID, now time.Duration) bool {
	switch {
	case r.standsFor(p, now):
	case !ready(a.crowd, now):
		r.drop("more " + a.kind + " than a room takes")
		return false
	case r.isNew(p, now) && !ready(a.newcomers, now):
		r.drop("more " + a.kind + " of newcomers than a room takes")
		return false
	case r.isLoose(p, now) && !ready(a.loose, now):
		r.drop("more " + a.kind + " of newcomers without a link than a room takes")
		return false
	}
	return true
}

// spend counts one of p.
func (r *Room) spend(a allowance, p protocol.PeerID, now time.Duration) {
	if r.standsFor(p, now) {
		return
	}
	a.crowd.AllowN(instant(now), 1)
	if r.isNew(p, now) {
		a.newcomers.AllowN(instant(now), 1)
	}
	if r.isLoose(p, now) {
		a.loose.AllowN(instant(now), 1)
	}
}

// mayAsk counts the raisings of hands by those for whom the room does not stand, of
// each and of all, and says whether one more is taken note of.
func (r *Room) mayAsk(p protocol.PeerID, now time.Duration) bool {
	if now-r.strangersAt >= time.Second {
		r.strangersAt, r.strangers, r.newHands, r.looseHands = now, 0, 0, 0
	}
	s, isNew, isLoose := r.senders[p], r.isNew(p, now), r.isLoose(p, now)
	switch {
	case r.strangers >= strangersASecond || isNew && r.newHands >= newHandsASecond || isLoose && r.looseHands >= looseHandsASecond:
		return false
	case s != nil && !s.mayRaise(now):
		return false
	}
	r.strangers++
	if isNew {
		r.newHands++
	}
	if isLoose {
		r.looseHands++
	}
	return true
}

// mayRaise counts the raisings of one.
func (s *sender) mayRaise(now time.Duration) bool {
	if s.hand == nil {
		s.hand = rate.NewLimiter(rate.Every(raisingEach), raisingsAtOnce)
	}
	return s.hand.AllowN(instant(now), 1)
}

// mayQueue says whether the queue has a place for one for whom the room does not
// stand: some are kept for those for whom it does, and some from newcomers.
func (r *Room) mayQueue(p protocol.PeerID, now time.Duration) bool {
	strangers, newcomers, loose := 0, 0, 0
	for q := range r.hands {
		if r.standsFor(q, now) {
			continue
		}
		strangers++
		if r.isNew(q, now) {
			newcomers++
		}
		if r.isLoose(q, now) {
			loose++
		}
	}
	return strangers < strangersHands && (newcomers < newHands || !r.isNew(p, now)) && (loose < looseHands || !r.isLoose(p, now))
}

// looksAt is how many senders are compared when one has to be forgotten: enough to
// find one that is worth little, and no more work than that for a message.
const looksAt = 16

// forgetSender forgets the one worth least of a few senders: of whom the room knows
// nothing, before those who have been here for long; then those for whom it
// stands, who could be played back to harm; members last. Among equals it is the
// one silent for longest.
func (r *Room) forgetSender(now time.Duration) {
	var least protocol.PeerID
	looked := 0
	for p := range r.senders { // from anywhere
		if least == "" || r.worthLess(p, least, now) {
			least = p
		}
		if looked++; looked >= looksAt {
			break
		}
	}
	delete(r.senders, least)
}

func (r *Room) worthLess(p, q protocol.PeerID, now time.Duration) bool {
	return cmp.Or(cmp.Compare(r.worth(p, now), r.worth(q, now)), cmp.Compare(r.senders[p].at, r.senders[q].at)) < 0
}

func (r *Room) worth(p protocol.PeerID, now time.Duration) int {
	switch {
	case r.members[p] != nil:
		return 3
	case r.standsFor(p, now):
		return 2
	case r.isNew(p, now):
		return 0
	}
	return 1
}
