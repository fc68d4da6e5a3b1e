package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// maxLogBytes bounds an exported log: the longest has 5 000 lines of 1 KB.
const maxLogBytes = 8 << 20

// actionLine is one action of a log, for scripts; standingLine what they come to.
type actionLine struct {
	eventLine
	web.LogLine
}

type standingLine struct {
	eventLine
	Hash  string `json:"hash"`
	Count int    `json:"actions"`
	web.Standing
}

func (p *program) logCommand() *cobra.Command {
	var export string
	cmd := p.roomAct("log", "Show who did what in a room, by which right, and what stands", nil)
	cmd.Long = `Show who did what to whom in a room, when by their own clock, by which right, and
what stands. Everybody in the room holds the same log, and checks it. A log that
was exported can be checked by anybody, without a node and for as long as it is
kept: earshot log verify FILE.`
	cmd.Example = `  earshot log 7k2m                         who did what
  earshot log 7k2m --export room.log       keep it
  earshot log verify room.log              check one that was kept`
	run := func(cmd *cobra.Command, args []string) error {
		node, view, err := p.nodeAndRoom(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if export != "" {
			return p.exportLog(cmd.Context(), node, view, export)
		}
		log, err := node.Log(cmd.Context(), view.Room)
		if err != nil {
			return err
		}
		people, err := node.People(cmd.Context())
		if err != nil {
			return err
		}
		return p.showLog(log, "log", people)
	}
	show := p.roomAct("show", "Show a room's log, as earshot log ROOM does", nil)
	show.GroupID, show.Example = "", "  earshot log show 7k2m"
	for _, c := range []*cobra.Command{cmd, show} {
		c.RunE = run
		c.Flags().StringVar(&export, "export", "", "write it to `FILE` (- for standard output), where anybody can check it")
	}
	cmd.AddCommand(show, p.verifyCommand())
	return cmd
}

// exportedLine says for scripts that a log was written.
type exportedLine struct {
	eventLine
	File string `json:"file"`
}

func (p *program) exportLog(ctx context.Context, node *caller, v web.RoomView, file string) error {
	text, err := node.ExportLog(ctx, v.Room)
	if err != nil {
		return err
	}
	if file == "-" {
		_, err := p.stdout.Write(text)
		return err
	}
	if err := replaceFile(file, text); err != nil {
		return &protocol.Problem{Code: protocol.CodeOutput, Message: "can't write " + file, Hint: "choose another place with --export", Cause: err}
	}
	if p.json {
		return p.line(exportedLine{eventLine{"exported", v.Room}, file})
	}
	return p.say("The log of %s is in %s. Anybody can check it: earshot log verify %s\n", v.Title, file, file)
}

func (p *program) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "verify FILE",
		Short:   "Check an exported log, and show it: no node is needed",
		Example: "  earshot log verify room.log",
		Args:    words("FILE"),
		RunE:    func(_ *cobra.Command, args []string) error { return p.verifyLog(args[0]) },
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
}

func (p *program) verifyLog(file string) error {
	text, err := p.readLog(file)
	if err != nil {
		return err
	}
	l, err := roster.Verify(text)
	if err != nil {
		return &protocol.Problem{Code: protocol.CodeBadLog, Message: fmt.Sprintf("%s does not hold: %s", file, err), Hint: "ask for it again, from whoever is in the room", Cause: err}
	}
	log := web.LogOf(l, nil)
	if err := p.showLog(log, "verified", nil); err != nil || p.json {
		return err
	}
	return p.say("All of it holds: every signature, every right, nothing missing. Its hash is %s.\n", log.Hash[:16])
}

func (p *program) readLog(file string) ([]byte, error) {
	from := p.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, &protocol.Problem{Code: protocol.CodeNoFile, Message: "there is no file " + file, Cause: err}
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxLogBytes+1))
	switch {
	case err != nil:
		return nil, &protocol.Problem{Code: protocol.CodeNoFile, Message: "can't read " + file, Cause: err}
	case len(text) > maxLogBytes:
		return nil, &protocol.Problem{Code: protocol.CodeBadLog, Message: file + " is larger than any log"}
	}
	return text, nil
}

// showLog prints a log, and what it comes to. Whom this node's person has given names
// is called by those.
func (p *program) showLog(log web.RoomLog, event string, people []web.Person) error {
	if p.json {
		for _, a := range log.Actions {
			if err := p.line(actionLine{eventLine{"action", log.Room}, a}); err != nil {
				return err
			}
		}
		return p.line(standingLine{eventLine{event, log.Room}, log.Hash, len(log.Actions), log.Standing})
	}
	names := namesIn(log, people)
	rows := [][]string{{p.faint(moment(log.Opened)), names.of(log.Host), "opened the room", ""}}
	for _, a := range log.Actions {
		rows = append(rows, []string{p.faint(moment(a.At)), names.of(a.Actor), actWords(a, names.of(a.Peer)), p.faint(rightWords(a, names))})
	}
	if err := p.table(rows); err != nil {
		return err
	}
	return p.say("%s", p.standing(log, names))
}

// calledIn gives by peer ID what people in a log are called.
type calledIn map[string]string

func namesIn(log web.RoomLog, people []web.Person) calledIn {
	names := calledIn{}
	for _, a := range log.Actions {
		names[a.Actor], names[a.Peer] = cmp.Or(a.Name, names[a.Actor]), cmp.Or(a.PeerName, names[a.Peer])
	}
	for _, o := range people {
		if o.Petname != "" {
			names[o.Peer] = string(o.Petname)
		}
	}
	return names
}

