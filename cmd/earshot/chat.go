package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// chatLine, captionLine and reactionLine are what is read along, for scripts.
type chatLine struct {
	eventLine
	web.ChatLine
}

type captionLine struct {
	eventLine
	web.CaptionLine
}

type reactionLine struct {
	eventLine
	Emoji string `json:"emoji"`
	Count int    `json:"count"` // of the last seconds
}

// writtenLine says for scripts what was said.
type writtenLine struct {
	eventLine
	ID string `json:"id"`
}

func (p *program) chatCommand() *cobra.Command {
	var hide, show string
	cmd := &cobra.Command{
		Use:   "chat ROOM [TEXT...]",
		Short: "Read what people write in a room, or write",
		Example: `  earshot chat 7k2m                        read along, until Ctrl-C
  earshot chat 7k2m good evening           write to all in the room
  earshot chat 7k2m --hide budi            take what budi writes out of sight, as host or moderator
  earshot chat 7k2m --show budi            and show it again`,
		GroupID:           groupRooms,
		Args:              atLeastRoom,
		ValidArgsFunction: p.completeRoom,
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.Join(args[1:], " ")
			if hide != "" && show != "" || (hide+show != "") && text != "" {
				return usage("write, --hide or --show: one at a time", seeHelp(cmd))
			}
			if len(args) > 1 && strings.TrimSpace(text) == "" {
				return usage("an empty TEXT says nothing", "to read along: earshot chat ROOM")
			}
			room, err := roomWord(args[0])
			if err != nil {
				return err
			}
			node, err := p.node()
			switch {
			case err != nil:
				return err
			case hide+show != "":
				view, err := node.Room(cmd.Context(), room)
				if err != nil {
					return err
				}
				return p.hideChat(cmd.Context(), node, view.Room, hide+show, show != "")
			case len(args) > 1:
				return p.writeChat(cmd.Context(), node, room, text)
			}
			return p.followChat(cmd.Context(), node, room)
		},
	}
	cmd.Flags().StringVar(&hide, "hide", "", "take `WHO` out of everybody's sight: a name, a peer ID, or a message's id")
	cmd.Flags().StringVar(&show, "show", "", "show `WHO` again")
	return cmd
}

// atLeastRoom checks that a command got a room.
func atLeastRoom(cmd *cobra.Command, args []string) error {
	return words("ROOM")(cmd, args[:min(len(args), 1)])
}

func (p *program) writeChat(ctx context.Context, node *caller, room, text string) error {
	written, err := node.Write(ctx, room, text)
	if err != nil || !p.json {
		return err
	}
	return p.line(writtenLine{eventLine{"written", written.Room}, written.ID})
}

func (p *program) hideChat(ctx context.Context, node *caller, room, what string, shown bool) error {
	request := web.HideRequest{Peer: what, Shown: shown}
	if strings.Count(what, "-") == 2 && strings.HasPrefix(what, "12D3KooW") {
		request = web.HideRequest{Message: what, Shown: shown}
	}
	if err := node.HideChat(ctx, room, request); err != nil {
		return err
	}
	event, words := "hidden", "Out of everybody's sight: %s\n"
	if shown {
		event, words = "shown", "Shown again: %s\n"
	}
	if p.json {
		return p.line(eventLine{event, room})
	}
	return p.say(words, what)
}

// followChat shows what was written and what is, until ctx ends or the room does.
func (p *program) followChat(ctx context.Context, node *caller, room string) error {
	chatting, err := node.FollowChat(ctx, room)
	if err != nil {
		return ended(ctx, err)
	}
	defer chatting.Close()
	var before web.Chat
	for {
		chat, err := chatting.Next()
		switch {
		case errors.Is(err, io.EOF):
			if ctx.Err() == nil && !p.json {
				return p.say("The room is closed, or this node has left it.\n")
			}
			return nil
		case err != nil:
			return ended(ctx, err)
		}
		if err := p.showChat(before, chat); err != nil {
			return err
		}
		before = chat
	}
}

// showChat prints what is new since an earlier look.
func (p *program) showChat(before, now web.Chat) error {
	for _, m := range now.Messages {
		if err := p.showLine(now.Room, m); err != nil {
			return err
		}
	}
	for _, c := range now.Captions {
		if (!c.Final && !p.json) || slices.Contains(before.Captions, c) {
			continue
		}
		show := func() error {
			return p.say("       %s says: %s\n", nameOrPeer(cmp.Or(string(c.Petname), c.Name), c.Peer), c.Text)
		}
		if p.json {
			show = func() error { return p.line(captionLine{eventLine{"caption", now.Room}, c}) }
		}
		if err := show(); err != nil {
			return err
		}
	}
	for _, emoji := range protocol.Reactions() {
		count, was := now.Reactions[emoji], before.Reactions[emoji]
		if count <= was {
			continue
		}
		show := func() error {
			return p.say("       %s\n", strings.TrimSpace(strings.Repeat(emoji+" ", min(count-was, 10))))
		}
		if p.json {
			show = func() error { return p.line(reactionLine{eventLine{"reaction", now.Room}, emoji, count}) }
		}
		if err := show(); err != nil {
			return err
		}
	}
	return nil
}

