package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

func (f *fakeNode) People(context.Context) ([]web.Person, error) {
	until := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return []web.Person{
		{Peer: citraID, Name: "c1tra", Petname: "Citra", Followed: true},
		{Peer: anaID, Name: "ana", Blocked: true, BlockedUntil: &until},
	}, nil
}

func (f *fakeNode) Note(_ context.Context, r web.NoteRequest) (web.Person, error) {
	p := web.Person{Peer: citraID, Name: "c1tra", Petname: "Citra"}
	what := "note " + r.Who
	if r.Block != nil {
		p.Blocked = *r.Block
		what += " block " + map[bool]string{true: "yes", false: "no"}[*r.Block]
	}
	if r.ForMS > 0 {
		until := time.Now().Add(time.Duration(r.ForMS) * time.Millisecond)
		p.BlockedUntil = &until
		what += " " + (time.Duration(r.ForMS) * time.Millisecond).String()
	}
	if r.Petname != nil {
		p.Petname = *r.Petname
		what += " call " + string(*r.Petname)
	}
	if r.Follow != nil {
		p.Followed = *r.Follow
		what += " follow"
	}
	return p, f.act(what)
}

func TestNotesAboutPeople(t *testing.T) {
	f := &fakeNode{view: sky()}
	dir := home(t, f)
	for _, c := range []struct{ args, did, want string }{
		{"block c1tra", "note c1tra block yes", "You neither hear nor read Citra any more, until: earshot unblock Citra. Nobody else is told.\n"},
		{"block c1tra --for 24h", "note c1tra block yes 24h0m0s", "You neither hear nor read Citra any more, until 20"},
		{"unblock Citra", "note Citra block no", "Citra is heard and read here again.\n"},
		{"call c1tra Citra", "note c1tra call Citra", "c1tra is Citra to you, in every room. Nobody else is told.\n"},
		{"follow Citra", "note Citra follow", "You follow Citra: rooms that they open or announce are marked in earshot rooms.\n"},
		{"unfollow Citra", "note Citra follow", "You don't follow Citra any more.\n"},
		{"blocks", "", "-  ana  " + anaID + "  blocked until 2026-11-2"},
		{"names", "", "Citra  c1tra  " + citraID + "\n"},
		{"following", "", "Citra  c1tra  " + citraID + "\n\nWhy the sky is dark  7k2mabcd  closed\n"},
		{"following --rooms", "", "Why the sky is dark  7k2mabcd  closed\n"},
		{"follow --room 7k2m", "follow 7k2m true", "You follow Why the sky is dark: earshot rooms marks it when it is live or to come. Nobody else is told.\n"},
		{"unfollow " + roomLink, "follow " + roomLink + " false", "You don't follow Why the sky is dark any more.\n"},
	} {
		f.acts = nil
		got, stderr, code := call{home: dir}.run(t, strings.Fields(c.args)...)
		if !strings.HasPrefix(got, c.want) || code != 0 || strings.Join(f.acts, ";") != c.did {
			t.Errorf("%s: code %d, %q %q did %q, want %q", c.args, code, got, stderr, f.acts, c.want)
		}
	}
	for args, want := range map[string]string{
		"block":                "earshot: earshot block needs WHO; for example: earshot block budi\n",
		"block budi --for -1h": "earshot: --for: a block can't last less than no time; for example --for 24h\n",
		"follow":               "earshot: earshot follow needs WHO; for example: earshot follow budi\n",
		"follow budi --room q": "earshot: earshot follow does not know what to do with \"budi\"; for example: earshot follow budi\n",
		"follow --room=":       "earshot: an empty ROOM names no room; earshot rooms lists them\n",
		"call budi":            "earshot: earshot call needs NAME; for example: earshot call budi \"Budi from Bandung\"\n",
	} {
		if _, stderr, code := (call{home: dir}).run(t, strings.Fields(args)...); stderr != want || code != 2 {
			t.Errorf("%s: code %d, %q", args, code, stderr)
		}
	}
}

// roomLink is a link that reads.
var roomLink = protocol.Link{Room: protocol.RoomID{7}}.String()

