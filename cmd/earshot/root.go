package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/protocol"
)

// Exit codes, part of the outside contract.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// lookup gives a variable of the environment.
type lookup func(name string) (value string, ok bool)

// program is one run of the command: what it reads, writes and looks up.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            lookup
	settings       *settings // resolved before a command runs
	log            *slog.Logger
	json           bool
	called         []*caller // whose connections are to be closed
}

// run is the whole program, apart from the process around it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env lookup) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, env: env, json: saysJSON(args, env)}
	root := p.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	for _, c := range p.called {
		c.CloseIdle()
	}
	switch {
	case err == nil, readerGone(err):
		return exitDone
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitDone // Ctrl-C is a normal end
	}
	return p.fail(err)
}

// saysJSON tells before the flags are parsed whether errors are to be JSON:
// the flags themselves may be what is wrong.
func saysJSON(args []string, env lookup) bool {
	for _, a := range args {
		switch a {
		case "--":
			return envSaysJSON(env)
		case "--json", "--json=true":
			return true
		}
	}
	return envSaysJSON(env)
}

func envSaysJSON(env lookup) bool {
	v, _ := env("EARSHOT_JSON")
	on, err := parseBool(v)
	return err == nil && on
}

// rootCommand is the tree of all commands.
func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "earshot",
		Short: "Live audio rooms without a server",
		Long: `Earshot is live audio rooms without a server. Without a command it runs the
node and opens its page; the other commands talk to the node that is running.`,
		Example: `  earshot                                  run the node
  earshot demo                             see a whole federation on this machine
  earshot rooms                            what is live
  earshot open "Why the sky is dark"       open a room and print its link
  earshot listen 7k2m --out talk.ogg       record a room
  earshot speak 7k2m talk.ogg              speak a file into it`,
		SuggestionsMinimumDistance: 2,

		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          p.noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return p.up(cmd.Context()) },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return p.prepare(cmd)
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagProblem(cmd, err) })
	root.SetUsageTemplate(usageTemplate)
	globalFlags(root)
	upFlags(root)
	root.AddGroup(
		&cobra.Group{ID: groupNode, Title: "The node"},
		&cobra.Group{ID: groupRooms, Title: "Rooms"},
		&cobra.Group{ID: groupPeople, Title: "Others, as you see them"},
		&cobra.Group{ID: groupMore, Title: "More"},
	)
	root.SetHelpCommandGroupID(groupMore)
	root.AddCommand(
		p.upCommand(), p.statusCommand(), p.doctorCommand(), p.meetCommand(), p.guestsCommand(), grouped(demoCommand(p), groupNode), p.configCommand(),
		p.roomsCommand(), p.openCommand(), p.roomCommand(), p.listenCommand(), p.speakCommand(),
		p.handCommand(), p.stageCommand(), p.chatCommand(), p.reactCommand(), p.captionsCommand(), p.reportCommand(), p.reportsCommand(),
		p.leaveCommand(), p.closeCommand(), p.reopenCommand(), p.logCommand(),
		p.completionCommand(), p.manCommand(), p.versionCommand(),
	)
	root.AddCommand(p.peopleCommands()...)
	root.InitDefaultHelpCmd()
	return root
}

// Groups of commands in the help.
const (
	groupNode   = "node"
	groupRooms  = "rooms"
	groupPeople = "people"
	groupMore   = "more"
)

func grouped(cmd *cobra.Command, group string) *cobra.Command {
	cmd.GroupID = group
	return cmd
}

// prepare resolves the settings that hold for every command.
func (p *program) prepare(cmd *cobra.Command) error {
	s, err := resolve(cmd.Flags(), p.env)
	if err != nil {
		return err
	}
	p.settings = s
	p.json = s.on("json")
	p.log = newLog(p.stderr, s.text("log-level"), s.text("log-format"))
	return nil
}

// noSuchCommand answers words that name no command.
func (p *program) noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "earshot help lists them"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage(fmt.Sprintf("there is no command %q", args[0]), hint)
}

// usage is a problem of how the command was called.
func usage(message, hint string) error {
	return &protocol.Problem{Code: protocol.CodeUsage, Message: message, Hint: hint}
}

// flagProblem words what is wrong with a flag.
func flagProblem(cmd *cobra.Command, err error) error {
	hint := "see: " + cmd.CommandPath() + " --help"
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		name := unknown.GetSpecifiedName()
		if near := nearFlag(cmd, name); near != "" {
			hint = "did you mean --" + near + "?"
		}
		return usage(fmt.Sprintf("%s has no flag --%s", cmd.CommandPath(), name), hint)
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) && invalid.GetFlag().Value.Type() != "bool" && (errors.Is(err, strconv.ErrSyntax) || errors.Is(err, strconv.ErrRange)) {
		return usage(fmt.Sprintf("--%s: %q is no number that fits", invalid.GetFlag().Name, invalid.GetValue()), hint)
	}
	return usage(err.Error(), hint)
}

// nearFlag gives the flag that name probably meant.
func nearFlag(cmd *cobra.Command, name string) string {
	// cobra knows how to find the command that was meant; a flag is no different.
	names := &cobra.Command{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	for names.SuggestionsMinimumDistance = 1; names.SuggestionsMinimumDistance <= 2; names.SuggestionsMinimumDistance++ {
		if near := names.SuggestionsFor(name); len(near) > 0 {
			return near[0]
		}
	}
	return ""
}

// words checks that a command got exactly these arguments.
func words(wanted ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(wanted):
			return usage(fmt.Sprintf("%s needs %s", cmd.CommandPath(), strings.Join(wanted[len(args):], " and ")), seeHelp(cmd))
		case len(args) > len(wanted):
			return usage(fmt.Sprintf("%s does not know what to do with %q", cmd.CommandPath(), args[len(wanted)]), seeHelp(cmd))
		}
		return nil
	}
}

// optional checks that a command got that one argument, or none.
func optional(word string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return words(word)(cmd, args)
	}
}

// seeHelp points to a command's example, or to its help.
func seeHelp(cmd *cobra.Command) string {
	if line, _, _ := strings.Cut(strings.TrimSpace(cmd.Example), "\n"); line != "" {
		call, _, _ := strings.Cut(line, "   ")
		return "for example: " + call
	}
	return "see: " + cmd.CommandPath() + " --help"
}

const usageTemplate = `Usage: {{if and .HasAvailableSubCommands (ne .Use .Name)}}{{.UseLine}}, or {{.CommandPath}} COMMAND{{else if .HasAvailableSubCommands}}{{.CommandPath}} [COMMAND] [FLAGS]{{else}}{{.UseLine}}{{end}}{{if .HasExample}}

Examples
{{.Example}}{{end}}{{$all := .Commands}}{{range .Groups}}{{$group := .}}

{{.Title}}{{range $all}}{{if and (eq .GroupID $group.ID) .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if and .HasAvailableSubCommands (not .Groups)}}

Commands{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}
`
