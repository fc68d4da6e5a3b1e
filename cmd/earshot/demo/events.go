package demo

import (
	"fmt"
	"strings"
	"time"
)

// event is something that happened: a line for a person, an object for a
// script. Times are in ms; At is since the demo began.
type event interface {
	// text gives the line; "" if the event is for scripts alone.
	text(s style) string
}

// started says that the nodes are up and know each other.
type started struct {
	Event string   `json:"event"` // "nodes"
	Nodes []string `json:"nodes"`
	MS    int64    `json:"ms"`
}

func (e started) text(s style) string {
	return fmt.Sprintf("%s nodes on this machine, each with its own identity and sockets. %s\n"+
		"Each knew one other when it began; all are connected after %d ms.\n",
		capital(spelled(len(e.Nodes))), s.bold("No server."), e.MS)
}

// opened says that everybody has the room in their directory.
type opened struct {
	Event string `json:"event"` // "announced"
	Room  string `json:"room"`
	Title string `json:"title"`
	Host  string `json:"host"`
	Nodes int    `json:"nodes"` // that heard of it
	MS    int64  `json:"ms"`
}

func (e opened) text(s style) string {
	return fmt.Sprintf("  %s opens %s. The other %s list it %d ms later.",
		s.bold(e.Host), s.bold(`"`+e.Title+`"`), spelled(e.Nodes), e.MS)
}

// elected says who relays and who stands by.
type elected struct {
	Event   string `json:"event"` // "elected"
	At      int64  `json:"at_ms"`
	Term    uint64 `json:"term"`
	Relay   string `json:"relay"`
	Standby string `json:"standby"`
	MS      int64  `json:"ms"` // since the standby, or the room without a relay, was there
	again   bool
	asked   bool // it was the person who cut the one before
}

func (e elected) text(s style) string {
	if e.again {
		told := fmt.Sprintf("%s%s's node is elected relay (term %d), %s's stands by now    %s after the cut",
			clock(e.At), s.bold(e.Relay), e.Term, s.bold(e.Standby), seconds(e.MS))
		if !e.asked {
			told += ", and nobody pressed a button"
		}
		return told
	}
	return fmt.Sprintf("  %s's node is the relay (term %d): it passes the sound on. %s's stands by, elected %d ms after it came.",
		s.bold(e.Relay), e.Term, s.bold(e.Standby), e.MS)
}

// gathered says who speaks and who listens.
type gathered struct {
	Event     string   `json:"event"` // "gathered"
	Speakers  []string `json:"speakers"`
	Listeners []string `json:"listeners"`
	Recording string   `json:"recording"` // the directory
}

func (e gathered) text(s style) string {
	return fmt.Sprintf("  %s speak, both at once. %s listen and record.\n", list(e.Speakers), list(e.Listeners))
}

// invited says where the person's own page is.
type invited struct {
	Event string `json:"event"` // "page"
	At    int64  `json:"at_ms"`
	Node  string `json:"node"`
	Page  string `json:"page"` // opens once
	nodes int
	where string // for a person
	stays bool
}

func (e invited) text(s style) string {
	told := fmt.Sprintf("  The %s node, %s, is yours. Its page: %s\n  Listen there, and switch off who carries the sound. ", ordinal(e.nodes), s.bold(e.Node), e.where)
	if e.stays {
		return told + "It stays until Ctrl-C.\n"
	}
	return told + "It ends with the demo; `earshot demo --stay` keeps both.\n"
}

// flow is how the sound goes just now.
type flow struct {
	Event   string              `json:"event"` // "flow"
	At      int64               `json:"at_ms"`
	Term    uint64              `json:"term"`
	Relay   string              `json:"relay"`
	Standby string              `json:"standby"`
	Live    map[string][]string `json:"live"` // listeners by whom they hear
	Warm    map[string][]string `json:"warm"` // and by whom they would go on with
	Frames  uint64              `json:"frames"`
	Lost    uint64              `json:"lost"`
	Resumed uint64              `json:"resumed"`

	gone    string // whose node was killed
	talking []string
	heard   []string // one figure a listener
}

