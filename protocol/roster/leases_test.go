package roster

import (
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// on gives a roster in which alice was let on stage.
func on(t *testing.T) (*script, *Roster) {
	s := newScript(t)
	s.do(founder, speaker(alice))
	return s, s.log.Roster()
}

func TestLeasesRunOut(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name  string
		heard []time.Duration // moderators
		renew []time.Duration
		over  time.Duration // to the second
	}{
		{name: "moderators heard", heard: every(10*time.Second, 20*time.Minute), over: LeaseLife},
		{name: "renewed", heard: every(10*time.Second, time.Hour), renew: []time.Duration{10 * time.Minute, 20 * time.Minute}, over: 20*time.Minute + LeaseLife},
		{name: "nobody heard", over: LeaseRest + LeaseLife},
		{name: "nobody heard for a while", heard: append(every(10*time.Second, 5*time.Minute), every(10*time.Second, day)[180:]...), over: LeaseLife + 25*time.Minute + 10*time.Second - Silence},
	} {
		_, r := on(t)
		l := NewLeases(-time.Hour)
		l.Heard(-time.Hour)
		l.Heard(0)
		l.Set(r, 0)
		var at time.Duration
		for at = time.Second; at < day && l.Holds(alice, at); at += time.Second {
			if slices.Contains(c.heard, at) {
				l.Heard(at)
			}
			if slices.Contains(c.renew, at) {
				l.Renew(alice, at)
			}
		}
		if at != c.over {
			t.Errorf("%s: over after %v, not %v", c.name, at, c.over)
		}
		if lapsed := l.Tick(at); !slices.Equal(lapsed, []protocol.PeerID{alice}) {
			t.Errorf("%s: lapsed %v", c.name, lapsed)
		}
		if lapsed := l.Tick(at + time.Hour); len(lapsed) > 0 {
			t.Errorf("%s: lapsed again %v", c.name, lapsed)
		}
		l.Renew(alice, at+time.Hour)
		if !l.Holds(alice, at+time.Hour) {
			t.Errorf("%s: not renewed after it ran out", c.name)
		}
	}
}

// every gives the multiples of step up to end.
func every(step, end time.Duration) (out []time.Duration) {
	for at := step; at <= end; at += step {
		out = append(out, at)
	}
	return out
}

func TestLeasesFollowTheLog(t *testing.T) {
	s, r := on(t)
	l := NewLeases(0)
	l.Set(r, 0)
	l.Renew(bob, 0)
	if l.Holds(bob, 0) {
		t.Error("bob's grant is renewed, which nobody gave")
	}
	s.do(founder, protocol.Revoke{Peer: alice, Role: protocol.RoleSpeaker})
	l.Set(s.log.Roster(), time.Minute)
	if l.Holds(alice, time.Minute) || len(l.Tick(time.Hour)) > 0 {
		t.Error("revoked, and holds or lapses")
	}
	s.do(founder, speaker(alice))
	l.Set(s.log.Roster(), time.Hour)
	l.Set(s.log.Roster(), time.Hour+time.Second)
	if left := l.Left(alice, time.Hour); left != LeaseLife {
		t.Errorf("granted again: %v left", left)
	}
}

func TestSentences(t *testing.T) {
	s := newScript(t)
	short := s.do(founder, protocol.Ban{Peer: alice, Life: time.Minute})
	n := NewSentences()
	n.Set(s.log.Roster(), time.Hour)
	out := func(at time.Duration, want bool) {
		t.Helper()
		n.Set(s.log.Roster(), at)
		if got := n.Out(s.log.Roster(), alice, at); got != want {
			t.Errorf("out at %v: %v", at, got)
		}
	}
	out(time.Hour+59*time.Second, true)
	out(time.Hour+time.Minute, false)
	s.do(founder, protocol.Ban{Peer: alice})
	out(100*time.Hour, true)
	s.do(founder, protocol.Unban{Peer: alice})
	out(100*time.Hour, false)
	if _, ok := n.since[short]; ok {
		t.Error("a ban that was lifted is remembered")
	}
}

// A node that is started again counts on: it lets nobody in before their time, nor keeps
// anybody out for longer, however often it is restarted.
func TestLivesGoOn(t *testing.T) {
	s, _ := on(t)
	s.do(founder, protocol.Ban{Peer: dave, Life: time.Hour})
	s.do(founder, protocol.Ban{Peer: erin})
	r := s.log.Roster()
	l, n := NewLeases(0), NewSentences()
	l.Set(r, 0)
	n.Set(r, 0)
	now, passed := time.Duration(0), time.Duration(0)
	for run := range 5 {
		now += 5 * time.Minute
		l.Heard(now)
		l.Renew(alice, now)
		now += 2 * time.Minute
		passed += 7 * time.Minute
		kept := LivesOf(r, n, l, now)
		if len(kept.Served) != 1 || len(kept.Left) != 1 || kept.Quiet != 2*time.Minute {
			t.Fatalf("kept %+v", kept)
		}
		const off = 3 * time.Minute
		now = time.Duration(run) * 24 * time.Hour // another clock
		l, n = kept.Resume(off, now)
		l.Set(r, now)
		n.Set(r, now)
		passed += off
		if left := l.Left(alice, now); left != LeaseLife-Silence {
			t.Errorf("after %d starts %v are left of a grant, whose life pauses", run+1, left)
		}
	}
	rest := time.Hour - passed
	if !n.Out(r, dave, now+rest-1) || n.Out(r, dave, now+rest) || !n.Out(r, erin, now+1000*time.Hour) {
		t.Error("a ban does not last as long as it says")
	}
	if kept := LivesOf(r, n, l, now+time.Hour); kept.Served[r.bans[dave][0].Action] != time.Hour {
		t.Errorf("kept %+v", kept)
	}
	l, _ = LivesOf(r, n, l, now).Resume(LeaseRest+LeaseLife, now)
	l.Set(r, now)
	if l.Holds(alice, now) {
		t.Error("a grant outlives the longest pause")
	}
}