func (n calledIn) of(peer string) string { return nameOrPeer(n[peer], peer) }

// rightWords says by which right an action was done, or why it does not stand.
func rightWords(a web.LogLine, names calledIn) string {
	switch {
	case a.Stands && a.By != "":
		return "moderator by " + names.of(a.By)
	case a.Stands:
		return a.Right
	case a.EndedBy == a.Actor:
		return "does not stand: " + names.of(a.Actor) + " had given moderating back"
	case a.EndedBy != "":
		return "does not stand: " + names.of(a.EndedBy) + " had ended " + names.of(a.Actor) + "'s moderating"
	}
	return "does not stand: nor does what made " + names.of(a.Actor) + " a moderator"
}

// actWords says what an action did, and to whom.
func actWords(a web.LogLine, whom string) string {
	everybody := a.Peer == ""
	if everybody {
		whom = "everybody"
	}
	words := map[string]string{
		web.ActGrant: roleWords(a, whom), web.ActRevoke: roleWords(a, whom),
		web.ActMute: "muted " + whom, web.ActUnmute: "unmuted " + whom, web.ActRemove: "removed " + whom,
		web.ActBan: "banned " + whom, web.ActUnban: "lifted the ban of " + whom,
		web.ActLock: "locked the room", web.ActUnlock: "unlocked the room", web.ActPause: "paused the room", web.ActResume: "let the room go on",
		web.ActTitle: fmt.Sprintf("called the room %q", a.Text), web.ActTopics: "set the topics to " + cmp.Or(strings.Join(a.Topics, ", "), "none"),
		web.ActLanguage: "set the language to " + cmp.Or(a.Text, "none"), web.ActStage: "gave the stage to " + stageWords(a.Text),
		web.ActPin: "pinned " + cmp.Or(a.Text, "nothing"), web.ActNext: "took the next time back",
		web.ActClose: "closed the room", web.ActReopen: "reopened the room",
	}[a.Act]
	if a.Act == web.ActMute && everybody {
		words += " but host and moderators"
	}
	switch {
	case words == "":
		return "did something that this version does not know"
	case a.Act == web.ActMute && a.MayUnmute:
		words += ", until they turn their microphone on again"
	case a.Act == web.ActBan && a.ForMS > 0:
		words += " for " + ago(time.Duration(a.ForMS)*time.Millisecond)
	case a.Act == web.ActNext && a.Next != nil:
		words = "said that the room is live next at " + moment(*a.Next)
	}
	return words
}

// roleWords says which role was given, taken or given back.
func roleWords(a web.LogLine, whom string) string {
	if a.Act == web.ActRevoke && a.Actor == a.Peer {
		return "gave back the role of " + a.Role
	}
	return map[string]string{
		web.ActGrant + "speaker": "let " + whom + " on stage", web.ActRevoke + "speaker": "moved " + whom + " to the audience",
		web.ActGrant + "moderator": "made " + whom + " a moderator", web.ActRevoke + "moderator": "took moderating from " + whom,
		web.ActGrant + "carrier": "let " + whom + " carry the sound", web.ActRevoke + "carrier": "took carrying the sound from " + whom,
	}[a.Act+a.Role]
}

// banLife says for how long somebody is banned: each node counts by itself whether that
// is over.
func banLife(actions []web.LogLine, peer string) string {
	words := ""
	for _, a := range actions {
		if a.Act != web.ActBan || a.Peer != peer || !a.Stands {
			continue
		}
		if words = ""; a.ForMS > 0 {
			words = " (for " + ago(time.Duration(a.ForMS)*time.Millisecond) + " since " + moment(a.At) + ")"
		}
	}
	return words
}

func stageWords(stage string) string {
	switch stage {
	case "open":
		return "anybody"
	case "moderators":
		return "host and moderators alone"
	}
	return "those who are let on it"
}

// standing says what a log comes to.
func (p *program) standing(log web.RoomLog, names calledIn) string {
	var b strings.Builder
	row := func(head, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %s %s\n", p.faint(fmt.Sprintf("%-10s", head)), text)
		}
	}
	called := func(ids []string) string {
		var all []string
		for _, id := range ids {
			all = append(all, names.of(id))
		}
		return strings.Join(all, ", ")
	}
	state := []string{"open"}
	if log.Closed {
		state[0] = "closed"
	}
	if log.Locked {
		state = append(state, "locked")
	}
	if log.Paused {
		state = append(state, "paused")
	}
	fmt.Fprintf(&b, "%s\n", p.bold(log.Title))
	row("host", called([]string{log.Host}))
	row("moderators", called(log.Moderators))
	row("stage", stageWords(log.Stage))
	row("let on", called(log.Speakers))
	row("carriers", called(log.Carriers))
	var banned []string
	for _, id := range log.Banned {
		banned = append(banned, names.of(id)+banLife(log.Actions, id))
	}
	row("banned", strings.Join(banned, ", "))
	muted := called(log.Muted)
	if log.MutedAllBy != "" {
		muted = "everybody but host and moderators"
	}
	row("muted", muted)
	row("topics", strings.Join(log.Topics, ", "))
	row("language", log.Language)
	row("pinned", log.Pinned)
	if log.Next != nil {
		row("next", moment(*log.Next))
	}
	row("room", strings.Join(state, ", ")+", "+count(len(log.Actions), "action"))
	return b.String()
}
