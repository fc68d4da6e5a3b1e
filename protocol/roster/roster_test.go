package roster

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// moderator appoints p with a share that those named before p have.
func moderator(p protocol.PeerID) protocol.Grant {
	share := map[protocol.PeerID]uint32{alice: 256, bob: 64, carol: 16, dave: 4, erin: 1}[p]
	return protocol.Grant{Peer: p, Role: protocol.RoleModerator, Share: share}
}

func speaker(p protocol.PeerID) protocol.Grant {
	return protocol.Grant{Peer: p, Role: protocol.RoleSpeaker}
}

func demote(p protocol.PeerID) protocol.Revoke {
	return protocol.Revoke{Peer: p, Role: protocol.RoleModerator}
}

func (s *script) moderators(want ...protocol.PeerID) {
	s.t.Helper()
	if got := s.log.Roster().Moderators(); !slices.Equal(got, want) {
		s.t.Errorf("moderators %s, not %s", got, want)
	}
}

func (s *script) banned(want ...protocol.PeerID) {
	s.t.Helper()
	if got := s.log.Roster().Banned(); !slices.Equal(got, want) {
		s.t.Errorf("banned %s, not %s", got, want)
	}
}

func TestRoles(t *testing.T) {
	s := newScript(t)
	if r := s.log.Roster(); r.RoleOf(founder) != protocol.RoleHost || r.Title() != "Tea" || r.Stage() != protocol.StageHost {
		t.Errorf("the genesis alone: %+v", r)
	}
	s.do(founder, moderator(alice))
	s.do(alice, moderator(bob))
	s.do(bob, speaker(carol))
	grant := s.do(bob, protocol.Grant{Peer: dave, Role: protocol.RoleCarrier})
	r := s.log.Roster()
	for p, want := range map[protocol.PeerID]protocol.Role{founder: protocol.RoleHost, alice: protocol.RoleModerator,
		bob: protocol.RoleModerator, carol: protocol.RoleSpeaker, dave: protocol.RoleCarrier, erin: protocol.RoleListener} {
		if got := r.RoleOf(p); got != want {
			t.Errorf("%s is %v, not %v", p, got, want)
		}
	}
	if right, _ := r.Right(bob); right.Rank() != 2 || right.By() != alice || !r.MayEnd(alice, bob) || r.MayEnd(bob, alice) || !r.MayEnd(bob, carol) {
		t.Errorf("bob's right: %+v", right)
	}
	if h, _ := r.Granted(dave, protocol.RoleCarrier); h != grant {
		t.Error("dave carries by another grant")
	}
	if !r.MaySpeak(carol) || r.MaySpeak(dave) || !r.MayCarry(dave) || r.MayCarry(erin) {
		t.Error("who may speak or carry")
	}
	s.do(alice, protocol.StageOpen)
	if r := s.log.Roster(); !r.MaySpeak(erin) || r.MayCarry(erin) {
		t.Error("on an open stage all speak, and not all carry")
	}
	s.do(founder, protocol.StageModerators)
	if r := s.log.Roster(); r.MaySpeak(carol) || !r.MaySpeak(bob) {
		t.Error("the stage is the moderators'")
	}
}

// Whoever was given a role is vouched for, until they are put out.
func TestVouched(t *testing.T) {
	s := newScript(t)
	vouched := func(want ...protocol.PeerID) {
		t.Helper()
		r := s.log.Roster()
		for _, p := range []protocol.PeerID{founder, alice, bob, carol, dave, erin} {
			if got := r.Vouched(p); got != slices.Contains(want, p) {
				t.Errorf("%s is vouched for: %v", p, got)
			}
		}
	}
	s.do(founder, moderator(alice))
	s.do(alice, speaker(bob))
	s.do(alice, protocol.Revoke{Peer: bob, Role: protocol.RoleSpeaker})
	s.do(alice, protocol.Grant{Peer: carol, Role: protocol.RoleCarrier})
	s.do(alice, speaker(dave))
	s.do(alice, protocol.Mute{Peer: dave})
	vouched(founder, alice, bob, carol, dave)
	s.do(founder, demote(alice))
	vouched(founder, alice, bob, carol, dave)
	s.do(founder, protocol.Remove{Peer: bob})
	s.do(founder, protocol.Ban{Peer: carol})
	s.do(founder, protocol.Unban{Peer: carol})
	vouched(founder, alice, dave)
	s.do(founder, speaker(bob))
	vouched(founder, alice, bob, dave)
}

