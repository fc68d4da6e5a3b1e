package guest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	maxHousehold = 4         // guests of one address at once
	removedFor   = time.Hour // a household stays out after one of it was removed
	maxRemoved   = 1024      // households that are remembered as removed
)

// Guest is one who listens, as the node's person sees it.
type Guest struct {
	ID    string // short, to be typed
	Room  protocol.RoomID
	From  netip.Addr
	Since time.Time
	Who   protocol.PeerID // the guest's own key; "": has not said
}

// seat is a place that a guest has or is about to have.
type seat struct {
	Guest
	session string
	end     func() // nil: not listening yet
	gone    bool

	known func(protocol.PeerID)
	hush  func() // ends what it speaks; nil: it does not
}

// guests is who is in.
type guests struct {
	max     int
	changed func()

	mu      sync.Mutex
	closed  bool
	seats   []*seat
	removed map[netip.Prefix]time.Time // until when
}

func newGuests(most int, changed func()) *guests {
	return &guests{max: most, changed: changed, removed: map[netip.Prefix]time.Time{}}
}

// admit takes a seat, for a guest who may come in. leave gives it back.
func (g *guests) admit(room protocol.RoomID, from netip.Addr) (*seat, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	home, same := householdOf(from), 0
	for _, s := range g.seats {
		if householdOf(s.From) == home {
			same++
		}
	}
	switch {
	case g.closed:
		return nil, errShut
	case time.Now().Before(g.removed[home]):
		return nil, refuse(http.StatusForbidden, codeRemoved, "who runs this door has sent you away")
	case len(g.seats) >= g.max:
		return nil, refuse(http.StatusServiceUnavailable, codeFull, fmt.Sprintf("all %d places for guests are taken", g.max))
	case same >= maxHousehold:
		return nil, refuse(http.StatusTooManyRequests, codeHousehold, fmt.Sprintf("%d guests listen from your address already", same))
	}
	s := &seat{Guest: Guest{ID: g.name(), Room: room, From: from, Since: time.Now()}}
	g.seats = append(g.seats, s)
	return s, nil
}

// name makes an ID that no guest has.
func (g *guests) name() string {
	for {
		id := strings.ToLower(rand.Text()[:6])
		if !slices.ContainsFunc(g.seats, func(s *seat) bool { return s.ID == id }) {
			return id
		}
	}
}

// begin notes how a guest's session ends. One that was sent away meanwhile ends at
// once.
func (g *guests) begin(s *seat, session Session) {
	g.mu.Lock()
	s.session, s.end, s.known = session.ID, session.End, session.Known
	gone := s.gone
	g.mu.Unlock()
	if gone {
		session.End()
	}
	g.changed()
}

// leave gives a seat back, and who had it, if they had said.
func (g *guests) leave(s *seat) (who protocol.PeerID) {
	g.mu.Lock()
	g.seats = slices.DeleteFunc(g.seats, func(other *seat) bool { return other == s })
	who, hush := s.Who, s.hush
	s.Who, s.hush, s.gone = "", nil, true
	g.mu.Unlock()
	if hush != nil {
		hush()
	}
	g.changed()
	return who
}

// seated gives the seat of a session, nil if there is none or no longer.
func (g *guests) seated(session string) *seat {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.seats {
		if session != "" && s.session == session && !s.gone {
			return s
		}
	}
	return nil
}

// may says whether a seat is who's, or nobody's yet.
func (g *guests) may(s *seat, who protocol.PeerID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return s.Who == "" || s.Who == who
}

// know notes who has a seat; false if they have left it meanwhile. Who had another
// one, of a connection that broke, has this one instead.
func (g *guests) know(s *seat, who protocol.PeerID) bool {
	g.mu.Lock()
	if s.gone || s.Who == who {
		defer g.mu.Unlock()
		return !s.gone
	}
	var hush func()
	for _, other := range g.seats {
		if other.Who == who && other.Room == s.Room {
			hush = other.hush
			other.Who, other.hush = "", nil
		}
	}
	s.Who = who
	g.mu.Unlock()
	if hush != nil {
		hush()
	}
	s.known(who)
	return true
}

// speaks notes how what a guest speaks is ended; nil: it has. What it spoke before
// ends. A guest who has left meanwhile is not heard any more.
func (g *guests) speaks(s *seat, hush func()) {
	g.mu.Lock()
	before, gone := s.hush, s.gone
	if s.hush = hush; gone {
		s.hush, before = nil, hush
	}
	g.mu.Unlock()
	if before != nil {
		before()
	}
}

// dismiss ends the sessions of those that fit, and says how many do. The seats come
// back by leave.
func (g *guests) dismiss(fits func(*seat) bool) int {
	g.mu.Lock()
	var ends []func()
	count := 0
	for _, s := range g.seats {
		if !fits(s) {
			continue
		}
		count++
		s.gone = true
		if s.end != nil {
			ends = append(ends, s.end)
		}
	}
	g.mu.Unlock()
	for _, end := range ends {
		end()
	}
	return count
}

// hangUp ends the session that a guest names; false: there is none.
func (g *guests) hangUp(session string) bool {
	return session != "" && g.dismiss(func(s *seat) bool { return s.session == session }) > 0
}

func (g *guests) remove(id string) bool {
	return g.dismiss(func(s *seat) bool {
		if s.ID != id {
			return false
		}
		now := time.Now()
		for home, until := range g.removed {
			if now.After(until) || len(g.removed) >= maxRemoved {
				delete(g.removed, home)
			}
		}
		g.removed[householdOf(s.From)] = now.Add(removedFor)
		return true
	}) > 0
}

func (g *guests) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
	clear(g.removed)
}

func (g *guests) shut() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.dismiss(func(*seat) bool { return true })
}

func (g *guests) isOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.closed
}

func (g *guests) list() []Guest {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]Guest, 0, len(g.seats))
	for _, s := range g.seats {
		if s.end != nil && !s.gone {
			out = append(out, s.Guest)
		}
	}
	return out
}

func (g *guests) count(room protocol.RoomID) (n int) {
	for _, guest := range g.list() {
		if guest.Room == room {
			n++
		}
	}
	return n
}
