package election

import (
	"bytes"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// in tells whether p is in the roster.
func (m *Machine) in(p protocol.PeerID) bool {
	_, ok := slices.BinarySearch(m.roster.Candidates, p)
	return ok
}

// candidate tells whether this node may send: it is in the roster, its life is not
// over, and its log is no older than what it once claimed by.
func (m *Machine) candidate() bool {
	return m.in(m.self) && !m.over && m.roster.Era >= m.storedEra
}

// hears tells whether peer p was heard within Suspect.
func (m *Machine) hears(p protocol.PeerID, now time.Duration) bool {
	s := m.peers[p]
	return s != nil && !s.gone && s.at != never && now-s.at <= Suspect
}

// alive gives the other candidates heard lately, but for best's relay, which is
// the suspect when this matters (rule 9). The next call reuses the slice.
func (m *Machine) alive(now time.Duration) []protocol.PeerID {
	m.heard = m.heard[:0]
	for _, p := range m.roster.Candidates {
		if p != m.self && m.hears(p, now) && (m.best.Term == 0 || p != m.best.Relay) {
			m.heard = append(m.heard, p)
		}
	}
	return m.heard
}

// witness tells whether a peer of alive suspects too, in the same era.
func (m *Machine) witness(alive []protocol.PeerID) bool {
	return slices.ContainsFunc(alive, func(p protocol.PeerID) bool {
		s := m.peers[p]
		return s.pulse.Suspects && s.pulse.Era == m.roster.Era
	})
}

// alone tells whether no candidate at all is heard, the suspect included.
func (m *Machine) alone(now time.Duration) bool {
	return !slices.ContainsFunc(m.roster.Candidates, func(p protocol.PeerID) bool { return m.hears(p, now) })
}

// place gives how many of alive come before this node (rule 9).
func (m *Machine) place(alive []protocol.PeerID) int {
	k := 0
	for _, p := range alive {
		if m.before(p, m.self) {
			k++
		}
	}
	return k
}

// before tells whether a comes before b as the next relay (rule 9).
func (m *Machine) before(a, b protocol.PeerID) bool {
	switch {
	case (a == m.roster.Pin) != (b == m.roster.Pin):
		return a == m.roster.Pin
	case (a == m.heir) != (b == m.heir):
		return a == m.heir
	}
	return m.abler(a, b, m.max.Term+1)
}

// abler orders by class, then by the hash of the term.
func (m *Machine) abler(a, b protocol.PeerID, term uint64) bool {
	if x, y := m.classOf(a), m.classOf(b); x != y {
		return x > y
	}
	x, y := protocol.Rank(m.room, term, a), protocol.Rank(m.room, term, b)
	return bytes.Compare(x[:], y[:]) > 0
}

func (m *Machine) classOf(p protocol.PeerID) uint8 {
	if p == m.self {
		return m.class
	}
	return m.peers[p].pulse.Class
}

// choose gives the standby of a relay that hears alive (rule 11): of another
// network first, then the pin, then by class. Among equals the present one stays,
// since a change of standby costs every speaker a stream.
func (m *Machine) choose(alive []protocol.PeerID) protocol.PeerID {
	var chosen protocol.PeerID
	for _, p := range alive {
		if chosen == "" || m.steadier(p, chosen) {
			chosen = p
		}
	}
	return chosen
}

func (m *Machine) steadier(a, b protocol.PeerID) bool {
	if x, y := m.apartFrom(m.self, a), m.apartFrom(m.self, b); x != y {
		return x
	}
	if (a == m.roster.Pin) != (b == m.roster.Pin) {
		return a == m.roster.Pin
	}
	if x, y := m.classOf(a), m.classOf(b); x == y && (a == m.best.Standby) != (b == m.best.Standby) {
		return a == m.best.Standby
	}
	return m.abler(a, b, m.best.Term)
}

func (m *Machine) apartFrom(a, b protocol.PeerID) bool { return m.apart == nil || m.apart(a, b) }
