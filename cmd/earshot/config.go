package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func (p *program) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the settings that hold and where each comes from",
		Long: `Show the settings that hold and where each comes from: a flag, the
environment (EARSHOT_ and the name), config.toml in the home, or the default.`,
		Example: `  earshot config                           what holds
  earshot config set name "quiet heron"    remember a setting
  earshot config unset name                forget it again`,
		GroupID: groupNode,
		Args:    p.noSuchPart,
		RunE:    func(*cobra.Command, []string) error { return p.showConfig() },
	}
	upFlags(cmd)
	cmd.AddCommand(
		&cobra.Command{
			Use:     "path",
			Short:   "Print where config.toml is",
			Example: "  earshot config path",
			Args:    words(),
			RunE: func(*cobra.Command, []string) error {
				if p.json {
					return p.line(map[string]string{"path": p.settings.config})
				}
				return p.say("%s\n", p.settings.config)
			},
		},
		&cobra.Command{
			Use:               "set KEY VALUE [VALUE...]",
			Short:             "Write a setting to config.toml",
			Example:           `  earshot config set bootstrap /ip4/192.0.2.7/udp/41641/quic-v1/p2p/12D3Koo…`,
			ValidArgsFunction: completeSetting,
			Args: func(cmd *cobra.Command, args []string) error {
				if len(args) < 2 {
					return words("KEY", "VALUE")(cmd, args)
				}
				return nil
			},
			RunE:              func(_ *cobra.Command, args []string) error { return p.setConfig(args[0], args[1:]) },
			PersistentPreRunE: p.prepareRepair,
		},
		&cobra.Command{
			Use:               "unset KEY",
			Short:             "Take a setting out of config.toml",
			Example:           `  earshot config unset name`,
			ValidArgsFunction: completeSetting,
			Args:              words("KEY"),
			RunE:              func(_ *cobra.Command, args []string) error { return p.unsetConfig(args[0]) },
			PersistentPreRunE: p.prepareRepair,
		},
	)
	return cmd
}

// noSuchPart answers words that name no subcommand.
func (p *program) noSuchPart(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(fmt.Sprintf("%s has no part %q", cmd.CommandPath(), args[0]), "it has path, set and unset")
}

// prepareRepair does with the home alone, so that a config.toml that can't be
// read can still be mended.
func (p *program) prepareRepair(cmd *cobra.Command, _ []string) error {
	home, err := resolveHome(cmd.Flags(), p.env)
	if err != nil {
		return err
	}
	p.settings = homeOnly(home)
	return nil
}

// configLine is a setting as `config --json` prints it.
type configLine struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
	From  string `json:"from"`
}

func (p *program) showConfig() error {
	var rows [][]string
	for _, s := range allSettings() {
		v := p.settings.value(s.name)
		if p.json {
			if err := p.line(configLine{s.name, s.typed(v.words), v.from}); err != nil {
				return err
			}
			continue
		}
		shown := strings.Join(v.words, " ")
		if shown == "" {
			shown = "-"
		}
		rows = append(rows, []string{s.name, shown, p.faint(v.from)})
	}
	if p.json {
		return nil
	}
	return p.table(rows)
}

// typed gives the words as the JSON value they stand for.
func (s setting) typed(words []string) any {
	switch {
	case s.kind == boolKind:
		return words[0] == "true"
	case s.kind == listKind:
		return append([]string{}, words...)
	case len(words) == 0:
		return ""
	}
	return words[0]
}

func (p *program) setConfig(key string, words []string) error {
	one, err := fileSetting(key)
	if err != nil {
		return err
	}
	if one.kind != listKind && len(words) > 1 {
		return usage(fmt.Sprintf("%s takes one value", key), fmt.Sprintf("quote it: earshot config set %s %q", key, strings.Join(words, " ")))
	}
	if one.kind == boolKind {
		on, err := parseBool(words[0])
		if err != nil {
			return usage(key+": "+err.Error(), "")
		}
		words = []string{fmt.Sprint(on)}
	}
	if err := one.accepts(value{words, "flag"}); err != nil {
		return err
	}
	return p.editConfig(key, one.line(words))
}

func (p *program) unsetConfig(key string) error { return p.editConfig(key, "") }

// editConfig replaces the key's line in config.toml.
func (p *program) editConfig(key, line string) error {
	path := p.settings.config
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return homeUnwritable(p.settings.home(), err)
	}
	after, err := edited(path, string(b), key, line)
	if err != nil || after == string(b) {
		return err
	}
	return writeConfig(path, after)
}

// edited gives the text with the key's line replaced. What was sound is sound
// after it, and differs in this key alone; what was broken may be mended.
func edited(path, before, key, line string) (string, error) {
	after := withLine(before, key, line)
	was, err := parseConfig(path, before)
	if err != nil {
		return after, nil
	}
	is, err := parseConfig(path, after)
	if err != nil || !sameBut(key, was, is) {
		return "", configProblem(path, problem("written in a way that can't be edited from here", "change it by hand"))
	}
	return after, nil
}

// sameBut tells whether all settings but one are the same.
func sameBut(key string, a, b map[string]value) bool {
	for _, s := range allSettings() {
		x, inA := a[s.name]
		y, inB := b[s.name]
		if s.name != key && (inA != inB || !slices.Equal(x.words, y.words)) {
			return false
		}
	}
	return true
}

func fileSetting(key string) (setting, error) {
	one, ok := settingOfFile(key)
	if !ok {
		return one, usage(fmt.Sprintf("there is no setting %q", key), "earshot config lists them")
	}
	return one, nil
}

// homeOnly is settings of which only the home is known; the rest are defaults.
func homeOnly(home value) *settings {
	s := newSettings(home)
	for _, one := range allSettings() {
		if !one.flag {
			s.values[one.name] = value{one.standard(), fromDefault}
		}
	}
	return s
}

func completeSetting(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []cobra.Completion
	for _, s := range allSettings() {
		if !s.flag {
			all = append(all, cobra.CompletionWithDesc(s.name, strings.ReplaceAll(s.help, "`", "")))
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}
