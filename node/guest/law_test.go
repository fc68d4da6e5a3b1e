package guest_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/guest"
	"github.com/earshot-audio/earshot/protocol"
)

// back offers as somebody who had a session.
func back(t testing.TB, d *guest.Door, client *http.Client, session string) *http.Response {
	t.Helper()
	return send(t, d, client, "POST", "/api/rooms/"+sky.String()+"/whep",
		http.Header{"Content-Type": {"application/sdp"}, "Earshot-Session": {session[len("/api/sessions/"):]}}, "v=0\r\n")
}

func refused(t testing.TB, what string, r *http.Response, status int, why string) {
	t.Helper()
	if got := code(t, r); r.StatusCode != status || got != why {
		t.Errorf("%s: %s %s, want %d %s", what, r.Status, got, status, why)
	}
}

func (b *backend) rules(law guest.Law) { b.change(func() { b.law = law }) }

// Into a room that is locked or paused nobody new comes. Who is there stays, and comes
// back after a break, as one.
func TestShutRooms(t *testing.T) {
	b := newBackend()
	d := run(t, b, nil)
	there := offer(t, d, from(t, 1)).Header.Get("Location")
	left := offer(t, d, from(t, 1)).Header.Get("Location")
	removed := offer(t, d, from(t, 2)).Header.Get("Location")
	if r := send(t, d, from(t, 1), "DELETE", left, nil, ""); r.StatusCode != http.StatusOK || !d.Remove(d.Guests()[1].ID) {
		t.Fatal(r.Status)
	}
	b.rules(guest.Law{Shut: true})
	if b.playing() != 1 {
		t.Errorf("%d play on when the room is locked", b.playing())
	}
	refused(t, "somebody new", offer(t, d, from(t, 3)), http.StatusForbidden, "locked")
	refused(t, "one who tells of a session that was not", back(t, d, from(t, 4), "/api/sessions/session-99"), http.StatusForbidden, "locked")
	refused(t, "who was removed, from elsewhere", back(t, d, from(t, 5), removed), http.StatusForbidden, "removed")
	wants(t, "who left just now", back(t, d, from(t, 1), left), http.StatusCreated)
	refused(t, "as the same once more", back(t, d, from(t, 6), left), http.StatusForbidden, "locked")
	now := back(t, d, from(t, 7), there)
	wants(t, "who loads the page anew", now, http.StatusCreated)
	if b.playing() != 2 {
		t.Errorf("%d play, though one took over from who they were", b.playing())
	}
	refused(t, "as who has moved", back(t, d, from(t, 8), there), http.StatusForbidden, "locked")
	wants(t, "and anew", back(t, d, from(t, 7), now.Header.Get("Location")), http.StatusCreated)
	b.rules(guest.Law{})
	wants(t, "somebody new, once it is open again", offer(t, d, from(t, 3)), http.StatusCreated)
}

// Who comes back keeps what the room knows of them, and is not gone from it.
func TestComingBackAsThemselves(t *testing.T) {
	b := newBackend()
	d, comes := secure(t, b)
	gita := comes(1)
	gita.listens()
	wants(t, "gita says who she is", gita.says(gita.here()), http.StatusNoContent)
	wants(t, "gita speaks", gita.speaks(), http.StatusCreated)
	gita.returns()
	if _, known, went, speaking := b.told(); known != 2 || went != 0 || speaking != 0 {
		t.Errorf("%d known, %d went, %d speak", known, went, speaking)
	}
	if all := d.Guests(); len(all) != 1 || all[0].Who == "" || b.playing() != 1 {
		t.Errorf("the door has %+v", all)
	}
	wants(t, "gita leaves", gita.ask("DELETE", gita.session, nil, ""), http.StatusOK)
	if _, _, went, _ := b.told(); went != 1 {
		t.Error("the room was not told")
	}
}

// returns comes back by a new connection.
func (p *person) returns() {
	p.t.Helper()
	r := p.ask("POST", "/api/rooms/"+sky.String()+"/whep", http.Header{"Content-Type": {"application/sdp"}, "Earshot-Session": {p.session[len("/api/sessions/"):]}}, "v=0\r\n")
	if p.session = r.Header.Get("Location"); r.StatusCode != http.StatusCreated {
		p.t.Fatal(r.Status)
	}
}

