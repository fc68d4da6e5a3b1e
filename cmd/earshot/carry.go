package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
)

// eventLine is what a command that did one thing to a room prints for scripts.
type eventLine struct {
	Event string `json:"event"`
	Room  string `json:"room"`
}

func (p *program) leaveCommand() *cobra.Command {
	return p.roomAct("leave", "Leave a room: this node no longer hears or carries it",
		func(ctx context.Context, node *caller, v web.RoomView) error {
			if err := node.Leave(ctx, v.Room); err != nil {
				return err
			}
			if p.json {
				return p.line(eventLine{"left", v.Room})
			}
			return p.say("You left %s.\n", v.Title)
		})
}

// closedLine is what `close` prints for scripts.
type closedLine struct {
	eventLine
	Next *time.Time `json:"next,omitempty"` // when it opens by itself
}

func (p *program) closeCommand() *cobra.Command {
	var at string
	var cmd *cobra.Command
	cmd = p.roomAct("close", "Close a room of yours: silent until reopened under the same link",
		func(ctx context.Context, node *caller, v web.RoomView) error {
			var next time.Time
			if cmd.Flags().Changed("at") {
				said, err := whenSaid(at, time.Now())
				if err != nil {
					return err
				}
				next = *said
			}
			if err := node.Close(ctx, v.Room, next); err != nil {
				return err
			}
			return p.sayClosed(ctx, node, v)
		})
	cmd.Long = `Close a room of yours: silent until reopened under the same link. With --at, or at
the time that earshot room set --at has said, it opens by itself. What you have
closed: earshot rooms --closed.`
	cmd.Example += "\n  earshot close 7k2m --at \"2026-12-08 19:00\""
	cmd.Flags().StringVar(&at, "at", "", "open it again then, `TIME` as 2026-12-01 19:00 or RFC 3339")
	return cmd
}

// sayClosed says that a room is closed, and until when: that may have been said in
// the room.
func (p *program) sayClosed(ctx context.Context, node *caller, v web.RoomView) error {
	line := closedLine{eventLine{"closed", v.Room}, nil}
	if now, err := node.Room(ctx, v.Room); err == nil && now.State == web.StateComing {
		line.Next = now.Next
	}
	switch {
	case p.json:
		return p.line(line)
	case line.Next != nil:
		return p.say("%s is closed, and opens again at %s. Earlier: earshot reopen %s\n", v.Title, moment(*line.Next), shortRoom(v.Room))
	}
	return p.say("%s is closed. Its link opens it again: earshot reopen %s\n", v.Title, shortRoom(v.Room))
}

func (p *program) reopenCommand() *cobra.Command {
	cmd := p.roomAct("reopen", "Open a closed room of yours again, under the same link",
		func(ctx context.Context, node *caller, v web.RoomView) error {
			opened, err := node.Reopen(ctx, v.Room)
			if err != nil {
				return err
			}
			if p.json {
				return p.line(openedLine{"reopened", opened.Room, opened.Link, opened.GuestLink, opened.Notice, nil})
			}
			return p.sayOpened(v.Title, "is open again", opened)
		})
	cmd.ValidArgsFunction = p.completeClosed
	cmd.Example += "\n  earshot rooms --closed                   what there is to reopen"
	return cmd
}

// roomAct is a command that does one thing to a room.
func (p *program) roomAct(name, short string, act func(context.Context, *caller, web.RoomView) error) *cobra.Command {
	return &cobra.Command{
		Use:               name + " ROOM",
		Short:             short,
		Example:           "  earshot " + name + " 7k2m",
		GroupID:           groupRooms,
		Args:              words("ROOM"),
		ValidArgsFunction: p.completeRoom,
		RunE: func(cmd *cobra.Command, args []string) error {
			node, view, err := p.nodeAndRoom(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return act(cmd.Context(), node, view)
		},
	}
}
