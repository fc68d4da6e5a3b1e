package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// reportedLine tells scripts who has a report of this node's person.
type reportedLine struct {
	Event string `json:"event"`
	web.SentReport
}

// reportLine is a report that came to this node, for scripts.
type reportLine struct {
	eventLine
	web.ReportLine
}

// dismissedLine says for scripts which report is off the list.
type dismissedLine struct {
	eventLine
	N uint64 `json:"n"`
}

func (p *program) reportCommand() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use:   "report ROOM PEER",
		Short: "Tell a room's host and moderators about somebody, and nobody else",
		Long: `Tell the host and the moderators of a room about somebody in it. They get what
your node knows of the last minute: the name and role, when they spoke, what they
wrote, their captions and reactions, whether their hand was up; and what you say of
it. No sound. Nobody else can read it, and who you report is not told: if they
moderate the room, they are left out. It is signed: whoever has it can show that it
is yours.`,
		Example: `  earshot report 7k2m eko --why "shouts at people"
  earshot block eko                        not to hear eko yourself`,
		GroupID:           groupRooms,
		Args:              words("ROOM", "PEER"),
		ValidArgsFunction: p.completeRoomThenAnyone,
		RunE: func(cmd *cobra.Command, args []string) error {
			room, err := roomWord(args[0])
			switch {
			case err != nil:
				return err
			case args[1] == "":
				return usage("an empty PEER is nobody", "earshot room ROOM lists who is there")
			}
			node, err := p.node()
			if err != nil {
				return err
			}
			return p.report(cmd.Context(), node, room, web.ReportRequest{Peer: args[1], Why: why})
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "what happened, in your words: one line of `TEXT`")
	return cmd
}

func (p *program) report(ctx context.Context, node *caller, room string, r web.ReportRequest) error {
	sent, err := node.Report(ctx, room, r)
	switch {
	case err != nil:
		return err
	case p.json:
		err = p.line(reportedLine{"reported", sent})
	case len(sent.Told) > 0:
		err = p.say("%s %s it. %s\n", people(sent.Told), have(sent.Told), stillWaiting(sent.Waiting))
	}
	if err == nil && len(sent.Told) == 0 {
		return &protocol.Problem{Code: protocol.CodeUnreachable, Message: "nobody who moderates the room has it yet",
			Hint: "they get it if they come while you are in the room; not to hear somebody yourself: earshot block"}
	}
	return err
}

func have(all []web.ReportedPerson) string {
	if len(all) == 1 {
		return "has"
	}
	return "have"
}

func stillWaiting(all []web.ReportedPerson) string {
	if len(all) == 0 {
		return "Nobody else does."
	}
	return people(all) + " not yet: when they come, while you are in the room."
}

// people names some, as "ana, budi and citra".
func people(all []web.ReportedPerson) string {
	var names []string
	for _, o := range all {
		names = append(names, reported(o))
	}
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " and " + names[last]
	}
	return strings.Join(names, "")
}

func reported(o web.ReportedPerson) string {
	return nameOrPeer(cmp.Or(string(o.Petname), o.Name), o.Peer)
}

func (p *program) reportsCommand() *cobra.Command {
	var dismiss uint64
	cmd := &cobra.Command{
		Use:   "reports ROOM",
		Short: "Read what people reported to you, as a room's host or moderator",
		Long: `Read what people reported to you, as a room's host or moderator. A report is the
word of who made it; but what somebody is shown to have written, they did write: it
bears their signature. Your node keeps reports in memory, as long as it is in the room.`,
		Example: `  earshot reports 7k2m
  earshot reports 7k2m --dismiss 3         take one off the list`,
		GroupID:           groupRooms,
		Args:              words("ROOM"),
		ValidArgsFunction: p.completeRoom,
		RunE: func(cmd *cobra.Command, args []string) error {
			room, err := roomWord(args[0])
			if err != nil {
				return err
			}
			node, err := p.node()
			switch {
			case err != nil:
				return err
			case cmd.Flags().Changed("dismiss"):
				return p.dismissReport(cmd.Context(), node, room, dismiss)
			}
			return p.showReports(cmd.Context(), node, room)
		},
	}
	cmd.Flags().Uint64Var(&dismiss, "dismiss", 0, "take report number `N` off your list")
	return cmd
}

func (p *program) dismissReport(ctx context.Context, node *caller, room string, n uint64) error {
	if err := node.DismissReport(ctx, room, n); err != nil {
		return err
	}
	if p.json {
		all, err := node.Reports(ctx, room)
		if err != nil {
			return err
		}
		return p.line(dismissedLine{eventLine{"dismissed", all.Room}, n})
	}
	return p.say("Report %d is off your list. Who made it is not told.\n", n)
}

func (p *program) showReports(ctx context.Context, node *caller, room string) error {
	all, err := node.Reports(ctx, room)
	switch {
	case err != nil:
		return err
	case !all.MayRead && len(all.Sent) == 0:
		return &protocol.Problem{Code: protocol.CodeNotAllowed, Message: "only the room's host and its moderators are told what people report"}
	case p.json:
		for _, r := range all.Reports {
			if err := p.line(reportLine{eventLine{"report", all.Room}, r}); err != nil {
				return err
			}
		}
		for _, s := range all.Sent {
			if err := p.line(reportedLine{"reported", s}); err != nil {
				return err
			}
		}
		return nil
	case len(all.Reports)+len(all.Sent) == 0:
		return p.say("Nobody has reported anybody to you.\n")
	}
	for _, r := range all.Reports {
		if err := p.say("%s", p.reportText(r)); err != nil {
			return err
		}
	}
	for _, s := range all.Sent {
		to := "nobody has it yet"
		if len(s.Told) > 0 {
			to = people(s.Told) + " " + have(s.Told) + " it"
		}
		if err := p.say("you reported %s %s: %s\n", reported(s.Of), p.faint(s.Made.In(time.Local).Format("15:04")), to); err != nil {
			return err
		}
	}
	return nil
}

// reportText says in a few lines what a report tells.
func (p *program) reportText(r web.ReportLine) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "    "+format+"\n", args...) }
	by := reported(r.By)
	if r.Door != nil {
		by += ", a guest of " + reported(*r.Door) + ","
	}
	if r.ByNew {
		by += " (new here)"
	}
	of := p.bold(reported(r.Of)) + ", " + r.Role
	if r.Muted {
		of += ", muted"
	}
	if r.Hand {
		of += ", hand up"
	}
	fmt.Fprintf(&b, "%-3d %s  %s reports %s\n", r.N, p.faint(r.Came.In(time.Local).Format("15:04")), by, of)
	if r.Why != "" {
		line("says     %s", r.Why)
	}
	if r.SpokeMS > 0 {
		line("spoke    %s of the minute before", ago(time.Duration(r.SpokeMS)*time.Millisecond))
	}
	for _, s := range r.Said {
		what := map[string]string{"chat": "wrote", "caption": "said"}[s.Kind]
		line("%-8s %s  %s", what, strings.ReplaceAll(s.Text, "\n", "\n             "), p.faint(ago(time.Duration(s.AgoMS)*time.Millisecond)+" before"))
	}
	var shown []string
	for _, o := range r.Reactions {
		shown = append(shown, o.Emoji)
	}
	if len(shown) > 0 {
		line("showed   %s", strings.Join(shown, " "))
	}
	return b.String()
}
