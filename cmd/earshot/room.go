package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
)

func (p *program) roomCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "room ROOM",
		Aliases: []string{"show"},
		Short:   "Show who is in a room and who carries its sound, or change it",
		Example: `  earshot room 7k2m                        by a prefix of its ID, its ID or its link
  earshot room set 7k2m --lock             change it: see earshot room set --help
  earshot room pause 7k2m                  microphones off, nobody new, no chat`,
		GroupID:           groupRooms,
		Args:              words("ROOM"),
		ValidArgsFunction: p.completeRoom,
		RunE:              func(cmd *cobra.Command, args []string) error { return p.room(cmd.Context(), args[0]) },
	}
	for _, part := range []*cobra.Command{p.roomSetCommand(), p.pauseCommand(), p.resumeCommand()} {
		part.GroupID = ""
		part.Example = strings.ReplaceAll(part.Example, "earshot "+part.Name(), "earshot room "+part.Name())
		cmd.AddCommand(part)
	}
	return cmd
}

func (p *program) room(ctx context.Context, word string) error {
	room, err := roomWord(word)
	if err != nil {
		return err
	}
	node, err := p.node()
	if err != nil {
		return err
	}
	view, err := node.Room(ctx, room)
	if err != nil {
		return err
	}
	if p.json {
		return p.line(view)
	}
	return p.say("%s", p.describe(view, time.Now()))
}

// describe puts a room into a person's words.
func (p *program) describe(v web.RoomView, now time.Time) string {
	var b strings.Builder
	row := func(head, format string, args ...any) {
		fmt.Fprintf(&b, "  %s %s\n", p.faint(fmt.Sprintf("%-8s", head)), fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "%s%s%s\n", p.bold(v.Title), strings.Repeat(" ", max(2, titleCells-2-cells(v.Title))), headline(v, now))
	if v.Relay != "" || !v.Closed {
		row("relay", "%s", carried(v))
	}
	if len(v.Members) > 0 { // else this node is not in it
		for i, line := range onStage(v) {
			row([]string{"stage", ""}[min(i, 1)], "%s", line)
		}
	}
	if hands := raised(v); hands != "" {
		row("hands", "%s", hands)
	}
	if others := audience(v); others != "" {
		row("here", "%s", others)
	}
	row("you", "%s", standingOf(v))
	for _, line := range lookalikes(v) {
		row("beware", "%s", line)
	}
	if b := named(v, func(m web.Member) bool { return m.Blocked }); len(b) > 0 {
		row("blocked", "%s", strings.Join(b, ", "))
	}
	if r := named(v, func(m web.Member) bool { return m.Recording }); len(r) > 0 {
		row("records", "%s", strings.Join(r, ", "))
	}
	if dropped := counters(v.Dropped); dropped != "" {
		row("dropped", "%s", dropped)
	}
	if v.Pinned != "" {
		row("pinned", "%s", v.Pinned)
	}
	if v.Next != nil {
		row("next", "%s", moment(*v.Next))
	}
	row("link", "%s", v.Link)
	if v.GuestLink != "" {
		row("guests", "%d, at %s", v.Guests, v.GuestLink)
	}
	return b.String()
}

// headline is the state of the room in a few words.
func headline(v web.RoomView, now time.Time) string {
	state := "live " + lived(v.Started, now)
	switch {
	case v.State == web.StateComing:
		state = "opens at " + moment(*v.Next)
	case v.Closed:
		state = "closed"
	}
	parts := []string{state}
	if len(v.Members) > 0 {
		parts = append(parts, fmt.Sprintf("%d listening", listeners(v)))
	}
	switch v.Stage {
	case "open":
		parts = append(parts, "open stage")
	case "moderators":
		parts = append(parts, "moderators' stage")
	default:
		parts = append(parts, "host's stage")
	}
	if v.Locked {
		parts = append(parts, "locked")
	}
	if v.Paused {
		parts = append(parts, "paused")
	}
	if !v.Listed {
		parts = append(parts, "not listed")
	}
	if v.Following {
		parts = append(parts, "you follow it")
	}
	return strings.Join(parts, ", ")
}

// listeners counts those who listen, guests too.
func listeners(v web.RoomView) (n int) {
	for _, m := range v.Members {
		n += m.Guests
		if m.Listening && m.GuestOf == "" {
			n++
		}
	}
	return n
}

// carried says who carries the sound and who takes over.
func carried(v web.RoomView) string {
	if v.Relay == "" {
		return "nobody yet"
	}
	if len(v.Members) == 0 { // as it was announced
		return nameOf(v, v.Relay)
	}
	line := fmt.Sprintf("%-9s term %d since %s", nameOf(v, v.Relay), v.Term, ago(time.Duration(v.TermSinceMS)*time.Millisecond))
	if v.Standby == "" {
		return line + "      nobody stands by"
	}
	line += "      standby " + nameOf(v, v.Standby)
	if !v.Independent {
		line += ", on the same network"
	}
	return line
}

// onStage has a line for each person on the stage.
func onStage(v web.RoomView) []string {
	var lines []string
	for _, m := range v.Members {
		if !stands(m) {
			continue
		}
		doing := "microphone off"
		switch {
		case m.Silenced:
			doing = "muted by " + nameOf(v, m.MutedBy)
		case m.Speaking && m.Muted:
			doing = "muted"
		case m.Speaking:
			doing = "speaking"
		}
		if m.Role == "host" || m.Role == "moderator" {
			doing += ", " + m.Role
		}
		lines = append(lines, fmt.Sprintf("%-9s %s", shown(m), doing))
	}
	if len(lines) == 0 {
		return []string{"nobody"}
	}
	return lines
}

// stands tells whether a member is on the stage: by role, or because on an
// open one they speak.
func stands(m web.Member) bool {
	return m.Role == "host" || m.Role == "moderator" || m.Role == "speaker" || m.Speaking
}

// raised lists the hands in their order.
func raised(v web.RoomView) string {
	up := queued(v)
	words := make([]string, len(up))
	for i, m := range up {
		words[i] = fmt.Sprintf("%d %s", m.Hand, shown(m))
	}
	return strings.Join(words, "   ")
}

// audience lists who is here beside the stage.
func audience(v web.RoomView) string {
	const most = 12
	names := named(v, func(m web.Member) bool { return !stands(m) && !m.You })
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %s more", number(uint64(len(names)-most)))
		names = names[:most]
	}
	for _, m := range v.Members {
		if n := nameless(v, m); n > 0 {
			names = append(names, count(n, "guest")+" of "+shown(m))
		}
	}
	return strings.Join(names, ", ") + more
}

