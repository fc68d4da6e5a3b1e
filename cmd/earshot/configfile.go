package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/BurntSushi/toml"

	"github.com/earshot-audio/earshot/protocol"
)

// configName is the settings file in the home.
const configName = "config.toml"

// maxConfig bounds config.toml, bytes.
const maxConfig = 64 << 10

// readConfig reads config.toml; without a file nothing is set.
func readConfig(path string) (map[string]value, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil // a home that is none is for those who need one
	}
	if err != nil {
		return nil, &protocol.Problem{Code: protocol.CodeConfig, Message: fmt.Sprintf("%s can't be read: %s", path, bare(err)), Cause: err}
	}
	return parseConfig(path, string(b))
}

// parseConfig reads the text of a config.toml that stands at path. Errors name
// the line.
func parseConfig(path, text string) (map[string]value, error) {
	if len(text) > maxConfig {
		return nil, configProblem(path, problem("larger than any settings", "start it anew with: earshot config set"))
	}
	var raw map[string]any
	if _, err := toml.Decode(text, &raw); err != nil {
		var parse toml.ParseError
		if errors.As(err, &parse) {
			return nil, configProblem(fmt.Sprintf("%s line %d", path, parse.Position.Line), errors.New(parse.Message))
		}
		return nil, configProblem(path, err)
	}
	values := make(map[string]value, len(raw))
	for _, key := range keysByLine(text, raw) {
		place := fmt.Sprintf("%s line %d", path, lineOf(text, key))
		one, ok := settingOfFile(key)
		if !ok {
			return nil, configProblem(place, problem(fmt.Sprintf("there is no setting %q", key), "earshot config lists them"))
		}
		words, err := one.fromFile(raw[key])
		if err != nil {
			return nil, configProblem(place, err)
		}
		values[key] = value{words, fmt.Sprintf("%s line %d", configName, lineOf(text, key))}
	}
	return values, nil
}

// keysByLine orders the keys as they stand in the file, so that the first
// mistake is the one that is told.
func keysByLine(text string, raw map[string]any) []string {
	keys := make([]string, 0, len(raw))
	for k := range raw {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if d := lineOf(text, a) - lineOf(text, b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return keys
}

// settingOfFile gives the setting that config.toml knows under this name.
func settingOfFile(name string) (setting, bool) {
	for _, s := range allSettings() {
		if s.name == name && !s.flag {
			return s, true
		}
	}
	return setting{}, false
}

// fromFile turns a TOML value into the setting's words.
func (s setting) fromFile(raw any) ([]string, error) {
	switch v := raw.(type) {
	case string:
		if s.kind == textKind {
			return []string{v}, nil
		}
	case bool:
		if s.kind == boolKind {
			return []string{strconv.FormatBool(v)}, nil
		}
	case []any:
		words := make([]string, 0, len(v))
		for _, one := range v {
			w, ok := one.(string)
			if !ok {
				return nil, s.wrongKind()
			}
			words = append(words, w)
		}
		if s.kind == listKind {
			return words, nil
		}
	}
	return nil, s.wrongKind()
}

func (s setting) wrongKind() error {
	return fmt.Errorf("%s must be %s", s.name, [...]string{
		textKind: `text, such as "ana"`,
		boolKind: "true or false",
		listKind: `a list, such as ["a", "b"]`,
	}[s.kind])
}

// line writes the setting as a line of config.toml.
func (s setting) line(words []string) string {
	switch s.kind {
	case boolKind:
		return s.name + " = " + words[0]
	case listKind:
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = strconv.Quote(w)
		}
		return s.name + " = [" + strings.Join(quoted, ", ") + "]"
	}
	return s.name + " = " + strconv.Quote(words[0])
}

// lineOf finds the line of a top-level key, from 1; 0 if it is written in a
// way that no one writes.
func lineOf(text, key string) int {
	for i, line := range strings.Split(text, "\n") {
		if keyOf(line) == key {
			return i + 1
		}
	}
	return 0
}

// keyOf gives the first part of the key that a line sets, or of the table
// that it opens.
func keyOf(line string) string {
	line = strings.TrimLeft(strings.TrimSpace(line), "[ \t")
	if i := strings.IndexAny(line, "=].#"); i >= 0 {
		line = line[:i]
	}
	return strings.Trim(strings.TrimSpace(line), `"'`)
}

// withLine gives the text with the key's lines replaced by line, or taken out
// if line is empty. Comments and other keys stay as they are.
func withLine(text, key, line string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if text == "" {
		lines = nil
	}
	var put []string
	if line != "" {
		put = []string{line}
	}
	if at := lineOf(text, key) - 1; at >= 0 {
		lines = slices.Replace(lines, at, spanEnd(lines, at), put...)
	} else {
		lines = append(lines, put...)
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// spanEnd finds where the key that begins at a line ends: a list may span
// several, and is whole once it parses.
func spanEnd(lines []string, at int) int {
	for end := at + 1; end <= len(lines); end++ {
		var raw map[string]any
		if _, err := toml.Decode(strings.Join(lines[at:end], "\n"), &raw); err == nil {
			return end
		}
	}
	return at + 1
}

// writeConfig puts text at path.
func writeConfig(path, text string) error {
	dir := filepath.Dir(path)
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = replaceFile(path, []byte(text))
	}
	if err != nil {
		return homeUnwritable(dir, err)
	}
	return nil
}

func homeUnwritable(dir string, err error) error {
	return &protocol.Problem{Code: protocol.CodeHomeUnwritable, Message: fmt.Sprintf("%s can't be written: %s", dir, bare(err)),
		Hint: "choose another with --home DIR", Cause: err}
}
