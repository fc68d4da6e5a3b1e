package node

import "sync"

// fanout gives each of several watchers the newest few of what is told; one
// that does not keep up misses the oldest. tell never blocks.
type fanout[T any] struct {
	backlog int

	mu     sync.Mutex
	to     map[chan T]struct{}
	closed bool
}

func newFanout[T any](backlog int) *fanout[T] {
	return &fanout[T]{backlog: backlog, to: map[chan T]struct{}{}}
}

func (f *fanout[T]) tell(v T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.to {
		select {
		case c <- v:
			continue
		default:
		}
		select {
		case <-c:
		default:
		}
		select {
		case c <- v:
		default:
		}
	}
}

// watch gives a channel that is closed by close, until stop is called.
func (f *fanout[T]) watch() (told <-chan T, stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := make(chan T, f.backlog)
	if f.closed {
		close(c)
		return c, func() {}
	}
	f.to[c] = struct{}{}
	return c, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.to, c)
	}
}

func (f *fanout[T]) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for c := range f.to {
		delete(f.to, c)
		close(c)
	}
}

// changed says that something which the page or a command shows may have.
func (n *Node) changed() { n.changes.tell(struct{}{}) }
