package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// completionWait bounds how long a Tab waits for the node.
const completionWait = 500 * time.Millisecond

func (p *program) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print what makes a shell complete earshot's words",
		Example: `  earshot completion bash > ~/.local/share/bash-completion/completions/earshot
  earshot completion zsh > "${fpath[1]}/_earshot"
  earshot completion fish > ~/.config/fish/completions/earshot.fish
  earshot completion powershell >> $PROFILE`,
		GroupID:   groupMore,
		ValidArgs: []cobra.Completion{"bash", "zsh", "fish", "powershell"},
		Args:      words("bash, zsh, fish or powershell"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(p.stdout, true)
			case "zsh":
				return root.GenZshCompletion(p.stdout)
			case "fish":
				return root.GenFishCompletion(p.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(p.stdout)
			}
			return usage(fmt.Sprintf("there is no completion for %q", args[0]), "it can be bash, zsh, fish or powershell")
		},
	}
}

// completeRoom offers the rooms that the running node knows.
func (p *program) completeRoom(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	home, err := resolveHome(cmd.Flags(), p.env)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	p.settings = homeOnly(home)
	node, err := p.node()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionWait)
	defer cancel()
	rooms, err := node.Rooms(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	found := make([]cobra.Completion, 0, len(rooms))
	for _, r := range rooms {
		found = append(found, cobra.CompletionWithDesc(shortRoom(r.Room), r.Title))
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeRoomThenFile offers a room, then an Ogg file.
func (p *program) completeRoomThenFile(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 1 {
		return []cobra.Completion{"ogg", "opus"}, cobra.ShellCompDirectiveFilterFileExt
	}
	return p.completeRoom(cmd, args, start)
}
