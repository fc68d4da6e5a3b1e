package node

import (
	"fmt"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// Of a beat of 400 ms; the next one may be missed by one.
const beatsApart = 2 * 400 * time.Millisecond

// beats is how long those who watch each node wait for its signs of life, at the
// most: what the relay claims, as each node passes it on, and what each candidate
// pulses, as it says so itself and as the relay passes it on.
type beats struct {
	relay string // that claims

	mu      sync.Mutex
	last    map[beat]time.Time
	longest map[beat]time.Duration
}

type beat struct {
	at, of string
	pulse  bool
}

// watch attaches a carrier that never pulses to each node.
func (s *stage) watch() *beats {
	s.t.Helper()
	h := newEnemy(s.t)
	s.does(protocol.Grant{Peer: h.id, Role: protocol.RoleCarrier})
	for _, v := range s.nodes {
		v.eventually("the watcher may carry", func() bool { return v.lawful(s.id).MayCarry(h.id) })
		h.at(v)
		h.child(v, s.id, pb.Attach_WARM)
	}
	s.ana().eventually("one relay, one standby", settled(s.room, 0, s.nodes...))
	b := &beats{relay: s.ana().view(s.room).Relay, last: map[beat]time.Time{}, longest: map[beat]time.Duration{}}
	hears := func(from protocol.PeerID, m *pb.LinkMessage) bool {
		if f := m.GetFeed(); f != nil {
			if m, err := protocol.ParseMessage(f.Message); err == nil {
				b.hear(from.String(), m)
			}
		}
		return m.GetDescription() == nil
	}
	h.hears.Store(&hears)
	return b
}

func (b *beats) hear(at string, m *protocol.Message) {
	of := beat{at, m.From.String(), m.Pulse != nil}
	claims := m.Claim != nil && of.of == b.relay
	pulses := m.Pulse != nil && of.of != b.relay && (at == b.relay || at == of.of)
	if !claims && !pulses {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if last, ok := b.last[of]; ok {
		b.longest[of] = max(b.longest[of], now.Sub(last))
	}
	b.last[of] = now
}

// waited gives by how much what is watched came late, at the most.
func (b *beats) waited(s *stage) (late time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.longest {
		late = max(late, d-beatsApart/2)
	}
	return max(late, s.stood())
}

// check wants every node to have heard the relay, and the relay every other. late is
// what the machine itself was: by more than half a beat, and nothing can be said. A
// claim takes two ways to get here, and more of it.
func (b *beats) check(s *stage, late time.Duration) {
	s.t.Helper()
	if late > beatsApart/4 || raceEnabled {
		s.t.Logf("the machine was late by %v: claims and pulses are not judged", late)
		return
	}
	if v := s.ana().view(s.room); v.Relay != b.relay {
		s.t.Errorf("another relays in term %d", v.Term)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now, most := time.Now(), beatsApart+2*late
	for _, n := range s.nodes {
		self := n.self.String()
		for _, of := range []beat{{self, b.relay, false}, {b.relay, self, true}, {self, self, true}} {
			if self == b.relay && of.pulse {
				continue // its claims are its signs of life
			}
			last, ok := b.last[of]
			b.longest[of] = max(b.longest[of], now.Sub(last))
			if longest := b.longest[of]; !ok || longest > most {
				s.t.Errorf("at %s nothing of %s for %v (a pulse: %v), at most %v is right", of.at, of.of, longest, of.pulse, most)
			}
		}
	}
}

func (b *beats) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	longest := map[bool]time.Duration{}
	for of, d := range b.longest {
		longest[of.pulse] = max(longest[of.pulse], d)
	}
	return fmt.Sprintf("claims at most %v apart, pulses %v", longest[false], longest[true])
}
