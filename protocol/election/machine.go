package election

import (
	"math"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// never is no time on any clock. Times may be negative, so no small number does.
const never = time.Duration(math.MinInt64)

// A Machine is one node's part in a room's election. A node that is not a
// candidate runs it as an observer: it follows claims and sends nothing.
//
// Every time that it is given is the node's own monotonic clock, with any origin,
// and must not go back. That a message's signer is the one it names is checked
// before the message gets here. A Machine is not safe for concurrent use.
type Machine struct {
	room     protocol.RoomID
	self     protocol.PeerID
	boot     uint64
	sequence uint64 // of the last message sent, claims and pulses in one count
	class    uint8
	apart    func(a, b protocol.PeerID) bool
	roster   Roster // candidates sorted, each once
	peers    map[protocol.PeerID]*life
	over     bool // said bye, or a later life of this peer was heard

	best   protocol.Claim // term 0: none
	bestAt time.Duration  // when best's relay was last heard
	heir   protocol.PeerID
	max    protocol.Key
	maxAt  time.Duration

	suspectedAt time.Duration // may lie ahead: until then it listens (rule 15)
	free        bool          // the relay is surely gone: no witness needed

	yields  bool
	lowAt   time.Duration // the last claim below best
	metAt   time.Duration // the first peer heard while relaying solo
	reclaim bool          // somebody yielded to this node (rule 13)

	urgent    bool          // a pulse is due at once
	unsent    bool          // so is a claim, if this node relays
	beatAt    time.Duration // when the last beat was due
	claimedAt time.Duration // when the last claim was sent

	stored    protocol.Key
	storedEra uint32
	floors    map[uint32]uint64 // terms up to that an earlier life may have claimed, by era
	began     time.Duration

	heard []protocol.PeerID // scratch of alive
}

// A life is what this node knows of a peer since the peer's last start.
type life struct {
	boot            uint64
	claimed, beaten uint64 // the highest sequences seen of its claims and pulses
	gone            bool   // it said bye
	at              time.Duration
	pulse           protocol.Pulse
}

// New gives a machine that listens first: it claims nothing before Suspect has
// passed (rule 15).
func New(cfg Config, now time.Duration) *Machine {
	m := &Machine{
		room: cfg.Room, self: cfg.Self, boot: cfg.Boot, class: cfg.Class, apart: cfg.Apart,
		peers:  map[protocol.PeerID]*life{},
		floors: map[uint32]uint64{}, began: now,
		bestAt: never, maxAt: now, lowAt: never, metAt: never, beatAt: never, claimedAt: never,
	}
	if cfg.Persisted.Term < termLimit {
		m.stored, m.storedEra = cfg.Persisted, cfg.PersistedEra
		m.floors[cfg.PersistedEra] = cfg.Persisted.Term
	}
	m.enrol(cfg.Roster)
	m.listen(now)
	return m
}

// enrol takes the roster and bounds what is known of peers by it.
func (m *Machine) enrol(r Roster) {
	r.Candidates = slices.Clone(r.Candidates)
	slices.Sort(r.Candidates)
	r.Candidates = slices.Compact(r.Candidates)
	m.roster = r
	for p := range m.peers {
		if !m.in(p) {
			delete(m.peers, p)
		}
	}
	for _, p := range r.Candidates {
		if p != m.self && m.peers[p] == nil {
			m.peers[p] = &life{at: never}
		}
	}
}

// reached gives the highest term that anybody is known to have claimed in this
// era, or that an earlier life of this node may have.
func (m *Machine) reached() uint64 { return max(m.max.Term, m.floors[m.roster.Era]) }

// SetRoster takes what the log says now (rule 8). Only who signs beyond a share, in
// forks, has the era fall. Then it is entered again, without a memory: those who hold
// the same log are to be in one era, or they never hear each other again.
func (m *Machine) SetRoster(r Roster, now time.Duration) {
	era, stood := m.roster.Era, m.candidate()
	was := m.best
	live := m.Live(now)
	m.enrol(r)
	switch {
	case r.Era != era:
		if r.Era < era && m.storedEra == era {
			m.stored, m.storedEra = protocol.Key{}, r.Era
		}
		m.enter(was, live, now)
	case was.Term > 0 && !m.in(was.Relay):
		m.forget()
		m.heir = was.Standby
		m.doubt(now, true)
	}
	if !stood && m.candidate() && m.suspecting(now) && !m.free {
		m.listen(now)
	}
}

// startOver stands in the era that the log has, earlier than what was stored, where the
// log has not caught up in all that time: its era fell while this node was off, or it
// lost actions. How far its earlier lives got in that era is not stored any more; half
// a Jump is further.
func (m *Machine) startOver(now time.Duration) {
	m.stored, m.storedEra = protocol.Key{}, m.roster.Era
	m.floors[m.roster.Era] = max(m.floors[m.roster.Era], Jump/2)
	if m.suspecting(now) && !m.free {
		m.listen(now)
	}
}

// enter begins an era, after one whose best was was.
func (m *Machine) enter(was protocol.Claim, live bool, now time.Duration) {
	m.forget()
	m.max = protocol.Key{}
	begun := false
	for _, p := range m.roster.Candidates {
		if s := m.peers[p]; s != nil && s.pulse.Era == m.roster.Era {
			begun = m.see(s.pulse.Max, now) || begun
		}
	}
	m.heir = was.Standby
	if live && m.in(was.Relay) {
		m.heir = was.Relay
	}
	if was.Term == 0 || begun {
		m.listen(now)
		return
	}
	m.doubt(now, true)
}

// forget drops best, and with it all that went with having it.
func (m *Machine) forget() {
	m.best, m.bestAt = protocol.Claim{}, never
	m.yields, m.reclaim, m.unsent, m.metAt = false, false, false, never
}

// listen waits for a relay as a node that has just started does (rule 15).
func (m *Machine) listen(now time.Duration) {
	m.suspectedAt, m.free = now+Suspect, false
}

// doubt begins suspecting the relay (rules 7 and 8), unless it has begun already.
func (m *Machine) doubt(now time.Duration, free bool) {
	if !m.suspecting(now) {
		m.suspectedAt, m.urgent = now, true
	}
	m.free = m.free || free
	m.bestAt = never
}

// renew notes that best's relay was heard (rule 3).
func (m *Machine) renew(now time.Duration) {
	m.bestAt, m.suspectedAt, m.free = now, never, false
}

// see raises max to k, if k's term is one that rule 1 lets pass, and tells whether it
// did. Its relay need not be a candidate: a grant may lapse within an era, and two who
// keep different keys from before that would never agree who is ahead.
func (m *Machine) see(k protocol.Key, now time.Duration) bool {
	if k.Term == 0 || k.Term >= termLimit || k.Term > m.max.Term+Jump || k.Compare(m.max, m.room) <= 0 {
		return false
	}
	m.max, m.maxAt = k, now
	return true
}

// Claim takes a claim that its relay has signed (rules 1 to 5).
func (m *Machine) Claim(c protocol.Claim, now time.Duration) {
	if c.Relay == m.self {
		m.mirror(c.Era, c.Boot, c.Key, now)
		return
	}
	s := m.peers[c.Relay]
	if s == nil || c.Era != m.roster.Era || c.Term == 0 || c.Term >= termLimit || c.Term > m.max.Term+Jump ||
		!s.fresh(c.Boot, c.Sequence, &s.claimed) {
		return
	}
	m.see(c.Key, now)
	m.reborn(c.Relay, c.Boot, now)
	order := c.Key.Compare(m.best.Key, m.room)
	switch {
	case order > 0 && m.adopts(c, now), order < 0 && !m.candidate() && !m.Live(now):
		m.forget()
		fallthrough
	case order == 0:
		m.best, m.heir = c, c.Standby
		m.renew(now)
	case order < 0:
		m.lowAt = now
		if m.Relaying() && m.best.Solo && !c.Solo {
			m.yields, m.urgent = true, true
		}
	}
}

// adopts tells whether a claim above best is to be followed (rule 4).
func (m *Machine) adopts(c protocol.Claim, now time.Duration) bool {
	return !c.Solo || !m.Live(now) || m.best.Solo || c.Relay == m.best.Relay
}

// Pulse takes a pulse that its sender has signed (rules 2, 3, 8, 12 and 13).
func (m *Machine) Pulse(p protocol.Pulse, now time.Duration) {
	if p.From == m.self {
		m.mirror(p.Era, p.Boot, p.Max, now)
		return
	}
	s := m.peers[p.From]
	if s == nil || !s.fresh(p.Boot, p.Sequence, &s.beaten) {
		return
	}
	s.at, s.pulse, s.gone = now, p, p.Bye
	if p.Bye && m.best.Term > 0 && m.best.Relay == p.From {
		m.doubt(now, true)
	}
	m.reborn(p.From, p.Boot, now)
	if m.Relaying() && m.best.Solo && m.metAt == never && !p.Bye {
		m.metAt = now
	}
	if p.Era != m.roster.Era {
		return
	}
	if m.see(p.Max, now) && m.free {
		m.listen(now) // somebody was faster: its claim is on its way
	}
	switch {
	case p.From == m.best.Relay && p.Boot == m.best.Boot && p.Max == m.best.Key && !p.Yields && !p.Bye:
		m.renew(now)
	case p.Yields && m.Relaying() && m.best.Key.Compare(p.Max, m.room) < 0:
		m.reclaim = true
	}
}

// mirror takes a message signed by this very peer. From an earlier life it shows
// what was claimed then (rule 2); from a later one, that this life is over.
func (m *Machine) mirror(era uint32, boot uint64, k protocol.Key, now time.Duration) {
	if era == m.roster.Era {
		m.see(k, now)
	}
	if boot > m.boot {
		m.over = true
		if m.best.Relay == m.self {
			m.forget()
		}
	}
}

// reborn notes a message of best's relay from a later life than its claim: what
// claimed is gone (rule 8).
func (m *Machine) reborn(p protocol.PeerID, boot uint64, now time.Duration) {
	if m.best.Term > 0 && m.best.Relay == p && boot > m.best.Boot {
		m.doubt(now, true)
	}
}

// fresh tells whether a message is news of this life or begins the next (rule 1),
// and notes it; last is the highest sequence seen of its kind.
func (s *life) fresh(boot, sequence uint64, last *uint64) bool {
	if boot > s.boot {
		*s = life{boot: boot, at: never}
	}
	if boot < s.boot || s.gone || sequence <= *last {
		return false
	}
	*last = sequence
	return true
}

// SetClass says how well this node could carry the room from now on.
func (m *Machine) SetClass(class uint8) { m.class = class }

// Open makes the founder of a new room claim it at the next Tick (rule 15). It
// does nothing where anybody has claimed before.
func (m *Machine) Open(now time.Duration) {
	if m.reached() == 0 && m.candidate() {
		m.heir = m.self
		m.doubt(now, true)
	}
}

// Suspect says that the relay is known to be gone, though its silence is not yet
// long: its connection ended.
func (m *Machine) Suspect(now time.Duration) {
	if m.best.Term > 0 && m.best.Relay != m.self {
		m.doubt(now, false)
	}
}

// Best gives the claim that this node follows; term 0: none.
func (m *Machine) Best() protocol.Claim { return m.best }

// Live tells whether best's relay has been heard lately (rule 6).
func (m *Machine) Live(now time.Duration) bool {
	return m.best.Term > 0 && (m.best.Relay == m.self || m.bestAt != never && now-m.bestAt <= Suspect)
}

// Lost tells whether best's relay has been silent for so long that another should
// have been heard by now, and none was: whoever knows of one has to be asked.
func (m *Machine) Lost(now time.Duration) bool {
	return m.best.Term > 0 && m.best.Relay != m.self && m.suspecting(now) && now-m.suspectedAt >= Lease-Suspect
}

// Relaying tells whether this node is to relay the room.
func (m *Machine) Relaying() bool {
	return m.best.Term > 0 && m.best.Relay == m.self && !m.yields
}

// Standby gives the peer that best names as standby; "": none.
func (m *Machine) Standby() protocol.PeerID {
	if !m.in(m.best.Standby) {
		return ""
	}
	return m.best.Standby
}

// Independent tells whether there is a standby that no outage of the relay's own
// network takes along.
func (m *Machine) Independent() bool {
	return m.Standby() != "" && m.apartFrom(m.best.Relay, m.best.Standby)
}

// Max gives the highest key seen in this era.
func (m *Machine) Max() protocol.Key { return m.max }

// Era gives the roster's era.
func (m *Machine) Era() uint32 { return m.roster.Era }

// Superseded tells whether another node runs with this peer's key and a later
// boot; this one sends no more.
func (m *Machine) Superseded() bool { return m.over }
