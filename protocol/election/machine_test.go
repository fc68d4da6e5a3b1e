package election

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	ms    = time.Millisecond
	alice = protocol.PeerID("alice")
	bob   = protocol.PeerID("bob")
	carol = protocol.PeerID("carol")
)

// machine gives a machine of the three, started at time 0 with boot 10.
func machine(self protocol.PeerID) *Machine {
	return New(Config{Self: self, Boot: 10, Roster: three(0)}, 0)
}

func three(era uint32) Roster {
	return Roster{Era: era, Candidates: []protocol.PeerID{alice, bob, carol}}
}

func key(term uint64, relay protocol.PeerID) protocol.Key {
	return protocol.Key{Term: term, Relay: relay}
}

func claimOf(relay protocol.PeerID, term, sequence uint64) protocol.Claim {
	return protocol.Claim{Key: key(term, relay), Standby: alice, Boot: 5, Sequence: sequence}
}

func pulseOf(from protocol.PeerID, sequence uint64, max protocol.Key) protocol.Pulse {
	return protocol.Pulse{From: from, Boot: 5, Sequence: sequence, Max: max}
}

// Each case begins with alice following bob's claim of term 7, heard at 1 s.
func TestFollower(t *testing.T) {
	const now = 1100 * ms
	seven := key(7, bob)
	for name, c := range map[string]struct {
		do   func(m *Machine)
		want protocol.Key // best
		max  protocol.Key
		live bool
	}{
		"nothing happens":            {func(*Machine) {}, seven, seven, true},
		"rule 1: another era":        {func(m *Machine) { c := claimOf(carol, 8, 1); c.Era = 1; m.Claim(c, now) }, seven, seven, true},
		"rule 1: no candidate":       {func(m *Machine) { m.Claim(claimOf("mallory", 8, 1), now) }, seven, seven, true},
		"rule 1: term jumps":         {func(m *Machine) { m.Claim(claimOf(carol, 8+Jump, 1), now) }, seven, seven, true},
		"rule 1: largest jump":       {func(m *Machine) { m.Claim(claimOf(carol, 7+Jump, 1), now) }, key(7+Jump, carol), key(7+Jump, carol), true},
		"rule 1: old sequence":       {func(m *Machine) { m.Claim(claimOf(bob, 8, 1), now) }, seven, seven, true},
		"rule 1: old boot":           {func(m *Machine) { c := claimOf(bob, 8, 9); c.Boot = 4; m.Claim(c, now) }, seven, seven, true},
		"rule 1: claim after bye":    {func(m *Machine) { bye(m, bob, now); m.Claim(claimOf(bob, 7, 2), now) }, seven, seven, false},
		"rule 2: pulse raises max":   {func(m *Machine) { m.Pulse(pulseOf(carol, 1, key(9, carol)), now) }, seven, key(9, carol), true},
		"rule 2: own earlier life":   {func(m *Machine) { m.Claim(claimOf(alice, 9, 1), now) }, seven, key(9, alice), true},
		"rule 2: lapsed relay's key": {func(m *Machine) { m.Pulse(pulseOf(carol, 1, key(9, "dave")), now) }, seven, key(9, "dave"), true},
		"rule 4: higher":             {func(m *Machine) { m.Claim(claimOf(carol, 8, 1), now) }, key(8, carol), key(8, carol), true},
		"rule 4: solo, best live":    {func(m *Machine) { c := claimOf(carol, 8, 1); c.Solo = true; m.Claim(c, now) }, seven, key(8, carol), true},
		"rule 4: solo, best silent":  {func(m *Machine) { m.Suspect(now); c := claimOf(carol, 8, 1); c.Solo = true; m.Claim(c, now) }, key(8, carol), key(8, carol), true},
		"rule 5: lower":              {func(m *Machine) { m.Claim(claimOf(carol, 6, 1), now) }, seven, seven, true},
		"rule 8: roster drops it":    {func(m *Machine) { m.SetRoster(Roster{Candidates: []protocol.PeerID{alice, carol}}, now) }, key(0, ""), seven, false},
		"rule 8: new era":            {func(m *Machine) { m.SetRoster(three(1), now) }, key(0, ""), key(0, ""), false},
		"rule 8: old era":            {func(m *Machine) { m.SetRoster(three(1), now); m.SetRoster(three(0), now) }, key(0, ""), key(0, ""), false},
		"rule 8: bye":                {func(m *Machine) { bye(m, bob, now) }, seven, seven, false},
		"rule 8: another's bye":      {func(m *Machine) { bye(m, carol, now) }, seven, seven, true},
		"rule 8: new life's claim":   {func(m *Machine) { c := claimOf(bob, 6, 1); c.Boot = 6; m.Claim(c, now) }, seven, seven, false},
		"rule 8: new life":           {func(m *Machine) { p := pulseOf(bob, 1, seven); p.Boot = 6; m.Pulse(p, now) }, seven, seven, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(alice)
			m.Claim(claimOf(bob, 7, 1), time.Second)
			c.do(m)
			if m.Best().Key != c.want || m.Max() != c.max || m.Live(now) != c.live {
				t.Errorf("best %v, max %v, live %v; want %v, %v, %v", m.Best().Key, m.Max(), m.Live(now), c.want, c.max, c.live)
			}
		})
	}
}

