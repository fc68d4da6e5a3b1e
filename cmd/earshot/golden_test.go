package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

const (
	anaID   = "12D3KooWAnaAnaAnaAnaAnaAnaAnaAnaAnaAnaAnaAnaAnaAnaAna"
	budiID  = "12D3KooWBudiBudiBudiBudiBudiBudiBudiBudiBudiBudiBudi"
	citraID = "12D3KooWCitraCitraCitraCitraCitraCitraCitraCitraCit"
	dewiID  = "12D3KooWDewiDewiDewiDewiDewiDewiDewiDewiDewiDewiDewi"
	roomID  = "7k2mabcdefghijklmnopqrstuvwxyz234567abcdefghijklmnop"
)

// sky is the room of the golden transcripts, as dewi's node sees it.
func sky() web.RoomView {
	return web.RoomView{
		Room: roomID, Title: "Why the sky is dark", Link: "earshot:room/" + roomID + "/AAAA",
		Host: budiID, Stage: "open", Listed: true, Started: time.Now().Add(-18*time.Minute - 20*time.Second),
		Term: 2, TermSinceMS: (17*time.Minute + 5*time.Second).Milliseconds(), Relay: budiID, Standby: citraID, Independent: true,
		Members: []web.Member{
			{Peer: budiID, Name: "budi", Role: "host", Speaking: true},
			{Peer: citraID, Name: "citra", Role: "speaker", Listening: true, Guests: 3},
			{Peer: dewiID, Name: "dewi", Role: "listener", Listening: true, Hand: 1, You: true},
			{Peer: "12D3KooWEko", Name: "eko", Role: "listener", Listening: true, Hand: 2, Recording: true},
			{Peer: "12D3KooWFitri", Name: "fitri", Role: "listener", Listening: true},
			{Peer: "12D3KooWGita", Name: "gita", Role: "listener", Listening: true, GuestOf: citraID},
		},
		Links: []web.LinkLine{
			{Peer: budiID, Name: "budi", Direction: "up", Path: "udp", RTTms: 31, ReceivedKbps: 41},
			{Peer: citraID, Name: "citra", Direction: "standby", Path: "udp", RTTms: 12},
		},
		Dropped: map[string]int64{"not_on_stage": 1200, "stale": 0},
	}
}

func TestRoomReadsLikeTheTranscript(t *testing.T) {
	f := &fakeNode{view: sky()}
	got, stderr, code := call{home: home(t, f)}.run(t, "room", "7k2m")
	want := `Why the sky is dark                       live 18 min, 7 listening, open stage
  relay    budi      term 2 since 17 min      standby citra
  stage    budi      speaking, host
           citra     microphone off
  hands    1 dewi (you)   2 eko
  here     eko, fitri, gita, 2 guests of citra
  you      listening from budi (UDP, 31 ms, 0.0 % lost, 41 kbit/s), warm from citra
  records  eko
  dropped  1 200 not on stage
  link     earshot:room/` + roomID + `/AAAA
`
	if got != want || stderr != "" || code != 0 {
		t.Errorf("code %d, stderr %q, stdout\n%s\nwant\n%s", code, stderr, got, want)
	}
}

func TestRoomsTable(t *testing.T) {
	f := &fakeNode{rooms: []web.RoomLine{
		{Room: roomID, Title: "Why the sky is dark", Speakers: 2, Listeners: 4, Language: "en", Started: time.Now().Add(-18*time.Minute - time.Second), Joined: true, Listed: true},
		{Room: "q" + roomID[1:], Title: strings.Repeat("long ", 20), Listeners: 1, Listed: true},
	}}
	got, _, code := call{home: home(t, f)}.run(t, "rooms")
	want := `ROOM      TITLE                                         LIVE    SPEAKING  LISTENING  LANGUAGE
7k2mabcd  Why the sky is dark                           18 min  2         4          en        you are in it
qk2mabcd  long long long long long long long long lon…  -       0         1          -
`
	if got != want || code != 0 {
		t.Errorf("code %d, stdout\n%s\nwant\n%s", code, got, want)
	}
}

