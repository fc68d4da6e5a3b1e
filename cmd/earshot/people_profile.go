package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// profileFlags are what of a profile is to change.
type profileFlags struct{ name, text, colour string }

func (p *program) profileCommand() *cobra.Command {
	var given profileFlags
	cmd := &cobra.Command{
		Use:   "profile [WHO]",
		Short: "Show what somebody says of themselves, or change what you do",
		Long: `Show what somebody in a room with you says of themselves; without WHO, what you
do. With flags, change that: everybody in the rooms that you are in is told at once,
and it is kept for the next ones. An empty text or colour takes it away.`,
		Example: `  earshot profile --text "I read old newspapers aloud" --colour teal
  earshot profile budi`,
		GroupID: groupPeople,
		Args:    optional("WHO"), ValidArgsFunction: p.completePerson,
		RunE: func(cmd *cobra.Command, args []string) error {
			request := given.request(cmd)
			changes := request != (web.ProfileRequest{})
			switch {
			case len(args) == 0:
				return p.profile(cmd.Context(), "", request, changes)
			case changes:
				return usage("you say something of yourself, not of "+args[0], "for example: earshot profile --colour teal")
			}
			return p.profile(cmd.Context(), args[0], request, false)
		},
	}
	cmd.Flags().StringVar(&given.name, "name", "", "be called `NAME` from now on")
	cmd.Flags().StringVar(&given.text, "text", "", "say `TEXT` of yourself, at most 160 bytes")
	cmd.Flags().StringVar(&given.colour, "colour", "", "be shown in `COLOUR`: "+strings.Join(protocol.Colours(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("colour", cobra.FixedCompletions(protocol.Colours(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// request holds what flags were given.
func (f *profileFlags) request(cmd *cobra.Command) (r web.ProfileRequest) {
	if cmd.Flags().Changed("name") {
		r.Name = &f.name
	}
	if cmd.Flags().Changed("text") {
		r.Text = &f.text
	}
	if cmd.Flags().Changed("colour") {
		r.Colour = &f.colour
	}
	return r
}

// profile shows a profile, one's own after a change.
func (p *program) profile(ctx context.Context, who string, change web.ProfileRequest, changes bool) error {
	node, err := p.node()
	if err != nil {
		return err
	}
	var shown web.Profile
	if changes {
		shown, err = node.Describe(ctx, change)
	} else {
		shown, err = node.Profile(ctx, who)
	}
	switch {
	case err != nil:
		return err
	case p.json:
		return p.line(shown)
	}
	return p.table(profileRows(shown))
}

// profileRows puts a profile into a person's words.
func profileRows(o web.Profile) [][]string {
	rows := [][]string{{"name", orDash(string(o.Name))}}
	if o.Petname != "" {
		rows = append(rows, []string{"to you", string(o.Petname)})
	}
	return append(rows, []string{"text", orDash(o.Text)}, []string{"colour", orDash(o.Colour)}, []string{"peer", o.Peer})
}
