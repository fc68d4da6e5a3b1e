package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/node/web/client"
)

// titleCells is how much of a title a table shows.
const titleCells = 44

func (p *program) roomsCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "rooms",
		Short: "List the rooms that are live",
		Example: `  earshot rooms                            what is live now
  earshot rooms --watch                    and what changes, until Ctrl-C
  earshot rooms --json | jq -r .link       for scripts`,
		GroupID: groupRooms,
		Args:    words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch {
				return p.watchRooms(cmd.Context())
			}
			return p.rooms(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "go on and show what changes")
	return cmd
}

func (p *program) rooms(ctx context.Context) error {
	node, err := p.node()
	if err != nil {
		return err
	}
	rooms, err := node.Rooms(ctx)
	if err != nil {
		return err
	}
	if p.json {
		for _, r := range rooms {
			if err := p.line(r); err != nil {
				return err
			}
		}
		return nil
	}
	if len(rooms) == 0 {
		status, err := node.Status(ctx)
		if err != nil {
			return err
		}
		return p.say("%s\n", noRooms(status.Neighbors))
	}
	return p.roomTable(rooms)
}

// noRooms says what to do where nothing is live.
func noRooms(neighbors int) string {
	if neighbors == 0 {
		return `No room is live here, and this node has met no other node yet.
Meet others:    earshot meet LINK   (or --local, or --public: earshot meet --help tells)
Or open a room: earshot open "A title"`
	}
	return `No room is live. Open one: earshot open "A title"`
}

func (p *program) roomTable(rooms []web.RoomLine) error {
	rows := [][]string{{p.faint("ROOM"), p.faint("TITLE"), p.faint("LIVE"), p.faint("SPEAKING"), p.faint("LISTENING"), p.faint("LANGUAGE"), ""}}
	for _, r := range rooms {
		rows = append(rows, []string{
			shortRoom(r.Room), p.title(r), lived(r.Started, time.Now()),
			fmt.Sprint(r.Speakers), fmt.Sprint(r.Listeners), orDash(r.Language), p.faint(standing(r)),
		})
	}
	return p.table(rows)
}

// title shows a room's title, with less weight if its host is nobody known here.
func (p *program) title(r web.RoomLine) string {
	title := cut(r.Title, titleCells)
	if r.Known || r.Joined {
		return p.bold(title)
	}
	return title
}

// standing is what else a person should know of a room in the list.
func standing(r web.RoomLine) string {
	var parts []string
	switch {
	case r.Closed:
		parts = append(parts, "closed")
	case r.Joined && !r.Listed:
		parts = append(parts, "you are in it; not listed")
	case r.Joined:
		parts = append(parts, "you are in it")
	}
	return strings.Join(append(parts, followed(r)...), "; ")
}

// followed says who of those whom one follows has to do with a room, by what its
// announcements say.
func followed(r web.RoomLine) (parts []string) {
	for _, o := range r.Followed {
		does := " carries it"
		if o.Host {
			does = " opened it"
		}
		parts = append(parts, nameOrPeer(string(o.Petname), o.Peer)+does)
	}
	return parts
}

// lived says for how long a room is live. Its start is what its founder's
// clock said: only shown, and never negative.
func lived(started, now time.Time) string {
	if started.IsZero() || started.Unix() <= 0 {
		return "-"
	}
	return ago(now.Sub(started))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// goneLine tells scripts that a room is no longer live.
type goneLine struct {
	Room string `json:"room"`
	Gone bool   `json:"gone"`
}

// watchRooms shows the rooms and what changes until ctx ends.
func (p *program) watchRooms(ctx context.Context) error {
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
		rooms, err := node.Rooms(ctx)
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
		if err != nil || e.Type == "rooms" {
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

// showRooms shows what is different: on a terminal the whole table anew.
func (p *program) showRooms(before, now []web.RoomLine, first bool) error {
	switch {
	case p.json:
		return p.roomChanges(before, now, func(r web.RoomLine) error { return p.line(r) },
			func(r web.RoomLine) error { return p.line(goneLine{r.Room, true}) })
	case terminal(p.stdout):
		if err := p.say("\x1b[H\x1b[2J"); err != nil {
			return err
		}
		if len(now) == 0 {
			return p.say("No room is live. Waiting for one; Ctrl-C ends.\n")
		}
		return p.roomTable(now)
	case first && len(now) == 0:
		return p.say("No room is live. Waiting for one; Ctrl-C ends.\n")
	}
	return p.roomChanges(before, now,
		func(r web.RoomLine) error {
			line := fmt.Sprintf("%s  %s  %d speaking, %d listening", shortRoom(r.Room), r.Title, r.Speakers, r.Listeners)
			return p.say("%s\n", strings.Join(append([]string{line}, followed(r)...), "; "))
		},
		func(r web.RoomLine) error { return p.say("%s  %s  is gone\n", shortRoom(r.Room), r.Title) })
}

// roomChanges calls changed for each room that is new or different, and gone
// for each that is no longer there.
func (p *program) roomChanges(before, now []web.RoomLine, changed, gone func(web.RoomLine) error) error {
	find := func(rooms []web.RoomLine, room string) int {
		return slices.IndexFunc(rooms, func(r web.RoomLine) bool { return r.Room == room })
	}
	for _, r := range now {
		if i := find(before, r.Room); i >= 0 && sameRoom(before[i], r) {
			continue
		}
		if err := changed(r); err != nil {
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
		a.Closed == b.Closed && a.Joined == b.Joined && a.Link == b.Link && slices.Equal(a.Topics, b.Topics) && slices.Equal(a.Followed, b.Followed)
}
