package election

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// relaying gives a machine of alice, who relays term 1, solo, since time 0.
func relaying() *Machine {
	m := machine(alice)
	m.Open(0)
	m.Tick(0)
	return m
}

// Rules 5 and 12: who relays solo yields to a claim that is not, for as long as it
// hears such claims.
func TestYield(t *testing.T) {
	m := relaying()
	m.Pulse(pulseOf(bob, 1, key(7, alice)), 50*ms) // some earlier life's term
	m.Tick(50*ms + Suspect)
	if m.Best().Key != key(8, alice) {
		t.Fatalf("rule 13: follows %v", m.Best().Key)
	}
	m.best.Solo = true
	now := 2 * time.Second
	m.Claim(claimOf(carol, 6, 1), now)
	if out := m.Tick(now); m.Relaying() || out.Claim != nil || out.Pulse == nil || !out.Pulse.Yields {
		t.Errorf("relaying %v after a lower claim that is not solo, sends %+v", m.Relaying(), out)
	}
	m.Tick(now + Suspect)
	if m.Relaying() {
		t.Error("the yield ended early")
	}
	m.Tick(now + Suspect + ms)
	if !m.Relaying() {
		t.Error("the yield did not end")
	}
}

// Rule 12: solo ends two beats after the first peer is heard.
func TestSoloEnds(t *testing.T) {
	m := relaying()
	m.Pulse(pulseOf(bob, 1, protocol.Key{}), time.Second)
	m.Tick(time.Second + 2*Beat - ms)
	if !m.Best().Solo {
		t.Error("solo ended early")
	}
	if out := m.Tick(time.Second + 2*Beat); out.Claim != nil && out.Claim.Solo || m.Best().Solo {
		t.Error("solo did not end")
	}
}

// Rule 13: a relay below max claims again after Suspect, at once if a pulse yields.
func TestReclaim(t *testing.T) {
	for name, c := range map[string]struct {
		yields bool
		want   time.Duration
	}{"yielding": {true, time.Second}, "not": {false, time.Second + Suspect}} {
		t.Run(name, func(t *testing.T) {
			m := relaying()
			for now := ms; now < 4*time.Second; now += ms {
				if now == time.Second {
					p := pulseOf(bob, 1, key(5, bob))
					p.Yields = c.yields
					m.Pulse(p, now)
				}
				m.Tick(now)
				if m.Best().Term == 1 {
					continue
				}
				if now != c.want || m.Best().Key != key(6, alice) {
					t.Errorf("claims %v at %v, want term 6 at %v", m.Best().Key, now, c.want)
				}
				return
			}
			t.Error("never claimed again")
		})
	}
}

// Rule 14: a beat is a claim and a pulse, on average each Beat though ticks are late;
// and no two claims come closer than receivers take them.
func TestBeat(t *testing.T) {
	m := relaying()
	claims, pulses, last := 0, 0, time.Duration(0)
	for now := 70 * ms; now <= 40*time.Second; now += 70 * ms {
		if now%(7*time.Second) == 0 { // each time, somebody yields and makes it claim again
			p := pulseOf(bob, uint64(now), key(m.Max().Term+1, bob))
			p.Yields = true
			m.Pulse(p, now)
		}
		out := m.Tick(now)
		if out.Pulse != nil {
			pulses++
		}
		if out.Claim != nil {
			if now-last < spacing {
				t.Errorf("claims at %v and %v", last, now)
			}
			claims, last = claims+1, now
		}
	}
	if claims < 95 || claims > 110 || pulses < 100 || pulses > 110 {
		t.Errorf("%d claims and %d pulses in 100 beats", claims, pulses)
	}
}

// Rules 9 and 10: the suspect itself takes no place in the order, and a peer of
// another era is no witness.
func TestWitness(t *testing.T) {
	for name, c := range map[string]struct {
		era  uint32
		want time.Duration
	}{"same era": {0, 0}, "another era": {1, Lease - Suspect}} {
		t.Run(name, func(t *testing.T) {
			m := machine(alice)
			m.Claim(claimOf(bob, 7, 1), 0) // alice stands by
			m.roster.Pin = bob             // would come first
			m.Pulse(pulseOf(bob, 2, key(7, bob)), 0)
			m.Suspect(0)
			for now := time.Duration(0); now < 4*time.Second; now += 10 * ms {
				p := pulseOf(carol, uint64(now)+1, key(7, bob))
				p.Suspects, p.Era = true, c.era
				m.Pulse(p, now)
				if out := m.Tick(now); out.Claim != nil {
					if now != c.want {
						t.Errorf("claims after %v, want %v", now, c.want)
					}
					return
				}
			}
			t.Error("never claimed")
		})
	}
}
