package guest

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// The door keeps the law of the rooms that are heard through it. Guests have no link
// that their node could cut and, unless they say who they are, no key that could be
// banned: so it keeps what a person is known by here, which is the session that they
// had, and the household that they came from.

const (
	// backWithin is how long somebody whose session has ended is nobody new: a page
	// was loaded anew, or a connection broke.
	backWithin = time.Minute

	maxDepartures = 1024
	maxOutcasts   = 1024
)

// Law is what of a room's law the door keeps.
type Law struct {
	Shut   bool              // locked or paused: nobody new comes in
	Banned []protocol.PeerID // who is kept out
}

// departure is how somebody left.
type departure struct {
	room protocol.RoomID
	at   time.Time
	who  protocol.PeerID // as they had said; "": they had not
	why  error           // somebody removed them, and their page is not to come again by itself; nil: nobody
}

// outcast is a household from which somebody came who is banned from a room. It stays
// out of that room for as long as they do.
type outcast struct {
	home netip.Prefix
	room protocol.RoomID
	who  protocol.PeerID
}

// formerly gives how somebody left who had a session in a room, or would; recent: they
// may come back as who they were. mu is held.
func (g *guests) formerly(session string, room protocol.RoomID) (d departure, recent bool) {
	if session == "" {
		return departure{}, false
	}
	for _, s := range g.seats {
		if s.session == session && s.Room == room {
			return s.departure(), true
		}
	}
	if d = g.left[session]; d.room != room {
		return departure{}, false
	}
	return d, time.Since(d.at) <= backWithin
}

// departure is how they would leave, or did.
func (s *seat) departure() departure {
	who := s.Who
	if who == "" {
		who = s.was
	}
	return departure{s.Room, time.Now(), who, s.why}
}

// judge says why a guest may not come in by the room's law. They have a seat already:
// so a ban that comes later finds them.
func (g *guests) judge(s *seat, law Law) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	home := householdOf(s.From)
	if slices.Contains(law.Banned, s.was) {
		g.castOut(outcast{home, s.Room, s.was})
	}
	for _, who := range law.Banned {
		if g.out[outcast{home, s.Room, who}] {
			return errBanned
		}
	}
	if law.Shut && s.before == "" {
		return errLocked
	}
	return nil
}

// succeed puts who came back in the place of who they were, once: what ends what they
// had is for the caller, and false if somebody else came back as them meanwhile. mu is
// held.
func (g *guests) succeed(s *seat) (ends []func(), ok bool) {
	if _, left := g.left[s.before]; left {
		delete(g.left, s.before)
		return nil, true
	}
	for _, old := range g.seats {
		if old.session != s.before || old.gone {
			continue
		}
		s.Who, old.Who, old.succeeded = old.Who, "", true
		ends = append(ends, g.expel(old, nil))
		if old.hush != nil {
			ends = append(ends, old.hush)
			old.hush = nil
		}
		return ends, true
	}
	return nil, false
}

// expel takes a guest out, and gives what ends their session. mu is held.
func (g *guests) expel(s *seat, why error) (end func()) {
	if !s.gone {
		s.gone, s.why = true, why
		close(s.over)
	}
	if s.end == nil {
		return func() {} // begin ends it
	}
	return s.end
}

// depart notes that somebody has left. mu is held.
func (g *guests) depart(s *seat) {
	if s.session == "" || s.succeeded {
		return
	}
	if len(g.left) >= maxDepartures {
		for session, d := range g.left {
			if len(g.left) >= maxDepartures || time.Since(d.at) > backWithin {
				delete(g.left, session)
			}
		}
	}
	g.left[s.session] = s.departure()
}

// castOut keeps a household out of a room for as long as somebody from it is banned.
// mu is held.
func (g *guests) castOut(o outcast) {
	for another := range g.out { // none is worth more
		if len(g.out) < maxOutcasts {
			break
		}
		delete(g.out, another)
	}
	g.out[o] = true
}

// banish takes out who is found to be banned by what they say.
func (g *guests) banish(s *seat, who protocol.PeerID) {
	g.mu.Lock()
	s.was = who
	g.castOut(outcast{householdOf(s.From), s.Room, who})
	g.mu.Unlock()
	g.dismiss(func(other *seat) bool { return other == s }, nil)
}

// SendAway ends the visit of who is removed or banned from a room. It does not block:
// Run ends the sessions.
func (d *Door) SendAway(room protocol.RoomID, who protocol.PeerID, banned bool) {
	g := d.guests
	g.mu.Lock()
	for _, s := range g.seats {
		if s.gone || s.Room != room || s.Who != who && s.was != who {
			continue
		}
		why := errSentAway
		if banned {
			why = nil // the law says it, as long as it does
			g.castOut(outcast{householdOf(s.From), room, who})
		}
		g.ending = append(g.ending, g.expel(s, why))
	}
	g.mu.Unlock()
	select {
	case g.called <- struct{}{}:
	default: // it is on its way
	}
}

// usher ends the sessions of those whom SendAway named, until ctx ends.
func (g *guests) usher(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.called:
		}
		g.mu.Lock()
		ending := g.ending
		g.ending = nil
		g.mu.Unlock()
		for _, end := range ending {
			end()
		}
	}
}