func bye(m *Machine, from protocol.PeerID, now time.Duration) {
	p := pulseOf(from, 8, key(7, bob))
	p.Bye = true
	m.Pulse(p, now)
}

// Rule 3: renewals, and what is none.
func TestRenewal(t *testing.T) {
	seven := key(7, bob)
	for name, c := range map[string]struct {
		hear func(m *Machine, now time.Duration)
		live bool
	}{
		"claim":          {func(m *Machine, now time.Duration) { m.Claim(claimOf(bob, 7, 2), now) }, true},
		"pulse":          {func(m *Machine, now time.Duration) { m.Pulse(pulseOf(bob, 2, seven), now) }, true},
		"other's pulse":  {func(m *Machine, now time.Duration) { m.Pulse(pulseOf(carol, 2, seven), now) }, false},
		"of other max":   {func(m *Machine, now time.Duration) { m.Pulse(pulseOf(bob, 2, key(6, bob)), now) }, false},
		"yielding pulse": {func(m *Machine, now time.Duration) { p := pulseOf(bob, 2, seven); p.Yields = true; m.Pulse(p, now) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(alice)
			m.Claim(claimOf(bob, 7, 1), 0)
			c.hear(m, time.Second)
			if live := m.Live(Suspect + ms); live != c.live {
				t.Errorf("live %v, want %v", live, c.live)
			}
		})
	}
}

// Rules 7, 9, 10: when a suspect's successor claims.
func TestSuccession(t *testing.T) {
	for name, c := range map[string]struct {
		self    protocol.PeerID
		hears   bool // the other candidate
		witness bool // which suspects too
		bye     bool
		want    time.Duration // from the relay's last sign to the claim
	}{
		"standby, nobody alive":  {alice, false, false, false, Suspect},
		"standby with a witness": {alice, true, true, false, Suspect},
		"standby without":        {alice, true, false, false, Lease},
		"other with a witness":   {carol, true, true, false, Suspect + Step},
		"other without":          {carol, true, false, false, Lease + Step},
		"standby after a bye":    {alice, true, false, true, 0},
		"other after a bye":      {carol, true, false, true, Step},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(c.self)
			other := map[protocol.PeerID]protocol.PeerID{alice: carol, carol: alice}[c.self]
			m.Claim(claimOf(bob, 7, 1), 0)
			if c.bye {
				bye(m, bob, 0)
			}
			var kept protocol.Key
			for now := time.Duration(0); now < 10*time.Second; now += 10 * ms {
				if c.hears {
					p := pulseOf(other, uint64(now)+1, key(7, bob))
					p.Suspects = c.witness
					m.Pulse(p, now)
				}
				out := m.Tick(now)
				if out.Keep.Term > 0 {
					kept = out.Keep
				}
				if out.Claim == nil {
					continue
				}
				if now < c.want || now > c.want+20*ms {
					t.Errorf("claimed after %v, want %v", now, c.want)
				}
				if out.Claim.Key != key(8, c.self) || kept.Compare(out.Claim.Key, m.room) < 0 {
					t.Errorf("claimed %v, kept %v", out.Claim.Key, kept)
				}
				if out.Claim.Solo == c.hears && now > Suspect {
					t.Errorf("solo %v, but hears %v", out.Claim.Solo, c.hears)
				}
				return
			}
			t.Error("never claimed")
		})
	}
}

// Rule 15: a founder claims at once, a restarted node listens first and goes on
// from what it stored.
func TestStart(t *testing.T) {
	m := machine(alice)
	m.Open(0)
	if out := m.Tick(0); out.Claim == nil || out.Claim.Key != key(1, alice) || out.Keep.Term < 1 {
		t.Errorf("founder's first tick: %+v", out)
	}

	m = New(Config{Self: alice, Boot: 11, Roster: three(2), Persisted: key(41, alice), PersistedEra: 2}, 0)
	m.Open(0) // not a new room
	if out := m.Tick(Suspect - ms); out.Claim != nil || out.Pulse == nil || out.Pulse.Suspects {
		t.Errorf("claimed before it listened: %+v", out)
	}
	if out := m.Tick(Suspect); out.Claim == nil || out.Claim.Key != key(42, alice) {
		t.Errorf("after listening: %+v", out)
	}
}

