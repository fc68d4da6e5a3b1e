package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/earshot-audio/earshot/protocol"
)

// say writes text for a person to standard output.
func (p *program) say(format string, args ...any) error {
	_, err := fmt.Fprintf(p.stdout, format, args...)
	return err
}

// line writes one JSON object on a line of standard output.
func (p *program) line(v any) error { return writeLine(p.stdout, v) }

func writeLine(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// fail tells a person, or a script, what went wrong, and gives the exit code.
func (p *program) fail(err error) int {
	what := asProblem(err)
	if p.json {
		writeLine(p.stderr, problemLine{"error", what.Code, what.Message, what.Hint})
	} else {
		fmt.Fprintf(p.stderr, "earshot: %s\n", oneLine(what.Error()))
	}
	if p.log != nil && what.Cause != nil {
		p.log.Debug("failed", "code", what.Code, "cause", what.Cause)
	}
	if what.Code == protocol.CodeUsage || what.Code == protocol.CodeConfig {
		return exitUsage
	}
	return exitFailed
}

// problemLine is an error as --json prints it.
type problemLine struct {
	Event   string `json:"event"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// asProblem gives any error a code.
func asProblem(err error) *protocol.Problem {
	var what *protocol.Problem
	switch {
	case errors.As(err, &what):
		return what
	case errors.Is(err, context.DeadlineExceeded):
		return &protocol.Problem{Code: protocol.CodeNoNode, Message: "the node does not answer", Hint: "see whether it still runs: earshot status", Cause: err}
	}
	return &protocol.Problem{Code: protocol.CodeInternal, Message: err.Error(), Cause: err}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// readerGone tells that whoever read our output has closed the pipe.
func readerGone(err error) bool {
	if errors.Is(err, syscall.EPIPE) {
		return true
	}
	// ERROR_BROKEN_PIPE and ERROR_NO_DATA
	return runtime.GOOS == "windows" && (errors.Is(err, syscall.Errno(109)) || errors.Is(err, syscall.Errno(232)))
}

// terminal tells whether a person looks at what is written to or typed into f.
func terminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// colours tells whether standard output may carry them (https://no-color.org).
func (p *program) colours() bool {
	off, _ := p.env("NO_COLOR")
	kind, _ := p.env("TERM")
	return off == "" && kind != "dumb" && terminal(p.stdout)
}

func (p *program) bold(s string) string  { return p.styled("1", s) }
func (p *program) faint(s string) string { return p.styled("2", s) }

func (p *program) styled(code, s string) string {
	if !p.colours() {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// table writes rows with their columns below each other.
func (p *program) table(rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], cells(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", widths[i]-cells(cell)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return p.say("%s", b.String())
}

// cells is how wide text shows: its runes, without escapes for colour.
func cells(s string) int {
	for {
		from := strings.Index(s, "\x1b[")
		if from < 0 {
			return utf8.RuneCountInString(s)
		}
		to := strings.IndexByte(s[from:], 'm')
		if to < 0 {
			return utf8.RuneCountInString(s)
		}
		s = s[:from] + s[from+to+1:]
	}
}

// cut shortens text for a column.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

// ago says how long something has lasted, in one figure.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// clock says how long something has lasted as 1:02 or 1:02:03.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// number writes a count with thin gaps between thousands, as 2 013.
func number(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// amount says how much that many bytes are, as 12 MB.
func amount(bytes uint64) string {
	size, unit := float64(bytes)/1000, "KB"
	for _, larger := range []string{"MB", "GB", "TB"} {
		if size < 1000 {
			break
		}
		size, unit = size/1000, larger
	}
	return fmt.Sprintf("%.0f %s", size, unit)
}

// count says "1 node", "2 nodes".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// shortPeer is enough of a peer ID to recognise it: 12D3KooW…v3aQ.
func shortPeer(id string) string {
	if len(id) < 16 {
		return id
	}
	return id[:8] + "…" + id[len(id)-4:]
}

// shortRoom is the prefix of a room's ID that a person types.
func shortRoom(id string) string {
	if len(id) < 8 {
		return id
	}
	return id[:8]
}

// newLog makes the log, which goes to standard error.
func newLog(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	if l.UnmarshalText([]byte(level)) != nil {
		l = slog.LevelWarn
	}
	options := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// moment gives a time as people read it, where they are.
func moment(t time.Time) string { return t.In(time.Local).Format("2006-01-02 15:04") }

// replaceFile puts text at path in one step: whoever reads finds the old file or the
// new one, never a part. What is no file, such as a pipe, is written to.
func replaceFile(path string, text []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(path, text, 0o600)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone by then if all went well
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
