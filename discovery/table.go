package discovery

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Implementation: ours to tune.
const (
	// roomsOfAFounder may be live at once: rooms are counted against the one
	// key that every announcement of them needs.
	roomsOfAFounder = 16

	// A founder's share of each memory, and all of it.
	shareOfAFounder   = 256
	sequencesMost     = 2 * protocol.MaxDirectoryRooms * protocol.MaxAnnouncersOfARoom
	certificatesMost  = sequencesMost / 2
	sequencesSpan     = 24 * time.Hour
	certificatesSpan  = protocol.MaxCertificate
	announcerInterval = 2 * time.Second // an announcer's longer-term pace in a room
	announcerBurst    = 8               // and how many it may say at once
	closingBurst      = 4               // more, to close or reopen the room
)

// table is what the directory holds. It is pure: the directory's goroutine owns
// it and tells it the time, monotonic since any start.
type table struct {
	network      string
	rooms        map[protocol.RoomID]*room
	founded      map[protocol.PeerID]int // live rooms a founder
	sequences    *memory[hearing, saying]
	certificates *memory[certified, time.Duration] // when first received
	births       uint64
	news         []Change // for the watchers
}

// hearing names one announcer of one room.
type hearing struct {
	room      protocol.RoomID
	announcer protocol.PeerID
}

// saying is what an announcer last said that holds beyond its announcement's
// life.
type saying struct {
	sequence uint64
	closed   bool
	paid     time.Duration // up to when its pace is used up (GCRA, ITU-T I.371)
}

// certified names a certificate of a room.
type certified struct {
	room            protocol.RoomID
	issuer, subject protocol.PeerID
	serial          uint64
	life            time.Duration
	duties          protocol.Duties
}

type room struct {
	genesis *protocol.Genesis
	birth   uint64       // in order of first hearing
	live    []*announced // heard last first
}

type announced struct {
	*protocol.Announcement
	envelope    []byte
	heard, dies time.Duration
}

func newTable(network string) *table {
	return &table{
		network:      network,
		rooms:        make(map[protocol.RoomID]*room),
		founded:      make(map[protocol.PeerID]int),
		sequences:    newMemory[hearing, saying](sequencesSpan, sequencesMost, shareOfAFounder),
		certificates: newMemory[certified, time.Duration](certificatesSpan, certificatesMost, shareOfAFounder),
	}
}

// expect says whether an announcement is worth verifying.
func (t *table) expect(id protocol.RoomID, announcer protocol.PeerID, sequence uint64, now time.Duration) outcome {
	last, ok := t.sequences.get(hearing{id, announcer})
	switch {
	case !ok:
		return accepted
	case sequence == last.sequence:
		return known
	case sequence < last.sequence:
		return older
	case last.paid-now > announcerInterval*(announcerBurst+closingBurst-1):
		return hasty
	}
	return accepted
}

// admit takes a verified announcement in. remaining is what is left of its life
// by whoever passed it on, 0 if it is fresh.
func (t *table) admit(a *protocol.Announcement, envelope []byte, remaining, now time.Duration) outcome {
	if a.Genesis.Network != t.network {
		return foreign
	}
	// Asked again: others may have come in while this one was verified.
	if o := t.expect(a.Room, a.Announcer, a.Sequence, now); o != accepted {
		return o
	}
	last, _ := t.sequences.get(hearing{a.Room, a.Announcer})
	if a.Closed == last.closed && last.paid-now > announcerInterval*(announcerBurst-1) {
		return hasty
	}
	founder := a.Genesis.Founder
	if word, _ := t.sequences.get(hearing{a.Room, founder}); word.closed && a.Announcer != founder {
		return silenced
	}
	life := min(a.Life, protocol.MaxLife, t.lifeOfChain(a, now))
	if remaining > 0 {
		life = min(life, remaining)
	}
	if life <= 0 {
		return lapsed
	}
	if !t.seat(&announced{a, envelope, now, now + life}) {
		return full
	}
	t.sequences.put(hearing{a.Room, a.Announcer}, founder,
		saying{a.Sequence, a.Closed, max(last.paid, now) + announcerInterval}, now)
	return accepted
}

// lifeOfChain gives what is left of the certificate that ends first, counted
// from this node's own first receipt of it.
func (t *table) lifeOfChain(a *protocol.Announcement, now time.Duration) time.Duration {
	left := time.Duration(protocol.MaxCertificate)
	for _, c := range a.Chain {
		name := certified{a.Room, c.Issuer, c.Subject, c.Serial, c.Life, c.Duties}
		first, ok := t.certificates.get(name)
		if !ok {
			first = now
		}
		t.certificates.put(name, a.Genesis.Founder, first, now)
		if left = min(left, first+c.Life-now); left <= 0 {
			return left // what hangs on a dead certificate is not worth remembering
		}
	}
	return left
}