// Rule 11: what is stored before the first claim is enough for the next ones, and
// a life that ends without a word leaves no term to be claimed twice.
func TestTermsAreKeptAhead(t *testing.T) {
	m := machine(alice)
	m.Open(0)
	out := m.Tick(0)
	kept := out.Keep
	if kept.Term < 4 {
		t.Fatalf("kept %v at first", kept)
	}
	m.Claim(claimOf(carol, 2, 1), ms)
	p := pulseOf(carol, 2, key(2, carol))
	p.Bye = true
	m.Pulse(p, 2*ms)
	if out = m.Tick(2*ms + Step); out.Claim == nil || out.Claim.Term != 3 || out.Keep.Term != 0 {
		t.Fatalf("claimed %+v", out)
	}
	m = New(Config{Self: alice, Boot: 11, Roster: three(0), Persisted: kept}, 0)
	if out = m.Tick(Suspect); out.Claim == nil || out.Claim.Term <= kept.Term {
		t.Fatalf("claimed %+v in the next life, with %v kept", out, kept)
	}
	if out = m.Bye(Suspect); out.Keep.Term != m.Max().Term {
		t.Errorf("kept %v when it ended well, max %v", out.Keep, m.Max())
	}
}

// A node whose log is behind what it claimed by says nothing until it catches up.
func TestLogBehind(t *testing.T) {
	m := New(Config{Self: alice, Boot: 11, Roster: three(1), Persisted: key(41, alice), PersistedEra: 2}, 0)
	const soon = catchUp - 100*ms
	for now := time.Duration(0); now < soon; now += 100 * ms {
		if out := m.Tick(now); out.Claim != nil || out.Pulse != nil || out.Keep.Term > 0 {
			t.Fatalf("with a log behind: %+v", out)
		}
	}
	m.SetRoster(three(2), soon)
	if out := m.Tick(soon + Suspect); out.Claim == nil || out.Claim.Key != key(42, alice) {
		t.Errorf("after catching up: %+v", out)
	}
}

// A log that does not catch up with what was stored, since its era fell while the node
// was off, leaves no room without a relay: the node begins anew in the era that there
// is, under a term that no earlier life of its can have claimed, and stores that.
func TestLogBehindForGood(t *testing.T) {
	m := New(Config{Self: alice, Boot: 11, Roster: three(1), Persisted: key(41, alice), PersistedEra: 2}, 0)
	var kept, claimed protocol.Key
	for now := time.Duration(0); now < catchUp+Suspect+100*ms; now += 100 * ms {
		out := m.Tick(now)
		if out.Keep.Term > 0 {
			kept = out.Keep
		}
		if out.Claim != nil {
			claimed = out.Claim.Key
		}
	}
	if claimed != key(Jump/2+1, alice) || kept.Term < claimed.Term {
		t.Errorf("it claims %v and stores %v", claimed, kept)
	}
	other := New(Config{Self: bob, Boot: 1, Roster: three(1)}, 0)
	other.Claim(m.Best(), Suspect)
	if other.Best().Key != claimed {
		t.Error("nobody follows it")
	}
	m.SetRoster(three(2), catchUp+2*Suspect) // the log after all
	if m.reached() != 41 {
		t.Errorf("in the era of its earlier life it is at term %d", m.reached())
	}
}

// An era that fell, since a moderator signed beyond its share in forks, is entered
// again: with those who never left it, and with what is stored for it.
func TestEraFalls(t *testing.T) {
	m := machine(alice)
	m.Claim(claimOf(bob, 7, 1), 0)
	m.SetRoster(three(5), time.Second)
	p := pulseOf(carol, 1, key(9, bob))
	m.Pulse(p, time.Second+ms) // who is in the lower era still
	for now := time.Second; now < 6*time.Second; now += 100 * ms {
		m.Tick(now)
	}
	if m.Best().Era != 5 || m.Best().Relay != alice {
		t.Fatalf("in the higher era it follows %+v", m.Best())
	}
	m.SetRoster(three(0), 6*time.Second)
	if m.Era() != 0 || m.Max() != key(9, bob) || m.Relaying() {
		t.Errorf("era %d, max %v, relaying %v", m.Era(), m.Max(), m.Relaying())
	}
	m.Claim(claimOf(bob, 10, 2), 6*time.Second+ms)
	out := m.Tick(6*time.Second + 500*ms)
	if m.Best().Key != key(10, bob) || out.Pulse == nil || out.Pulse.Era != 0 || out.Keep.Term < 10 {
		t.Errorf("it follows %+v, pulses %+v and keeps %v", m.Best(), out.Pulse, out.Keep)
	}
}

