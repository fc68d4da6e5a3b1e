package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
)

// roleLine says for scripts what was done about somebody.
type roleLine struct {
	eventLine
	Peer string `json:"peer"` // as it was given; "": everybody
	Role string `json:"role"`
}

// about is something that is done about somebody, or about the room.
type about struct {
	request web.ActRequest
	event   string // for scripts
	said    string // for people
}

// act does it, and says so.
func (p *program) act(ctx context.Context, node *caller, v web.RoomView, a about) error {
	if err := node.Act(ctx, v.Room, a.request); err != nil {
		return err
	}
	if p.json {
		return p.line(roleLine{eventLine{a.event, v.Room}, a.request.Peer, a.request.Role})
	}
	return p.say("%s\n", a.said)
}

func (p *program) stageCommand() *cobra.Command {
	cmd := parts("stage", "Let people speak or moderate, mute them, send them out: for hosts and moderators", `  earshot stage grant 7k2m budi            let budi speak
  earshot stage grant 7k2m citra --role moderator
  earshot stage revoke 7k2m budi           back to the audience
  earshot stage mute 7k2m budi             nobody hears budi, until: earshot stage unmute
  earshot stage ban 7k2m eko --for 24h     out, and not in again for a day
  earshot stage lower 7k2m budi            take budi's hand down`)
	cmd.Aliases = []string{"mod"}
	cmd.AddCommand(p.grantCommand(), p.revokeCommand(), p.muteCommand(), p.unmuteCommand(), p.removeCommand(), p.banCommand(), p.unbanCommand(),
		p.lowerCommand(), p.pauseCommand(), p.resumeCommand())
	for _, part := range cmd.Commands() {
		if part.Name() != "grant" && strings.Contains(part.Use, "PEER") {
			part.ValidArgsFunction = p.completeRoomThenAnyone
		}
	}
	return within(cmd)
}

func (p *program) lowerCommand() *cobra.Command {
	return p.memberAct("lower", "Take somebody's hand down", func(ctx context.Context, node *caller, v web.RoomView, who string) error {
		if err := node.Lower(ctx, v.Room, who); err != nil {
			return err
		}
		if p.json {
			return p.line(roleLine{eventLine{"hand_down", v.Room}, who, ""})
		}
		return p.say("%s's hand is down in %s.\n", who, v.Title)
	})
}

// roleFlag adds --role.
func roleFlag(cmd *cobra.Command, role *string, usual, help string) {
	cmd.Flags().StringVar(role, "role", usual, help)
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]cobra.Completion{"speaker", "moderator", "carrier"}, cobra.ShellCompDirectiveNoFileComp))
}

func (p *program) grantCommand() *cobra.Command {
	var role string
	cmd := p.memberAct("grant", "Let somebody speak, or moderate, or carry the room", func(ctx context.Context, node *caller, v web.RoomView, who string) error {
		if err := oneOf("speaker", "moderator", "carrier")(role); err != nil {
			return usage("--role: "+err.Error(), "")
		}
		said := map[string]string{
			"speaker":   "%s may speak in %s. The microphone stays off until they turn it on.",
			"moderator": "%s is a moderator of %s: may speak, let others on stage, mute, remove and ban.",
			"carrier":   "%s may carry the sound of %s.",
		}[role]
		return p.act(ctx, node, v, about{web.ActRequest{Act: web.ActGrant, Peer: who, Role: role}, "granted", fmt.Sprintf(said, who, v.Title)})
	})
	roleFlag(cmd, &role, "speaker", "`ROLE` to give: speaker, moderator or carrier")
	return cmd
}

func (p *program) revokeCommand() *cobra.Command {
	var role string
	cmd := p.memberAct("revoke", "Move somebody to the audience, or take one role from them", func(ctx context.Context, node *caller, v web.RoomView, who string) error {
		a := about{web.ActRequest{Act: web.ActRevoke, Peer: who, Role: role}, "revoked", fmt.Sprintf("%s is no longer %s in %s.", who, role, v.Title)}
		switch {
		case role != "" && oneOf("speaker", "moderator", "carrier")(role) != nil:
			return usage("--role: "+oneOf("speaker", "moderator", "carrier")(role).Error(), "")
		case role == "" && v.Stage == "open":
			a.said = fmt.Sprintf("%s is in the audience of %s. Anybody may speak there, so they are muted, until: earshot stage unmute %s %s", who, v.Title, shortRoom(v.Room), who)
		case role == "":
			a.said = fmt.Sprintf("%s is in the audience of %s.", who, v.Title)
		}
		return p.act(ctx, node, v, a)
	})
	cmd.Long = `Move somebody to the audience: what they may speak by is taken from them. In a
room where anybody may speak they are muted, and can't end that themselves. With
--role just that role is taken, and nothing else.`
	roleFlag(cmd, &role, "", "take just this `ROLE`: speaker, moderator or carrier")
	return cmd
}

