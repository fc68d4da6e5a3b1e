package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// ekoReported is what dewi's node has of a report about eko.
func ekoReported() web.ReportLine {
	return web.ReportLine{
		N: 3, Came: time.Now(), By: web.ReportedPerson{Peer: citraID, Name: "citra"}, ByNew: true, Of: web.ReportedPerson{Peer: "12D3KooWEko", Name: "eko"},
		Why: "shouts at people", Role: "speaker", Hand: true, Spoke: []web.SpokeLine{{AgoMS: 12_000, LastedMS: 9_000}}, SpokeMS: 9_000,
		Said: []web.SaidLine{{Kind: "chat", Text: "you idiots", AgoMS: 3_000}, {Kind: "caption", Text: "go home", AgoMS: 1_000}}, Reactions: []web.ReactedLine{{Emoji: "👎", AgoMS: 500}},
	}
}

func (f *fakeNode) Report(_ context.Context, room string, r web.ReportRequest) (web.SentReport, error) {
	if room == "zzzz" {
		return web.SentReport{}, &protocol.Problem{Code: protocol.CodeUnknownRoom, Message: "nobody known has a room zzzz", Hint: "ask for its link"}
	}
	budi, citra := web.ReportedPerson{Peer: budiID, Name: "budi"}, web.ReportedPerson{Peer: citraID, Name: "citra"}
	sent := web.SentReport{Room: f.view.Room, Of: web.ReportedPerson{Peer: "12D3KooWEko", Name: "eko"}, Why: r.Why, Made: time.Now()}
	switch r.Peer {
	case "eko":
		sent.Told = []web.ReportedPerson{budi, citra}
	case "fitri":
		sent.Told, sent.Waiting = []web.ReportedPerson{budi}, []web.ReportedPerson{citra}
	default:
		sent.Waiting = []web.ReportedPerson{budi, citra}
	}
	return sent, f.act("report " + r.Peer + ": " + r.Why)
}

func (f *fakeNode) Reports(context.Context, string) (web.RoomReports, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reports, nil
}

func (f *fakeNode) DismissReport(_ context.Context, _ string, n uint64) error {
	return f.act(fmt.Sprint("dismiss ", n))
}

func TestReport(t *testing.T) {
	f := &fakeNode{view: sky()}
	dir := home(t, f)
	for _, c := range []struct {
		args           []string
		stdout, stderr string
	}{
		{[]string{"report", "7k2m", "eko", "--why", "shouts at people"}, "budi and citra have it. Nobody else does.\n", ""},
		{[]string{"report", "7k2m", "fitri"}, "budi has it. citra not yet: when they come, while you are in the room.\n", ""},
		{[]string{"report", "7k2m", "gita"}, "", "earshot: nobody who moderates the room has it yet; they get it if they come while you are in the room; not to hear somebody yourself: earshot block\n"},
		{[]string{"reports", "7k2m", "--dismiss", "3"}, "Report 3 is off your list. Who made it is not told.\n", ""},
		{[]string{"reports", "7k2m"}, "", "earshot: only the room's host and its moderators are told what people report\n"},
		{[]string{"report", "7k2m"}, "", "earshot: earshot report needs PEER; for example: earshot report 7k2m eko --why \"shouts at people\"\n"},
	} {
		stdout, stderr, code := call{home: dir}.run(t, c.args...)
		if stdout != c.stdout || stderr != c.stderr || (code == 0) != (c.stderr == "") {
			t.Errorf("%v: code %d, %q %q", c.args, code, stdout, stderr)
		}
	}
	if got := fmt.Sprint(f.acts); got != "[report eko: shouts at people report fitri:  report gita:  dismiss 3]" {
		t.Errorf("acts %s", got)
	}
}

func TestReportsReadPlainly(t *testing.T) {
	f := &fakeNode{view: sky()}
	dir := home(t, f)
	f.reports.MayRead = true
	if got, _, code := (call{home: dir}).run(t, "reports", "7k2m"); got != "Nobody has reported anybody to you.\n" || code != 0 {
		t.Errorf("code %d, %q", code, got)
	}
	f.reports.Reports = []web.ReportLine{ekoReported()}
	f.reports.Sent = []web.SentReport{{Of: web.ReportedPerson{Name: "gita"}, Made: time.Now(), Told: []web.ReportedPerson{{Name: "budi"}}}}
	got, _, code := call{home: dir}.run(t, "reports", "7k2m")
	want := "3   " + time.Now().Format("15:04") + `  citra (new here) reports eko, speaker, hand up
    says     shouts at people
    spoke    9 s of the minute before
    wrote    you idiots  3 s before
    said     go home  1 s before
    showed   👎
you reported gita ` + time.Now().Format("15:04") + `: budi has it
`
	if got != want || code != 0 {
		t.Errorf("code %d, stdout\n%s\nwant\n%s", code, got, want)
	}
}