// TestRoomsToCome: those to come stand below the live ones; for scripts only if they
// ask for them.
func TestRoomsToCome(t *testing.T) {
	next := time.Date(2126, 12, 1, 19, 0, 0, 0, time.Local)
	live := web.RoomLine{Room: roomID, Title: "Why the sky is dark", Joined: true, Listed: true, Locked: true, State: web.StateLive, Next: &next}
	f := &fakeNode{rooms: []web.RoomLine{live,
		{Room: "q" + roomID[1:], Title: "Book club", Language: "en", Listed: true, State: web.StateComing, Next: &next, Following: true},
		{Room: "r" + roomID[1:], Title: "Just us", State: web.StateComing, Next: &next}}}
	dir := home(t, f)
	got, _, code := call{home: dir}.run(t, "rooms")
	want := `ROOM      TITLE                LIVE  SPEAKING  LISTENING  LANGUAGE
7k2mabcd  Why the sky is dark  -     0         0          -         you are in it; locked; next 2126-12-01 19:00

TO COME   TITLE      OPENS             LANGUAGE
qk2mabcd  Book club  2126-12-01 19:00  en        you follow it
rk2mabcd  Just us    2126-12-01 19:00  -         not listed
`
	if got != want || code != 0 {
		t.Errorf("code %d, stdout\n%s\nwant\n%s", code, got, want)
	}
	for args, count := range map[string]int{"rooms --json": 1, "rooms --json --all": 3} {
		if got, _, _ := (call{home: dir}).run(t, strings.Fields(args)...); strings.Count(got, "\n") != count {
			t.Errorf("%s: %d rooms are wanted:\n%s", args, count, got)
		}
	}
	f.rooms = f.rooms[1:2]
	got, _, _ = call{home: dir}.run(t, "rooms")
	if !strings.HasPrefix(got, "No room is live") || !strings.Contains(got, "\n\nTO COME") {
		t.Errorf("none live:\n%s", got)
	}
}

func TestStatusOfOneAlone(t *testing.T) {
	f := &fakeNode{status: web.Status{Peer: "quiet-heron", Alone: true}}
	got, _, code := call{home: home(t, f)}.run(t, "status")
	if want := "  alone     no one in earshot yet; meet others: earshot meet --help\n"; !strings.Contains(got, want) || code != 0 {
		t.Errorf("code %d, %q does not say %q", code, got, want)
	}
}

func TestNoRoomsSaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		neighbors int
		want      string
	}{
		{0, "earshot meet LINK"},
		{3, `No room is live. Open one: earshot open "A title"`},
	} {
		f := &fakeNode{status: web.Status{Neighbors: c.neighbors}}
		dir := home(t, f)
		if got, _, code := (call{home: dir}).run(t, "rooms"); !strings.Contains(got, c.want) || code != 0 {
			t.Errorf("%d near: code %d, %q does not say %q", c.neighbors, code, got, c.want)
		}
		if got, _, _ := (call{home: dir}).run(t, "rooms", "--json"); got != "" {
			t.Errorf("no rooms as JSON is %q", got)
		}
	}
}

func TestOpen(t *testing.T) {
	f := &fakeNode{view: sky()}
	got, _, code := call{home: home(t, f)}.run(t, "open", "Why the sky is dark", "--stage", "open", "--speaker", anaID, "--speaker", budiID, "--lang", "en", "--topic", "sky", "--unlisted")
	want := "Why the sky is dark is open as 7k2mabcd.\n  earshot:room/" + roomID + "/AAAA\nAnyone can see it, and this node's address.\n"
	if got != want || code != 0 {
		t.Errorf("code %d, %q, want %q", code, got, want)
	}
	o := f.opened
	if o.Title != "Why the sky is dark" || o.Stage != "open" || len(o.Speakers) != 2 || o.Language != "en" || len(o.Topics) != 1 || !o.Unlisted {
		t.Errorf("asked for %+v", o)
	}
}

func TestOpenLater(t *testing.T) {
	f := &fakeNode{view: sky()}
	dir := home(t, f)
	got, _, code := call{home: dir}.run(t, "open", "Book club", "--at", "2126-12-01 19:00")
	want := "Book club opens at 2126-12-01 19:00 as 7k2mabcd.\n  earshot:room/" + roomID + "/AAAA\nAnyone can see it, and this node's address.\n"
	if at := time.Date(2126, 12, 1, 19, 0, 0, 0, time.Local); got != want || code != 0 || f.opened.At == nil || !f.opened.At.Equal(at) {
		t.Errorf("code %d, %q, want %q; at %v", code, got, want, f.opened.At)
	}
	got, _, _ = call{home: dir}.run(t, "open", "Book club", "--at", "2126-12-01T12:00:00Z", "--json")
	if want := `{"event":"coming","room":"` + roomID + `","link":"earshot:room/` + roomID + `/AAAA","notice":"Anyone can see it, and this node's address.","next":"2126-12-01T12:00:00Z"}` + "\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	got, _, code = call{home: dir}.run(t, "close", "7k2m", "--at", "2126-12-08 19:00")
	if want := "Why the sky is dark is closed, and opens again at 2126-12-08 19:00. Earlier: earshot reopen 7k2mabcd\n"; got != want || code != 0 {
		t.Errorf("code %d, %q, want %q", code, got, want)
	}
	got, _, _ = call{home: dir}.run(t, "room", "7k2m")
	if want := "opens at 2126-12-08 19:00"; !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, got)
	}
	for _, c := range []struct{ args, want string }{
		{"open T --at soon", `earshot: --at: "soon" is no time; for example --at "2026-12-01 19:00"` + "\n"},
		{"close 7k2m --at 2020-01-01T00:00:00Z", "earshot: --at: 2020-01-01T00:00:00Z is over; give a time to come\n"},
		{"open T --at=", `earshot: --at: "" is no time; for example --at "2026-12-01 19:00"` + "\n"},
		{"close 7k2m --at=", `earshot: --at: "" is no time; for example --at "2026-12-01 19:00"` + "\n"},
		{"reports 7k2m --dismiss first", `earshot: --dismiss: "first" is no number that fits; see: earshot reports --help` + "\n"},
	} {
		if _, stderr, code := (call{home: dir}).run(t, strings.Fields(c.args)...); stderr != c.want || code != 2 {
			t.Errorf("%s: code %d, %q", c.args, code, stderr)
		}
	}
}

