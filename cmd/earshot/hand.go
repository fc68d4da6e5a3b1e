package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
)

// handLine is one raised hand, for scripts.
type handLine struct {
	Peer      string `json:"peer"`
	Name      string `json:"name"`
	Hand      int    `json:"hand"` // place in the queue
	WaitingMS int64  `json:"waiting_ms"`
}

func (p *program) handCommand() *cobra.Command {
	cmd := parts("hand", "Ask to speak in a room, or see who does", `  earshot hand up 7k2m                     ask to speak
  earshot hand list 7k2m                   who asks, in order
  earshot hand down 7k2m                   not any more`)
	cmd.AddCommand(
		p.roomAct("up", "Raise your hand: the host sees that you would like to speak",
			func(ctx context.Context, node *caller, v web.RoomView) error { return p.hand(ctx, node, v, true) }),
		p.roomAct("down", "Lower your hand",
			func(ctx context.Context, node *caller, v web.RoomView) error { return p.hand(ctx, node, v, false) }),
		p.roomAct("list", "List the raised hands in their order",
			func(_ context.Context, _ *caller, v web.RoomView) error { return p.listHands(v) }),
	)
	return within(cmd)
}

func (p *program) hand(ctx context.Context, node *caller, v web.RoomView, up bool) error {
	if err := node.Hand(ctx, v.Room, up); err != nil {
		return err
	}
	switch {
	case p.json && up:
		return p.line(eventLine{"hand_up", v.Room})
	case p.json:
		return p.line(eventLine{"hand_down", v.Room})
	case up:
		return p.say("Your hand is up in %s. Your place in line: earshot hand list %s\n", v.Title, shortRoom(v.Room))
	}
	return p.say("Your hand is down in %s.\n", v.Title)
}

func (p *program) listHands(v web.RoomView) error {
	queue := queued(v)
	if len(queue) == 0 && !p.json {
		return p.say("No hand is up in %s.\n", v.Title)
	}
	for _, m := range queue {
		line := handLine{m.Peer, string(m.Name), m.Hand, m.WaitingMS}
		show := func() error { return p.line(line) }
		if !p.json {
			show = func() error {
				return p.say("%3d  %-16s %s\n", m.Hand, shown(m), ago(time.Duration(m.WaitingMS)*time.Millisecond))
			}
		}
		if err := show(); err != nil {
			return err
		}
	}
	return nil
}

// queued gives those whose hand is up, in order.
func queued(v web.RoomView) []web.Member {
	up := slices.DeleteFunc(slices.Clone(v.Members), func(m web.Member) bool { return m.Hand <= 0 })
	slices.SortFunc(up, func(a, b web.Member) int { return a.Hand - b.Hand })
	return up
}

// parts is a command that does nothing but by its parts.
func parts(name, short, example string) *cobra.Command {
	return &cobra.Command{Use: name, Short: short, Example: example, GroupID: groupRooms}
}

// within has a command answer words that name none of its parts, and puts these
// into no group and under its own name.
func within(cmd *cobra.Command) *cobra.Command {
	var names []string
	for _, part := range cmd.Commands() {
		part.GroupID = ""
		part.Example = strings.Replace(part.Example, "earshot "+part.Name(), "earshot "+cmd.Name()+" "+part.Name(), 1)
		names = append(names, part.Name())
	}
	last := len(names) - 1
	has := strings.Join(names[:last], ", ") + " or " + names[last]
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage(cmd.CommandPath()+" needs "+has, seeHelp(cmd))
		}
		return usage(fmt.Sprintf("%s has no part %q", cmd.CommandPath(), args[0]), "it has "+has)
	}
	cmd.RunE = func(*cobra.Command, []string) error { return nil } // its Args refuse all
	return cmd
}

// memberAct is a command that does one thing about somebody in a room.
func (p *program) memberAct(name, short string, act func(ctx context.Context, node *caller, v web.RoomView, who string) error) *cobra.Command {
	cmd := p.roomAct(name, short, nil)
	cmd.Use = name + " ROOM PEER"
	cmd.Example = "  earshot " + name + " 7k2m budi"
	cmd.Args = words("ROOM", "PEER")
	cmd.ValidArgsFunction = p.completeRoomThenMember
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		node, view, err := p.nodeAndRoom(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if args[1] == "" {
			return usage("an empty PEER is nobody", "earshot room "+shortRoom(view.Room)+" lists who is here")
		}
		return act(cmd.Context(), node, view, args[1])
	}
	return cmd
}

// nodeAndRoom finds the running node, and a room by what a person calls it.
func (p *program) nodeAndRoom(ctx context.Context, word string) (*caller, web.RoomView, error) {
	room, err := roomWord(word)
	if err != nil {
		return nil, web.RoomView{}, err
	}
	node, err := p.node()
	if err != nil {
		return nil, web.RoomView{}, err
	}
	view, err := node.Room(ctx, room)
	return node, view, err
}
