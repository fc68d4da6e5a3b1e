package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
)

// setLine says for scripts what was set of a room.
type setLine struct {
	eventLine
	Acts []string `json:"acts"` // as the log has them
}

func (p *program) pauseCommand() *cobra.Command {
	return p.roomAct("pause", "Pause a room: microphones off, nobody new, no chat", func(ctx context.Context, node *caller, v web.RoomView) error {
		return p.set(ctx, node, v, []web.ActRequest{{Act: web.ActPause}}, "paused", fmt.Sprintf("%s is paused: nobody is heard, comes in or writes, until: earshot room resume %s", v.Title, shortRoom(v.Room)))
	})
}

func (p *program) resumeCommand() *cobra.Command {
	return p.roomAct("resume", "Let a paused room go on", func(ctx context.Context, node *caller, v web.RoomView) error {
		return p.set(ctx, node, v, []web.ActRequest{{Act: web.ActResume}}, "resumed", v.Title+" goes on.")
	})
}

// set does what is done to a room itself, and says so.
func (p *program) set(ctx context.Context, node *caller, v web.RoomView, acts []web.ActRequest, event, said string) error {
	line := setLine{eventLine{event, v.Room}, nil}
	for _, a := range acts {
		if err := node.Act(ctx, v.Room, a); err != nil {
			return err
		}
		line.Acts = append(line.Acts, a.Act)
	}
	if p.json {
		return p.line(line)
	}
	return p.say("%s\n", said)
}

// settingFlags is what `room set` was given.
type settingFlags struct {
	title, language, stage, pin, at string
	topics                          []string
	lock, unlock                    bool
}

func (p *program) roomSetCommand() *cobra.Command {
	var f settingFlags
	cmd := p.roomAct("set", "Change a room: its title, who may speak, whether it takes anybody new", nil)
	cmd.Long = `Change a room, as its host or a moderator. Everybody there sees it, and its log
says who did it. A flag with an empty text takes the language, the link, the
topics or the time back. A closed room's host can change it too: with --at it is
to come, and this node opens it then.`
	cmd.Example = `  earshot room set 7k2m --title "Why the sky is blue"
  earshot room set 7k2m --stage open       anybody may speak
  earshot room set 7k2m --lock             nobody new comes in
  earshot room set 7k2m --pin https://example.org/slides
  earshot room set 7k2m --at "2026-12-01 19:00"`
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		acts, err := f.acts(cmd, time.Now())
		if err != nil {
			return err
		}
		node, view, err := p.nodeAndRoom(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		var what []string
		for _, a := range acts {
			what = append(what, actWords(web.LogLine{Act: a.Act, Text: a.Text, Topics: a.Topics, Next: a.At}, ""))
		}
		return p.set(cmd.Context(), node, view, acts, "set", fmt.Sprintf("In %s you %s.", view.Title, strings.Join(what, ", ")))
	}
	flags := cmd.Flags()
	flags.StringVar(&f.title, "title", "", "`TITLE` of the room")
	flags.StringArrayVar(&f.topics, "topic", nil, "what it is about, `T` (repeatable)")
	flags.StringVar(&f.language, "language", "", "the `LANG` spoken, such as en or pt-BR")
	flags.StringVar(&f.language, "lang", "", "as earshot open has it")
	_ = flags.MarkHidden("lang")
	flags.StringVar(&f.stage, "stage", "", "`WHO` may speak: open (anybody), host (whom host and moderators let), moderators (nobody else)")
	flags.BoolVar(&f.lock, "lock", false, "take nobody new in")
	flags.BoolVar(&f.unlock, "unlock", false, "take people in again")
	flags.StringVar(&f.pin, "pin", "", "a `LINK` that all are shown")
	flags.StringVar(&f.at, "at", "", "when the room is live next, `TIME` as 2026-12-01 19:00 or RFC 3339")
	_ = cmd.RegisterFlagCompletionFunc("stage", cobra.FixedCompletions([]cobra.Completion{"open", "host", "moderators"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// acts gives what was asked for, in the order of the flags' help.
func (f *settingFlags) acts(cmd *cobra.Command, now time.Time) (acts []web.ActRequest, err error) {
	given := cmd.Flags().Changed
	if given("title") {
		acts = append(acts, web.ActRequest{Act: web.ActTitle, Text: f.title})
	}
	if given("topic") {
		topics := f.topics
		if len(topics) == 1 && topics[0] == "" {
			topics = nil
		}
		acts = append(acts, web.ActRequest{Act: web.ActTopics, Topics: topics})
	}
	if given("language") || given("lang") {
		acts = append(acts, web.ActRequest{Act: web.ActLanguage, Text: f.language})
	}
	if given("stage") {
		if err := oneOf("open", "host", "moderators")(f.stage); err != nil {
			return nil, usage("--stage: "+err.Error(), "")
		}
		acts = append(acts, web.ActRequest{Act: web.ActStage, Text: f.stage})
	}
	switch {
	case f.lock && f.unlock:
		return nil, usage("a room is locked or unlocked, not both", seeHelp(cmd))
	case f.lock:
		acts = append(acts, web.ActRequest{Act: web.ActLock})
	case f.unlock:
		acts = append(acts, web.ActRequest{Act: web.ActUnlock})
	}
	if given("pin") {
		acts = append(acts, web.ActRequest{Act: web.ActPin, Text: f.pin})
	}
	if given("at") {
		act := web.ActRequest{Act: web.ActNext} // without a time: it is taken back
		if f.at != "" {
			var err error
			if act.At, err = whenSaid(f.at, now); err != nil {
				return nil, err
			}
		}
		acts = append(acts, act)
	}
	if len(acts) == 0 {
		return nil, usage("it is not said what to set", seeHelp(cmd))
	}
	return acts, nil
}

// whenSaid reads a time to come as people write it.
func whenSaid(s string, now time.Time) (*time.Time, error) {
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04", "2006-01-02T15:04"} {
		at, err := time.ParseInLocation(form, s, now.Location())
		switch {
		case err != nil:
		case at.Before(now):
			return nil, usage("--at: "+s+" is over", "give a time to come")
		default:
			return &at, nil
		}
	}
	return nil, usage(fmt.Sprintf("--at: %q is no time", s), `for example --at "2026-12-01 19:00"`)
}
