package main

import (
	"bufio"
	"context"
	"io"
	"testing"

	"github.com/earshot-audio/earshot/node/web"
)

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
