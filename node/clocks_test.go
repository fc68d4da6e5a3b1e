package node

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

// TestClocksDecideNothing has a room of which one moderator's clock is a day ahead
// and a listener's a day behind. All agree on who may do what; the times shown alone
// differ.
func TestClocksDecideNothing(t *testing.T) {
	off := func(by time.Duration) func(*Config) {
		return func(c *Config) { c.Wall = func() time.Time { return time.Now().Add(by) } }
	}
	const day = 24 * time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	ana := start(t, "ana")
	ahead, behind, dewi := startWith(t, "ahead", off(day), ana), startWith(t, "behind", off(-day), ana), start(t, "dewi", ana)
	nodes := []*running{ana, ahead, behind, dewi}
	o := ana.open(ctx, "What time is it?", "host")
	var ears []*ear
	for _, n := range nodes[1:] {
		n.eventually("the room is in the directory", n.sees(o.Room))
		ears = append(ears, n.listen(ctx, o.Room))
	}
	does := func(n *running, r web.ActRequest) {
		t.Helper()
		must(t, n.Act(ctx, o.Room, r))
		hash := n.view(o.Room).Log
		for _, other := range nodes {
			other.eventually("all hold one log", func() bool { return other.view(o.Room).Log == hash })
		}
	}
	for _, n := range nodes {
		n.eventually("attached", n.attached(o.Room))
	}
	does(ana, web.ActRequest{Act: web.ActGrant, Peer: "ahead", Role: "moderator"})
	does(ahead, web.ActRequest{Act: web.ActGrant, Peer: "behind", Role: "moderator"})
	does(behind, web.ActRequest{Act: web.ActTitle, Text: "Yesterday"})
	does(ahead, web.ActRequest{Act: web.ActTitle, Text: "Tomorrow"})
	does(behind, web.ActRequest{Act: web.ActGrant, Peer: "dewi", Role: "speaker"})
	does(ahead, web.ActRequest{Act: web.ActMute, Peer: "dewi"})
	does(behind, web.ActRequest{Act: web.ActUnmute, Peer: "dewi"})
	does(behind, web.ActRequest{Act: web.ActTitle, Text: "Today"}) // the last, if the earliest by its clock

	talking, quiet := context.WithCancel(ctx)
	spoken := make(chan error, 1)
	go func() { spoken <- dewi.talk(talking, o.Room, 'd', 100_000) }()
	for i, n := range nodes[1:3] {
		n.eventually("dewi is heard", func() bool { return ears[i].count('d') > 25 })
	}
	quiet()
	<-spoken

	shown := func(n *running) (v web.RoomView, roles []string) {
		v = n.view(o.Room)
		for _, m := range v.Members {
			roles = append(roles, string(m.Name)+" "+m.Role)
		}
		return v, roles
	}
	want, roles := shown(ana)
	if want.Title != "Today" {
		t.Errorf("the room is called %q", want.Title)
	}
	for _, n := range nodes[1:] {
		if v, all := shown(n); v.Title != want.Title || v.Log != want.Log || v.Relay != want.Relay || v.Term != want.Term || !slices.Equal(all, roles) {
			t.Errorf("%s shows %q, log %s, relay %s (%d), %q; ana %q, %s, %s (%d), %q", n.name, v.Title, v.Log, v.Relay, v.Term, all, want.Title, want.Log, want.Relay, want.Term, roles)
		}
	}
	log, err := dewi.Log(ctx, o.Room)
	must(t, err)
	for _, a := range log.Actions {
		by := map[string]time.Duration{ahead.self.String(): day, behind.self.String(): -day}[a.Actor]
		if d := a.At.Sub(time.Now().Add(by)).Abs(); d > time.Minute || !a.Stands {
			t.Errorf("%s by %s is shown %v off its clock, stands: %v", a.Act, a.Name, d, a.Stands)
		}
	}
	for i, e := range ears {
		e.stop(nodes[i+1].t)
	}
}
