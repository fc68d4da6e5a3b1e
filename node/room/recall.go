package room

import (
	"math"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// Whoever comes to a parent asks for the chat that it lacks, naming what it has;
// and is asked back for what the parent lacks, so that nothing is lost when the
// relay changes, or when the halves of a room meet again.

const (
	recallBytes = 12 << 10        // of messages, in one answer
	recallAgain = 2 * time.Second // unanswered
	maxRecalls  = 64              // one after the other
	maxHave     = protocol.MaxChats + protocol.MaxHides

	// What a node gives to all who ask, and to one: all that it keeps, and then
	// little, so that sound comes first.
	recallsASecond, recallsAtOnce = 8, 32
	recallEach, recallsOfOne      = 2 * time.Second, maxRecalls
)

// A chat that goes on being another one than the relay's claims show is asked for as
// well: of more than all may write together each node lets other messages in, and
// gossip may lose some.
const (
	levelAfter          = 2 * time.Second // what differs for less is on its way
	levelEach, levelMax = 10 * time.Second, 5 * time.Minute
)

// levelling is what a node does to show the chat that its relay shows.
type levelling struct {
	apart        bool
	since, at    time.Duration // the chats have been apart; the relay was asked
	theirs, ours uint64        // their digests, when it was
	pause        time.Duration // until it is asked again; it grows while nothing changes
}

// compareChat asks the relay, whose claim came, if the chats are apart.
func (r *Room) compareChat(theirs uint64, now time.Duration) {
	l, p, ours := &r.chat.levelling, r.paths[r.relay], r.chat.digest()
	switch {
	case theirs == ours:
		l.apart = false
		return
	case !l.apart:
		l.apart, l.since = true, now
	}
	if now-l.since < levelAfter || now-l.at < l.pause || p == nil || p.recall.open || !r.isParent(r.relay) {
		return
	}
	if l.pause *= 2; theirs != l.theirs || ours != l.ours {
		l.pause = levelEach
	}
	l.at, l.theirs, l.ours, l.pause = now, theirs, ours, min(l.pause, levelMax)
	p.beginRecall()
	r.recall(r.relay, p, false, now)
}

// digest is the same for all who show the same: the exclusive or of the digests of
// what is shown, and of the words on what is hidden.
func (c *chat) digest() uint64 {
	if c.summed == c.revision {
		return c.sum
	}
	c.sum, c.summed = 0, c.revision
	for _, w := range c.said {
		if !c.hidden(w) {
			c.sum ^= w.Digest()
		}
	}
	for _, h := range c.hides {
		c.sum ^= h.Digest()
	}
	return c.sum
}

// recall is the asking for chat over one path, both ways.
type recall struct {
	open    bool // asked, or to be asked
	at      time.Duration
	left    int  // how often it may be asked again
	learned bool // something new came of it
	counted bool // what comes is, as if it were said now: its teller is trusted with no more

	answers *rate.Limiter // to the far side; nil: never asked
}

// beginRecall has the node on p be asked for chat.
func (p *path) beginRecall() {
	p.recall.open, p.recall.left, p.recall.learned, p.recall.counted = true, maxRecalls, false, false
}

// catchUp asks a parent that has just accepted this node for the chat, and tells
// it of what this node wrote a moment ago: the one before may have died with it.
func (r *Room) catchUp(id protocol.PeerID, now time.Duration) {
	for _, w := range r.chat.said {
		if w.From == r.cfg.Self && w.Boot == r.cfg.Boot && now-w.at < resaid {
			r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Feed{Feed: &pb.Feed{Room: r.cfg.Room[:], Message: w.Raw}}})
		}
	}
	if p := r.paths[id]; p != nil {
		p.beginRecall()
		r.recall(id, p, false, now)
	}
}

func (r *Room) recall(id protocol.PeerID, p *path, again bool, now time.Duration) {
	m := &pb.Recall{Room: r.cfg.Room[:], Again: again}
	for d := range r.chat.digests() {
		m.Have = append(m.Have, d)
	}
	slices.Sort(m.Have)
	p.recall.at = now
	p.recall.left--
	r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Recall{Recall: m}})
}

func (c *chat) digests() map[uint64]bool {
	all := make(map[uint64]bool, len(c.said)+len(c.hides))
	for _, w := range c.said {
		all[w.Digest()] = true
	}
	for _, h := range c.hides {
		all[h.Digest()] = true
	}
	return all
}

// tendRecalls asks again where nothing was answered.
func (r *Room) tendRecalls(now time.Duration) {
	for id, p := range r.paths {
		switch c := &p.recall; {
		case !c.open || now-c.at < recallAgain:
		case c.left > 0:
			r.recall(id, p, true, now)
		default:
			c.open = false
		}
	}
}