func (f *fakeNode) Profile(_ context.Context, who string) (web.Profile, error) {
	return web.Profile{Peer: citraID, Name: "c1tra", Petname: "Citra", Colour: "teal"}, f.act("profile " + who)
}

func (f *fakeNode) Describe(_ context.Context, r web.ProfileRequest) (web.Profile, error) {
	return web.Profile{Peer: citraID, Name: "me", Text: *r.Text, Colour: *r.Colour}, f.act("describe")
}

func TestProfile(t *testing.T) {
	f := &fakeNode{view: sky()}
	dir := home(t, f)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"profile", "Citra"}, "name    c1tra\nto you  Citra\ntext    -\ncolour  teal\npeer    " + citraID + "\n"},
		{[]string{"profile", "--text", "I read aloud", "--colour", ""}, "name    me\ntext    I read aloud\ncolour  -\npeer    " + citraID + "\n"},
	} {
		if got, stderr, code := (call{home: dir}).run(t, c.args...); got != c.want || code != 0 {
			t.Errorf("%q: code %d, %q %q", c.args, code, got, stderr)
		}
	}
	if got := strings.Join(f.acts, ";"); got != "profile Citra;describe" {
		t.Errorf("did %q", got)
	}
	if _, stderr, code := (call{home: dir}).run(t, "profile", "Citra", "--text", "a liar"); code != 2 || !strings.Contains(stderr, "not of Citra") {
		t.Errorf("code %d, %q", code, stderr)
	}
}

// A room shows one's own names for people, and whom one may take for another.
func TestRoomShowsNotes(t *testing.T) {
	v := sky()
	v.Members[0].Petname = "Ana of Aceh"
	for i := range v.Members {
		if v.Members[i].Name == "eko" {
			v.Members[i].SimilarTo, v.Members[i].Blocked = []string{citraID}, true
		}
	}
	got := (&program{env: func(string) (string, bool) { return "", false }}).describe(v, time.Now())
	for _, want := range []string{"Ana of Aceh", "has a name like that of citra (" + shortPeer(citraID) + ")", "blocked  eko"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// A room that is closed or to come says what one can do, and not to listen.
func TestRoomFromOutside(t *testing.T) {
	for _, c := range []struct {
		v    web.RoomView
		want string
	}{
		{web.RoomView{State: web.StateLive}, "not in it; hear it with: earshot listen 7k2mabcd"},
		{web.RoomView{State: web.StateLive, Relay: citraID}, "not in it; hear it with: earshot listen 7k2mabcd"},
		{web.RoomView{State: web.StateComing, Closed: true}, "not in it yet; have it marked when it opens: earshot follow --room 7k2mabcd"},
		{web.RoomView{State: web.StateComing, Closed: true, Following: true}, "not in it yet"},
		{web.RoomView{State: web.StateComing, Closed: true, YouMay: []string{"reopen"}}, "its host; your node opens it then, and now by: earshot reopen 7k2mabcd"},
		{web.RoomView{State: web.StateClosed, Closed: true}, "not in it; its host can open it again"},
		{web.RoomView{State: web.StateClosed, Closed: true, YouMay: []string{"reopen"}}, "its host; open it with: earshot reopen 7k2mabcd"},
	} {
		c.v.Room, c.v.Next = roomID, &time.Time{}
		got := (&program{env: func(string) (string, bool) { return "", false }}).describe(c.v, time.Now())
		if !strings.Contains(got, "you      "+c.want+"\n") || strings.Contains(got, "relay") == c.v.Closed || strings.Contains(got, "term") {
			t.Errorf("%q is not in\n%s", c.want, got)
		}
	}
}

func TestFollowedRooms(t *testing.T) {
	r := web.RoomLine{Joined: true, Listed: true, Followed: []web.Followed{{Peer: citraID, Petname: "Citra", Host: true}, {Peer: anaID}}}
	if got, want := standing(r), "you are in it; Citra opened it; "+shortPeer(anaID)+" carries it"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	before := r
	before.Followed = nil
	if sameRoom(before, r) {
		t.Error("that somebody whom one follows has opened it is no change")
	}
}