func (f flow) text(s style) string {
	var paths []string
	for _, from := range sorted(f.Live) {
		paths = append(paths, fmt.Sprintf("%s %s %s", s.bold(from), s.good(carries), strings.Join(f.Live[from], " ")))
	}
	for _, from := range sorted(f.Warm) {
		paths = append(paths, fmt.Sprintf("%s %s ready", s.bold(from), s.faint(waits)))
	}
	return fmt.Sprintf("%s%s    %s frames heard, %d lost", clock(f.At), strings.Join(paths, "   "), number(f.Frames), f.Lost)
}

// carried counts the listeners of such paths.
func (f flow) carried(paths map[string][]string) (n int) {
	for _, to := range paths {
		n += len(to)
	}
	return n
}

// How a path is drawn that sound flows on, and one that is connected and silent.
const (
	carries = "━━▶"
	waits   = "┄┄▶"
)

// killed says that a node's sockets were cut.
type killed struct {
	Event string `json:"event"` // "killed"
	At    int64  `json:"at_ms"`
	Node  string `json:"node"`
}

func (e killed) text(s style) string {
	return fmt.Sprintf("\n%s%s in the middle of a sentence: its sockets are cut, it says no goodbye", clock(e.At), s.bad(e.Node+"'s node is killed"))
}

// switched says that the listeners go on with another node.
type switched struct {
	Event        string   `json:"event"` // "switched"
	At           int64    `json:"at_ms"`
	Listeners    []string `json:"listeners"`
	To           string   `json:"to"`
	LongestGapMS int64    `json:"longest_gap_ms"`
	Resumed      uint64   `json:"resumed"`
	Lost         uint64   `json:"lost"`
}

func (e switched) text(s style) string {
	return fmt.Sprintf("%s%s's node carries the sound to %s    longest gap %s, %s resumed, %d lost",
		clock(e.At), s.bold(e.To), list(e.Listeners), gap(e.LongestGapMS), count(e.Resumed, "frame"), e.Lost)
}

// joined says that somebody came later.
type joined struct {
	Event        string `json:"event"` // "joined"
	At           int64  `json:"at_ms"`
	Node         string `json:"node"`
	FirstFrameMS int64  `json:"first_frame_ms"`
	host         string
}

func (e joined) text(s style) string {
	return fmt.Sprintf("%s%s finds the room, still listed though %s is gone, and listens    first sound after %d ms",
		clock(e.At), s.bold(e.Node), e.host, e.FirstFrameMS)
}

// over says why it ends.
type over struct {
	Event string `json:"event"` // "over"
	At    int64  `json:"at_ms"`
	Early bool   `json:"early"` // by Ctrl-C
	said  string // who has said all
}

func (e over) text(style) string {
	if e.Early {
		return clock(e.At) + "stopped; this is what was recorded until now"
	}
	return fmt.Sprintf("%s%s has said all; here the demo ends. A room lasts until the last speaker leaves", clock(e.At), e.said)
}

// staying says that the nodes go on after the story.
type staying struct {
	Event    string   `json:"event"` // "staying"
	At       int64    `json:"at_ms"`
	Speakers []string `json:"speakers"` // in turn
}

func (e staying) text(s style) string {
	return fmt.Sprintf("\nThe nodes stay until %s. %s speak in turn; the page switches off who carries the sound, as often as you like.\n", s.bold("Ctrl-C"), list(e.Speakers))
}

// returned says that a node is back that was switched off.
type returned struct {
	Event string `json:"event"` // "back"
	At    int64  `json:"at_ms"`
	Node  string `json:"node"`
	Relay string `json:"relay"`
}

func (e returned) text(s style) string {
	return fmt.Sprintf("%s%s's node is back; %s's carries the sound on", clock(e.At), s.bold(e.Node), s.bold(e.Relay))
}

// clock is the column of times.
func clock(ms int64) string {
	s := ms / 1000
	return fmt.Sprintf("  %2d:%02d  ", s/60, s%60)
}

func seconds(ms int64) string { return fmt.Sprintf("%.1f s", float64(ms)/1000) }

// gapFloor is the shortest gap that a listening tells of as it happens.
const gapFloor = 60 * time.Millisecond

func gap(ms int64) string {
	if ms == 0 {
		return fmt.Sprintf("under %d ms", gapFloor.Milliseconds())
	}
	return fmt.Sprintf("%d ms", ms)
}
