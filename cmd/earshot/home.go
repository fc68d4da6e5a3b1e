package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"

	"github.com/spf13/pflag"
)

// resolveHome finds the home: the flag, EARSHOT_HOME, the platform's place.
func resolveHome(flags *pflag.FlagSet, env lookup) (value, error) {
	v := value{from: fromDefault}
	if f := flags.Lookup("home"); f != nil && f.Changed {
		v = value{[]string{f.Value.String()}, "flag"}
	} else if dir, ok := env("EARSHOT_HOME"); ok && dir != "" {
		v = value{[]string{dir}, "EARSHOT_HOME"}
	} else if dir := platformHome(runtime.GOOS, env); dir != "" {
		v.words = []string{dir}
	}
	if len(v.words) == 0 || v.words[0] == "" {
		return v, usage("there is no place for the node's files", "name one with --home DIR")
	}
	dir, err := filepath.Abs(v.words[0])
	if err != nil {
		return v, usage("the home can't be found: "+err.Error(), "name one with --home DIR")
	}
	v.words = []string{dir}
	return v, nil
}

// platformHome is where programs of this system keep their state; "" if the
// environment doesn't say.
func platformHome(system string, env lookup) string {
	under := func(variable string, rest ...string) string {
		base, _ := env(variable)
		if base == "" {
			return ""
		}
		return filepath.Join(append([]string{base}, rest...)...)
	}
	switch system {
	case "windows":
		return under("LOCALAPPDATA", "Earshot")
	case "darwin", "ios":
		return under("HOME", "Library", "Application Support", "Earshot")
	}
	if dir := under("XDG_STATE_HOME", "earshot"); dir != "" {
		return dir
	}
	return under("HOME", ".local", "state", "earshot")
}

// bare strips an error of a file of the operation and path, which its message
// says in its own words.
func bare(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