func TestActs(t *testing.T) {
	f := &fakeNode{view: sky()}
	dir := home(t, f)
	for _, c := range []struct{ args, want string }{
		{"leave 7k2m", "You left Why the sky is dark.\n"},
		{"close 7k2m", "Why the sky is dark is closed. Its link opens it again: earshot reopen 7k2mabcd\n"},
		{"leave 7k2m --json", `{"event":"left","room":"` + roomID + `"}` + "\n"},
		{"close 7k2m --json", `{"event":"closed","room":"` + roomID + `"}` + "\n"},
		{"reopen 7k2m --json", `{"event":"reopened","room":"` + roomID + `","link":"earshot:room/` + roomID + `/AAAA"}` + "\n"},
	} {
		if got, stderr, code := (call{home: dir}).run(t, strings.Fields(c.args)...); got != c.want || code != 0 {
			t.Errorf("%s: code %d, %q %q, want %q", c.args, code, got, stderr, c.want)
		}
	}
	if _, stderr, code := (call{home: dir}).run(t, "close", "zzzz"); code != 1 || stderr != "earshot: nobody known has a room zzzz; ask for its link\n" {
		t.Errorf("code %d, %q", code, stderr)
	}
	if want := "leave " + roomID; len(f.acts) != 5 || f.acts[0] != want {
		t.Errorf("acts %q", f.acts)
	}
}

func TestStatus(t *testing.T) {
	f := &fakeNode{status: web.Status{
		Peer: "quiet-heron", PeerID: budiID, Version: "0.1.0", API: "http://127.0.0.1:8733", Home: "/home/ana/.local/state/earshot",
		UptimeMS: 60_000 * 18, Neighbors: 4, Rooms: []string{roomID}, Warnings: []string{"the clock is a day off"},
		Addrs:   []string{"/ip4/192.168.1.5/udp/41641/quic-v1/p2p/" + budiID},
		Links:   []web.LinkLine{{Peer: citraID, Name: "citra", Direction: "down", Path: "tcp", RTTms: 4, Loss: 0.011}},
		Dropped: map[string]int64{"malformed": 3},
		Upload:  web.Upload{LimitBPS: 2_500_000, SentBPS: 331_700, Places: 5, Children: 1},
		Reach:   web.Reach{Reach: "mapped", UDP: "works", Mapped: []string{"203.0.113.7:41642"}, Serves: web.Serves{Policy: "all", Circuits: 1}},
	}}
	got, _, code := call{home: home(t, f)}.run(t, "status")
	want := `quiet-heron (12D3KooW…Budi), up 18 min, version 0.1.0
  page      http://127.0.0.1:8733
  home      /home/ana/.local/state/earshot
  network   the common one, 4 nodes near
  reach     through your router (UDP 41642)
  carries   1 connection of others
  upload    331 kbit/s of 2.5 Mbit/s, 1 node served, room for 4
  rooms     7k2mabcd
  links     to citra (TCP, 4 ms, 1.1 % lost)
  dropped   3 malformed
  address   /ip4/192.168.1.5/udp/41641/quic-v1/p2p/` + budiID + `
  warning   the clock is a day off
`
	if got != want || code != 0 {
		t.Errorf("code %d, stdout\n%s\nwant\n%s", code, got, want)
	}
}

// TestPeoplesWords: what is printed for people has no words of the protocol,
// but relay and, in `room`, the term that the transcripts show.
func TestPeoplesWords(t *testing.T) {
	jargon := regexp.MustCompile(`(?i)\b(peer|peers|epoch|era|claim|parent|child|SSRC|lease|gossip)\b`)
	f := &fakeNode{view: sky(), rooms: []web.RoomLine{{Room: roomID, Title: "T"}}}
	dir := home(t, f)
	for _, args := range [][]string{{"room", "7k2m"}, {"rooms"}, {"status"}, {"open", "T"}, {"leave", "7k2m"}, {"listen", "7k2m"}, {"meet", "--public", "--yes"}, {"up"}} {
		got, _, _ := call{home: dir}.run(t, args...)
		if word := jargon.FindString(got); word != "" {
			t.Errorf("%v says %q:\n%s", args, word, got)
		}
	}
}
