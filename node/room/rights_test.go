package room

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

const (
	speak, carry = protocol.Speak, protocol.Carry
	both         = speak | carry
	day          = protocol.CertificateLife
)

// grants is one certificate on its way, and whether it is to be held.
type grants struct {
	issuer, subject int
	duties          protocol.Duties
	serial          uint64
	after           time.Duration // since the one before
	held            bool
}

// Node 0 is the founder, and 4 is the node that looks.
func TestHold(t *testing.T) {
	for _, test := range []struct {
		name   string
		grants []grants
	}{
		{"the founder's", []grants{{0, 1, both, 1, 0, true}}},
		{"a stranger's", []grants{{2, 1, speak, 1, 0, false}}},
		{"one's own", []grants{{1, 1, carry, 1, 0, false}}},
		{"for the founder, who needs none", []grants{{0, 0, carry, 1, 0, false}}},
		{"the same again", []grants{{0, 1, carry, 5, 0, true}, {0, 1, carry, 5, 0, false}}},
		{"an older one", []grants{{0, 1, carry, 5, 0, true}, {0, 1, both, 4, 0, false}}},
		{"a newer one", []grants{{0, 1, both, 5, 0, true}, {0, 1, speak, 6, 0, true}}},
		{"a delegate's", []grants{{0, 1, carry, 1, 0, true}, {1, 2, carry, 1, 0, true}}},
		{"a duty that the delegate lacks", []grants{{0, 1, carry, 1, 0, true}, {1, 2, both, 1, 0, false}}},
		{"by a speaker who may not carry", []grants{{0, 1, speak, 1, 0, true}, {1, 2, speak, 1, 0, false}}},
		{"a delegate's delegate's", []grants{{0, 1, carry, 1, 0, true}, {1, 2, carry, 1, 0, true}, {2, 3, carry, 1, 0, false}}},
		{"a delegate's before the founder's for the delegate", []grants{{1, 2, carry, 1, 0, false}, {0, 1, carry, 1, 0, true}, {1, 2, carry, 1, 0, true}}},
		{"a delegate's over the founder's", []grants{{0, 1, carry, 1, 0, true}, {0, 2, speak, 1, 0, true}, {1, 2, carry, 9, 0, false}}},
		{"the founder's over a delegate's", []grants{{0, 1, carry, 1, 0, true}, {1, 2, carry, 9, 0, true}, {0, 2, speak, 1, 0, true}}},
		{"after the founder's ran out, a delegate's", []grants{{0, 2, carry, 1, 0, true}, {0, 1, carry, 1, day / 2, true}, {1, 2, carry, 1, day / 2, true}}},
		{"what ran out, again", []grants{{0, 1, carry, 5, 0, true}, {0, 1, carry, 5, day, false}}},
		{"what ran out, renewed", []grants{{0, 1, carry, 5, 0, true}, {0, 1, carry, 6, day, true}}},
		{"of a delegate whose own ran out", []grants{{0, 1, carry, 1, 0, true}, {1, 2, carry, 1, day, false}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := still(t, protocol.StageHost, 5, 4)
			for i, g := range test.grants {
				s.clock += g.after
				s.expire(s.clock)
				if got := s.hold(s.certificate(g.issuer, g.subject, g.duties, g.serial, day), s.clock); got != g.held {
					t.Errorf("certificate %d: held %v, want %v", i, got, g.held)
				}
			}
		})
	}
}

