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
	before  string          // the session with which it comes back; "": it is new
	was     protocol.PeerID // who it was before, if it had said
	session string
	end     func() // nil: not listening yet

	gone      bool
	why       error         // somebody removed it; nil: nobody
	over      chan struct{} // closed when it is gone
	succeeded bool          // it came back, and has another seat

	known func(protocol.PeerID)
	hush  func() // ends what it speaks; nil: it does not
}

// guests is who is in.
type guests struct {
	max     int
	changed func()

	called chan struct{} // for usher

	mu      sync.Mutex
	closed  bool
	seats   []*seat
	removed map[netip.Prefix]time.Time // until when
	left    map[string]departure       // by session
	out     map[outcast]bool
	ending  []func() // sessions; no more than seats
}

func newGuests(most int, changed func()) *guests {
	return &guests{max: most, changed: changed, called: make(chan struct{}, 1),
		removed: map[netip.Prefix]time.Time{}, left: map[string]departure{}, out: map[outcast]bool{}}
}

// admit takes a seat, for a guest who may come in as far as the door minds; before is
// the session with which they come back, "" if they don't. leave gives it back.
func (g *guests) admit(room protocol.RoomID, from netip.Addr, before string) (*seat, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	home, same, all := householdOf(from), 0, 0
	for _, s := range g.seats {
		if before != "" && s.session == before {
			continue // it is theirs
		}
		all++
		if householdOf(s.From) == home {
			same++
		}
	}
	formerly, recent := g.formerly(before, room)
	switch {
	case g.closed:
		return nil, errShut
	case time.Now().Before(g.removed[home]):
		return nil, errRemoved
	case recent && formerly.why != nil:
		return nil, formerly.why
	case all >= g.max:
		return nil, refuse(http.StatusServiceUnavailable, codeFull, fmt.Sprintf("all %d places for guests are taken", g.max))
	case same >= maxHousehold:
		return nil, refuse(http.StatusTooManyRequests, codeHousehold, fmt.Sprintf("%d guests listen from your address already", same))
	}
	s := &seat{Guest: Guest{ID: g.name(), Room: room, From: from, Since: time.Now()}, was: formerly.who, over: make(chan struct{})}
	if recent {
		s.before = before
	}
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
// once, and one that comes back takes over from who they were.
func (g *guests) begin(s *seat, session Session) {
	g.mu.Lock()
	s.session, s.end, s.known = session.ID, session.End, session.Known
	var ends []func()
	if s.before != "" && !s.gone {
		var ok bool
		if ends, ok = g.succeed(s); !ok {
			g.expel(s, nil) // one comes back as somebody, not two
		}
	}
	if s.gone {
		ends = append(ends, session.End)
	}
	who := s.Who
	g.mu.Unlock()
	for _, end := range ends {
		end()
	}
	if who != "" {
		session.Known(who)
	}
	g.changed()
}

// leave gives a seat back, and who had it, if they had said.
func (g *guests) leave(s *seat) (who protocol.PeerID) {
	g.mu.Lock()
	g.seats = slices.DeleteFunc(g.seats, func(other *seat) bool { return other == s })
	g.expel(s, nil)
	g.depart(s)
	who, hush := s.Who, s.hush
	s.Who, s.hush = "", nil
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

// who gives whose a seat is; "": they have not said.
func (g *guests) who(s *seat) protocol.PeerID {
	g.mu.Lock()
	defer g.mu.Unlock()
	return s.Who
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
			other.Who, other.was, other.hush = "", who, nil
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

// dismiss ends the sessions of those that fit, and says how many do; why is for who
// comes back, nil if they may. The seats come back by leave.
func (g *guests) dismiss(fits func(*seat) bool, why error) int {
	g.mu.Lock()
	var ends []func()
	count := 0
	for _, s := range g.seats {
		if !fits(s) {
			continue
		}
		count++
		ends = append(ends, g.expel(s, why))
	}
	g.mu.Unlock()
	for _, end := range ends {
		end()
	}
	return count
}

// hangUp ends the session that a guest names; false: there is none.
func (g *guests) hangUp(session string) bool {
	return session != "" && g.dismiss(func(s *seat) bool { return s.session == session }, nil) > 0
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
	}, errRemoved) > 0
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
	g.dismiss(func(*seat) bool { return true }, nil)
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

// has says whether somebody who listens to a room has said who they are.
func (g *guests) has(room protocol.RoomID, who protocol.PeerID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.seats, func(s *seat) bool { return s.Who == who && s.Room == room })
}
