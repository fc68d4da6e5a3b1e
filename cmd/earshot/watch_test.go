package main

import (
	"bufio"
	"context"
	"io"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

// TestNewsOfRooms: of a room that comes, opens and closes people are told in words.
func TestNewsOfRooms(t *testing.T) {
	next := time.Date(2126, 12, 1, 19, 0, 0, 0, time.Local)
	live := web.RoomLine{Room: roomID, Title: "Book club", State: web.StateLive, Speakers: 1}
	coming := web.RoomLine{Room: roomID, Title: "Book club", State: web.StateComing, Next: &next, Following: true}
	for _, c := range []struct {
		was  *web.RoomLine
		now  web.RoomLine
		want string
	}{
		{nil, live, "7k2mabcd  Book club  1 speaking, 0 listening"},
		{nil, coming, "7k2mabcd  Book club  opens at 2126-12-01 19:00; you follow it"},
		{&coming, live, "7k2mabcd  Book club  is open, 1 speaking, 0 listening"},
		{&live, coming, "7k2mabcd  Book club  is closed, and opens at 2126-12-01 19:00; you follow it"},
	} {
		if got := roomNews(c.was, c.now); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if sameRoom(live, coming) {
		t.Error("that a room is closed is no change")
	}
}

// TestWatch follows rooms that come, change and go, until Ctrl-C.
func TestWatch(t *testing.T) {
	defs := readSchema(t)
	f := &fakeNode{rooms: []web.RoomLine{{Room: "aaaa", Title: "A", Stage: "open"}}}
	dir := home(t, f)
	set := func(rooms ...web.RoomLine) {
		f.mu.Lock()
		f.rooms = rooms
		f.mu.Unlock()
		f.changed <- struct{}{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, w := io.Pipe()
	lines := bufio.NewScanner(r)
	done := make(chan int, 1)
	go func() {
		_, _, code := call{home: dir, ctx: ctx, out: w}.run(t, "rooms", "--watch", "--json")
		w.Close()
		done <- code
	}()
	next := func(name, want string) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("no line where %s should be", want)
		}
		checkLine(t, defs, name, lines.Text())
		if got := lines.Text(); len(got) < len(want) || got[:len(want)] != want {
			t.Fatalf("%s, want %s…", got, want)
		}
	}
	next("rooms", `{"room":"aaaa","title":"A"`)
	set(web.RoomLine{Room: "aaaa", Title: "A", Stage: "open"}, web.RoomLine{Room: "bbbb", Title: "B", Stage: "open"})
	next("rooms", `{"room":"bbbb","title":"B"`)
	set(web.RoomLine{Room: "aaaa", Title: "A", Stage: "open", Listeners: 2}, web.RoomLine{Room: "bbbb", Title: "B", Stage: "open"})
	next("rooms", `{"room":"aaaa","title":"A"`)
	set(web.RoomLine{Room: "aaaa", Title: "A", Stage: "open", Listeners: 2})
	next("rooms.gone", `{"room":"bbbb","gone":true}`)
	cancel()
	if lines.Scan() {
		t.Errorf("%s after Ctrl-C", lines.Text())
	}
	if code := <-done; code != 0 {
		t.Errorf("code %d", code)
	}
}
