package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// doctorPatience bounds an examination by the node.
const doctorPatience = time.Minute

func (p *program) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor [ROOM|PEER|ADDRESS]",
		Short: "Find out why others can or can't be heard, and what to do",
		Long: `Find out how this node and others reach each other, and the one thing to do about
what is wrong. With a room, a person's ID or a node's address: whether they answer,
and if not, whether that is their side or yours. It tries everything anew, which
takes some seconds, and says only what it tried.

Where no node runs it looks for what would keep one from running.

The exit code is 0 if it could be examined, whatever was found: scripts read "ok"
and the codes of the findings, which never change their meaning.`,
		Example: `  earshot doctor                           this node
  earshot doctor 7k2m                      why a room can't be heard
  earshot doctor --json | jq '.findings[] | select(.ok | not)'`,
		GroupID:           groupNode,
		ValidArgsFunction: p.completeRoom,
		Args:              optional("ROOM, PEER or ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return p.doctor(cmd.Context(), "")
			}
			if err := checkPatient(args[0]); err != nil {
				return err
			}
			return p.doctor(cmd.Context(), args[0])
		},
	}
	for _, s := range allSettings() {
		if s.name == "api" { // what would be taken is part of what is examined
			s.addFlag(cmd.Flags())
			_ = cmd.Flags().MarkHidden(s.name) // the flag is there
		}
	}
	return cmd
}

// checkPatient checks who or what is to be examined, as far as that can be done
// without a node.
func checkPatient(word string) error {
	if strings.HasPrefix(word, "/") {
		return checkBootstrap(word)
	}
	_, err := roomWord(word)
	return err
}

func (p *program) doctor(ctx context.Context, of string) error {
	diagnosis, err := p.diagnosis(ctx, of)
	if err != nil {
		return err
	}
	if p.json {
		return p.line(diagnosis)
	}
	return p.say("%s", p.describeDiagnosis(diagnosis))
}

// diagnosis asks the node, or looks around where none runs.
func (p *program) diagnosis(ctx context.Context, of string) (web.Diagnosis, error) {
	node, err := p.node()
	if err == nil {
		patience, cancel := context.WithTimeout(ctx, doctorPatience)
		defer cancel()
		stop := p.waiting("trying how others can be reached")
		var diagnosis web.Diagnosis
		diagnosis, err = node.Doctor(patience, of)
		stop()
		if err == nil {
			return diagnosis, nil
		}
	}
	if none := (*protocol.Problem)(nil); of == "" && errors.As(err, &none) && none.Code == protocol.CodeNoNode {
		return p.examine(none, time.Now()), nil
	}
	return web.Diagnosis{}, err
}

// describeDiagnosis puts what was found into lines.
func (p *program) describeDiagnosis(d web.Diagnosis) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", p.bold(d.Headline))
	for _, f := range d.Findings {
		mark := "✓"
		if !f.OK {
			mark = "✗"
		}
		fmt.Fprintf(&b, "  %s %s\n", mark, f.Says)
		if f.Do != "" {
			fmt.Fprintf(&b, "    → %s\n", f.Do)
		}
		if f.Detail != "" {
			fmt.Fprintf(&b, "    %s\n", p.faint(f.Detail))
		}
	}
	return b.String()
}
