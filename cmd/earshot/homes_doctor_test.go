//go:build linux

package main

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/earshot-audio/earshot/node/web"
)

// ways are the codes of what doctor says of how a node is reached: one of them,
// each time.
var ways = []string{"reachable", "reachable-untried", "port-mapped", "one-port", "changing-ports", "behind-router", "firewall"}

// TestDoctor has doctor name each situation that a home can be in.
func TestDoctor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	public := w.host().up("public")
	cases := []struct {
		name  string
		kind  router
		how   blocking // "": UDP passes
		finds []string // what it must find
		fine  bool     // nothing is to be mended
	}{
		{"none", plain, "", []string{"neighbors", "reachable", "udp-works"}, true},
		{"cone", cone, "", []string{"neighbors", "one-port", "udp-works", "circuits"}, true},
		{"symmetric", symmetric, "", []string{"neighbors", "changing-ports", "udp-works", "circuits"}, true},
		{"dropped", cone, dropped, []string{"neighbors", "udp-blocked", "circuits"}, false},
		{"rejected", cone, rejected, []string{"neighbors", "udp-blocked", "circuits"}, false},
	}
	var nodes []*liveNode
	for _, c := range cases {
		home := w.home(c.kind)
		if c.how != "" {
			w.blockUDP(home.gateway, c.how)
		}
		nodes = append(nodes, home.host().up(c.name, through(public)...))
	}
	w.connected(nodes...)
	var examinations []*process
	for _, n := range nodes {
		examinations = append(examinations, n.start("doctor"))
	}
	for i, c := range cases {
		d := examinations[i].diagnosis()
		finds(t, c.name, d, c.finds...)
		if d.OK != c.fine {
			t.Errorf("%s: all is well: %v, want %v", c.name, d.OK, c.fine)
		}
		found := slices.DeleteFunc(codes(d), func(code string) bool { return !slices.Contains(ways, code) })
		if len(found) > 1 {
			t.Errorf("%s: one node is reached in several ways: %v", c.name, found)
		}
	}
}

// TestDoctorOf has doctor tell where the fault is when a node does not answer.
func TestDoctorOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	public, friend := w.host().up("public"), w.host().up("friend")
	home := w.home(cone)
	host := home.host()
	n := host.up("ana", append(through(public), through(friend)...)...)
	hidden := w.home(symmetric).host().up("budi", through(public)...)
	alone := w.home(cone).host().up("citra")
	w.connected(n, friend, hidden)

	toFriend, toHidden, byItself := n.start("doctor", friend.Addrs[0]), n.start("doctor", hidden.PeerID), alone.start("doctor")
	finds(t, "a node with a public address", toFriend.diagnosis(), "neighbors", "target-direct")
	finds(t, "a node behind a router", toHidden.diagnosis(), "neighbors", "target-circuit")
	finds(t, "a node that knows nobody", byItself.diagnosis(), "network", "nobody-known")
	friend.kill()
	w.cutOff(home.gateway)
	toOff, fromCutOff := hidden.start("doctor", friend.Addrs[0]), n.start("doctor", public.Addrs[0])
	finds(t, "a node that is off", toOff.diagnosis(), "neighbors", "target-theirs")
	finds(t, "any node, from a home that is cut off", fromCutOff.diagnosis(), "nobody-answers", "target-ours")
	w.ip(host.namespace, "link set "+uplink+" down")
	finds(t, "a machine without a network", n.start("doctor").diagnosis(), "no-network")
}

// diagnosis waits for what an examination finds.
func (p *process) diagnosis() (d web.Diagnosis) {
	p.f.Helper()
	p.endsWell(patience)
	if len(p.lines) != 1 {
		p.f.Fatalf("doctor says %v", p.lines)
	}
	p.f.must(json.Unmarshal([]byte(p.lines[0].text), &d))
	return d
}

func codes(d web.Diagnosis) (all []string) {
	for _, f := range d.Findings {
		all = append(all, f.Code)
	}
	return all
}

// finds checks that all of these are among what was found, and that what is
// wrong comes with what to do.
func finds(t *testing.T, where string, d web.Diagnosis, want ...string) {
	t.Helper()
	found := codes(d)
	t.Logf("%s: %q %v, after %.1f s", where, d.Headline, found, d.Seconds)
	for _, code := range want {
		if !slices.Contains(found, code) {
			t.Errorf("%s: no %s was found: %+v", where, code, d)
		}
	}
	for _, f := range d.Findings {
		if f.Says == "" || !f.OK && f.Do == "" {
			t.Errorf("%s: %s says %q, and to do %q", where, f.Code, f.Says, f.Do)
		}
	}
}