// muteCommand and unmuteCommand are about somebody, or with --all about everybody
// but the host and the moderators.
func (p *program) muteCommand() *cobra.Command {
	var mayUnmute bool
	cmd := p.oneOrAll("mute", "Silence somebody, or everybody but host and moderators", func(ctx context.Context, node *caller, v web.RoomView, who string) error {
		until := fmt.Sprintf("until: earshot stage unmute %s %s", shortRoom(v.Room), allOr(who))
		if mayUnmute {
			until = "until they turn their microphone on again"
		}
		return p.act(ctx, node, v, about{web.ActRequest{Act: web.ActMute, Peer: who, MayUnmute: mayUnmute}, "muted",
			fmt.Sprintf("%s muted in %s, %s", are(who), v.Title, until)})
	})
	cmd.Flags().BoolVar(&mayUnmute, "may-unmute", false, "they may turn their microphone on again")
	return cmd
}

func (p *program) unmuteCommand() *cobra.Command {
	return p.oneOrAll("unmute", "Let somebody be heard again, or everybody", func(ctx context.Context, node *caller, v web.RoomView, who string) error {
		return p.act(ctx, node, v, about{web.ActRequest{Act: web.ActUnmute, Peer: who}, "unmuted", fmt.Sprintf("%s not muted any more in %s.", are(who), v.Title)})
	})
}

func are(who string) string {
	if who == "" {
		return "All but its host and moderators are"
	}
	return who + " is"
}

func allOr(who string) string {
	if who == "" {
		return "--all"
	}
	return who
}

// oneOrAll is a command that does one thing about somebody, or about everybody.
func (p *program) oneOrAll(name, short string, act func(ctx context.Context, node *caller, v web.RoomView, who string) error) *cobra.Command {
	var all bool
	cmd := p.memberAct(name, short, act)
	cmd.Use = name + " ROOM PEER|--all"
	cmd.Example += "\n  earshot stage " + name + " 7k2m --all"
	one := cmd.RunE
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if all {
			return words("ROOM")(cmd, args)
		}
		return words("ROOM", "PEER (or --all)")(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !all {
			return one(cmd, args)
		}
		node, view, err := p.nodeAndRoom(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return act(cmd.Context(), node, view, "")
	}
	cmd.Flags().BoolVar(&all, "all", false, "everybody but the host and the moderators")
	return cmd
}

func (p *program) removeCommand() *cobra.Command {
	return p.memberAct("remove", "Send somebody out of a room; they may come again, to listen", func(ctx context.Context, node *caller, v web.RoomView, who string) error {
		return p.act(ctx, node, v, about{web.ActRequest{Act: web.ActRemove, Peer: who}, "removed",
			fmt.Sprintf("%s is out of %s, without any role, and may come again to listen. To keep them out: earshot stage ban %s %s", who, v.Title, shortRoom(v.Room), who)})
	})
}

func (p *program) banCommand() *cobra.Command {
	var life time.Duration
	cmd := p.memberAct("ban", "Send somebody out of a room and keep them out", func(ctx context.Context, node *caller, v web.RoomView, who string) error {
		if life < 0 {
			return usage("--for: a ban can't last less than no time", "for example --for 1h")
		}
		until := fmt.Sprintf("until: earshot stage unban %s %s", shortRoom(v.Room), who)
		if life > 0 {
			until = "for " + ago(life)
		}
		return p.act(ctx, node, v, about{web.ActRequest{Act: web.ActBan, Peer: who, ForMS: life.Milliseconds()}, "banned", fmt.Sprintf("%s is banned from %s, %s", who, v.Title, until)})
	})
	cmd.Example += "\n  earshot stage ban 7k2m eko --for 1h"
	cmd.Flags().DurationVar(&life, "for", 0, "for so long, as 30m or 24h; without it until lifted")
	return cmd
}

func (p *program) unbanCommand() *cobra.Command {
	return p.memberAct("unban", "Let somebody who is banned in again", func(ctx context.Context, node *caller, v web.RoomView, who string) error {
		return p.act(ctx, node, v, about{web.ActRequest{Act: web.ActUnban, Peer: who}, "unbanned", fmt.Sprintf("%s may come into %s again.", who, v.Title)})
	})
}