// Two delegates who certified the same peer in two halves agree when they meet,
// in whatever order they hear each other; were each to replace the other's, both
// certificates would go round for ever.
func TestDelegatesAgree(t *testing.T) {
	s, o := still(t, protocol.StageOpen, 5, 3), still(t, protocol.StageOpen, 5, 4)
	one, two := s.certificate(1, 4, carry, 7, day), s.certificate(2, 4, carry, 8, day)
	for _, r := range []*stillness{s, o} {
		r.hold(r.certificate(0, 1, carry, 1, day), r.clock)
		r.hold(r.certificate(0, 2, carry, 1, day), r.clock)
	}
	s.hold(one, s.clock)
	o.hold(two, o.clock)
	if !s.hold(two, s.clock) || o.hold(one, o.clock) || s.hold(one, s.clock) || o.hold(two, o.clock) {
		t.Error("each takes the other's certificate")
	}
	if a, b := s.rights[s.nodes[4].id], o.rights[s.nodes[4].id]; a.Issuer != b.Issuer {
		t.Errorf("one holds the certificate of %s, the other of %s", a.Issuer, b.Issuer)
	}
}

func TestCertificatesFull(t *testing.T) {
	s := still(t, protocol.StageOpen, maxNodes, 4)
	for i := range protocol.MaxCertificates {
		c := protocol.Certificate{Issuer: s.nodes[0].id, Subject: protocol.PeerID([]byte{byte(i)}), Duties: carry, Life: time.Hour, Serial: 1}
		if !s.hold(c, s.clock) {
			t.Fatalf("certificate %d not held", i)
		}
		s.meet(c.Subject, s.clock)
	}
	s.hold(s.certificate(0, 1, carry, 1, day), s.clock)
	if len(s.rights) > protocol.MaxCertificates {
		t.Error("one certificate too many is held")
	}
	s.clock += time.Hour
	s.expire(s.clock)
	if !s.hold(s.certificate(0, 1, carry, 2, day), s.clock) {
		t.Error("no certificate is held after all others ran out")
	}
}

func TestMay(t *testing.T) {
	for _, test := range []struct {
		name   string
		stage  protocol.Stage
		peer   int
		duty   protocol.Duties
		after  time.Duration
		expect bool
	}{
		{"the founder speaks", protocol.StageHost, 0, speak, 0, true},
		{"the founder carries", protocol.StageHost, 0, carry, 2 * day, true},
		{"anybody speaks on an open stage", protocol.StageOpen, 3, speak, 0, true},
		{"nobody speaks on the host's", protocol.StageHost, 3, speak, 0, false},
		{"nobody carries an open stage", protocol.StageOpen, 3, carry, 0, false},
		{"a carrier does not speak on the host's", protocol.StageHost, 1, speak, 0, false},
		{"a carrier carries", protocol.StageHost, 1, carry, 0, true},
		{"until it runs out", protocol.StageHost, 1, carry, day - 1, true},
		{"and no longer", protocol.StageHost, 1, carry, day, false},
		{"a delegate's carrier carries", protocol.StageHost, 2, carry, 0, true},
		{"as long as the delegate", protocol.StageHost, 2, carry, day, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := still(t, test.stage, 5, 4)
			s.hold(s.certificate(0, 1, carry, 1, day), s.clock)
			s.hold(s.certificate(1, 2, carry, 1, 2*day), s.clock)
			may := s.mayCarry
			if test.duty == speak {
				may = s.maySpeak
			}
			if got := may(s.nodes[test.peer].id, s.clock+test.after); got != test.expect {
				t.Errorf("may: %v, want %v", got, test.expect)
			}
		})
	}
}

func TestChainTo(t *testing.T) {
	s := still(t, protocol.StageHost, 5, 4)
	first, second := s.certificate(0, 1, carry, 1, day), s.certificate(1, 2, carry, 1, 2*day)
	s.hold(first, s.clock)
	s.hold(second, s.clock)
	for _, test := range []struct {
		name  string
		of    protocol.Certificate
		after time.Duration
		links int
	}{
		{"the founder's", first, 0, 1},
		{"a delegate's", second, 0, 2},
		{"a delegate's whose own ran out", second, day, 0},
		{"a delegate's delegate's", s.certificate(2, 3, carry, 1, day), 0, 0},
		{"a stranger's", s.certificate(3, 2, carry, 1, day), 0, 0},
	} {
		if got := len(s.chainTo(test.of, s.clock+test.after)); got != test.links {
			t.Errorf("%s: a chain of %d, want %d", test.name, got, test.links)
		}
	}
}

