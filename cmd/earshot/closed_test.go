package main

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

func (f *fakeNode) ClosedRooms(context.Context) ([]web.RoomLine, error) { return f.closed, nil }

// TestClosedRooms: who has closed a room finds it again, to reopen it.
func TestClosedRooms(t *testing.T) {
	f := &fakeNode{}
	dir := home(t, f)
	if got, _, code := (call{home: dir}).run(t, "rooms", "--closed"); got != "No room of yours is closed.\n" || code != 0 {
		t.Errorf("code %d, %q", code, got)
	}
	f.closed = []web.RoomLine{{Room: roomID, Title: "Book club", State: web.StateClosed, Closed: true, Listed: true, Known: true, Language: "en",
		Started: time.Date(2026, 11, 1, 19, 0, 0, 0, time.Local), Topics: []string{}, Followed: []web.Followed{}}}
	got, _, _ := call{home: dir}.run(t, "rooms", "--closed")
	if want := "7k2mabcd  Book club  2026-11-01 19:00  en\n"; !strings.HasSuffix(got, want) {
		t.Errorf("%q does not end in %q", got, want)
	}
	if got, _, _ := (call{home: dir}).run(t, "rooms", "--closed", "--json"); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"state":"closed"`) {
		t.Errorf("for scripts: %q", got)
	}
	if got, _, _ := (call{home: dir}).run(t, "__complete", "reopen", ""); !strings.Contains(got, "7k2mabcd\tBook club") {
		t.Errorf("Tab offers %q", got)
	}
	if _, stderr, code := (call{home: dir}).run(t, "rooms", "--closed", "--watch"); code != 2 || strings.Count(stderr, "\n") != 1 {
		t.Errorf("code %d, %q", code, stderr)
	}
}

// TestNothingIsWrongUsage: words that are there and empty are no answer to what a
// command needs.
func TestNothingIsWrongUsage(t *testing.T) {
	dir := home(t, &fakeNode{view: sky()})
	for _, args := range [][]string{{"open", ""}, {"open", "  "}, {"chat", "7k2m", ""}, {"report", "7k2m", ""}, {"stage", "ban", "7k2m", ""}, {"follow", ""}, {"log", ""}, {"follow", "--room", ""}} {
		if _, stderr, code := (call{home: dir}).run(t, args...); code != exitUsage || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: code %d, %q", args, code, stderr)
		}
	}
}

// TestListenWithoutAFile: who only wants to hear is led to the page, at the room.
func TestListenWithoutAFile(t *testing.T) {
	got, stderr, code := call{home: home(t, twoVoices(t, 1))}.run(t, "listen", "7k2m")
	if code != 0 || !regexp.MustCompile(`^In Why the sky is dark\. The page plays it: http://127\.0\.0\.1:\d+/#key=\w+&room/`+roomID+"  ").MatchString(got) {
		t.Errorf("code %d, %q, %q", code, got, stderr)
	}
	if !strings.Contains(got, "\nOr hear it with: earshot listen 7k2mabcd --out - | ffplay -nodisp -\n") {
		t.Errorf("%q", got)
	}
}
