package election

import "time"

// An event is what happens at a time of the simulated world: a node's clock ticks,
// a message arrives, or (do) the script goes on.
type event struct {
	at      time.Duration
	order   uint64 // breaks ties, so that a history replays
	node    int
	message *message
	do      func()
}

// A queue is a binary heap of events, the earliest first. It is typed because
// container/heap spends a third of a history on boxing.
type queue []event

func (q queue) less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}

func (q *queue) push(e event) {
	*q = append(*q, e)
	h := *q
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.less(i, up) {
			return
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (q *queue) pop() event {
	h := *q
	first, last := h[0], len(h)-1
	h[0] = h[last]
	h[last] = event{}
	h = h[:last]
	*q = h
	for i := 0; ; {
		down := 2*i + 1
		if down+1 < last && h.less(down+1, down) {
			down++
		}
		if down >= last || !h.less(down, i) {
			return first
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
}
