package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// completionWait bounds how long a Tab waits for the node.
const completionWait = 2 * time.Second

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
	return p.completeBy(cmd, func(ctx context.Context, node *caller) (found []cobra.Completion) {
		rooms, _ := node.AllRooms(ctx) // without them nothing is offered
		for _, r := range rooms {
			found = append(found, cobra.CompletionWithDesc(shortRoom(r.Room), r.Title))
		}
		return found
	})
}

// completeClosed offers the rooms of this node's own that are closed, or to come.
func (p *program) completeClosed(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return p.completeBy(cmd, func(ctx context.Context, node *caller) (found []cobra.Completion) {
		closed, _ := node.ClosedRooms(ctx) // without them nothing is offered
		rooms, _ := node.AllRooms(ctx)
		status, _ := node.Status(ctx)
		_, coming := byState(rooms)
		for _, r := range append(closed, coming...) {
			if r.Host == status.PeerID {
				found = append(found, cobra.CompletionWithDesc(shortRoom(r.Room), r.Title))
			}
		}
		return found
	})
}

// completeRoomThenMember offers a room, then who is in it: raised hands first.
func (p *program) completeRoomThenMember(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return p.completeRoom(cmd, args, start)
	}
	found, _ := p.completeBy(cmd, func(ctx context.Context, node *caller) (found []cobra.Completion) {
		view, _ := node.Room(ctx, args[0]) // without it nobody is offered
		for _, m := range queued(view) {
			found = append(found, cobra.CompletionWithDesc(string(m.Name), fmt.Sprintf("hand %d", m.Hand)))
		}
		for _, m := range view.Members {
			if m.Hand == 0 && !stands(m) && !m.You {
				found = append(found, cobra.CompletionWithDesc(string(m.Name), m.Role))
			}
		}
		return found
	})
	return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeRoomThenAnyone offers a room, then all who are in it.
func (p *program) completeRoomThenAnyone(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return p.completeRoom(cmd, args, start)
	}
	return p.completeBy(cmd, func(ctx context.Context, node *caller) (found []cobra.Completion) {
		view, _ := node.Room(ctx, args[0]) // without it nobody is offered
		for _, m := range view.Members {
			if !m.You {
				found = append(found, cobra.CompletionWithDesc(string(m.Name), m.Role))
			}
		}
		return found
	})
}

// completeBy asks the running node what to offer; without one, nothing is.
func (p *program) completeBy(cmd *cobra.Command, ask func(context.Context, *caller) []cobra.Completion) ([]cobra.Completion, cobra.ShellCompDirective) {
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
	return ask(ctx, node), cobra.ShellCompDirectiveNoFileComp
}

// completeRoomThenFile offers a room, then an Ogg file.
func (p *program) completeRoomThenFile(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 1 {
		return []cobra.Completion{"ogg", "opus"}, cobra.ShellCompDirectiveFilterFileExt
	}
	return p.completeRoom(cmd, args, start)
}
