package room

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// queue is the relay's word on who asks to speak: this node's own, or as heard
// from the relay that it follows.
type queue struct {
	parts  map[int]*protocol.Message // the newest of each
	boot   uint64                    // of that relay's earlier words, which are old
	before uint64                    // their last sequence
	left   time.Duration             // when somebody left it by a word of their own; 0: it is as the relay said

	number uint32           // of the last stamp that this node gave in its term
	told   []protocol.Stamp // as this node said it last
	at     time.Duration
}

// followQueue begins anew with another relay. What is known of the queue stays,
// so that the heir goes on where its predecessor ended.
func (r *Room) followQueue(now time.Duration) {
	r.queue = queue{parts: map[int]*protocol.Message{}, at: now - protocol.QueuePace}
	if s := r.senders[r.relay]; s != nil {
		r.queue.boot, r.queue.before = s.boot, s.newest[queues]
	}
	for _, h := range r.hands {
		if h.stamp.Term == r.term {
			r.queue.number = max(r.queue.number, h.stamp.N)
		}
	}
	if r.own.up {
		r.sayHand(now)
	}
	r.tendHands(now)
}

// newer says whether m is newer than what the relay said of that part.
func (q *queue) newer(m *protocol.Message) bool {
	known := q.parts[m.Queue.Part]
	return (m.Boot != q.boot || m.Sequence > q.before) && (known == nil || after(m, known))
}

// takeQueue takes one part of the relay's queue. Only a whole one says that a
// hand is not in it.
func (r *Room) takeQueue(m *protocol.Message, now time.Duration) {
	q := &r.queue
	q.parts[m.Queue.Part] = m
	for i := range q.parts {
		if i >= m.Queue.Parts {
			delete(q.parts, i)
		}
	}
	in := map[protocol.PeerID]bool{}
	whole := true
	for i := range m.Queue.Parts {
		part := q.parts[i]
		if part == nil || part.Queue.Parts != m.Queue.Parts {
			whole = false
			continue
		}
		for _, s := range part.Queue.Stamps {
			if len(in) < protocol.MaxHands {
				in[s.Peer] = true
				r.takeStamp(s, now)
			}
		}
	}
	for p, h := range r.hands {
		if whole && !in[p] {
			h.stamp = protocol.Stamp{}
		}
	}
	r.answerQueue(now)
	r.changed()
}

// abideFor is how long the relay has to say a queue without somebody who left it.
const abideFor = time.Second

// restoreQueue puts back, as the relay has it still, whom their own words took out of
// the queue: what a hand said before it was stamped may come after that, and a hand
// that is said to go up and down all the time is cut short by each node elsewhere.
func (r *Room) restoreQueue(now time.Duration) {
	if r.queue.left == 0 || now-r.queue.left < abideFor {
		return
	}
	r.queue.left = 0
	for _, part := range r.queue.parts {
		for _, s := range part.Queue.Stamps {
			if h := r.hands[s.Peer]; s.Peer != r.cfg.Self && (h == nil || h.stamp.Term == 0) {
				r.takeStamp(s, now)
				r.changed()
			}
		}
	}
}

func (r *Room) takeStamp(s protocol.Stamp, now time.Duration) {
	h := r.hands[s.Peer]
	switch {
	case h != nil:
	case len(r.hands) >= 2*protocol.MaxHands: // of a relay that names others each time
		r.drop("more hands than the queue takes")
		return
	default:
		h = r.noteHand(s.Peer, now)
	}
	if !h.stamp.Same(s) {
		h.stamp, h.since, h.lowered = s, now-s.Waited, false
	}
}

// answerQueue puts right what the relay says of this node: a hand that was up
// before this life still is, one that went down is.
func (r *Room) answerQueue(now time.Duration) {
	h := r.hands[r.cfg.Self]
	if h == nil || !h.placed() || r.own.up || now-r.own.at < askAgain && r.own.said {
		return
	}
	r.own.up = !r.own.said && !r.seated(r.cfg.Self, now)
	r.sayHand(now)
}

// tellQueue says the queue, if it has changed and was not said just now.
func (r *Room) tellQueue(now time.Duration) {
	if now-r.queue.at >= protocol.QueuePace && !slices.EqualFunc(r.stamps(now), r.queue.told, protocol.Stamp.Same) {
		r.sayQueue(now)
	}
}

func (r *Room) sayQueue(now time.Duration) {
	r.queue.told, r.queue.at = r.stamps(now), now
	clear(r.queue.parts)
	for _, part := range protocol.Queues(r.queue.told) {
		m := &protocol.Message{Queue: part}
		r.say(m)
		r.queue.parts[part.Part] = m
	}
}

// repeatHands says again, with the presence, what may have been missed.
func (r *Room) repeatHands(now time.Duration) {
	if r.own.up {
		r.sayHand(now)
	}
	if r.root && len(r.queue.told) > 0 && now-r.queue.at >= protocol.QueuePace {
		r.sayQueue(now)
	}
}
