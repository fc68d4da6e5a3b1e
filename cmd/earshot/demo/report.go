package demo

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/protocol"
)

// report is what the demo came to.
type report struct {
	Event     string         `json:"event"` // "summary"
	Seconds   float64        `json:"seconds"`
	Early     bool           `json:"early"` // ended by Ctrl-C
	Lost      uint64         `json:"lost"`
	Verified  bool           `json:"verified"` // the recordings hold every packet, byte for byte
	Directory string         `json:"directory"`
	Listeners []listenerLine `json:"listeners"`
}

// listenerLine is how one listener heard it.
type listenerLine struct {
	Listener     string `json:"listener"`
	Frames       uint64 `json:"frames"`
	Lost         uint64 `json:"lost"`
	Resumed      uint64 `json:"resumed"`
	LongestGapMS int64  `json:"longest_gap_ms"`
	FirstFrameMS int64  `json:"first_frame_ms"`
	Recording    string `json:"recording"` // "": nothing was heard
	Verified     bool   `json:"verified"`
	Flaw         string `json:"flaw,omitempty"` // what is wrong with the recording
}

// report closes the recordings, compares them with what was spoken, and tells
// what it came to. An error says that something was lost.
func (d *demo) report(early bool) error {
	if early && len(d.ears) == 0 {
		return nil // nothing to tell of
	}
	if early {
		if err := d.screen.tell(over{"over", d.since(d.began), true, ""}); err != nil {
			return err
		}
	}
	r := report{Event: "summary", Early: early, Verified: true, Directory: d.Dir}
	for i, e := range d.ears {
		l := d.lineOf(e, i < len(audience()), early)
		r.Lost += l.Lost
		r.Verified = r.Verified && l.Verified
		r.Listeners = append(r.Listeners, l)
	}
	r.Seconds = float64(d.since(d.began)) / 1000
	if err := d.screen.tell(r); err != nil {
		return err
	}
	switch {
	case r.Lost > 0:
		return &protocol.Problem{Code: protocol.CodeInternal, Message: "the demo lost " + count(r.Lost, "frame"), Hint: "was this machine very busy? try again"}
	case !r.Verified:
		return &protocol.Problem{Code: protocol.CodeInternal, Message: "a recording is not what was spoken", Hint: "please report this with " + d.Dir}
	}
	return nil
}

// lineOf closes an ear and checks its recording.
func (d *demo) lineOf(e *ear, fromTheStart, early bool) listenerLine {
	s, err := e.close()
	l := listenerLine{Listener: e.name, Frames: s.Frames, Lost: s.Lost, Resumed: s.Resumed, LongestGapMS: s.LongestGapMS, FirstFrameMS: s.FirstFrameMS}
	if s.Frames == 0 {
		l.Verified = early
		return l
	}
	l.Recording = e.path
	var found map[string]span
	if err == nil {
		found, err = check(e.path, d.voices)
	}
	if err == nil {
		err = d.whole(found, e.heard().frames, fromTheStart, early)
	}
	if l.Verified = err == nil; err != nil {
		l.Flaw = err.Error()
	}
	return l
}

// whole says what of the voices should be in a recording and is not: who
// listened from the start has everything from the first packet on, and the
// speaker who outlives the cut is heard to the last. Of the other one, what was
// on its way out when the sockets were cut is not there to be recorded.
func (d *demo) whole(found map[string]span, frames uint64, fromTheStart, early bool) error {
	var recorded uint64
	for speaker, s := range found {
		recorded += uint64(s.end - s.first)
		if fromTheStart && s.first != 0 {
			return fmt.Errorf("%s's first %s missing", speaker, packets(s.first))
		}
	}
	if recorded != frames {
		return fmt.Errorf("%d packets recorded of %d heard", recorded, frames)
	}
	if early {
		return nil
	}
	for _, v := range d.voices {
		s, there := found[v.speaker]
		switch {
		case !there && fromTheStart:
			return fmt.Errorf("%s is missing", v.speaker)
		case there && v.speaker == second && s.end != len(v.packets):
			return fmt.Errorf("%s's last %s missing", v.speaker, packets(len(v.packets)-s.end))
		}
	}
	return nil
}

func packets(n int) string {
	if n == 1 {
		return "packet is"
	}
	return fmt.Sprintf("%d packets are", n)
}

// closeEars ends the recordings of a demo that failed.
func (d *demo) closeEars() {
	for _, e := range d.ears {
		_, _ = e.close() // the failure was told of already
	}
}

// text is the table, and what it shows.
func (r report) text(s style) string {
	var b strings.Builder
	b.WriteString("\n" + s.faint("  listener   heard    lost   resumed   longest gap   recording") + "\n")
	for _, l := range r.Listeners {
		recording := "none: nothing was heard"
		if l.Recording != "" {
			recording = filepath.Base(l.Recording)
		}
		fmt.Fprintf(&b, "  %-8s  %6s  %6s  %8s  %9d ms   %s\n", l.Listener, number(l.Frames), number(l.Lost), number(l.Resumed), l.LongestGapMS, recording)
	}
	b.WriteString(s.faint("  A frame is 20 ms of a voice; resumed ones the standby had kept, and sent when it was\n  asked to go on. A gap is by how much a frame came late.") + "\n\n")
	b.WriteString(r.claim(s))
	if i := slices.IndexFunc(r.Listeners, func(l listenerLine) bool { return l.Recording != "" }); i >= 0 {
		fmt.Fprintf(&b, "\nThey are in %s; %s is the first stream of each, %s the second.\nPlay one: ffplay -nodisp %s",
			r.Directory, second, host, quoted(r.Listeners[i].Recording))
	}
	return b.String()
}

// claim says of the recordings what the comparison has shown.
func (r report) claim(s style) string {
	switch {
	case !r.Verified:
		var flaws []string
		for _, l := range r.Listeners {
			if l.Flaw != "" {
				flaws = append(flaws, filepath.Base(l.Recording)+": "+l.Flaw)
			}
		}
		return s.bad("The recordings do not hold every packet that was spoken.") + " " + strings.Join(flaws, "; ") + "."
	case r.Early:
		return "The recordings hold every Opus packet spoken from the first heard to the last; compared byte for byte."
	}
	return s.good("The recordings hold every Opus packet that was spoken,") + " until the cut and after it; compared byte for byte."
}