// eventually waits for what another goroutine of the door does.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// A ban ends the visit of who has the key, and keeps the key and its household out for
// as long as it holds; others hear on.
func TestBanned(t *testing.T) {
	b := newBackend()
	d, comes := secure(t, b)
	gita, hadi := comes(1), comes(2)
	for _, p := range []*person{gita, hadi} {
		p.listens()
		wants(t, "a guest says who they are", p.says(p.here()), http.StatusNoContent)
	}
	who := d.Guests()[0].Who
	before := gita.session
	d.SendAway(protocol.RoomID{9}, who, true)
	b.rules(guest.Law{Banned: []protocol.PeerID{who}})
	d.SendAway(sky, who, true)
	eventually(t, "she hears on", func() bool { return b.playing() == 1 })
	if all := d.Guests(); len(all) != 1 || all[0].Who == who {
		t.Errorf("the door has %+v", all)
	}
	whep := "/api/rooms/" + sky.String() + "/whep"
	refused(t, "she comes back", gita.ask("POST", whep, http.Header{"Content-Type": {"application/sdp"}, "Earshot-Session": {before[len("/api/sessions/"):]}}, "v=0\r\n"), http.StatusForbidden, "banned")
	refused(t, "somebody from there", gita.ask("POST", whep, typeSDP, "v=0\r\n"), http.StatusForbidden, "banned")
	moved := comes(3)
	moved.key, moved.sequence = gita.key, gita.sequence
	moved.listens()
	refused(t, "her key from elsewhere", moved.says(moved.here()), http.StatusForbidden, "banned")
	if b.playing() != 1 {
		t.Error("she hears on from elsewhere")
	}
	refused(t, "and again from there", moved.ask("POST", whep, typeSDP, "v=0\r\n"), http.StatusForbidden, "banned")
	b.rules(guest.Law{})
	gita.listens()
	wants(t, "once the ban is over", gita.says(gita.here()), http.StatusNoContent)
	if slices.ContainsFunc(d.Guests(), func(g guest.Guest) bool { return g.Who == who }) != true {
		t.Error("she is not known again")
	}
}

// Who comes back without saying again who they are, is who they were to a ban.
func TestBannedAfterComingBack(t *testing.T) {
	for name, banned := range map[string]func(b *backend, d *guest.Door, who protocol.PeerID, back func() int){
		"before": func(b *backend, _ *guest.Door, who protocol.PeerID, back func() int) {
			b.rules(guest.Law{Banned: []protocol.PeerID{who}})
			if status := back(); status != http.StatusForbidden {
				t.Errorf("who was banned meanwhile comes back: %d", status)
			}
		},
		"after": func(b *backend, d *guest.Door, who protocol.PeerID, back func() int) {
			if status := back(); status != http.StatusCreated {
				t.Errorf("who comes back: %d", status)
			}
			b.rules(guest.Law{Banned: []protocol.PeerID{who}})
			d.SendAway(sky, who, true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend()
			d, comes := secure(t, b)
			gita, elsewhere := comes(1), comes(2)
			gita.listens()
			wants(t, "gita says who she is", gita.says(gita.here()), http.StatusNoContent)
			who := d.Guests()[0].Who
			wants(t, "her page is gone", gita.ask("DELETE", gita.session, nil, ""), http.StatusOK)
			banned(b, d, who, func() int {
				return elsewhere.ask("POST", "/api/rooms/"+sky.String()+"/whep",
					http.Header{"Content-Type": {"application/sdp"}, "Earshot-Session": {gita.session[len("/api/sessions/"):]}}, "v=0\r\n").StatusCode
			})
			eventually(t, "she hears on", func() bool { return b.playing() == 0 })
			refused(t, "somebody from there", elsewhere.ask("POST", "/api/rooms/"+sky.String()+"/whep", typeSDP, "v=0\r\n"), http.StatusForbidden, "banned")
		})
	}
}

// Whom the room removes goes, and comes again only if they want to.
func TestRemovedFromTheRoom(t *testing.T) {
	b := newBackend()
	d, comes := secure(t, b)
	gita := comes(1)
	gita.listens()
	wants(t, "gita says who she is", gita.says(gita.here()), http.StatusNoContent)
	before := gita.session
	d.SendAway(sky, d.Guests()[0].Who, false)
	eventually(t, "she hears on", func() bool { return b.playing() == 0 })
	refused(t, "her page, by itself", gita.ask("POST", "/api/rooms/"+sky.String()+"/whep",
		http.Header{"Content-Type": {"application/sdp"}, "Earshot-Session": {before[len("/api/sessions/"):]}}, "v=0\r\n"), http.StatusForbidden, "removed")
	gita.listens()
	wants(t, "and herself", gita.says(gita.here()), http.StatusNoContent)
}
