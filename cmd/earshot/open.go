package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
)

func (p *program) openCommand() *cobra.Command {
	var request web.OpenRequest
	var at string
	cmd := &cobra.Command{
		Use:   "open TITLE",
		Short: "Open a room and print its link",
		Long: `Open a room and print its link. The node carries the room: this command
returns, and the room goes on until it is closed.

With --at it is to come: others see it in earshot rooms, and this node opens it
then, by this machine's clock. If the node does not run at that time, it opens
the room when it starts, up to an hour late. earshot reopen opens it earlier.`,
		Example: `  earshot open "Why the sky is dark"       you speak, and those you name
  earshot open "Book club" --stage open    anybody may speak
  earshot open "Just us" --unlisted        found by its link alone
  earshot open "Book club" --at "2026-12-01 19:00"`,
		GroupID: groupRooms,
		Args:    words("TITLE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(args[0]) == "" {
				return usage("an empty TITLE names no room", seeHelp(cmd))
			}
			if cmd.Flags().Changed("at") {
				var err error
				if request.At, err = whenSaid(at, time.Now()); err != nil {
					return err
				}
			}
			request.Title = args[0]
			return p.open(cmd.Context(), request)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&request.Stage, "stage", "host", "who may speak: `host` (you and those named with --speaker) or open")
	flags.StringArrayVar(&request.Speakers, "speaker", nil, "let `PEER` speak too (repeatable)")
	flags.BoolVar(&request.Unlisted, "unlisted", false, "announce it nowhere: found by its link alone")
	flags.StringVar(&request.Language, "lang", "", "the `LANG` spoken, such as en or pt-BR")
	flags.StringArrayVar(&request.Topics, "topic", nil, "what it is about, `T` (repeatable)")
	flags.StringVar(&at, "at", "", "open it then, `TIME` as 2026-12-01 19:00 or RFC 3339")
	_ = cmd.RegisterFlagCompletionFunc("stage", cobra.FixedCompletions([]cobra.Completion{"host", "open"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// openedLine is what `open` and `reopen` print for scripts.
type openedLine struct {
	Event     string     `json:"event"`
	Room      string     `json:"room"`
	Link      string     `json:"link"`
	GuestLink string     `json:"guest_link,omitempty"`
	Notice    string     `json:"notice,omitempty"`
	Next      *time.Time `json:"next,omitempty"` // of a room to come
}

func (p *program) open(ctx context.Context, request web.OpenRequest) error {
	if err := oneOf("host", "open")(request.Stage); err != nil {
		return usage("--stage: "+err.Error(), "")
	}
	node, err := p.node()
	if err != nil {
		return err
	}
	opened, err := node.Open(ctx, request)
	if err != nil {
		return err
	}
	event, how := "opened", "is open"
	if opened.Next != nil {
		event, how = "coming", "opens at "+moment(*opened.Next)
	}
	if p.json {
		return p.line(openedLine{event, opened.Room, opened.Link, opened.GuestLink, opened.Notice, opened.Next})
	}
	return p.sayOpened(request.Title, how, opened)
}

func (p *program) sayOpened(title, how string, opened web.Opened) error {
	if err := p.say("%s %s as %s.\n  %s\n", p.bold(title), how, shortRoom(opened.Room), opened.Link); err != nil {
		return err
	}
	if opened.GuestLink != "" {
		if err := p.say("Without a node, in a browser:\n  %s\n", opened.GuestLink); err != nil {
			return err
		}
	}
	if opened.Notice != "" {
		return p.say("%s\n", opened.Notice)
	}
	return nil
}
