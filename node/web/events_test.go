package web_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/node/web/client"
)

// next reads an event and its data.
func next[T any](t *testing.T, events *client.Events, kind string) (client.Event, T) {
	t.Helper()
	var v T
	e, err := events.Next()
	if err != nil || e.Type != kind {
		t.Fatalf("got %s %s, %v in place of %s", e.Type, e.Data, err, kind)
	}
	if err := json.Unmarshal(e.Data, &v); err != nil {
		t.Fatal(err)
	}
	return e, v
}

func follow(t *testing.T, c *client.Client, after string) *client.Events {
	t.Helper()
	events, err := c.Events(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { events.Close() })
	return events
}

// whole reads what a new follower is told, and gives the ID to go on from.
func whole(t *testing.T, events *client.Events) string {
	t.Helper()
	next[struct{}](t, events, "reset")
	next[web.Status](t, events, "node")
	if _, rooms := next[web.RoomsChange](t, events, "rooms"); len(rooms.Changed) != 1 {
		t.Fatalf("the rooms are %+v", rooms)
	}
	e, room := next[web.RoomView](t, events, "room")
	if room.Room != "7k2m" {
		t.Fatalf("the room is %+v", room)
	}
	return e.ID
}

func TestEventsTellTheDifference(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	events := follow(t, c, "")
	whole(t, events)

	b.change(func(b *backend) {
		b.rooms = append(b.rooms, web.RoomLine{Room: "abcd", Title: "Another"})
		b.view.Relay = "12D3KooW"
	})
	if _, rooms := next[web.RoomsChange](t, events, "rooms"); len(rooms.Changed) != 1 || rooms.Changed[0].Room != "abcd" || len(rooms.Gone) != 0 {
		t.Errorf("a new room: %+v", rooms)
	}
	if _, room := next[web.RoomView](t, events, "room"); room.Relay != "12D3KooW" {
		t.Errorf("the room: %+v", room)
	}

	// Time alone is no news: the next event is of what changed after it.
	b.change(func(*backend) {})
	b.change(func(b *backend) { b.status.Neighbors = 3 })
	if _, status := next[web.Status](t, events, "node"); status.Neighbors != 3 {
		t.Errorf("the node: %+v", status)
	}
	b.change(func(b *backend) { b.rooms = b.rooms[:1] })
	if _, rooms := next[web.RoomsChange](t, events, "rooms"); !slices.Equal(rooms.Gone, []string{"abcd"}) {
		t.Errorf("a room that is gone: %+v", rooms)
	}
}

func TestEventsResume(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	events := follow(t, c, "")
	id := whole(t, events)
	events.Close()
	// What nobody followed is told as one difference to the last.
	for n := range 3 {
		b.change(func(b *backend) { b.status.Neighbors = n + 1 })
	}
	events = follow(t, c, id)
	e, status := next[web.Status](t, events, "node")
	if status.Neighbors != 3 {
		t.Errorf("after the pause: %+v", status)
	}
	b.change(func(b *backend) { b.status.Neighbors = 9 })
	next[web.Status](t, events, "node")
	again := follow(t, c, e.ID)
	if _, status := next[web.Status](t, again, "node"); status.Neighbors != 9 {
		t.Errorf("resumed: %+v", status)
	}
}

func TestEventsResetWhatIsTooOld(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	id := whole(t, follow(t, c, ""))
	boot, number, _ := strings.Cut(id, "-")
	for _, after := range []string{"x", "-1", boot, boot + "-" + number + "0", "another-" + number, boot + "--1", boot + "-1e3"} {
		whole(t, follow(t, c, after))
	}
	// A directory larger than what is kept pushes all else out.
	events := follow(t, c, id)
	b.change(func(b *backend) {
		for n := range 40 {
			b.rooms = append(b.rooms, web.RoomLine{Room: fmt.Sprint(n), Title: strings.Repeat("x", 30<<10)})
		}
	})
	next[web.RoomsChange](t, events, "rooms")
	next[struct{}](t, follow(t, c, id), "reset")
}

func TestEventsHaveBoundedFollowers(t *testing.T) {
	_, c := up(t, newBackend())
	for n := range 100 {
		events, err := c.Events(t.Context(), "")
		if err != nil {
			if n != 32 || codeOf(err) == "" {
				t.Fatalf("follower %d: %v", n, err)
			}
			return
		}
		defer events.Close()
	}
	t.Fatal("100 followers were let in")
}

// until reads lines to the first that begins so, and gives it.
func until(t *testing.T, lines *bufio.Reader, prefix string) string {
	t.Helper()
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
}

func TestEventsSayWhenToComeBack(t *testing.T) {
	if line := until(t, get(t, newBackend(), "/api/v1/events"), ""); line != "retry: 1000\n" {
		t.Errorf("the stream begins with %q", line)
	}
}

func TestEventsBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := get(t, newBackend(), "/api/v1/events")
		until(t, lines, "event: room")
		for range 3 {
			began := time.Now()
			until(t, lines, ":")
			if waited := time.Since(began); waited != 15*time.Second {
				t.Errorf("a comment after %v", waited)
			}
		}
	})
}

func TestEventsKeepTheirPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		lines := get(t, b, "/api/v1/events")
		until(t, lines, "event: room\n")
		began, stop := time.Now(), make(chan struct{})
		defer close(stop)
		go func() {
			for n := 1; ; n++ {
				b.change(func(b *backend) { b.status.Neighbors = n })
				select {
				case <-time.After(10 * time.Millisecond):
				case <-stop:
					return
				}
			}
		}()
		for range 10 {
			until(t, lines, "event: node\n")
		}
		if took := time.Since(began); took < 1800*time.Millisecond || took > 2200*time.Millisecond {
			t.Errorf("10 events took %v", took)
		}
	})
}

// A client that reads nothing is ended, and the others go on.
func TestEventsEndTheSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		lines := get(t, b, "/api/v1/events")
		until(t, lines, "event: room\n")
		b.change(func(b *backend) { b.status.Neighbors++ })
		time.Sleep(time.Minute) // of the bubble: it reads nothing meanwhile
		if rest, err := io.ReadAll(lines); err == nil {
			t.Errorf("the stream ended well: %q", rest)
		}
	})
}
