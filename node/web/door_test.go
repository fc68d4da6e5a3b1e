package web

import (
	"net"
	"testing"
	"time"
)

func TestDoor(t *testing.T) {
	d := newDoor(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8733}, "")
	if d.cookie != "earshot-8733" {
		t.Errorf("the cookie is named %q", d.cookie)
	}
	start := time.Now()
	late, inTime := d.issue(start), d.issue(start)
	if d.take(late, start.Add(keyLife)) {
		t.Error("a key lives longer than ten minutes")
	}
	if !d.take(inTime, start.Add(keyLife-time.Second)) {
		t.Error("a key does not live ten minutes")
	}
	if d.take(inTime, start) {
		t.Error("a key was used twice")
	}
	first := d.issue(start)
	for range maxKeys {
		d.issue(start)
	}
	if d.take(first, start) || len(d.keys) != maxKeys {
		t.Errorf("%d keys are kept", len(d.keys))
	}
}

// A page stays known when its node starts again, and to that node alone.
func TestDoorAfterRestart(t *testing.T) {
	at := func(port int) *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }
	before := newDoor(at(8733), "token").secret
	if len(before) != 64 || newDoor(at(8733), "token").secret != before {
		t.Errorf("the cookie is %q, and another one after a restart", before)
	}
	for name, other := range map[string]*door{
		"another home": newDoor(at(8733), "other"),
		"another port": newDoor(at(8734), "token"),
		"no token":     newDoor(at(8733), ""),
	} {
		if other.secret == before {
			t.Errorf("%s has the same cookie", name)
		}
	}
	first, second := newDoor(at(8733), ""), newDoor(at(8733), "")
	if first.secret == second.secret {
		t.Error("without a token the cookie outlives the node")
	}
}
