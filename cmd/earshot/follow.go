package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// followCommand follows somebody, or a room. A name may look like the beginning of a
// room's ID, so a room is named by --room; its link can be nothing else.
func (p *program) followCommand(name, event string, follow bool) *cobra.Command {
	short, said := "Have a room, or somebody's rooms, pointed out to you", "You follow %s: rooms that they open or announce are marked in earshot rooms."
	if !follow {
		short, said = "Follow a room, or somebody, no longer", "You don't follow %s any more."
	}
	cmd := p.aboutCommand(name, short, func([]string) (web.NoteRequest, string, error) {
		return web.NoteRequest{Follow: &follow}, event, nil
	}, func(o web.Person) string { return fmt.Sprintf(said, calledBy(o)) })
	cmd.Use = name + " WHO | --room ROOM"
	cmd.Example += "\n  earshot " + name + " --room 7k2m"
	var room string
	cmd.Flags().StringVar(&room, "room", "", "a `ROOM` instead: its link, its ID or a prefix of it")
	_ = cmd.RegisterFlagCompletionFunc("room", func(cmd *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return p.completeRoom(cmd, nil, start)
	})
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("room") {
			return words()(cmd, args)
		}
		return words("WHO")(cmd, args)
	}
	somebody := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && protocol.IsLink(args[0]) {
			room = args[0]
		}
		if room == "" && len(args) == 1 {
			return somebody(cmd, args)
		}
		return p.followRoom(cmd.Context(), room, event, follow)
	}
	return cmd
}

// followedLine tells scripts what was noted about a room.
type followedLine struct {
	eventLine
	Title string `json:"title"`
}

func (p *program) followRoom(ctx context.Context, word, event string, follow bool) error {
	word, err := roomWord(word)
	if err != nil {
		return err
	}
	node, err := p.node()
	if err != nil {
		return err
	}
	if err := node.Follow(ctx, word, follow); err != nil {
		return err
	}
	line := followedLine{eventLine{event, word}, ""}
	if link, err := protocol.ParseLink(word); err == nil {
		line.Room = link.Room.String()
	}
	if view, err := node.Room(ctx, word); err == nil {
		line.Room, line.Title = view.Room, view.Title
	}
	title := line.Title
	if title == "" {
		title = shortRoom(line.Room)
	}
	switch {
	case p.json:
		return p.line(line)
	case follow:
		return p.say("You follow %s: earshot rooms marks it when it is live or to come. Nobody else is told.\n", title)
	}
	return p.say("You don't follow %s any more.\n", title)
}

func (p *program) followingCommand() *cobra.Command {
	var rooms bool
	cmd := &cobra.Command{
		Use: "following", Short: "List whom you follow, and which rooms",
		Long: `List whom you follow, and below them the rooms. With --json rooms are listed only
with --rooms, and then alone.`,
		Example: "  earshot following\n  earshot following --rooms --json", GroupID: groupPeople, Args: words(),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.following(cmd.Context(), rooms) },
	}
	cmd.Flags().BoolVar(&rooms, "rooms", false, "list rooms alone")
	return cmd
}

func (p *program) following(ctx context.Context, roomsAlone bool) error {
	var people []web.Person
	var rooms []web.FollowedRoom
	var err error
	if !roomsAlone {
		people, err = p.noted(ctx, func(o web.Person) bool { return o.Followed })
	}
	if err == nil && (roomsAlone || !p.json) {
		rooms, err = p.followedRooms(ctx)
	}
	if err != nil {
		return err
	}
	if len(people)+len(rooms) == 0 && !p.json {
		return p.say("You follow nobody, and no room.\n")
	}
	if len(people) > 0 {
		if err := p.listPeople(people); err != nil {
			return err
		}
		if len(rooms) > 0 {
			if err := p.say("\n"); err != nil {
				return err
			}
		}
	}
	return p.listFollowed(rooms)
}

func (p *program) followedRooms(ctx context.Context) ([]web.FollowedRoom, error) {
	node, err := p.node()
	if err != nil {
		return nil, err
	}
	return node.Following(ctx)
}

func (p *program) listFollowed(rooms []web.FollowedRoom) error {
	var rows [][]string
	for _, r := range rooms {
		if p.json {
			if err := p.line(r); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{p.bold(orDash(cut(r.Title, titleCells))), shortRoom(r.Room), p.faint(stateOf(r.State, r.Next))})
	}
	return p.table(rows)
}

// stateOf says in words what a room does.
func stateOf(state string, next *time.Time) string {
	switch {
	case state == web.StateComing && next != nil:
		return "opens at " + moment(*next)
	case next != nil:
		return state + ", next " + moment(*next)
	}
	return state
}
