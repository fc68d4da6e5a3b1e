package demo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// style writes for a terminal that has colours, or for anything else.
type style struct{ colour bool }

func (s style) bold(t string) string  { return s.in("1", t) }
func (s style) faint(t string) string { return s.in("2", t) }
func (s style) good(t string) string  { return s.in("32", t) }
func (s style) bad(t string) string   { return s.in("1;31", t) }

// name is one in a column of names.
func (s style) name(t string) string { return s.bold(t) + pad(t, len("fitri")) }

func (s style) in(code, t string) string {
	if !s.colour {
		return t
	}
	return "\x1b[" + code + "m" + t + "\x1b[0m"
}

// pad gives the spaces that bring t to a width.
func pad(t string, width int) string { return strings.Repeat(" ", max(0, width-cells(t))) }

// cells is how wide text shows: its runes, without escapes for colour.
func cells(t string) int { return utf8.RuneCountInString(uncoloured(t)) }

// uncoloured takes the escapes for colour out.
func uncoloured(t string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(t, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, t, _ = strings.Cut(after, "m")
	}
}

// list says "a", "a and b", "a, b and c".
func list(of []string) string {
	if len(of) < 2 {
		return strings.Join(of, "")
	}
	return strings.Join(of[:len(of)-1], ", ") + " and " + of[len(of)-1]
}

// spelled writes small numbers as words.
func spelled(n int) string {
	words := [...]string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
	if n < len(words) {
		return words[n]
	}
	return fmt.Sprint(n)
}

// ordinal writes the place of the last of so many nodes as a word.
func ordinal(n int) string {
	if n == 8 {
		return "eighth"
	}
	return fmt.Sprintf("%dth", n)
}

func capital(t string) string { return strings.ToUpper(t[:1]) + t[1:] }

// number writes a count with gaps between thousands: 2 013.
func number(n uint64) string {
	t := fmt.Sprint(n)
	for i := len(t) - 3; i > 0; i -= 3 {
		t = t[:i] + " " + t[i:]
	}
	return t
}

// count says "1 frame", "2 frames".
func count(n uint64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// quoted is a path that can be copied into a shell.
func quoted(path string) string {
	if strings.ContainsAny(path, " ()&;'$") {
		return `"` + path + `"`
	}
	return path
}