// A voice ends with the right that it stood on.
func TestVoiceEndsWithItsRight(t *testing.T) {
	speaker := protocol.PeerID("")
	for name, ends := range map[string]func(s *stillness){
		"lapse": func(s *stillness) {
			s.clock += roster.Silence + roster.LeaseRest + roster.LeaseLife
			s.tendLeases(s.clock)
		},
		"revoke":               func(s *stillness) { s.acts(0, protocol.Revoke{Peer: speaker, Role: protocol.RoleSpeaker}) },
		"remove":               func(s *stillness) { s.acts(0, protocol.Remove{Peer: speaker}) },
		"ban":                  func(s *stillness) { s.acts(0, protocol.Ban{Peer: speaker}) },
		"mute":                 func(s *stillness) { s.acts(0, protocol.Mute{Peer: speaker}) },
		"mute of all, for now": func(s *stillness) { s.acts(0, protocol.Mute{MayUnmute: true}) },
		"pause":                func(s *stillness) { s.acts(0, protocol.Pause(true)) },
		"stage":                func(s *stillness) { s.acts(0, protocol.StageModerators) },
	} {
		t.Run(name, func(t *testing.T) {
			s := still(t, protocol.StageHost, 3, 2)
			speaker = s.nodes[1].id
			s.acts(0, protocol.Grant{Peer: speaker, Role: protocol.RoleSpeaker})
			m := &protocol.Message{Boot: 1, Sequence: 1, Voice: &protocol.Voice{}}
			if err := m.Seal(s.cfg.Room, s.nodes[1].key); err != nil {
				t.Fatal(err)
			}
			if err := s.openHeard(m, s.clock); err != nil {
				t.Fatal(err)
			}
			ends(s)
			if len(s.opened) > 0 || len(s.voices) > 0 {
				t.Errorf("%d sources open, %d voices", len(s.opened), len(s.voices))
			}
		})
	}
}

