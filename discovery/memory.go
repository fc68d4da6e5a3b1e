package discovery

import (
	"container/list"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// memory remembers a value a key for a span after it was last touched, within
// bounds: an owner that has filled its share forgets its own oldest, so that
// one key's flood costs nobody else their memory; when all is full, the one
// touched longest ago goes.
type memory[K comparable, V any] struct {
	span        time.Duration
	most, share int
	memos       map[K]*memo[K, V]
	all         list.List                      // of *memo[K, V], touched longest ago first
	owners      map[protocol.PeerID]*list.List // the same, owner by owner
}

type memo[K comparable, V any] struct {
	key          K
	value        V
	owner        protocol.PeerID
	touched      time.Duration
	inAll, inOwn *list.Element
}

func newMemory[K comparable, V any](span time.Duration, most, share int) *memory[K, V] {
	return &memory[K, V]{span: span, most: most, share: share,
		memos: make(map[K]*memo[K, V]), owners: make(map[protocol.PeerID]*list.List)}
}

// get gives what is remembered of k; the zero value if nothing is.
func (m *memory[K, V]) get(k K) (v V, ok bool) {
	if e := m.memos[k]; e != nil {
		return e.value, true
	}
	return v, false
}

// put remembers v under k on owner's account, touched now.
func (m *memory[K, V]) put(k K, owner protocol.PeerID, v V, now time.Duration) {
	if e := m.memos[k]; e != nil {
		e.value, e.touched = v, now
		m.all.MoveToBack(e.inAll)
		m.owners[e.owner].MoveToBack(e.inOwn)
		return
	}
	own := m.owners[owner]
	switch {
	case own != nil && own.Len() >= m.share:
		m.forget(own.Front().Value.(*memo[K, V]))
	case len(m.memos) >= m.most:
		m.forget(m.all.Front().Value.(*memo[K, V]))
	}
	// Looked up again: forgetting an owner's last memo forgets its list.
	if own = m.owners[owner]; own == nil {
		own = list.New()
		m.owners[owner] = own
	}
	e := &memo[K, V]{key: k, value: v, owner: owner, touched: now}
	e.inAll, e.inOwn = m.all.PushBack(e), own.PushBack(e)
	m.memos[k] = e
}

// expire forgets what was not touched for a span.
func (m *memory[K, V]) expire(now time.Duration) {
	for front := m.all.Front(); front != nil; front = m.all.Front() {
		e := front.Value.(*memo[K, V])
		if now-e.touched < m.span {
			return
		}
		m.forget(e)
	}
}

func (m *memory[K, V]) forget(e *memo[K, V]) {
	delete(m.memos, e.key)
	m.all.Remove(e.inAll)
	own := m.owners[e.owner]
	own.Remove(e.inOwn)
	if own.Len() == 0 {
		delete(m.owners, e.owner)
	}
}
