package web

import (
	"net"
	"testing"
	"time"
)

func TestDoor(t *testing.T) {
	d := newDoor(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8733})
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
