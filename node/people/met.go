package people

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	// MaxMet bounds whom a node remembers to have heard of.
	MaxMet = 4096
	// metAfter is for how long, in total, somebody was heard of who is no stranger any
	// more. Keys are free; ten minutes of a key are not, quite.
	metAfter = 10 * time.Minute
	// metNoted is how seldom it is noted that somebody known is heard of again.
	metNoted = time.Hour
)

// MetShelf keeps what is remembered as bytes, one of a peer.
type MetShelf interface {
	SaveMet(changes map[protocol.PeerID][]byte) error // nil: forgets one
	Met() (map[protocol.PeerID][]byte, error)
}

// Met remembers those of whom a node has heard, and for how long. Its methods may be
// called from any goroutine.
type Met struct {
	shelf MetShelf

	mu     sync.Mutex
	people map[protocol.PeerID]hearing
}

// hearing is for how long somebody was heard of.
type hearing struct {
	Seconds int64 `json:"s"`
	Last    int64 `json:"last"` // Unix, by this machine's clock: it orders whom to forget
}

func (h hearing) met() bool { return h.Seconds >= int64(metAfter/time.Second) }

// OpenMet reads what is remembered. What does not read is left there.
func OpenMet(shelf MetShelf) (*Met, error) {
	kept, err := shelf.Met()
	if err != nil {
		return nil, err
	}
	m := &Met{shelf: shelf, people: make(map[protocol.PeerID]hearing, len(kept))}
	for p, raw := range kept {
		var h hearing
		if json.Unmarshal(raw, &h) == nil && len(m.people) < MaxMet {
			m.people[p] = h
		}
	}
	return m, nil
}

// Before says whether somebody was heard of for long enough to be no stranger.
func (m *Met) Before(p protocol.PeerID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.people[p].met()
}

// Hear notes that these were heard of for so long up to now. Where there is no room
// for one more, those are forgotten first who are strangers, and then those heard of
// longest ago: whoever brings many keys pushes out those keys.
func (m *Met) Hear(heard []protocol.PeerID, lasted time.Duration, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	changes := map[protocol.PeerID][]byte{}
	var errs []error
	for _, p := range heard {
		h := m.people[p]
		if h.met() && now.Sub(time.Unix(h.Last, 0)).Abs() < metNoted {
			continue
		}
		h.Seconds, h.Last = min(h.Seconds+int64(lasted/time.Second), int64(metAfter/time.Second)), now.Unix()
		m.people[p] = h
		raw, err := json.Marshal(h)
		changes[p], errs = raw, append(errs, err)
	}
	for _, p := range m.leastMet(len(m.people) - MaxMet) {
		delete(m.people, p)
		changes[p] = nil
	}
	if len(changes) > 0 {
		errs = append(errs, m.shelf.SaveMet(changes))
	}
	return errors.Join(errs...)
}

// leastMet gives so many of those who are to be forgotten first.
func (m *Met) leastMet(count int) []protocol.PeerID {
	if count <= 0 {
		return nil
	}
	order := slices.SortedFunc(maps.Keys(m.people), func(p, q protocol.PeerID) int {
		a, b := m.people[p], m.people[q]
		if a.met() != b.met() {
			if b.met() {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Last, b.Last), cmp.Compare(a.Seconds, b.Seconds), cmp.Compare(p, q))
	})
	return order[:count]
}
