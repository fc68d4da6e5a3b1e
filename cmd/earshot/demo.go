package main

import (
	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/protocol"
)

// demoCommand shows a whole federation on this machine.
func demoCommand(*program) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "See a whole federation on this machine, with nothing to set up",
		Args:  words(),
		RunE: func(*cobra.Command, []string) error {
			return &protocol.Problem{Code: protocol.CodeInternal, Message: "the demo is not built yet", Hint: "run a node instead: earshot up"}
		},
	}
}
