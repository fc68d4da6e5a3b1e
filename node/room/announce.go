package room

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// announce tells the directory of the room while this node relays it.
func (r *Room) announce(now time.Duration) {
	if !r.root || r.genesis.Unlisted || len(r.cfg.Addresses()) == 0 {
		r.announcements = 0
		return
	}
	refresh := max(protocol.RefreshFloor, time.Duration(r.cfg.Rooms())*time.Second/protocol.RoomsASecond)
	here := r.outside(now)
	due := refresh
	if r.announcements == 1 || !here.alike(r.shown) { // nodes that only just met may have missed the first
		due = announceSoon
	}
	if now-r.announced < due && r.announcements > 0 {
		return
	}
	r.announced, r.shown = now, here
	r.announcements++
	r.sendAnnouncement(here, false, min(protocol.Misses*refresh, protocol.MaxLife), now)
}

// outside is what those outside are shown of the room.
type outside struct {
	speakers, listeners int
	listing             protocol.Listing
}

func (o outside) alike(p outside) bool {
	return o.speakers == p.speakers && o.listeners == p.listeners && o.listing.Equal(p.listing)
}

func (r *Room) outside(now time.Duration) (o outside) {
	o.speakers, o.listeners = r.counts(now)
	o.listing = r.lawful.Listing().At(r.cfg.Wall())
	return o
}

// announceClosed tells the directory that the founder closed the room, until next
// if that is not zero.
func (r *Room) announceClosed(next time.Time) {
	if !r.genesis.Unlisted {
		here := r.outside(r.cfg.Now())
		here.listing.Next = next
		r.sendAnnouncement(here, true, protocol.MaxLife, r.cfg.Now())
	}
}

func (r *Room) sendAnnouncement(here outside, closed bool, life, now time.Duration) {
	chain, ok := r.ownChain(now)
	if !ok {
		return
	}
	a := &protocol.Announcement{Genesis: r.genesis, Chain: chain, Sequence: r.cfg.Sequence(), Life: life,
		Addresses: r.cfg.Addresses(), Speakers: uint32(here.speakers), Listeners: uint32(here.listeners), Closed: closed, Listing: here.listing}
	envelope, err := a.Seal(r.cfg.Key)
	if err != nil {
		r.cfg.Log.Error("sign an announcement", "err", err)
		return
	}
	r.cfg.Announce(envelope)
}

// ownChain proves this node's right to announce.
func (r *Room) ownChain(now time.Duration) ([]protocol.Certificate, bool) {
	if r.hosting() {
		return nil, true
	}
	h, ok := r.rights[r.cfg.Self]
	if !ok || !r.mayCarry(r.cfg.Self, now) {
		return nil, false
	}
	return r.chainTo(h.Certificate, now), true
}

// counts gives who is on the stage, as far as it is known to be someone's place,
// and who listens.
func (r *Room) counts(now time.Duration) (speakers, listeners int) {
	one := func(p protocol.PeerID, m *protocol.Presence) {
		switch {
		case m.Speaking || r.placed(p, now):
			speakers++
		case m.Listening && m.Door == "":
			listeners++
		}
		listeners += m.Guests.Count
	}
	one(r.cfg.Self, r.ownPresence())
	for p, m := range r.members {
		one(p, &m.presence)
	}
	return speakers, listeners
}

// placed says whether p has a place on the stage of its own: as the host or a
// moderator, or because one of them let it on.
func (r *Room) placed(p protocol.PeerID, now time.Duration) bool {
	if p == r.genesis.Founder {
		return true
	}
	return r.lawful.MaySpeak(p) && (r.lawful.MayModerate(p) || r.lawful.Has(p, protocol.RoleSpeaker) && r.leases.Holds(p, now))
}
