package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/node/web/client"
)

// goneLine tells scripts that a room is no longer listed.
type goneLine struct {
	Room string `json:"room"`
	Gone bool   `json:"gone"`
}

// watchRooms shows the rooms, all or the live ones, and what changes until ctx ends.
func (p *program) watchRooms(ctx context.Context, all bool) error {
	node, err := p.node()
	if err != nil {
		return err
	}
	events, err := node.Events(ctx, "")
	if err != nil {
		return err
	}
	defer func() { events.Close() }()
	var shown []web.RoomLine
	for first := true; ; first = false {
		rooms, err := listed(ctx, node, all)
		if err != nil {
			return ended(ctx, err)
		}
		if err := p.showRooms(shown, rooms, first); err != nil {
			return err
		}
		shown = rooms
		err = roomsChanged(events)
		if errors.Is(err, io.EOF) { // we fell behind, or the node ended
			var next *client.Events
			if next, err = node.Events(ctx, ""); err == nil {
				events.Close()
				events = next
			}
		}
		if err != nil {
			return ended(ctx, err)
		}
	}
}

// roomsChanged waits until the directory is different.
func roomsChanged(events *client.Events) error {
	for {
		e, err := events.Next()
		if err != nil || e.Type == "rooms" || e.Type == "coming" {
			return err
		}
	}
}

// ended makes Ctrl-C the normal end of what goes on for ever.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// showRooms shows what is different: on a terminal all of it anew.
func (p *program) showRooms(before, now []web.RoomLine, first bool) error {
	const none = "No room is live. Waiting for one; Ctrl-C ends.\n"
	live, coming := byState(now)
	switch {
	case p.json:
		return p.roomChanges(before, now, func(_ *web.RoomLine, r web.RoomLine) error { return p.line(r) },
			func(r web.RoomLine) error { return p.line(goneLine{r.Room, true}) })
	case terminal(p.stdout):
		if err := p.say("\x1b[H\x1b[2J"); err != nil {
			return err
		}
		if len(live) == 0 {
			if err := p.say(none); err != nil {
				return err
			}
		}
		return p.roomTables(live, coming)
	case first && len(live) == 0:
		if err := p.say(none); err != nil {
			return err
		}
	}
	return p.roomChanges(before, now,
		func(was *web.RoomLine, r web.RoomLine) error { return p.say("%s\n", roomNews(was, r)) },
		func(r web.RoomLine) error {
			if r.State == web.StateComing {
				return p.say("%s  %s  is no longer to come\n", shortRoom(r.Room), r.Title)
			}
			return p.say("%s  %s  is gone\n", shortRoom(r.Room), r.Title)
		})
}

// roomNews says what has become of a room; was is how it was listed before, nil if
// it was not.
func roomNews(was *web.RoomLine, r web.RoomLine) string {
	parts := []string{fmt.Sprintf("%s  %s ", shortRoom(r.Room), r.Title)}
	coming := r.State == web.StateComing
	switch wasComing := was != nil && was.State == web.StateComing; {
	case coming && was != nil && !wasComing:
		parts[0] += " is closed, and opens at " + moment(*r.Next)
	case coming:
		parts[0] += " opens at " + moment(*r.Next)
	default:
		if wasComing {
			parts[0] += " is open,"
		}
		parts[0] += fmt.Sprintf(" %d speaking, %d listening", r.Speakers, r.Listeners)
	}
	if !coming && r.Next != nil {
		parts = append(parts, "next "+moment(*r.Next))
	}
	return strings.Join(append(parts, followed(r)...), "; ")
}

// roomChanges calls changed for each room that is new or different, with how it was,
// and gone for each that is no longer there.
func (p *program) roomChanges(before, now []web.RoomLine, changed func(was *web.RoomLine, r web.RoomLine) error, gone func(web.RoomLine) error) error {
	find := func(rooms []web.RoomLine, room string) int {
		return slices.IndexFunc(rooms, func(r web.RoomLine) bool { return r.Room == room })
	}
	for _, r := range now {
		var was *web.RoomLine
		if i := find(before, r.Room); i >= 0 {
			was = &before[i]
		}
		if was != nil && sameRoom(*was, r) {
			continue
		}
		if err := changed(was, r); err != nil {
			return err
		}
	}
	for _, r := range before {
		if find(now, r.Room) >= 0 {
			continue
		}
		if err := gone(r); err != nil {
			return err
		}
	}
	return nil
}

func sameRoom(a, b web.RoomLine) bool {
	return a.Title == b.Title && a.Speakers == b.Speakers && a.Listeners == b.Listeners &&
		a.State == b.State && a.Locked == b.Locked && sameTime(a.Next, b.Next) && a.Following == b.Following &&
		a.Joined == b.Joined && a.Link == b.Link && slices.Equal(a.Topics, b.Topics) && slices.Equal(a.Followed, b.Followed)
}

func sameTime(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}
