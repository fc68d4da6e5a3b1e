package room

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// ChatRights says who may write in a room, and take what others wrote out of
// sight. The room's goroutine asks.
type ChatRights interface {
	MayWrite(p protocol.PeerID) bool
	MayHide(p, of protocol.PeerID) bool
}

// lawfulChat is as the log has it: everyone may write while the room is not
// paused, and who moderates hides what others but the founder wrote.
type lawfulChat struct{ *roster.Roster }

func (c lawfulChat) MayWrite(p protocol.PeerID) bool { return !c.Paused() }
func (c lawfulChat) MayHide(p, of protocol.PeerID) bool {
	return p == c.Founder() || c.MayModerate(p) && of != c.Founder()
}

const (
	// What a sender says: so many at once, and one each chatEach. Those who hear
	// it are more patient, since messages come late and together.
	chatsAtOnce = 5
	chatEach    = 2 * time.Second
	chatsLate   = 3

	// People for whom the room does not stand have these together: keys are free.
	crowdChats = 16 // a second

	// orderASecond is how far the order may grow for each second that a chat has
	// run. It is a million times what people write, so it holds up only those who
	// would use it up; and all count from the same beginning, so what one takes the
	// others do.
	orderASecond = 1 << 20
	orderAhead   = 10 // seconds: by so much counts may differ

	// resaid is how old own messages may be that a new parent is told of: the one
	// before it may have died with them.
	resaid = 15 * time.Second
)

var (
	// ErrTooFast is for one who says more than others listen to.
	ErrTooFast = errors.New("more at once than others listen to")
	// ErrNoMessage is for one who hides a message that is not there.
	ErrNoMessage = errors.New("no such message")
)

// chat is what people wrote in the room. What is kept is decided by what was
// written, who was attached then and the log alone: of a sender the newest
// MaxChatsOfOne in their order; of those for whom the log stands the newest
// VouchedChats, which no crowd pushes out; of what others wrote while they were
// attached AttachedChats, of each as many as of any other; of all else the newest,
// MaxChats together. So all who heard the same keep the same, and what was pushed out
// does not come back when it is played back.
type chat struct {
	said  []*remark // in order
	by    map[protocol.MessageID]*remark
	of    map[protocol.PeerID]int                  // how many of said
	hides map[protocol.MessageID]*protocol.Message // the newest word on each; Sequence 0: on all of one

	order    uint64        // the highest heard
	since    time.Duration // it may have grown: since this node came, or as a parent counts
	revision uint64

	sum, summed uint64 // digest's, and of which revision
	levelling   levelling

	own     *rate.Limiter
	all     allowance
	recalls *rate.Limiter // answered
}

// remark is a chat message.
type remark struct {
	*protocol.Message
	at       time.Duration // when it was heard here
	attached bool          // its writer was, then
	revision uint64        // of the chat, when it or what hides it came
}

func newChat(now time.Duration) chat {
	return chat{
		by: map[protocol.MessageID]*remark{}, of: map[protocol.PeerID]int{}, hides: map[protocol.MessageID]*protocol.Message{}, since: now,
		own: rate.NewLimiter(rate.Every(chatEach), chatsAtOnce), all: newAllowance("chat", crowdChats), levelling: levelling{at: now - levelEach, pause: levelEach},
		recalls: rate.NewLimiter(recallsASecond, recallsAtOnce),
	}
}

func instant(now time.Duration) time.Time { return time.Unix(0, int64(now)) }

// ready says whether a limiter would let one more through; it counts nothing.
func ready(l *rate.Limiter, now time.Duration) bool { return l.TokensAt(instant(now)) >= 1 }

// Write says text to all in the room; said is this node's clock, to be shown.
func (r *Room) Write(ctx context.Context, text string, said time.Time) (id protocol.MessageID, err error) {
	if e := r.ask(ctx, func(r *Room) { id, err = r.write(text, said, r.cfg.Now()) }); e != nil {
		return id, e
	}
	return id, err
}

// Hide takes a message out of sight, or with Sequence 0 all of its sender, or
// shows it again.
func (r *Room) Hide(ctx context.Context, of protocol.MessageID, lifted bool) (err error) {
	if e := r.ask(ctx, func(r *Room) { err = r.hide(of, lifted, r.cfg.Now()) }); e != nil {
		return e
	}
	return err
}

