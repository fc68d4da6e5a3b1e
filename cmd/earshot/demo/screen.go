package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// screen is where a demo is shown. Its errors are those of the output, and end
// the demo.
type screen interface {
	tell(e event) error
	flow(f flow) error // a few times a second
}

func newScreen(o Options) screen {
	switch {
	case o.JSON:
		return &objects{out: o.Out}
	case o.Live:
		return &terminal{out: o.Out, style: style{o.Colour}, width: o.Width}
	}
	return &paper{out: o.Out, style: style{o.Colour}}
}

// How often what flows is written where it can't be drawn anew, in ms.
const (
	paperEvery   = 4000
	objectsEvery = 1000
)

// seldom lets one through at most every so often.
type seldom struct{ next int64 }

func (s *seldom) due(at, every int64) bool {
	if at < s.next {
		return false
	}
	s.next = at + every
	return true
}

// objects is for scripts: JSON, one object a line.
type objects struct {
	out io.Writer
	seldom
}

func (o *objects) tell(e event) error {
	enc := json.NewEncoder(o.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}

func (o *objects) flow(f flow) error {
	if !o.due(f.At, objectsEvery) {
		return nil
	}
	return o.tell(f)
}

// paper is for files and pipes: line after line.
type paper struct {
	out   io.Writer
	style style
	seldom
}

func (p *paper) tell(e event) error {
	_, err := fmt.Fprintln(p.out, e.text(p.style))
	return err
}

func (p *paper) flow(f flow) error {
	if len(f.talking) == 0 || !p.due(f.At, paperEvery) {
		return nil
	}
	return p.tell(f)
}

// terminal is for people: what happens, line after line, and below it what
// flows, drawn anew in place.
type terminal struct {
	out   io.Writer
	style style
	width int // in cells; 0: not known
	drawn int // lines
}

func (t *terminal) tell(e event) error {
	_, err := fmt.Fprintln(t.out, t.erase()+e.text(t.style))
	return err
}

// erase takes what was drawn away.
func (t *terminal) erase() string {
	n := t.drawn
	t.drawn = 0
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", n)
}

func (t *terminal) flow(f flow) error {
	lines := t.draw(f)
	erase := t.erase()
	t.drawn = len(lines)
	_, err := io.WriteString(t.out, erase+strings.Join(lines, "\n")+"\n")
	return err
}

// draw gives the lines of what flows.
func (t *terminal) draw(f flow) []string {
	s := t.style
	lines := []string{""}
	if f.gone != "" {
		lines = append(lines, t.line(f.gone, s.bad("╳"), "gone", ""))
	}
	for _, from := range sorted(f.Live) {
		lines = append(lines, t.line(from, s.good(carries), strings.Join(f.Live[from], " "), "the sound of "+list(f.talking)))
	}
	for _, from := range sorted(f.Warm) {
		lines = append(lines, t.line(from, s.faint(waits), strings.Join(f.Warm[from], " "), "ready: connected, and silent"))
	}
	lines = append(lines, fmt.Sprintf("  frames heard  %s    %d lost", strings.Join(f.heard, "  "), f.Lost))
	lines[1] = clock(f.At) + strings.TrimPrefix(lines[1], margin)
	for i, l := range lines {
		lines[i] = t.fit(l)
	}
	return lines
}

// margin is as wide as the column of times.
const margin = "         "

func (t *terminal) line(from, arrow, to, what string) string {
	l := margin + t.style.name(from) + "  " + arrow + " " + to
	if what != "" {
		l += pad(l, 46) + t.style.faint(what)
	}
	return l
}

// fit keeps a line from wrapping, which would spoil the drawing.
func (t *terminal) fit(l string) string {
	if t.width == 0 || cells(l) < t.width {
		return l
	}
	plain := []rune(uncoloured(l))
	return string(plain[:max(0, t.width-2)]) + "…"
}