func TestRankIsBounded(t *testing.T) {
	s := newScript(t)
	all := []protocol.PeerID{founder, alice, bob, carol, dave, erin}
	for i, p := range all[1:] {
		s.do(all[i], moderator(p))
	}
	s.moderators(alice, bob, carol, dave)
}

// Two who remove each other at once: the tree says whose removal it is.
func TestRemovalReachesDownward(t *testing.T) {
	for _, end := range []func(protocol.PeerID) protocol.Deed{
		func(p protocol.PeerID) protocol.Deed { return protocol.Remove{Peer: p} },
		func(p protocol.PeerID) protocol.Deed { return protocol.Ban{Peer: p} },
		func(p protocol.PeerID) protocol.Deed { return demote(p) },
	} {
		s := newScript(t)
		s.do(founder, moderator(alice))
		s.do(founder, moderator(bob))
		s.do(alice, moderator(carol))
		heads := s.log.Heads()
		s.after(alice, end(bob), heads...)
		s.after(bob, end(alice), heads...)
		s.after(bob, end(carol), heads...)
		s.moderators(alice, bob, carol)
		heads = s.log.Heads()
		s.after(alice, end(carol), heads...)
		s.after(carol, end(alice), heads...)
		s.moderators(alice, bob)
		if _, err := s.try(alice, end(founder), s.log.Heads()...); !errors.Is(err, protocol.ErrNoRight) {
			t.Errorf("%T of the founder: %v", end(founder), err)
		}
	}
}

// Who sinks below its own appointee is below it.
func TestSinking(t *testing.T) {
	s := newScript(t)
	s.do(founder, moderator(alice))
	s.do(alice, moderator(bob))
	s.do(founder, demote(alice))
	s.do(bob, protocol.Grant{Peer: alice, Role: protocol.RoleModerator, Share: 8})
	s.moderators(bob, alice)
	if r := s.log.Roster(); r.MayEnd(alice, bob) || !r.MayEnd(bob, alice) {
		t.Error("alice is above bob still")
	}
	s.do(alice, protocol.Remove{Peer: bob})
	s.moderators(bob, alice)
	s.do(bob, protocol.Remove{Peer: alice})
	s.moderators(bob)
}

func TestRemovalVoidsWhatIsConcurrent(t *testing.T) {
	s := newScript(t)
	s.do(founder, moderator(alice))
	s.do(alice, protocol.Title("Before"))
	s.do(alice, protocol.Ban{Peer: dave})
	s.do(alice, moderator(bob))
	heads := s.log.Heads()
	s.after(founder, protocol.Remove{Peer: alice}, heads...)
	s.after(alice, protocol.Title("Meanwhile"), heads...)
	meanwhile := s.after(alice, moderator(carol), heads...)
	s.after(carol, protocol.Ban{Peer: erin}, meanwhile)
	s.moderators(bob)
	s.banned(dave)
	if got := s.log.Roster().Title(); got != "Before" {
		t.Errorf("title %q", got)
	}
	if _, err := s.try(alice, protocol.Title("After"), s.log.Heads()...); err != nil || s.log.Roster().Title() != "Before" {
		t.Errorf("after her removal alice entitles the room %q, %v", s.log.Roster().Title(), err)
	}
	s.do(founder, moderator(alice))
	s.do(alice, protocol.Title("Again"))
	if got := s.log.Roster().Title(); got != "Again" {
		t.Errorf("title %q of one who was appointed again", got)
	}
}