func (r *Room) chatRights() ChatRights {
	if r.cfg.Chat != nil {
		return r.cfg.Chat
	}
	return lawfulChat{r.lawful}
}

func (r *Room) write(text string, said time.Time, now time.Duration) (protocol.MessageID, error) {
	text, err := protocol.CleanChat(text)
	switch {
	case err != nil:
		return protocol.MessageID{}, err
	case r.genesis == nil || !r.chatRights().MayWrite(r.cfg.Self):
		return protocol.MessageID{}, protocol.ErrNoRight
	case !r.chat.own.AllowN(instant(now), 1):
		return protocol.MessageID{}, ErrTooFast
	}
	m := &protocol.Message{Chat: &protocol.Chat{Order: r.chat.next(now), Name: r.cfg.Name, Text: text, Said: said}}
	r.say(m)
	r.keepChat(m, now)
	return m.ID(), nil
}

func (r *Room) hide(of protocol.MessageID, lifted bool, now time.Duration) error {
	switch {
	case r.genesis == nil || !r.chatRights().MayHide(r.cfg.Self, of.From):
		return protocol.ErrNoRight
	case of.Sequence != 0 && r.chat.by[of] == nil:
		return ErrNoMessage
	}
	m := &protocol.Message{Hide: &protocol.Hide{Order: r.chat.next(now), Of: of, Lifted: lifted}}
	r.say(m)
	r.keepHide(m)
	return nil
}

// next gives the order of what is said now. It is no higher than others take who count
// some seconds less than this node, however high somebody has driven the orders.
func (c *chat) next(now time.Duration) uint64 {
	ran := uint64((now - c.since + orderAhead*time.Second/2) / time.Millisecond)
	return min(c.order+1, orderASecond*ran/1000, protocol.MaxOrder)
}

// ahead says whether an order is beyond what can have been reached by writing:
// taken, it would put all that people write after it in no order.
func (c *chat) ahead(order uint64, now time.Duration) bool {
	return order > orderASecond*uint64(orderAhead+(now-c.since)/time.Second)
}

// freshTalk is fresh's for what people write and show, within what they have together.
func (r *Room) freshTalk(m *protocol.Message, s *sender, now time.Duration) bool {
	switch {
	case m.Presence != nil && !m.Presence.Leaving:
		return r.within(r.presences, m.From, now)
	case m.Chat != nil:
		return r.freshChat(m, s, now)
	case m.Reaction != nil:
		return r.freshReaction(m, now)
	case m.Caption != nil:
		return r.within(r.captions.all, m.From, now)
	case m.Hide != nil && r.chat.ahead(m.Hide.Order, now):
		r.drop("chat ahead of its order")
		return false
	}
	return true
}

// freshChat says whether a chat message is new, and within its sender's rate and
// that of all for whom the room does not stand. It changes nothing.
func (r *Room) freshChat(m *protocol.Message, s *sender, now time.Duration) bool {
	switch {
	case !r.chat.lacksIt(m):
	case r.chat.ahead(m.Chat.Order, now):
		r.drop("chat ahead of its order")
	case s != nil && s.chat != nil && !ready(s.chat, now):
		r.drop("chat too often")
	default:
		return r.within(r.chat.all, m.From, now)
	}
	return false
}

// countTalk counts a verified message against its sender, and what all have.
func (r *Room) countTalk(m *protocol.Message, s *sender, now time.Duration) {
	switch {
	case m.Presence != nil && !m.Presence.Leaving:
		r.spend(r.presences, m.From, now)
	case m.Chat != nil:
		if s.chat == nil {
			s.chat = rate.NewLimiter(rate.Every(chatEach), chatsAtOnce+chatsLate)
		}
		s.chat.AllowN(instant(now), 1)
		r.spend(r.chat.all, m.From, now)
	case m.Reaction != nil:
		r.spend(r.reactions.all, m.From, now)
	case m.Caption != nil:
		r.spend(r.captions.all, m.From, now)
	}
}

// inOrder compares two chat messages: by order, then by who says it.
func inOrder(a, b *remark) int {
	return cmp.Or(cmp.Compare(a.Chat.Order, b.Chat.Order), a.ID().Compare(b.ID()))
}

// lacksIt says whether a message would be new. Who signs several by one name is shown
// to all to have said the same: the one with the highest place, then digest, which no
// other one pushes out.
func (c *chat) lacksIt(m *protocol.Message) bool {
	known := c.by[m.ID()]
	return known == nil || cmp.Or(cmp.Compare(m.Chat.Order, known.Chat.Order), cmp.Compare(m.Digest(), known.Digest())) > 0
}