// A node that is no candidate follows and says nothing.
func TestObserver(t *testing.T) {
	m := New(Config{Self: "dave", Boot: 1, Roster: three(0)}, 0)
	m.Open(0)
	for now := time.Duration(0); now < 10*time.Second; now += 100 * ms {
		if now <= 5*time.Second {
			m.Claim(claimOf(bob, 7, uint64(now)+1), now)
		}
		if out := m.Tick(now); out.Claim != nil || out.Pulse != nil || out.Keep.Term > 0 {
			t.Fatalf("an observer sent %+v", out)
		}
		if live := now <= 5*time.Second+Suspect; m.Live(now) != live || m.Best().Key != key(7, bob) {
			t.Fatalf("at %v: live %v, best %v", now, m.Live(now), m.Best())
		}
	}
}

// Who is made a candidate while there is no relay listens first.
func TestPromotion(t *testing.T) {
	const now = 10 * time.Second
	m := New(Config{Self: "dave", Boot: 1, Roster: three(0)}, 0)
	m.Claim(claimOf(bob, 7, 1), 0)
	m.Tick(now)
	m.SetRoster(Roster{Candidates: []protocol.PeerID{alice, bob, carol, "dave"}}, now)
	if out := m.Tick(now); out.Claim != nil || out.Pulse == nil {
		t.Errorf("as soon as a candidate: %+v", out)
	}
	if out := m.Tick(now + Suspect); out.Claim == nil || out.Claim.Key != key(8, "dave") {
		t.Errorf("after listening: %+v", out)
	}
}

// Rule 11: among equals the first standby stays.
func TestStandbyStays(t *testing.T) {
	for _, c := range [][2]protocol.PeerID{{bob, carol}, {carol, bob}} {
		m := relaying()
		m.Pulse(pulseOf(c[0], 1, protocol.Key{}), 0)
		m.Tick(Beat)
		m.Pulse(pulseOf(c[1], 1, protocol.Key{}), Beat)
		m.Tick(2 * Beat)
		if m.Standby() != c[0] {
			t.Errorf("%s stood by, then %s", string(c[0]), string(m.Standby()))
		}
	}
}

// Rule 8: the relay of the last era claims the next at once, and who comes late to
// an era listens.
func TestNewEra(t *testing.T) {
	m := machine(alice)
	m.Open(0)
	m.Tick(0)
	m.SetRoster(three(1), time.Second)
	if out := m.Tick(time.Second); out.Claim == nil || out.Claim.Key != key(1, alice) || out.Claim.Era != 1 {
		t.Errorf("heir: %+v", out)
	}

	m = machine(alice)
	m.Claim(claimOf(bob, 7, 1), 0)
	p := pulseOf(carol, 1, key(1, carol))
	p.Era = 1
	m.Pulse(p, 0)
	m.SetRoster(three(1), ms)
	if m.Max() != key(1, carol) {
		t.Errorf("latecomer's max %v", m.Max())
	}
	for now := ms; now < Suspect; now += 100 * ms {
		if out := m.Tick(now); out.Claim != nil {
			t.Fatalf("a latecomer claimed after %v: %+v", now, out.Claim)
		}
	}
}

// Rules 9 and 11: the pin comes first, and a standby of another network.
func TestPreference(t *testing.T) {
	m := New(Config{
		Self: alice, Boot: 1, Roster: three(0),
		Apart: func(a, b protocol.PeerID) bool { return a != alice || b != bob },
	}, 0)
	m.Open(0)
	strong := pulseOf(bob, 1, protocol.Key{})
	strong.Class = 9
	m.Pulse(strong, 0)
	m.Tick(0)
	if m.Standby() != bob || m.Independent() {
		t.Errorf("standby %v, independent %v with bob alone", m.Standby(), m.Independent())
	}
	m.Pulse(pulseOf(carol, 1, protocol.Key{}), Beat)
	m.Tick(Beat)
	if m.Standby() != carol || !m.Independent() {
		t.Errorf("standby %v, independent %v with carol elsewhere", m.Standby(), m.Independent())
	}

	r := three(1)
	r.Pin = carol
	m.SetRoster(r, 2*Beat)
	if out := m.Tick(2 * Beat); out.Claim != nil {
		t.Error("the heir claims before the pin")
	}
}

// A later life of the same key elsewhere silences this one.
func TestSuperseded(t *testing.T) {
	m := machine(alice)
	m.Open(0)
	m.Tick(0)
	later := pulseOf(alice, 1, key(3, alice))
	later.Boot = 11
	m.Pulse(later, ms)
	if out := m.Tick(Beat); m.Relaying() || !m.Superseded() || out.Pulse != nil || out.Claim != nil {
		t.Errorf("superseded, yet relaying %v, sends %+v", m.Relaying(), out)
	}
}
