package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/node/rtc"
	"github.com/earshot-audio/earshot/protocol"
)

// kind is what a setting's value is made of.
type kind int

const (
	textKind kind = iota
	boolKind
	listKind
)

// setting is one thing that a person can set: by its flag, else by EARSHOT_
// and its name, else in config.toml under its name.
type setting struct {
	name  string
	kind  kind
	plain string // when nothing sets it
	alone string // when its flag stands alone, without a value; "": it can't
	help  string
	words []string           // it is one of these; nil: anything that check takes
	check func(string) error // of the text, or of each of a list
	up    bool               // a flag of `up` only
	flag  bool               // not in config.toml
}

// allSettings is the table of what can be set.
func allSettings() []setting {
	return []setting{
		{name: "home", help: "keep identity, rooms and config.toml in `DIR`", flag: true},
		{name: "json", kind: boolKind, help: "print one JSON object a line"},
		{name: "log-level", plain: "warn", help: "log from `LEVEL` on: debug, info, warn or error", words: []string{"debug", "info", "warn", "error"}},
		{name: "log-format", plain: "text", help: "log as `FORMAT`: text or json", words: []string{"text", "json"}},

		{name: "name", help: "be known as `NAME`", check: checkName, up: true},
		{name: "api", plain: "127.0.0.1:8733", help: "serve page and API at `HOST:PORT` of this machine", check: checkHostPort, up: true},
		{name: "listen", kind: listKind, help: "take connections at `MULTIADDR` (repeatable)", check: checkListen, up: true},
		{name: "bootstrap", kind: listKind, help: "meet the others through `MULTIADDR`/p2p/ID (repeatable)", check: checkBootstrap, up: true},
		{name: "network", help: "join the network `NAME` instead of the common one", check: checkNetwork, up: true},
		{name: "max-upload", plain: "none", help: "send other nodes at most `RATE`, such as 2M (bits a second) or 250KB (bytes); none: no limit", check: checkRate, up: true},
		{name: "relay-only", kind: boolKind, help: "let nobody but a room's relay learn this node's address; it carries no rooms", up: true},
		{name: "circuits", plain: "all", help: "carry connections that routers keep out, of `WHOM`: all, rooms (those in a room with you) or off", words: []string{"all", "rooms", "off"}, up: true},
		{name: "media-port", plain: strconv.Itoa(rtc.Port), help: "send and take sound at UDP `PORT`, or another one if it is in use; 0: any", check: checkPort, up: true},
		{name: "guests", alone: doorPlain, help: "let people without a node listen, by a page at `HOST:PORT` (alone: port 8734 of all addresses)", check: checkHostPort, up: true},
		{name: "max-guests", plain: "50", help: "let `N` guests listen at once", check: checkGuests, up: true},
		{name: "guests-cert", help: "serve guests by TLS with the certificate in `FILE` (PEM)", up: true},
		{name: "guests-key", help: "and with its key in `FILE` (PEM)", up: true},
		{name: "domain", help: "serve guests at `NAME`, with a certificate of Let's Encrypt, which asks for port 443", check: checkDomain, up: true},
		{name: "no-browser", kind: boolKind, help: "don't open the page", up: true},
		{name: "no-mdns", kind: boolKind, help: "don't look for nodes on the local network", up: true},
		{name: "no-portmap", kind: boolKind, help: "don't ask the router to open ports", up: true},
		{name: "no-dht", kind: boolKind, help: "neither find rooms by their IDs alone nor have yours found so (DHT)", up: true},
		{name: "no-lend", kind: boolKind, help: "carry no sound for rooms of others", up: true},
	}
}