func TestBansAreLiftedByWhoMay(t *testing.T) {
	for _, c := range []struct {
		by     protocol.PeerID
		lifted bool
	}{{founder, true}, {alice, true}, {bob, true}, {carol, false}, {dave, false}} {
		s := newScript(t)
		s.do(founder, moderator(alice))
		s.do(alice, moderator(bob))
		s.do(alice, moderator(carol))
		s.do(carol, moderator(dave))
		s.do(bob, protocol.Ban{Peer: erin, Life: time.Hour})
		heads := s.log.Heads()
		s.do(c.by, protocol.Unban{Peer: erin})
		if got := len(s.log.Roster().Bans(erin)) == 0; got != c.lifted {
			t.Errorf("%s lifts bob's ban: %v", c.by, got)
		}
		s.after(c.by, protocol.Ban{Peer: erin}, heads...)
		s.banned(erin) // a ban that the lift did not know
	}
}

// Who is banned is no moderator by the grace of the banner's equals.
func TestBanAgainstAppointment(t *testing.T) {
	for _, c := range []struct {
		name       string
		by         protocol.PeerID
		concurrent bool
		holds      bool // the ban
	}{
		{"by an equal, later", bob, false, true},
		{"by an equal, at once", bob, true, true},
		{"by the banner, later", alice, false, true},
		{"by one above, later", founder, false, false},
		{"by one above, at once", founder, true, false},
	} {
		s := newScript(t)
		s.do(founder, moderator(alice))
		s.do(founder, moderator(bob))
		heads := s.log.Heads()
		s.do(alice, protocol.Ban{Peer: dave})
		if !c.concurrent {
			heads = s.log.Heads()
		}
		s.after(c.by, moderator(dave), heads...)
		r := s.log.Roster()
		if banned := len(r.Bans(dave)) > 0; banned != c.holds || r.MayModerate(dave) == banned {
			t.Errorf("appointed %s: banned %v, moderator %v", c.name, banned, r.MayModerate(dave))
		}
	}
}

func TestMutes(t *testing.T) {
	s := newScript(t)
	s.do(founder, moderator(alice))
	muted := func(p protocol.PeerID, want bool) {
		t.Helper()
		if _, got := s.log.Roster().Muted(p); got != want {
			t.Errorf("%s muted: %v", p, got)
		}
	}
	s.do(alice, protocol.Mute{Peer: bob})
	muted(bob, true)
	s.do(alice, protocol.Unmute{Peer: bob})
	s.do(alice, protocol.Mute{MayUnmute: true})
	if m, _ := s.log.Roster().Muted(bob); m.By != alice || !m.MayUnmute {
		t.Errorf("bob: %+v", m)
	}
	muted(alice, false)
	muted(founder, false)
	s.do(alice, protocol.Unmute{Peer: bob})
	muted(bob, false)
	muted(carol, true)
	s.do(alice, protocol.Mute{Peer: dave})
	s.do(alice, protocol.Unmute{})
	muted(carol, false)
	muted(dave, false)
	heads := s.log.Heads()
	s.after(alice, protocol.Unmute{Peer: erin}, heads...)
	s.after(alice, protocol.Mute{Peer: erin}, heads...)
	muted(erin, true) // the quieter one
	s.after(founder, protocol.Unmute{Peer: erin}, heads...)
	muted(erin, false) // the higher one
	s.do(founder, protocol.Mute{Peer: alice})
	muted(alice, true)
	if _, err := s.try(alice, protocol.Unmute{Peer: alice}, s.log.Heads()...); !errors.Is(err, protocol.ErrNoRight) {
		t.Errorf("alice unmutes herself: %v", err)
	}
}

