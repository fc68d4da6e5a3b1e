package main

import (
	"context"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/earshot-audio/earshot/cmd/earshot/demo"
)

// demoCommand shows a whole federation on this machine.
func demoCommand(p *program) *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See a whole federation on this machine, with nothing to set up",
		Long: `See a whole federation on this machine: seven nodes, a room, two voices, five
listeners who record it, and the node that passes the sound on killed in the
middle of a sentence. It takes less than a minute, touches no other node, and
leaves nothing behind but the recordings.

Where a browser can show up, the page of an eighth node, yours, opens at the
room: listen there, and switch off who carries the sound. With --stay nodes and
page are there until Ctrl-C; who was switched off comes back.`,
		Example: `  earshot demo
  earshot demo --stay               listen in the page for as long as you like
  earshot demo --out recordings     keep the recordings there`,
		Args: words(),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.demo(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.Dir, "out", "", "record to `DIR` (default a new one among the temporary files)")
	cmd.Flags().BoolVar(&o.Stay, "stay", false, "go on until Ctrl-C")
	cmd.Flags().Bool("no-browser", false, "don't open the page; with --stay, print its address")
	cmd.Flags().BoolVar(&o.Fast, "fast", false, "tell it in a few seconds")
	_ = cmd.Flags().MarkHidden("fast")
	_ = cmd.MarkFlagDirname("out")
	return cmd
}

func (p *program) demo(ctx context.Context, o demo.Options) error {
	kind, _ := p.env("TERM")
	o.Out, o.JSON, o.Live, o.Colour, o.Version = p.stdout, p.json, terminal(p.stdout) && kind != "dumb", p.colours(), version
	if p.log.Enabled(ctx, slog.LevelInfo) {
		o.Log = p.log // else: that others don't reach a killed node is no news here
	}
	if file, ok := p.stdout.(*os.File); ok && o.Live {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			o.Width = width
		}
	}
	if o.Stay || p.desktop() && !p.json && !p.settings.on("no-browser") {
		o.Page = p.demoPage
	}
	return demo.Run(ctx, o)
}

// demoPage opens the demo's page, and says where it is.
func (p *program) demoPage(address string) string {
	if p.json {
		return address // the script's to open
	}
	api, _, _ := strings.Cut(address, "/#")
	return p.openPage(readyLine{Page: address, API: api})
}
