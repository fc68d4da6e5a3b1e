package election

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Tick lets time pass: it is called at least every 100 ms, and after each input.
func (m *Machine) Tick(now time.Duration) Out {
	m.age(now)
	if !m.candidate() {
		return Out{}
	}
	if m.due(now) {
		m.take(now)
	}
	return m.send(now)
}

// age does what silence does: it makes the relay a suspect (rule 7) and ends solo
// and yielding (rule 12), and the wait for a log that does not catch up (rule 15).
func (m *Machine) age(now time.Duration) {
	if m.roster.Era < m.storedEra && now-m.began >= catchUp {
		m.startOver(now)
	}
	if m.best.Term == 0 {
		return
	}
	if m.suspectedAt == never && !m.Live(now) {
		m.doubt(now, false)
	}
	if m.metAt != never && now-m.metAt >= 2*Beat {
		m.best.Solo, m.metAt = false, never
	}
	if m.yields && now-m.lowAt > Suspect {
		m.yields = false
	}
}

func (m *Machine) suspecting(now time.Duration) bool {
	return m.suspectedAt != never && now >= m.suspectedAt
}

// due tells whether this node has to claim now (rules 10 and 13).
func (m *Machine) due(now time.Duration) bool {
	if m.reached()+1 >= termLimit {
		return false
	}
	if m.Relaying() {
		return m.best.Key != m.max && (m.reclaim || now-m.maxAt >= Suspect)
	}
	if !m.suspecting(now) {
		return false
	}
	alive := m.alive(now)
	waited, turn := now-m.suspectedAt, time.Duration(m.place(alive))*Step
	if waited < turn {
		return false
	}
	return m.free || len(alive) == 0 || m.witness(alive) || waited >= Lease-Suspect+turn
}

// take claims the room under the next term (rule 11).
func (m *Machine) take(now time.Duration) {
	standby := m.choose(m.alive(now))
	m.forget()
	m.best = protocol.Claim{
		Era:     m.roster.Era,
		Key:     protocol.Key{Term: m.reached() + 1, Relay: m.self},
		Standby: standby,
		Boot:    m.boot,
		Solo:    m.alone(now),
	}
	m.max, m.maxAt = m.best.Key, now
	m.urgent, m.unsent = true, true
	m.renew(now)
}

// send gives what is due (rule 14).
func (m *Machine) send(now time.Duration) Out {
	out := Out{Keep: m.keep()}
	if m.beat(now) {
		m.urgent, m.unsent = true, true
	}
	if m.unsent && m.Relaying() && (m.claimedAt == never || now-m.claimedAt >= spacing) {
		out.Claim = m.claim(now)
	}
	if m.urgent {
		out.Pulse = m.pulse(now)
		m.urgent = false
	}
	return out
}

// beat tells whether a beat is due. Beats keep to their grid: were each counted from
// the last, late ticks would add up, and only two fit into Suspect.
func (m *Machine) beat(now time.Duration) bool {
	switch {
	case m.beatAt == never || now-m.beatAt >= 2*Beat:
		m.beatAt = now
	case now-m.beatAt >= Beat:
		m.beatAt += Beat
	default:
		return false
	}
	return true
}

// keep gives what to store: some terms more than were reached, once half of those
// that were stored are used up.
func (m *Machine) keep() protocol.Key {
	to := min(m.reached()+ahead, termLimit-1)
	if m.roster.Era == m.storedEra && (m.reached()+ahead/2 <= m.stored.Term || m.stored.Term == to) {
		return protocol.Key{}
	}
	m.stored, m.storedEra = protocol.Key{Term: to, Relay: m.self}, m.roster.Era
	return m.stored
}

// claim gives best as this relay's next message.
func (m *Machine) claim(now time.Duration) *protocol.Claim {
	m.best.Standby = m.choose(m.alive(now))
	m.heir = m.best.Standby
	m.sequence++
	m.best.Sequence = m.sequence
	m.unsent, m.claimedAt = false, now
	c := m.best
	return &c
}

func (m *Machine) pulse(now time.Duration) *protocol.Pulse {
	m.sequence++
	return &protocol.Pulse{
		From: m.self, Boot: m.boot, Sequence: m.sequence, Era: m.roster.Era, Class: m.class,
		Max: m.max, Suspects: m.suspecting(now), Yields: m.yields,
	}
}

// Bye gives this node's last pulse, by which its peers need not wait for its
// silence, and what it reached to keep: the terms ahead of that were not used. Afterwards the machine observes; a node that comes back does so with a
// new machine and a later boot.
func (m *Machine) Bye(now time.Duration) Out {
	if !m.candidate() {
		return Out{}
	}
	p := m.pulse(now)
	p.Bye = true
	m.over = true
	if m.best.Relay == m.self {
		m.forget()
	}
	return Out{Keep: protocol.Key{Term: m.reached(), Relay: m.self}, Pulse: p}
}
