package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/earshot-audio/earshot/cmd/earshot/demo"
)

// demoCommand shows a whole federation on this machine.
func demoCommand(p *program) *cobra.Command {
	var dir string
	var fast bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See a whole federation on this machine, with nothing to set up",
		Long: `See a whole federation on this machine: seven nodes, a room, two voices, five
listeners who record it, and the node that passes the sound on killed in the
middle of a sentence. It takes less than a minute, touches no other node, and
leaves nothing behind but the recordings.`,
		Example: `  earshot demo
  earshot demo --out recordings     keep the recordings there`,
		Args: words(),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.demo(cmd.Context(), dir, fast) },
	}
	cmd.Flags().StringVar(&dir, "out", "", "record to `DIR` (default a new one among the temporary files)")
	cmd.Flags().BoolVar(&fast, "fast", false, "tell it in a few seconds")
	_ = cmd.Flags().MarkHidden("fast")
	_ = cmd.MarkFlagDirname("out")
	return cmd
}

func (p *program) demo(ctx context.Context, dir string, fast bool) error {
	kind, _ := p.env("TERM")
	o := demo.Options{Out: p.stdout, JSON: p.json, Live: terminal(p.stdout) && kind != "dumb", Colour: p.colours(), Dir: dir, Fast: fast, Version: version}
	if p.log.Enabled(ctx, slog.LevelInfo) {
		o.Log = p.log // else: that others don't reach a killed node is no news here
	}
	if file, ok := p.stdout.(*os.File); ok && o.Live {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			o.Width = width
		}
	}
	return demo.Run(ctx, o)
}