// showLine prints one message; its further lines stand below its first.
func (p *program) showLine(room string, m web.ChatLine) error {
	switch {
	case p.json:
		return p.line(chatLine{eventLine{"chat", room}, m})
	case m.Blocked:
		return nil
	}
	name, text := nameOrPeer(cmp.Or(string(m.Petname), m.Name), m.Peer), strings.ReplaceAll(m.Text, "\n", "\n         ")
	if m.You {
		name += " (you)"
	}
	if m.Guest {
		name += " (guest)"
	}
	if m.Hidden {
		text = p.faint("(taken out of sight)")
	}
	return p.say("%s  %s: %s\n", p.faint(m.Said.In(time.Local).Format("15:04")), p.bold(name), text)
}

func nameOrPeer(name, peer string) string {
	if name == "" {
		return shortPeer(peer)
	}
	return name
}

func (p *program) reactCommand() *cobra.Command {
	cmd := p.roomAct("react", "Show an emoji to all in a room", nil)
	cmd.Use = "react ROOM EMOJI"
	cmd.Example = "  earshot react 7k2m 👏"
	cmd.Args = words("ROOM", "EMOJI")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return protocol.Reactions(), cobra.ShellCompDirectiveNoFileComp
		}
		return p.completeRoom(cmd, args, start)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		node, view, err := p.nodeAndRoom(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if err := node.React(cmd.Context(), view.Room, args[1]); err != nil || !p.json {
			return err
		}
		return p.line(eventLine{"reacted", view.Room})
	}
	return cmd
}

func (p *program) captionsCommand() *cobra.Command {
	var language string
	var allow, forbid bool
	cmd := p.roomAct("captions", "Show as text what you say in a room: standard input, line by line", nil)
	cmd.Example = `  transcribe talk | earshot captions 7k2m --allow --language en
  earshot captions 7k2m --forbid           no program may any more`
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if allow && forbid {
			return usage("captions are allowed or forbidden, not both", seeHelp(cmd))
		}
		node, view, err := p.nodeAndRoom(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if allow || forbid {
			if err := node.AllowCaptions(cmd.Context(), view.Room, allow); err != nil {
				return err
			}
		}
		if forbid {
			return p.captionsEnd(view.Room, 0)
		}
		return p.captions(cmd.Context(), node, view.Room, language)
	}
	cmd.Flags().BoolVar(&allow, "allow", false, "allow programs here to caption you in this room, while this node is in it")
	cmd.Flags().BoolVar(&forbid, "forbid", false, "allow it no more")
	cmd.Flags().StringVar(&language, "language", "", "the text's `LANG`, as id or zh-Hant")
	return cmd
}

const (
	captionsWait = 500 * time.Millisecond // where the room takes no more
	maxLineBytes = 64 << 10
)

// captions says what comes on standard input, in pieces that fit.
func (p *program) captions(ctx context.Context, node *caller, room, language string) error {
	said := 0
	lines := bufio.NewScanner(p.stdin)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		for _, piece := range pieces(lines.Text(), protocol.MaxCaptionBytes) {
			if err := p.caption(ctx, node, room, web.CaptionRequest{Text: piece, Language: language}); err != nil {
				return ended(ctx, err)
			}
			said++
		}
	}
	if err := lines.Err(); err != nil {
		return &protocol.Problem{Code: protocol.CodeBadRequest, Message: "standard input can't be read as lines of text", Cause: err}
	}
	return p.captionsEnd(room, said)
}

// caption says one piece, and waits where the room takes no more just now.
func (p *program) caption(ctx context.Context, node *caller, room string, r web.CaptionRequest) error {
	for {
		err := node.Caption(ctx, room, r)
		var what *protocol.Problem
		if !errors.As(err, &what) || what.Code != protocol.CodeTooFast {
			return err
		}
		select {
		case <-time.After(captionsWait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// captionsLine says for scripts how much was said.
type captionsLine struct {
	eventLine
	Captions int `json:"captions"`
}

func (p *program) captionsEnd(room string, said int) error {
	if p.json {
		return p.line(captionsLine{eventLine{"captions", room}, said})
	}
	if said == 0 {
		return nil
	}
	return p.say("Said as text: %s.\n", count(said, "line"))
}

// pieces cuts a line into parts of at most so many bytes, between words where it can.
func pieces(line string, most int) (parts []string) {
	part := ""
	for _, word := range strings.Fields(line) {
		for len(word) > most {
			cut := most
			for !utf8.RuneStart(word[cut]) {
				cut--
			}
			if part != "" {
				parts = append(parts, part)
				part = ""
			}
			parts = append(parts, word[:cut])
			word = word[cut:]
		}
		switch {
		case part == "":
			part = word
		case len(part)+1+len(word) > most:
			parts = append(parts, part)
			part = word
		default:
			part += " " + word
		}
	}
	if part != "" {
		parts = append(parts, part)
	}
	return parts
}