// variable is the setting's name in the environment.
func (s setting) variable() string {
	return "EARSHOT_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// addFlag defines the setting's flag.
func (s setting) addFlag(flags *pflag.FlagSet) {
	switch s.kind {
	case boolKind:
		flags.Bool(s.name, false, s.help)
	case listKind:
		flags.StringArray(s.name, nil, s.help)
	default:
		flags.String(s.name, s.plain, s.help)
		flags.Lookup(s.name).NoOptDefVal = s.alone
	}
}

// globalFlags defines the flags of every command.
func globalFlags(root *cobra.Command) {
	for _, s := range allSettings() {
		if !s.up {
			s.addFlag(root.PersistentFlags())
			s.completeFlag(root)
		}
	}
	_ = root.MarkPersistentFlagDirname("home") // the flag is there
}

// upFlags defines the flags of the node itself.
func upFlags(cmd *cobra.Command) {
	for _, s := range allSettings() {
		if s.up {
			s.addFlag(cmd.Flags())
			s.completeFlag(cmd)
		}
	}
}

// completeFlag has Tab offer the words that a setting can be.
func (s setting) completeFlag(cmd *cobra.Command) {
	if s.words != nil {
		_ = cmd.RegisterFlagCompletionFunc(s.name, cobra.FixedCompletions(s.words, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	}
}

// value is a setting as it holds, and where it comes from.
type value struct {
	words []string // one, or those of a list
	from  string   // "flag", "EARSHOT_…", "config.toml line 3" or "default"
}

// set tells whether anything but the default sets it.
func (v value) set() bool { return v.from != fromDefault }

const fromDefault = "default"

// place says where the value of the named setting stands.
func (v value) place(name string) string {
	if v.from == "flag" {
		return "--" + name
	}
	return v.from + " (" + name + ")"
}

// code is that of a problem with the value.
func (v value) code() string {
	if v.from == "flag" {
		return protocol.CodeUsage
	}
	return protocol.CodeConfig
}

// settings is what holds for one run.
type settings struct {
	values map[string]value
	config string // path of config.toml
}

func (s *settings) value(name string) value   { return s.values[name] }
func (s *settings) list(name string) []string { return s.values[name].words }
func (s *settings) home() string              { return s.text("home") }

func (s *settings) text(name string) string {
	if w := s.values[name].words; len(w) > 0 {
		return w[0]
	}
	return ""
}

func (s *settings) on(name string) bool { return s.text(name) == "true" }

func newSettings(home value) *settings {
	return &settings{
		values: map[string]value{"home": home},
		config: filepath.Join(home.words[0], configName),
	}
}

// resolve puts flags, environment and config.toml together.
func resolve(flags *pflag.FlagSet, env lookup) (*settings, error) {
	home, err := resolveHome(flags, env)
	if err != nil {
		return nil, err
	}
	s := newSettings(home)
	file, err := readConfig(s.config)
	if err != nil {
		return nil, err
	}
	for _, one := range allSettings() {
		// What only the node needs is none of the other commands' business.
		if one.flag || flags.Lookup(one.name) == nil {
			continue
		}
		v, err := one.resolve(flags, env, file)
		if err != nil {
			return nil, err
		}
		if err := one.accepts(v); err != nil {
			return nil, err
		}
		s.values[one.name] = v
	}
	return s, s.agree()
}

// agree refuses settings that can't hold together.
func (s *settings) agree() error {
	circuits := s.value("circuits")
	if s.on("relay-only") && circuits.set() && s.text("circuits") != "off" {
		return withPlace(circuits.place("circuits"), problem(
			fmt.Sprintf("a node that hides (relay-only, by %s) can't carry others' connections: they would learn its address", s.value("relay-only").from),
			"leave one of the two out"), circuits.code())
	}
	return s.agreeOnGuests()
}

// resolve finds the setting's value by the order of precedence.
func (s setting) resolve(flags *pflag.FlagSet, env lookup, file map[string]value) (value, error) {
	if f := flags.Lookup(s.name); f != nil && f.Changed {
		if list, ok := f.Value.(pflag.SliceValue); ok {
			return value{list.GetSlice(), "flag"}, nil
		}
		return value{[]string{f.Value.String()}, "flag"}, nil
	}
	if text, ok := env(s.variable()); ok && text != "" {
		return s.fromEnvironment(text)
	}
	if v, ok := file[s.name]; ok {
		return v, nil
	}
	return value{s.standard(), fromDefault}, nil
}

// standard is the value when nothing sets it.
func (s setting) standard() []string {
	switch {
	case s.kind == boolKind:
		return []string{"false"}
	case s.plain == "":
		return nil
	}
	return []string{s.plain}
}

func (s setting) fromEnvironment(text string) (value, error) {
	from := s.variable()
	switch s.kind {
	case listKind:
		words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
		return value{words, from}, nil
	case boolKind:
		on, err := parseBool(text)
		if err != nil {
			return value{}, configProblem(from, err)
		}
		return value{[]string{strconv.FormatBool(on)}, from}, nil
	}
	return value{[]string{text}, from}, nil
}

// accepts checks the value's words.
func (s setting) accepts(v value) error {
	check := s.check
	if s.words != nil {
		check = oneOf(s.words...)
	}
	if check == nil || !v.set() || (s.kind == boolKind && v.words[0] == "false") {
		return nil
	}
	for _, w := range v.words {
		if err := check(w); err != nil {
			return withPlace(v.place(s.name), err, v.code())
		}
	}
	return nil
}

// withPlace says where the value stands that err is about. A problem that has
// a code of its own keeps it.
func withPlace(place string, err error, code string) error {
	out := &protocol.Problem{Code: code, Message: place + ": " + err.Error()}
	if p, ok := err.(*protocol.Problem); ok {
		out.Message, out.Hint = place+": "+p.Message, p.Hint
		if p.Code != "" {
			out.Code = p.Code
		}
	}
	return out
}

// configProblem is an error of config.toml or the environment.
func configProblem(place string, err error) error {
	return withPlace(place, err, protocol.CodeConfig)
}

// parseBool reads what people write for yes and no.
func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "1", "true", "yes", "on":
		return true, nil
	case "0", "false", "no", "off":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}