// nameless counts a member's guests who did not say who they are.
func nameless(v web.RoomView, m web.Member) int {
	n := m.Guests
	for _, g := range v.Members {
		if m.Guests > 0 && g.GuestOf == m.Peer {
			n--
		}
	}
	return max(n, 0)
}

// lookalikes has a line for each whose name could be taken for another's.
func lookalikes(v web.RoomView) (lines []string) {
	const most = 4
	for _, m := range v.Members {
		if len(m.SimilarTo) == 0 || len(lines) == most {
			continue
		}
		others := make([]string, len(m.SimilarTo))
		for i, id := range m.SimilarTo {
			others[i] = shortPeer(id)
			if other := nameOf(v, id); other != others[i] {
				others[i] = other + " (" + others[i] + ")"
			}
		}
		lines = append(lines, fmt.Sprintf("%s (%s) has a name like that of %s", shown(m), shortPeer(m.Peer), strings.Join(others, ", ")))
	}
	return lines
}

// standingOf says what this node does in the room.
func standingOf(v web.RoomView) string {
	me := slices.IndexFunc(v.Members, func(m web.Member) bool { return m.You })
	if me < 0 {
		return outside(v)
	}
	var parts, warm []string
	down := 0
	for _, l := range v.Links {
		switch l.Direction {
		case "up":
			parts = append(parts, fmt.Sprintf("listening from %s (%s, %.0f ms, %.1f %% lost%s)", linkName(v, l), pathWords(l, nameOf(v, l.Via)), l.RTTms, 100*l.Loss, rateOf(l.ReceivedKbps)))
		case "standby":
			warm = append(warm, linkName(v, l))
		case "down":
			down++
		}
	}
	if v.Members[me].Peer == v.Relay {
		parts = append([]string{"carrying the sound"}, parts...)
	}
	if len(warm) > 0 {
		parts = append(parts, "warm from "+strings.Join(warm, ", "))
	}
	if down > 0 {
		parts = append(parts, "passing it on to "+count(down, "node"))
	}
	if len(parts) == 0 {
		return "in it, with no link to the sound yet"
	}
	return strings.Join(parts, ", ")
}

// outside says what one who is not in a room can do about it.
func outside(v web.RoomView) string {
	room, mine := shortRoom(v.Room), slices.Contains(v.YouMay, "reopen")
	switch {
	case v.State == web.StateComing && mine:
		return "its host; your node opens it then, and now by: earshot reopen " + room
	case v.State == web.StateComing && v.Following:
		return "not in it yet"
	case v.State == web.StateComing:
		return "not in it yet; have it marked when it opens: earshot follow --room " + room
	case v.Closed && mine:
		return "its host; open it with: earshot reopen " + room
	case v.Closed:
		return "not in it; its host can open it again"
	}
	return "not in it; hear it with: earshot listen " + room
}

// rateOf says how much sound comes, if any does.
func rateOf(kbps float64) string {
	if kbps == 0 {
		return ""
	}
	return ", " + rateWords(int64(1000*kbps))
}

// pathWords says which way a link goes. via is what to call the one who passes
// it on, if somebody does: its sound, or the words that keep it up.
func pathWords(l web.LinkLine, via string) string {
	path := l.Path
	if path == "udp" || path == "tcp" {
		path = strings.ToUpper(path)
	}
	switch {
	case l.Via == "":
		return path
	case l.Path == "stream":
		return path + " through " + via
	}
	return path + ", arranged through " + via
}

// named lists the members that a test holds for.
func named(v web.RoomView, holds func(web.Member) bool) []string {
	var names []string
	for _, m := range v.Members {
		if holds(m) {
			names = append(names, shown(m))
		}
	}
	return names
}

// shown is what to call a member.
func shown(m web.Member) string {
	name := nameOrPeer(string(cmp.Or(m.Petname, m.Name)), m.Peer)
	if m.You {
		name += " (you)"
	}
	return name
}

// nameOf is what to call a peer of the room.
func nameOf(v web.RoomView, id string) string {
	for _, m := range v.Members {
		if m.Peer == id {
			return shown(m)
		}
	}
	return shortPeer(id)
}

func linkName(v web.RoomView, l web.LinkLine) string {
	if l.Name != "" {
		return l.Name
	}
	return nameOf(v, l.Peer)
}

// counters lists counts by reason, in the order of the reasons.
func counters(counts map[string]int64) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[reason]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", number(uint64(n)), strings.ReplaceAll(reason, "_", " ")))
		}
	}
	return strings.Join(parts, ", ")
}