// takeRecall answers, as far as it fits, and asks back.
func (r *Room) takeRecall(id protocol.PeerID, m *pb.Recall, now time.Duration) {
	p := r.paths[id]
	switch {
	case p == nil || r.genesis == nil || !p.child && !r.isParent(id):
		r.drop("recall by a stranger")
		return
	case len(m.Have) > maxHave:
		r.drop("malformed")
		return
	case p.recall.answers == nil:
		p.recall.answers = rate.NewLimiter(rate.Every(recallEach), recallsOfOne)
	}
	at := instant(now)
	if !p.recall.answers.AllowN(at, 1) || !r.chat.recalls.AllowN(at, 1) {
		return // it asks again
	}
	have := make(map[uint64]bool, len(m.Have))
	for _, d := range m.Have {
		have[d] = true
	}
	r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Recalled{Recalled: r.lacking(have)}})
	if trusted := r.trusts(id, now); !m.Again && !p.recall.open && (trusted || ready(r.chat.all.loose, now)) && r.chat.lacks(m.Have) {
		p.beginRecall()
		p.recall.counted = !trusted
		r.recall(id, p, true, now)
	}
}

// lacking gives what the far side lacks, newest first. What is hidden is nobody's
// to pass on.
func (r *Room) lacking(have map[uint64]bool) *pb.Recalled {
	out := &pb.Recalled{Room: r.cfg.Room[:], RanS: uint32(min((r.cfg.Now()-r.chat.since)/time.Second, math.MaxUint32))}
	room := recallBytes
	add := func(m *protocol.Message, attached bool) {
		const around = 5 // bytes: its tag and length, and its number
		switch {
		case have[m.Digest()]:
		case out.More || room < len(m.Raw)+around:
			out.More = true
		default:
			room -= len(m.Raw) + around
			if attached {
				out.Attached = append(out.Attached, uint32(len(out.Messages)))
			}
			out.Messages = append(out.Messages, m.Raw)
		}
	}
	for _, h := range r.chat.hides {
		add(h, false)
	}
	for _, w := range slices.Backward(r.chat.said) {
		if !r.chat.hidden(w) {
			add(w.Message, w.attached)
		}
	}
	return out
}

func (c *chat) lacks(have []uint64) bool {
	known := c.digests()
	return slices.ContainsFunc(have, func(d uint64) bool { return !known[d] })
}

// trusts says from whom this node takes chat without counting it, who may have said
// it long ago: one whom the room trusts to carry it, or there is nothing yet that
// could be pushed out.
func (r *Room) trusts(id protocol.PeerID, now time.Duration) bool {
	return r.isParent(id) || r.mayCarry(id, now) || len(r.chat.said) == 0
}

func (r *Room) isParent(id protocol.PeerID) bool {
	p := r.parents[id]
	return p != nil && p.accepted
}

// takeRecalled takes an answer. One that is empty and promises more may come
// unasked from a parent that has learned something.
func (r *Room) takeRecalled(id protocol.PeerID, m *pb.Recalled, now time.Duration) {
	p := r.paths[id]
	switch {
	case r.genesis == nil:
		return
	case p != nil && p.recall.open:
	case p != nil && r.isParent(id) && m.More && len(m.Messages) == 0:
		p.beginRecall() // a beat will ask
		return
	default:
		r.drop("answered unasked")
		return
	}
	if r.isParent(id) || len(r.chat.said) == 0 {
		r.chat.since = min(r.chat.since, now-time.Duration(m.RanS)*time.Second) // who has been here for longer knows
	}
	news, attached := false, map[int]bool{}
	if r.believes(id) {
		for _, i := range m.Attached {
			attached[int(i)] = true
		}
	}
	for i, raw := range m.Messages {
		news = r.recollect(raw, attached[i], p.recall.counted, now) || news
	}
	p.recall.learned = p.recall.learned || news
	if m.More && news && p.recall.left > 0 {
		r.recall(id, p, true, now)
		return
	}
	p.recall.open = false
	if p.recall.learned && !p.recall.counted { // else those who lack it see that by the claim
		r.offerRecall(id)
	}
}

// recollect takes one message of an answer, whose writer was attached then or not. It
// proves itself; it is not counted against its sender, who may have said it long ago,
// and only if counted against what all have.
func (r *Room) recollect(raw []byte, attached, counted bool, now time.Duration) bool {
	m, err := protocol.ParseMessage(raw)
	if err != nil || m.Chat == nil && m.Hide == nil {
		r.drop("malformed")
		return false
	}
	order := uint64(0)
	switch {
	case m.Chat != nil && !r.chat.lacksIt(m):
		return false
	case r.banned(m.From, now), m.Hide != nil && !r.mayShow(m, now): // who writes no more may have written
		r.drop("without right")
		return false
	case m.Chat != nil:
		order = m.Chat.Order
	default:
		order = m.Hide.Order
	}
	if r.chat.ahead(order, now) {
		r.drop("chat ahead of its order")
		return false
	}
	if counted && m.Chat != nil && !r.within(r.chat.all, m.From, now) {
		return false
	}
	if m.Verify(r.cfg.Room) != nil {
		r.drop("wrongly signed")
		return false
	}
	if m.Hide != nil {
		return r.keepHide(m)
	}
	if counted {
		r.spend(r.chat.all, m.From, now)
	}
	// When it was said nobody tells: it is no part of its writer's last minute.
	return r.keepRemark(&remark{Message: m, at: now - protocol.ReportSpan - 1, attached: attached})
}

// offerRecall has the children ask for what was learned of another.
func (r *Room) offerRecall(from protocol.PeerID) {
	for id, p := range r.paths {
		if p.child && id != from {
			r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Recalled{Recalled: &pb.Recalled{Room: r.cfg.Room[:], More: true}}})
		}
	}
}