// keepChat keeps a message that is said now, if it is new and has a place.
func (r *Room) keepChat(m *protocol.Message, now time.Duration) bool {
	return r.keepRemark(&remark{Message: m, at: now, attached: r.isAttached(m.From, now)})
}

func (r *Room) keepRemark(w *remark) bool {
	c := &r.chat
	c.order = max(c.order, w.Chat.Order)
	if !c.lacksIt(w.Message) {
		return false
	}
	if other := c.by[w.ID()]; other != nil {
		c.discard(slices.Index(c.said, other))
	}
	if c.of[w.From] >= protocol.MaxChatsOfOne {
		first := slices.IndexFunc(c.said, func(o *remark) bool { return o.From == w.From })
		if inOrder(w, c.said[first]) < 0 {
			return false
		}
		c.discard(first)
	}
	i, _ := slices.BinarySearchFunc(c.said, w, inOrder)
	c.said = slices.Insert(c.said, i, w)
	c.by[w.ID()] = w
	c.of[w.From]++
	if len(c.said) > protocol.MaxChats {
		c.discard(c.spilled(r.lawful))
		if c.by[w.ID()] == nil {
			return false
		}
	}
	c.revision++
	w.revision = c.revision
	r.changed()
	return true
}

// spilled gives the message for which there is no place any more: the lowest that has
// none of those kept for the known and the attached.
func (c *chat) spilled(law *roster.Roster) int {
	vouched, attached, lowest := 0, c.sharedOut(law), -1
	for i, w := range slices.Backward(c.said) {
		if law.Vouched(w.From) {
			if vouched++; vouched <= protocol.VouchedChats {
				continue
			}
		} else if attached[w] {
			continue
		}
		lowest = i
	}
	return lowest
}

// sharedOut gives what is kept of those who were attached and for whom the log does
// not stand: the newest message of each, then the one before, as far as places go. So
// few who write much don't push out one who wrote once.
func (c *chat) sharedOut(law *roster.Roster) map[*remark]bool {
	type turn struct {
		*remark
		number int // of its writer's messages, from the newest
	}
	var turns []turn
	of := map[protocol.PeerID]int{}
	for _, w := range slices.Backward(c.said) {
		if w.attached && !law.Vouched(w.From) {
			of[w.From]++
			turns = append(turns, turn{w, of[w.From]})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.number, b.number) })
	kept := map[*remark]bool{}
	for _, t := range turns[:min(len(turns), protocol.AttachedChats)] {
		kept[t.remark] = true
	}
	return kept
}

func (c *chat) discard(i int) {
	w := c.said[i]
	c.said = slices.Delete(c.said, i, i+1)
	delete(c.by, w.ID())
	if c.of[w.From]--; c.of[w.From] == 0 {
		delete(c.of, w.From)
	}
}

// keepHide takes a word on what is hidden, if it is the newest on that.
func (r *Room) keepHide(m *protocol.Message) bool {
	c := &r.chat
	c.order = max(c.order, m.Hide.Order)
	if known := c.hides[m.Hide.Of]; known != nil && !laterWord(m, known) {
		return false
	}
	c.hides[m.Hide.Of] = m
	if len(c.hides) > protocol.MaxHides {
		oldest := m
		for _, h := range c.hides {
			if laterWord(oldest, h) {
				oldest = h
			}
		}
		delete(c.hides, oldest.Hide.Of)
		if oldest == m {
			return false
		}
	}
	c.revision++
	for _, w := range c.said {
		if w.ID() == m.Hide.Of || w.From == m.Hide.Of.From && m.Hide.All() {
			w.revision = c.revision
		}
	}
	r.changed()
	return true
}

func laterWord(a, b *protocol.Message) bool {
	if place := cmp.Or(cmp.Compare(a.Hide.Order, b.Hide.Order), a.ID().Compare(b.ID())); place != 0 {
		return place > 0
	}
	return a.Digest() > b.Digest()
}

// hidden says whether a message is out of sight: of the words on it and on all
// of its sender the later one counts.
func (c *chat) hidden(w *remark) bool {
	one, all := c.hides[w.ID()], c.hides[protocol.MessageID{From: w.From}]
	if one == nil || all != nil && laterWord(all, one) {
		one = all
	}
	return one != nil && !one.Hide.Lifted
}
