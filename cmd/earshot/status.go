package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
)

func (p *program) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show the node that runs here",
		Example: `  earshot status`,
		GroupID: groupNode,
		Args:    words(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.status(cmd.Context()) },
	}
}

func (p *program) status(ctx context.Context) error {
	node, err := p.node()
	if err != nil {
		return err
	}
	s, err := node.Status(ctx)
	if err != nil {
		return err
	}
	if p.json {
		return p.line(s)
	}
	return p.say("%s", p.describeNode(s))
}

// describeNode puts the node into a person's words.
func (p *program) describeNode(s web.Status) string {
	var b strings.Builder
	row := func(head, format string, args ...any) {
		fmt.Fprintf(&b, "  %s %s\n", p.faint(fmt.Sprintf("%-9s", head)), fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "%s (%s), up %s, version %s\n", p.bold(string(s.Peer)), shortPeer(s.PeerID), ago(time.Duration(s.UptimeMS)*time.Millisecond), s.Version)
	row("page", "%s", s.API)
	row("home", "%s", s.Home)
	network := s.Network
	if network == "" {
		network = "the common one"
	}
	row("network", "%s, %s near", network, count(s.Neighbors, "node"))
	if s.Alone {
		row("alone", "no one in earshot yet; meet others: earshot meet --help")
	}
	row("reach", "%s", reach(s.Reach, s.Addrs))
	if carries := serving(s.Reach.Serves); carries != "" {
		row("carries", "%s", carries)
	}
	if sends := sending(s.Upload); sends != "" {
		row("upload", "%s", sends)
	}
	if s.Door != "" {
		row("guests", "%s at %s", count(s.Guests, "guest"), s.Door)
	}
	rooms := make([]string, len(s.Rooms))
	for i, r := range s.Rooms {
		rooms[i] = shortRoom(r)
	}
	row("rooms", "%s", orWord(strings.Join(rooms, ", "), "in none"))
	for i, l := range s.Links {
		row([]string{"links", ""}[min(i, 1)], "%s", linkLine(l))
	}
	if dropped := counters(s.Dropped); dropped != "" {
		row("dropped", "%s", dropped)
	}
	for i, a := range s.Addrs {
		row([]string{"address", ""}[min(i, 1)], "%s", a)
	}
	for _, w := range s.Warnings {
		row("warning", "%s", w)
	}
	return b.String()
}

// sending says what goes to other nodes; "" if nobody limits it and nobody is
// served.
func sending(u web.Upload) string {
	if u.LimitBPS == 0 && u.Children == 0 {
		return ""
	}
	limit := ""
	if u.LimitBPS > 0 {
		limit = " of " + rateWords(u.LimitBPS)
	}
	return fmt.Sprintf("%s%s, %s served, room for %d", rateWords(u.SentBPS), limit, count(u.Children, "node"), max(0, u.Places-u.Children))
}

// linkLine is one link in words.
func linkLine(l web.LinkLine) string {
	name := l.Name
	if name == "" {
		name = shortPeer(l.Peer)
	}
	direction := map[string]string{"up": "from", "down": "to", "standby": "warm from"}[l.Direction]
	return fmt.Sprintf("%s %s (%s, %.0f ms, %.1f %% lost)", direction, name, pathWords(l, shortPeer(l.Via)), l.RTTms, 100*l.Loss)
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}
