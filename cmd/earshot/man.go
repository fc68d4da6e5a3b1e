package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/earshot-audio/earshot/protocol"
)

func (p *program) manCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "man [COMMAND]",
		Short: "Print a manual page, or write them all to a directory",
		Example: `  earshot man | man -l -                   read the manual
  earshot man listen | man -l -            of one command
  earshot man --dir ~/.local/share/man/man1`,
		GroupID: groupMore,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			page, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usage(fmt.Sprintf("there is no command %q", strings.Join(args, " ")), "earshot help lists them")
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			header := &doc.GenManHeader{Title: "EARSHOT", Section: "1", Source: "Earshot " + version, Manual: "Earshot"}
			if dir == "" {
				header.Title = strings.ToUpper(strings.ReplaceAll(page.CommandPath(), " ", "-"))
				return doc.GenMan(page, header, p.stdout)
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return outputProblem(dir, err)
			}
			header.Title = ""
			if err := doc.GenManTree(root, header, dir); err != nil {
				return outputProblem(dir, err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "write a page for each command to `DIR`")
	_ = cmd.MarkFlagDirname("dir") // the flag is there
	return cmd
}

// outputProblem says that something can't be written.
func outputProblem(path string, err error) error {
	return &protocol.Problem{Code: protocol.CodeOutput, Message: fmt.Sprintf("%s can't be written: %s", path, bare(err)), Cause: err}
}
