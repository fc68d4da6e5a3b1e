package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
)

// titleCells is how much of a title a table shows.
const titleCells = 44

func (p *program) roomsCommand() *cobra.Command {
	var watch, all, closed bool
	cmd := &cobra.Command{
		Use:   "rooms",
		Short: "List the rooms that are live, and those to come",
		Long: `List the rooms that are live, and below them those to come. With --json those to
come are listed only with --all: what a program finds here, it may want to join.
Their "state" is "coming". With --closed only your own are listed that stay closed
until you reopen them.`,
		Example: `  earshot rooms                            what is live now, and what is to come
  earshot rooms --watch                    and what changes, until Ctrl-C
  earshot rooms --json | jq -r .link       for scripts: what is live
  earshot rooms --json --all               and what is to come
  earshot rooms --closed                   yours, to reopen`,
		GroupID: groupRooms,
		Args:    words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			all = all || !p.json
			switch {
			case closed && (watch || cmd.Flags().Changed("all")):
				return usage("--closed goes with neither --watch nor --all", seeHelp(cmd))
			case closed:
				return p.closedRooms(cmd.Context())
			case watch:
				return p.watchRooms(cmd.Context(), all)
			}
			return p.rooms(cmd.Context(), all)
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "go on and show what changes")
	cmd.Flags().BoolVar(&all, "all", false, "with --json, list also the rooms to come")
	cmd.Flags().BoolVar(&closed, "closed", false, "list your own rooms that are closed")
	return cmd
}

// listed asks for the live rooms, or all.
func listed(ctx context.Context, node *caller, all bool) ([]web.RoomLine, error) {
	if all {
		return node.AllRooms(ctx)
	}
	return node.Rooms(ctx)
}

func (p *program) rooms(ctx context.Context, all bool) error {
	node, err := p.node()
	if err != nil {
		return err
	}
	rooms, err := listed(ctx, node, all)
	if err != nil {
		return err
	}
	if p.json {
		return p.roomLines(rooms)
	}
	live, coming := byState(rooms)
	if len(live) == 0 {
		status, err := node.Status(ctx)
		if err == nil {
			err = p.say("%s\n", noRooms(status.Neighbors))
		}
		if err != nil {
			return err
		}
	}
	return p.roomTables(live, coming)
}

// roomLines prints rooms for scripts.
func (p *program) roomLines(rooms []web.RoomLine) error {
	for _, r := range rooms {
		if err := p.line(r); err != nil {
			return err
		}
	}
	return nil
}

// closedRooms lists the rooms that this node's person may reopen.
func (p *program) closedRooms(ctx context.Context) error {
	node, err := p.node()
	if err != nil {
		return err
	}
	rooms, err := node.ClosedRooms(ctx)
	switch {
	case err != nil:
		return err
	case p.json:
		return p.roomLines(rooms)
	case len(rooms) == 0:
		return p.say("No room of yours is closed.\n")
	}
	rows := [][]string{{p.faint("CLOSED"), p.faint("TITLE"), p.faint("OPENED"), p.faint("LANGUAGE"), ""}}
	for _, r := range rooms {
		rows = append(rows, []string{shortRoom(r.Room), p.title(r), moment(r.Started), orDash(r.Language), p.faint(standing(r))})
	}
	return p.table(rows)
}

// byState parts the live rooms from those to come.
func byState(rooms []web.RoomLine) (live, coming []web.RoomLine) {
	for _, r := range rooms {
		if r.State == web.StateComing {
			coming = append(coming, r)
		} else {
			live = append(live, r)
		}
	}
	return live, coming
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

// roomTables shows the live rooms, and below them those to come.
func (p *program) roomTables(live, coming []web.RoomLine) error {
	if len(live) > 0 {
		if err := p.liveTable(live); err != nil {
			return err
		}
	}
	if len(coming) == 0 {
		return nil
	}
	if err := p.say("\n"); err != nil {
		return err
	}
	return p.comingTable(coming)
}

func (p *program) liveTable(rooms []web.RoomLine) error {
	rows := [][]string{{p.faint("ROOM"), p.faint("TITLE"), p.faint("LIVE"), p.faint("SPEAKING"), p.faint("LISTENING"), p.faint("LANGUAGE"), ""}}
	for _, r := range rooms {
		rows = append(rows, []string{
			shortRoom(r.Room), p.title(r), lived(r.Started, time.Now()),
			fmt.Sprint(r.Speakers), fmt.Sprint(r.Listeners), orDash(r.Language), p.faint(standing(r)),
		})
	}
	return p.table(rows)
}

func (p *program) comingTable(rooms []web.RoomLine) error {
	rows := [][]string{{p.faint("TO COME"), p.faint("TITLE"), p.faint("OPENS"), p.faint("LANGUAGE"), ""}}
	for _, r := range rooms {
		rows = append(rows, []string{shortRoom(r.Room), p.title(r), moment(*r.Next), orDash(r.Language), p.faint(standing(r))})
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
	if r.Joined {
		parts = append(parts, "you are in it")
	}
	if !r.Listed {
		parts = append(parts, "not listed")
	}
	if r.Locked {
		parts = append(parts, "locked")
	}
	if r.State != web.StateComing && r.Next != nil {
		parts = append(parts, "next "+moment(*r.Next))
	}
	return strings.Join(append(parts, followed(r)...), "; ")
}

// followed says whether one follows a room, and who of those whom one follows has to
// do with it, by what its announcements say.
func followed(r web.RoomLine) (parts []string) {
	if r.Following {
		parts = append(parts, "you follow it")
	}
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
