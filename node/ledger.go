package node

import (
	"context"
	"sync"

	"github.com/earshot-audio/earshot/protocol"
)

// ledger writes to the store what rooms want kept, one after the other, so that
// no room waits for a disk: one that is busy may take seconds for a sync.
type ledger struct {
	mu      sync.Mutex
	entries []func()
	more    chan struct{} // holds one when there are entries
}

func newLedger() *ledger { return &ledger{more: make(chan struct{}, 1)} }

// Post has write called, after those before it. A room posts no second write of a
// kind before the first is done, nor of lives more than one each minute, which bounds
// how many wait.
func (l *ledger) Post(write func()) {
	l.mu.Lock()
	l.entries = append(l.entries, write)
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// settle waits until what was posted so far is written, or ctx ends.
func (l *ledger) settle(ctx context.Context) {
	written := make(chan struct{})
	l.Post(func() { close(written) })
	select {
	case <-written:
	case <-ctx.Done():
	}
}

// Run writes until ctx ends, and then what is left.
func (l *ledger) Run(ctx context.Context) error {
	for {
		l.write()
		select {
		case <-ctx.Done():
			l.write()
			return nil
		case <-l.more:
		}
	}
}

func (l *ledger) write() {
	l.mu.Lock()
	entries := l.entries
	l.entries = nil
	l.mu.Unlock()
	for _, write := range entries {
		write()
	}
}

// numbersAhead is how many numbers of a sequence are taken from the store at
// once. A node that ends skips those it did not use.
const numbersAhead = 1000

// numbers gives the numbers of this node's announcements and certificates of a
// room, of which no two are the same in all its lives.
type numbers struct {
	n  *Node
	id protocol.RoomID

	mu          sync.Mutex
	next, spare uint64 // spare: the first of the next lot; 0: not here yet
	left        int
	asked       bool
}

// newNumbers takes the first lot, in the caller's time.
func newNumbers(n *Node, id protocol.RoomID) (*numbers, error) {
	s := &numbers{n: n, id: id, left: numbersAhead}
	var err error
	s.next, err = s.take()
	return s, err
}

func (s *numbers) take() (first uint64, err error) {
	return s.n.store.Sequence(s.id.String(), uint64(s.n.cfg.Wall().UnixMilli()), numbersAhead)
}

// Next gives the next number. Half of a lot before its end, it has another taken.
func (s *numbers) Next() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left <= 0 && s.spare > 0 {
		s.next, s.left, s.spare, s.asked = s.spare, numbersAhead, 0, false
	}
	if s.left <= numbersAhead/2 && !s.asked {
		s.asked = true
		s.n.ledger.Post(s.refill)
	}
	// Where the disk has not answered for five hundred numbers, they go on: the
	// clock is past them by the next start.
	s.left--
	s.next++
	return s.next - 1
}

func (s *numbers) refill() {
	first, err := s.take()
	if err != nil {
		s.n.log.Error("store a sequence", "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare, s.asked = first, err == nil
}
