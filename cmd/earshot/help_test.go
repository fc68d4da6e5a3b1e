package main

import (
	"testing"

	"github.com/spf13/cobra"
)

// Whoever asks a command for help is shown how it is used.
func TestEveryCommandHasAnExample(t *testing.T) {
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		if cmd.Runnable() && cmd.Example == "" && !cmd.Hidden && cmd.Name() != "version" && cmd.Name() != "help" {
			t.Errorf("%s has none", cmd.CommandPath())
		}
		for _, part := range cmd.Commands() {
			look(part)
		}
	}
	look((&program{}).rootCommand())
}
