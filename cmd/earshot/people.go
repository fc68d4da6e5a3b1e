package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// personLine tells scripts what was noted about somebody.
type personLine struct {
	Event string `json:"event"`
	web.Person
}

// peopleCommands are about others, as this node's person sees them.
func (p *program) peopleCommands() []*cobra.Command {
	return []*cobra.Command{
		p.blockCommand(), p.unblockCommand(),
		p.listCommand("blocks", "List whom you have blocked", "You have blocked nobody.", func(o web.Person) bool { return o.Blocked }),
		p.callCommand(),
		p.listCommand("names", "List the names that you gave others", "You have given nobody a name.", func(o web.Person) bool { return o.Petname != "" }),
		p.followCommand("follow", "followed", true), p.followCommand("unfollow", "unfollowed", false),
		p.followingCommand(),
		p.profileCommand(),
	}
}

// aboutCommand is a command about somebody, in any room.
func (p *program) aboutCommand(name, short string, noted func(args []string) (request web.NoteRequest, event string, err error), said func(web.Person) string) *cobra.Command {
	return &cobra.Command{
		Use: name + " WHO", Short: short, Example: "  earshot " + name + " budi", GroupID: groupPeople,
		Args: words("WHO"), ValidArgsFunction: p.completePerson,
		RunE: func(cmd *cobra.Command, args []string) error {
			request, event, err := noted(args)
			if err != nil {
				return err
			}
			if request.Who = args[0]; request.Who == "" {
				return usage("an empty WHO is nobody", "earshot room ROOM lists who is in a room")
			}
			node, err := p.node()
			if err != nil {
				return err
			}
			person, err := node.Note(cmd.Context(), request)
			switch {
			case err != nil:
				return err
			case p.json:
				return p.line(personLine{event, person})
			}
			return p.say("%s\n", said(person))
		},
	}
}

func (p *program) blockCommand() *cobra.Command {
	var life time.Duration
	cmd := p.aboutCommand("block", "Neither hear nor read somebody, in any room", func([]string) (web.NoteRequest, string, error) {
		if life < 0 {
			return web.NoteRequest{}, "", usage("--for: a block can't last less than no time", "for example --for 24h")
		}
		return web.NoteRequest{Block: new(true), ForMS: life.Milliseconds()}, "blocked", nil
	}, func(o web.Person) string {
		return fmt.Sprintf("You neither hear nor read %s any more, %s. Nobody else is told.", calledBy(o), blockedUntil(o))
	})
	cmd.Long = `Neither hear nor read somebody, in any room, until you unblock them. It is between
you and this node: nobody is told, and others hear them through this node as before.`
	cmd.Example += "\n  earshot block budi --for 24h"
	cmd.Flags().DurationVar(&life, "for", 0, "for so long, as 30m or 24h; without it until you unblock them")
	return cmd
}

// blockedUntil says when a block ends.
func blockedUntil(o web.Person) string {
	if o.BlockedUntil == nil {
		return "until: earshot unblock " + calledBy(o)
	}
	return "until " + moment(*o.BlockedUntil)
}

func (p *program) unblockCommand() *cobra.Command {
	return p.aboutCommand("unblock", "Hear and read somebody again", func([]string) (web.NoteRequest, string, error) {
		return web.NoteRequest{Block: new(false)}, "unblocked", nil
	}, func(o web.Person) string { return calledBy(o) + " is heard and read here again." })
}

func (p *program) callCommand() *cobra.Command {
	cmd := p.aboutCommand("call", "Give somebody a name that only you see", func(args []string) (web.NoteRequest, string, error) {
		return web.NoteRequest{Petname: new(protocol.Name(args[1]))}, "called", nil
	}, func(o web.Person) string {
		if o.Petname == "" {
			return fmt.Sprintf("%s has no name of yours any more.", calledBy(o))
		}
		return fmt.Sprintf("%s is %s to you, in every room. Nobody else is told.", nameOrPeer(string(o.Name), o.Peer), o.Petname)
	})
	cmd.Use = "call WHO NAME"
	cmd.Long = `Give somebody a name that only you see. It stays theirs whatever they call
themselves, and whoever takes their name does not get it. An empty NAME takes it away.`
	cmd.Example = "  earshot call budi \"Budi from Bandung\"\n  earshot call budi \"\"                     no name of yours any more"
	cmd.Args = words("WHO", "NAME")
	return cmd
}

// listCommand lists those of whom a note holds.
func (p *program) listCommand(name, short, none string, holds func(web.Person) bool) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Example: "  earshot " + name, GroupID: groupPeople, Args: words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			people, err := p.noted(cmd.Context(), holds)
			if err != nil {
				return err
			}
			if len(people) == 0 && !p.json {
				return p.say("%s\n", none)
			}
			return p.listPeople(people)
		},
	}
}

// noted gives those of whom a note holds.
func (p *program) noted(ctx context.Context, holds func(web.Person) bool) (found []web.Person, err error) {
	node, err := p.node()
	if err != nil {
		return nil, err
	}
	people, err := node.People(ctx)
	for _, o := range people {
		if holds(o) {
			found = append(found, o)
		}
	}
	return found, err
}

func (p *program) listPeople(people []web.Person) error {
	var rows [][]string
	for _, o := range people {
		if p.json {
			if err := p.line(o); err != nil {
				return err
			}
			continue
		}
		doing := ""
		if o.Blocked {
			doing = "blocked"
			if o.BlockedUntil != nil {
				doing += " " + blockedUntil(o)
			}
		}
		rows = append(rows, []string{p.bold(orDash(string(o.Petname))), orDash(string(o.Name)), o.Peer, doing})
	}
	return p.table(rows)
}

// calledBy is what this node's person calls somebody.
func calledBy(o web.Person) string {
	if o.Petname != "" {
		return string(o.Petname)
	}
	return nameOrPeer(string(o.Name), o.Peer)
}

// completePerson offers those who are noted, and who is in the rooms here.
func (p *program) completePerson(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return p.completeBy(cmd, func(ctx context.Context, node *caller) (found []cobra.Completion) {
		people, _ := node.People(ctx) // without them nobody is offered
		for _, o := range people {
			found = append(found, cobra.CompletionWithDesc(calledBy(o), shortPeer(o.Peer)))
		}
		rooms, _ := node.Rooms(ctx)
		for _, r := range rooms {
			if !r.Joined {
				continue
			}
			view, _ := node.Room(ctx, r.Room)
			for _, m := range view.Members {
				if !m.You && m.Petname == "" {
					found = append(found, cobra.CompletionWithDesc(string(m.Name), r.Title))
				}
			}
		}
		return found
	})
}