// seat gives an announcement its place among its room's, and its room one among
// the rooms; false if there is none.
func (t *table) seat(n *announced) bool {
	r := t.rooms[n.Room]
	if r == nil {
		if !t.makeWay(n.Genesis.Founder) {
			return false
		}
		t.births++
		t.rooms[n.Room] = &room{genesis: n.Genesis, birth: t.births, live: []*announced{n}}
		t.founded[n.Genesis.Founder]++
		t.news = append(t.news, Change{Opened, n.Room})
		return true
	}
	before, shown := r.live[0], r.listing()
	i := slices.IndexFunc(r.live, func(o *announced) bool { return o.Announcer == n.Announcer })
	if i < 0 && len(r.live) >= protocol.MaxAnnouncersOfARoom {
		if i = r.leastMissed(n); i < 0 {
			return false
		}
	}
	if i >= 0 {
		r.live = slices.Delete(r.live, i, i+1)
	}
	r.live = slices.Insert(r.live, 0, n)
	if n.Closed {
		r.live = r.live[:1]
	}
	switch {
	case n.Closed && !before.Closed:
		t.news = append(t.news, Change{Closed, n.Room})
	case before.Closed && !n.Closed:
		t.news = append(t.news, Change{Opened, n.Room})
	case !alike(before, n) || !shown.Equal(r.listing()):
		t.news = append(t.news, Change{Changed, n.Room})
	}
	return true
}

// leastMissed gives the announcer that makes way for n: the one heard longest
// ago, never the founder, and for all but the founder only one that missed a
// refresh; -1 if there is none.
func (r *room) leastMissed(n *announced) int {
	founder := r.genesis.Founder
	for i := len(r.live) - 1; i >= 0; i-- {
		if o := r.live[i]; o.Announcer != founder {
			if n.Announcer == founder || n.heard-o.heard > protocol.RefreshFloor {
				return i
			}
			return -1
		}
	}
	return -1
}

// makeWay says whether one more room of founder has a place. When the table is
// full, the founder with the most rooms gives up the one heard longest ago, if
// it still has as many as the newcomer's afterwards.
func (t *table) makeWay(founder protocol.PeerID) bool {
	mine := t.founded[founder]
	if mine >= roomsOfAFounder {
		return false
	}
	if len(t.rooms) < protocol.MaxDirectoryRooms {
		return true
	}
	var richest protocol.PeerID
	for p, n := range t.founded {
		if n > t.founded[richest] {
			richest = p
		}
	}
	if t.founded[richest] <= mine+1 {
		return false
	}
	var poorest protocol.RoomID
	oldest := time.Duration(1<<63 - 1)
	for id, r := range t.rooms {
		if r.genesis.Founder == richest && r.live[0].heard < oldest {
			poorest, oldest = id, r.live[0].heard
		}
	}
	t.drop(poorest)
	return true
}

// drop forgets a room; what its announcers last said stays remembered.
func (t *table) drop(id protocol.RoomID) {
	t.news = append(t.news, Change{Gone, id})
	founder := t.rooms[id].genesis.Founder
	delete(t.rooms, id)
	if t.founded[founder]--; t.founded[founder] == 0 {
		delete(t.founded, founder)
	}
}

// sweep lets the dead go.
func (t *table) sweep(now time.Duration) {
	for id, r := range t.rooms {
		before := len(r.live)
		r.live = slices.DeleteFunc(r.live, func(n *announced) bool { return n.dies <= now })
		switch len(r.live) {
		case before:
		case 0:
			t.drop(id)
		default:
			t.news = append(t.news, Change{Changed, id})
		}
	}
	t.sequences.expire(now)
	t.certificates.expire(now)
}

// closed says whether the room's founder closed it, coming that it is closed until a
// time.
func (r *room) closed() bool { return r.live[0].Closed }
func (r *room) coming() bool { return r.closed() && !r.listing().Next.IsZero() }

// alike says whether people see no difference between two announcements.
func alike(a, b *announced) bool {
	return a.Announcer == b.Announcer && a.Speakers == b.Speakers && a.Listeners == b.Listeners && a.Closed == b.Closed &&
		slices.EqualFunc(a.Addresses, b.Addresses, func(x, y address) bool { return x.Equal(y) })
}