func TestSettings(t *testing.T) {
	s := newScript(t)
	s.do(founder, moderator(alice))
	at := time.UnixMilli(1_800_000_000_000)
	for _, d := range []protocol.Deed{protocol.Title("Milk"), protocol.Topics{"milk", "cream"}, protocol.Language("id"),
		protocol.Pin("https://example.org/"), protocol.Next{At: at}, protocol.Lock(true), protocol.Pause(true)} {
		s.do(alice, d)
	}
	r := s.log.Roster()
	if r.Title() != "Milk" || !slices.Equal(r.Topics(), []string{"milk", "cream"}) || r.Language() != "id" ||
		r.Pin() != "https://example.org/" || !r.Next().Equal(at) || !r.Locked() || !r.Paused() || r.Closed() {
		t.Errorf("%+v", r)
	}
	if _, err := s.try(alice, protocol.Close(true), s.log.Heads()...); !errors.Is(err, protocol.ErrNoRight) {
		t.Errorf("alice closes the room: %v", err)
	}
	s.do(founder, protocol.Close(true))
	s.do(alice, protocol.Pause(false))
	if r := s.log.Roster(); !r.Closed() || r.Paused() {
		t.Errorf("%+v", r)
	}
	s.do(founder, protocol.Close(false))
	if s.log.Roster().Closed() {
		t.Error("reopened, and closed")
	}
}

func TestResigning(t *testing.T) {
	s := newScript(t)
	s.do(founder, moderator(alice))
	s.do(alice, protocol.Title("Milk"))
	s.do(alice, demote(alice))
	s.do(alice, protocol.Title("Cream"))
	s.moderators()
	if got := s.log.Roster().Title(); got != "Milk" {
		t.Errorf("title %q", got)
	}
	s.do(founder, moderator(alice))
	s.moderators(alice)
}

// Who gives the last action of its share to resigning, and spends it beside that on
// something else, is no moderator once somebody has relied upon it, whatever counts:
// it can't be one and banned.
func TestResigningBesideTheLastAction(t *testing.T) {
	for _, counts := range []bool{true, false} {
		s := newScript(t)
		s.do(founder, moderator(alice))
		appointed := s.do(founder, moderator(erin))
		s.log.Together(func() {
			resigned := s.after(erin, demote(erin), appointed)
			instead := s.after(erin, protocol.Pause(true), appointed)
			if !counts { // what the founder knows of is paid first
				s.after(founder, protocol.Title("Milk"), instead)
			}
			s.after(alice, protocol.Ban{Peer: erin}, resigned)
		})
		s.moderators(alice)
		s.banned(erin)
		if s.log.Roster().Paused() == counts {
			t.Errorf("paused %v", !counts)
		}
	}
}

func TestEra(t *testing.T) {
	s := newScript(t)
	era := func(want uint32) {
		t.Helper()
		if got := s.log.Roster().Era(); got != want {
			t.Errorf("era %d, not %d", got, want)
		}
	}
	s.do(founder, moderator(alice))
	s.do(founder, protocol.Ban{Peer: dave}) // who had no role
	era(0)
	s.do(alice, speaker(bob))
	s.do(alice, protocol.Revoke{Peer: bob, Role: protocol.RoleSpeaker})
	era(1)
	heads := s.log.Heads()
	s.after(alice, protocol.Ban{Peer: bob}, heads...)
	s.after(founder, protocol.Remove{Peer: alice}, heads...) // voids the ban, which counts all the same
	era(3)
}

// Nobody but the founder can void what is claimed in an election without end.
func TestErasAreBounded(t *testing.T) {
	s := newScript(t)
	s.do(founder, moderator(alice))
	s.do(alice, moderator(bob))
	for i := range 30 {
		p := []protocol.PeerID{alice, bob}[i%2]
		s.do(p, speaker(carol))
		s.do(p, protocol.Revoke{Peer: carol, Role: protocol.RoleSpeaker})
	}
	if era := s.log.Roster().Era(); era != protocol.MaxEras {
		t.Errorf("alice and whom she appointed make %d eras", era)
	}
	s.do(founder, moderator(erin))
	s.do(erin, demote(erin)) // of her own
	s.do(founder, protocol.Remove{Peer: alice})
	if era := s.log.Roster().Era(); era != protocol.MaxEras+2 {
		t.Errorf("era %d when others ended somebody", era)
	}
}
