package node

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

// TestHostsAreMet: the host of a room in the directory is nobody at first, and known
// once this node has heard of their rooms for a while, also after a restart.
func TestHostsAreMet(t *testing.T) {
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	at := time.Now().Add(time.Hour)
	o, err := ana.Open(t.Context(), web.OpenRequest{Title: "Later", At: &at})
	must(t, err)
	if l := budi.lists(o.Room, web.StateComing); l.Known {
		t.Error("a stranger is known")
	}
	hosts := budi.hostsHeard()
	if len(hosts) != 1 || hosts[0] != ana.self || len(ana.hostsHeard()) != 0 {
		t.Fatalf("budi hears of %v, ana of %v", hosts, ana.hostsHeard())
	}
	for range 10 {
		must(t, budi.met.Hear(hosts, metEach, time.Now()))
	}
	budi.stop()
	again := startAt(t, budi.home, "budi", ana)
	if l := again.lists(o.Room, web.StateComing); !l.Known {
		t.Error("who was heard of for ten minutes is a stranger after a restart")
	}
}
