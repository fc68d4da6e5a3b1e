package discovery

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
)

type address = multiaddr.Multiaddr

// Entry is what the directory knows of a room. Its counts are what the
// announcer heard last claims; they can lie, so nothing is ranked by them.
type Entry struct {
	Room                protocol.RoomID
	Genesis             *protocol.Genesis // not to be written to
	Announcers          []Announcer       // heard last first; at least one
	Speakers, Listeners uint32
	Closed              bool // by its founder
	// Listing is the room as it is now, by its founder's word while that lives, else by
	// that of the announcer heard last. With a Next, a closed room is to come.
	Listing protocol.Listing
}

// Coming says whether the room is closed until a time that its founder says.
func (e Entry) Coming() bool { return e.Closed && !e.Listing.Next.IsZero() }

// Announcer is a peer that announces a room, and so relays it or did.
type Announcer struct {
	Peer                protocol.PeerID
	Addresses           []multiaddr.Multiaddr
	Sequence            uint64
	Speakers, Listeners uint32
	Remaining           time.Duration // of its announcement's life
}

// DirectoryEntry is a live announcement as directory sync passes it on.
type DirectoryEntry struct {
	Envelope  []byte        // not to be written to
	Remaining time.Duration // of its life
	Age       time.Duration // since it was heard
}

func (r *room) entry(now time.Duration) Entry {
	e := Entry{Room: r.genesis.Room, Genesis: r.genesis, Closed: r.closed(), Listing: r.listing(),
		Speakers: r.live[0].Speakers, Listeners: r.live[0].Listeners}
	for _, n := range r.live {
		e.Announcers = append(e.Announcers, Announcer{Peer: n.Announcer, Addresses: n.Addresses, Sequence: n.Sequence,
			Speakers: n.Speakers, Listeners: n.Listeners, Remaining: max(0, n.dies-now)})
	}
	return e
}

// listing gives what the room's founder says of it, or who was heard last.
func (r *room) listing() protocol.Listing {
	for _, n := range r.live {
		if n.Announcer == r.genesis.Founder {
			return n.Listing
		}
	}
	return r.live[0].Listing
}

// list gives the rooms that keep holds for, in the order they were first heard of.
func (t *table) list(now time.Duration, keep func(*room) bool) []Entry {
	var rooms []*room
	for _, r := range t.rooms {
		if keep(r) {
			rooms = append(rooms, r)
		}
	}
	slices.SortFunc(rooms, func(a, b *room) int { return cmp.Compare(a.birth, b.birth) })
	entries := make([]Entry, len(rooms))
	for i, r := range rooms {
		entries[i] = r.entry(now)
	}
	return entries
}

// starting keeps the rooms whose ID starts with prefix.
func starting(prefix string) func(*room) bool {
	prefix = strings.ToLower(prefix)
	return func(r *room) bool { return strings.HasPrefix(r.genesis.Room.String(), prefix) }
}

// announcements gives up to most live ones: first one of each room, heard last,
// then the others. Rooms come in the map's random order, so that of a large
// directory two neighbours tell a newcomer different parts.
func (t *table) announcements(most int, now time.Duration) []DirectoryEntry {
	var first, others []DirectoryEntry
	for _, r := range t.rooms {
		if len(first) >= most {
			break
		}
		for i, n := range r.live {
			e := DirectoryEntry{n.envelope, n.dies - now, now - n.heard}
			switch {
			case e.Remaining <= 0:
			case i == 0:
				first = append(first, e)
			case len(others) < most:
				others = append(others, e)
			}
		}
	}
	return append(first, others[:min(len(others), most-len(first))]...)
}