// acts has a node do something of which this one hears.
func (s *stillness) acts(i int, deed protocol.Deed) {
	s.t.Helper()
	a, err := s.log.Draft(s.nodes[i].id)
	if err == nil {
		a.At, a.Deed = time.Unix(0, 0), deed
		err = a.Seal(s.nodes[i].key)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if !s.takeAction(a.Signed(), "", s.clock) {
		s.t.Fatalf("%v does nothing here", deed)
	}
}

// joins makes a node a member with a path, as far as a still room has those.
func (s *stillness) joins(i int, p protocol.Presence) {
	p.Name = protocol.Name(s.nodes[i].String())
	s.members[s.nodes[i].id] = &member{presence: p, at: s.clock}
	s.pathTo(s.nodes[i].id)
}

func (s *stillness) holder(i int) (held, bool) {
	h, ok := s.rights[s.nodes[i].id]
	return h, ok && h.holds(s.clock)
}

func TestCertifyWhoOffersOrSpeaks(t *testing.T) {
	s := still(t, protocol.StageOpen, 5, 0)
	s.joins(1, protocol.Presence{Offers: true})
	s.joins(2, protocol.Presence{Speaking: true})
	s.joins(3, protocol.Presence{Listening: true})
	s.joins(4, protocol.Presence{Offers: true})
	delete(s.paths, s.nodes[4].id) // it can't be reached from here, where it relays
	s.machine.Open(s.clock)
	s.elect(s.clock)
	s.clock += certifyEach
	s.certify(s.clock)
	for i, want := range []bool{1: true, 2: true, 3: false, 4: false} {
		if h, got := s.holder(i); i > 0 && (got != want || got && h.Duties != carry) {
			t.Errorf("node %d: certified %v, duties %b", i, got, h.Duties)
		}
	}
}

func TestCertifyADozen(t *testing.T) {
	s := still(t, protocol.StageOpen, maxNodes, 0)
	for i := 1; i < maxNodes; i++ {
		s.joins(i, protocol.Presence{Offers: true})
	}
	for range 3 {
		s.clock += certifyEach
		s.certify(s.clock)
	}
	if len(s.rights) != protocol.Carriers {
		t.Errorf("%d carriers, want %d", len(s.rights), protocol.Carriers)
	}
}

// Past half its life a certificate is renewed for who is still here.
func TestCertifyAgain(t *testing.T) {
	s := still(t, protocol.StageHost, 4, 0)
	s.joins(1, protocol.Presence{Offers: true})
	s.issue(s.nodes[1].id, s.clock)
	s.issue(s.nodes[2].id, s.clock)
	first, _ := s.holder(1)
	s.clock += day/2 - 1
	s.certify(s.clock)
	if h, _ := s.holder(1); h.Serial != first.Serial {
		t.Error("renewed before half its life")
	}
	s.clock += certifyEach
	s.certify(s.clock)
	if h, _ := s.holder(1); h.Serial == first.Serial || h.Duties != carry {
		t.Errorf("not renewed past half its life: serial %d, duties %b", h.Serial, h.Duties)
	}
	s.clock += day / 2
	s.expire(s.clock)
	if _, ok := s.holder(1); !ok {
		t.Error("ran out, though renewed")
	}
	if _, ok := s.holder(2); ok {
		t.Error("renewed for who is not here")
	}
}

// While the founder is away, a delegate that relays certifies; never more than
// it may do itself.
func TestDelegateCertifies(t *testing.T) {
	for _, test := range []struct {
		name             string
		root, host, mine bool
		want             bool
	}{
		{"it relays, the founder is away", true, false, true, true},
		{"it does not relay", false, false, true, false},
		{"the founder is here", true, true, true, false},
		{"it is no carrier", true, false, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := still(t, protocol.StageHost, 4, 1)
			if test.mine {
				s.hold(s.certificate(0, 1, carry, 1, day), s.clock)
			}
			if test.host {
				s.joins(0, protocol.Presence{})
			}
			s.joins(2, protocol.Presence{Offers: true})
			s.root = test.root
			s.clock += certifyEach
			s.certify(s.clock)
			h, got := s.holder(2)
			if got != test.want || got && h.Duties != carry {
				t.Errorf("certified %v with duties %b, want %v", got, h.Duties, test.want)
			}
		})
	}
}

// A certificate of a minute is not renewed by who is not the host, and its
// subject relays no more when it has run out.
func TestCarriersCertificateRunsOut(t *testing.T) {
	inWorld(t, 3, protocol.StageHost, 3, func(w *world) {
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		b.lends, c.lends = false, false // nobody certifies them
		brief := &stillness{Room: &Room{cfg: Config{Room: w.genesis.Room}}, t: t, nodes: w.nodes}
		given := []protocol.Certificate{brief.certificate(0, 1, carry, 1, 20*time.Second), brief.certificate(0, 2, carry, 2, day)}
		a.enters(func(cfg *Config) { cfg.New, cfg.Genesis = true, w.genesis })
		a.room.post(func(r *Room) {
			for _, c := range given {
				r.hold(c, r.cfg.Now())
			}
		})
		w.sleep(time.Second)
		b.enters(asks(a))
		c.enters(asks(a))
		w.sleep(3 * time.Second)
		w.settles(settling)
		a.kill()
		w.sleep(8 * time.Second)
		w.agrees(promised, b, c)
		w.sleep(20 * time.Second)
		w.agrees(promised, b, c)
		if w.relay() != c {
			t.Errorf("%v relays, and %v alone may", w.relay(), c)
		}
		w.sleep(forgetting)
		w.settles(settling)
	})
}
