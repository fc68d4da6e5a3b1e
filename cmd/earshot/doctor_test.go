package main

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

func ill() web.Diagnosis {
	return web.Diagnosis{Headline: "Others can't come here, and sound takes a detour.", Seconds: 2.5, Findings: []web.Finding{
		{Code: "known", OK: true, Says: "Three others are known, and all of them answer."},
		{Code: "udp-blocked", Says: "The network here lets no UDP through.", Do: "ask whoever runs it to open UDP 41641 and 41642", Detail: "no STUN answer from 2 servers"},
	}}
}

func TestDoctorReadsLikeAPerson(t *testing.T) {
	f := &fakeNode{diagnosis: ill()}
	dir := home(t, f)
	got, stderr, code := call{home: dir}.run(t, "doctor")
	want := `Others can't come here, and sound takes a detour.
  ✓ Three others are known, and all of them answer.
  ✗ The network here lets no UDP through.
    → ask whoever runs it to open UDP 41641 and 41642
    no STUN answer from 2 servers
`
	if got != want || stderr != "" || code != exitDone {
		t.Errorf("code %d, %q, stdout\n%s\nwant\n%s", code, stderr, got, want)
	}
	for _, of := range []string{"7k2m", "ana", "/ip4/192.0.2.7/udp/41641/quic-v1/p2p/12D3KooWMC3qbrFudvZonM1agmzcYm69zpq38ffDfkd92hrZXyiM"} {
		if _, stderr, code := (call{home: dir}).run(t, "doctor", of); code != exitDone || f.examined() != of {
			t.Errorf("%s: code %d, %q, examined %q", of, code, stderr, f.examined())
		}
	}
	if _, stderr, code := (call{home: dir}).run(t, "doctor", "zzzz"); code != exitFailed || stderr != "earshot: nobody known has a room zzzz; ask for its link\n" {
		t.Errorf("code %d, %q", code, stderr)
	}
}

func TestNetworkFinding(t *testing.T) {
	for _, c := range []struct {
		addrs     string
		four, six string
		says      string
	}{
		{"", "none", "none", "on no network."},
		{"192.168.1.5", "private", "none", "(IPv4 alone)"},
		{"100.64.3.4 10.0.0.5", "private", "none", "(IPv4 alone)"},
		{"10.0.0.5 203.0.113.7", "public", "none", "(IPv4 alone)"},
		{"fd00::5", "none", "private", "(IPv6 alone)"},
		{"2001:db8::5 fd00::5 10.0.0.5", "private", "public", "(IPv4 and IPv6)"},
	} {
		var addrs []netip.Addr
		for _, a := range strings.Fields(c.addrs) {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		if four, six := families(addrs); four != c.four || six != c.six {
			t.Errorf("%s: %s and %s, want %s and %s", c.addrs, four, six, c.four, c.six)
		}
		if f := networkFinding(addrs); f.OK != (c.addrs != "") || !strings.Contains(f.Says, c.says) || f.OK == (f.Do != "") {
			t.Errorf("%s: %+v, want %q", c.addrs, f, c.says)
		}
	}
}

func TestClockFinding(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "earshot.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for behind, ok := range map[time.Duration]bool{-48 * time.Hour: true, 0: true, clockOff / 2: true, 2 * clockOff: false, 365 * 24 * time.Hour: false} {
		if f := clockFinding(files, now.Add(-behind)); f.OK != ok {
			t.Errorf("%v behind: %+v", behind, f)
		}
	}
}

func TestHomeThatCantBeWritten(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone")
	if f := spaceFinding(gone, "or another"); f.OK || f.Code != codeHomeUnwritable || f.Do == "" {
		t.Errorf("%+v", f)
	}
	if diskFull(fs.ErrPermission) || diskFull(errors.New("full")) {
		t.Error("the disk is full for any reason")
	}
}

// statusGiver is a node of which only the status is asked.
type statusGiver struct {
	status web.Status
	err    error
}

func (g statusGiver) Status(context.Context) (web.Status, error) { return g.status, g.err }

func TestLookAround(t *testing.T) {
	told := errors.New("told")
	alone := func() error { return told }
	for _, c := range []struct {
		node statusGiver
		want error
	}{
		{statusGiver{status: web.Status{Alone: true}}, told},
		{statusGiver{}, nil},
		{statusGiver{status: web.Status{Alone: true}, err: errors.New("no")}, nil},
	} {
		if got := lookAround(t.Context(), c.node, 0, alone); got != c.want {
			t.Errorf("%+v: %v", c.node, got)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := lookAround(ended, statusGiver{status: web.Status{Alone: true}}, time.Hour, alone); err != nil {
		t.Errorf("a node that ended: %v", err)
	}
}

func TestMeet(t *testing.T) {
	address := "/ip4/192.0.2.7/tcp/1/p2p/12D3KooWMC3qbrFudvZonM1agmzcYm69zpq38ffDfkd92hrZXyiM"
	link := (&protocol.Link{Room: protocol.RoomID{1}}).String()
	for _, c := range []struct {
		args       []string
		met        web.Met
		asked      web.MeetRequest
		out, error string
		code       int
	}{
		{[]string{link}, web.Met{Found: 2, Neighbors: 3, Room: roomID}, web.MeetRequest{Link: link},
			"Met 2 others; 3 nodes near now. Hear the room: earshot listen 7k2mabcd\n", "", exitDone},
		{[]string{address}, web.Met{Found: 1, Neighbors: 1}, web.MeetRequest{Address: address},
			"Met 1 other; 1 node near now. What is live: earshot rooms\n", "", exitDone},
		{[]string{link}, web.Met{}, web.MeetRequest{Link: link}, "",
			"earshot: nobody of those whom the link names answers; see why: earshot doctor LINK; or ask for a new link\n", exitFailed},
		{[]string{address}, web.Met{}, web.MeetRequest{Address: address}, "",
			"earshot: nobody answers there; see why: earshot doctor " + address + "\n", exitFailed},
		{[]string{"--local"}, web.Met{Neighbors: 4}, web.MeetRequest{Local: true}, "",
			"earshot: nobody new was found (near already: 4 nodes); what is live: earshot rooms\n", exitFailed},
		{[]string{"--local"}, web.Met{}, web.MeetRequest{Local: true}, "",
			"earshot: nobody on this network answered; guest networks often keep people apart; a link works all the same: earshot meet LINK\n", exitFailed},
		{[]string{"--public", "--yes"}, web.Met{Found: 1, Neighbors: 1}, web.MeetRequest{Public: true},
			strangers + "Met 1 other; 1 node near now. What is live: earshot rooms\n", "", exitDone},
		{[]string{"--public", "--yes"}, web.Met{}, web.MeetRequest{Public: true},
			strangers, "earshot: no stranger was found; try later, or ask somebody for a link: earshot meet LINK\n", exitFailed},
		{[]string{"--public"}, web.Met{Found: 1}, web.MeetRequest{}, "",
			"earshot: strangers are looked for only when a person says yes; read what it shows of you: earshot meet --help; then add --yes\n", exitUsage},
	} {
		f := &fakeNode{met: c.met}
		out, stderr, code := call{home: home(t, f), stdin: strings.NewReader("y\n")}.run(t, append([]string{"meet"}, c.args...)...)
		if out != c.out || stderr != c.error || code != c.code || f.asked != c.asked {
			t.Errorf("%v: code %d, %q, %q, asked %+v", c.args, code, out, stderr, f.asked)
		}
	}
}

func TestReachWords(t *testing.T) {
	addrs := []string{"/ip4/192.168.1.5/udp/41641/quic-v1/p2p/" + budiID, "/ip4/192.168.1.5/tcp/41641/p2p/" + budiID,
		"/ip4/192.0.2.7/udp/4/quic-v1/p2p/" + budiID + "/p2p-circuit/p2p/" + anaID}
	// budiID and its like are no real IDs: addresses with them don't parse.
	for i := range addrs[:2] {
		addrs[i], _, _ = strings.Cut(addrs[i], "/p2p/")
	}
	for _, c := range []struct {
		reach web.Reach
		want  string
	}{
		{web.Reach{}, "UDP 41641, TCP 41641 on this network; whether others come in from outside: earshot doctor"},
		{web.Reach{Reach: "unknown", NAT: "unknown"}, "UDP 41641, TCP 41641 on this network; whether others come in from outside: earshot doctor"},
		{web.Reach{Reach: "public", NAT: "none", UDP: "works"}, "on an Internet address (UDP 41641, TCP 41641); nobody has tried it yet"},
		{web.Reach{Reach: "public", Confirmed: true, Addresses: []string{"/ip4/203.0.113.7/tcp/41641"}}, "others come here directly (TCP 41641)"},
		{web.Reach{Reach: "mapped", Addresses: []string{"/ip4/203.0.113.7/udp/41641/quic-v1"}, Mapped: []string{"203.0.113.7:41642", "[2001:db8::1]:41642", "odd"}},
			"through your router (UDP 41641, UDP 41642)"},
		{web.Reach{Reach: "mapped"}, "through your router"},
		{web.Reach{Reach: "private", NAT: "endpoint-independent", Circuits: []string{citraID}}, "behind a home router; others come here by hole punching or through 12D3KooW…hCit"},
		{web.Reach{Reach: "private", NAT: "dependent", Circuits: []string{citraID, dewiID}}, "behind a router that changes ports; others come here through 12D3KooW…hCit and 1 more"},
		{web.Reach{Reach: "private", NAT: "dependent"}, "behind a router that changes ports; others can't come here: nobody known passes them on"},
		{web.Reach{Reach: "private", UDP: "blocked", Circuits: []string{dewiID}}, "behind a router or firewall; others come here through 12D3KooW…Dewi; UDP is blocked, so sound goes by a stream"},
	} {
		if got := reach(c.reach, addrs); !strings.HasPrefix(got, strings.ReplaceAll(c.want, "hCit", citraID[len(citraID)-4:])) {
			t.Errorf("%+v:\n%s\nwant\n%s", c.reach, got, c.want)
		}
	}
	if got := reach(web.Reach{}, nil); !strings.HasPrefix(got, "nowhere") {
		t.Error(got)
	}
	got := serving(web.Serves{Policy: "all", Reservations: 2, Circuits: 1, Refused: 1234, Bytes: 12_400_000})
	if want := "1 connection of others, 2 nodes may be reached through this one, 1 234 refused, 12 MB so far"; got != want || serving(web.Serves{Policy: "all"}) != "" {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPathWords(t *testing.T) {
	for want, l := range map[string]web.LinkLine{
		"UDP":                       {Path: "udp", Control: "direct"},
		"stream":                    {Path: "stream", Control: "direct"},
		"stream through ana":        {Path: "stream", Control: "circuit", Via: anaID},
		"UDP, arranged through ana": {Path: "udp", Control: "circuit", Via: anaID},
	} {
		if got := pathWords(l, "ana"); got != want {
			t.Errorf("%+v: %q, want %q", l, got, want)
		}
	}
}
