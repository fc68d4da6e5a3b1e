package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node"
)

const (
	doorPlain  = ":8734" // where the guest door is if --guests does not say
	doorDomain = ":443"  // and with --domain: where certificates are asked for
)

// doorConfig is what the settings say of the guest door.
func (s *settings) doorConfig() (node.Guests, error) {
	g := node.Guests{Listen: s.text("guests"), Cert: s.text("guests-cert"), Key: s.text("guests-key"), Domain: s.text("domain")}
	if g.Listen == "" && g.Domain != "" {
		g.Listen = doorDomain
	}
	var err error
	g.Max, err = strconv.Atoi(s.text("max-guests"))
	return g, err
}

// agreeOnGuests refuses what can't hold together of the guest door.
func (s *settings) agreeOnGuests() error {
	guests, cert, key, domain := s.value("guests"), s.value("guests-cert"), s.value("guests-key"), s.value("domain")
	refuse := func(v value, name, message, hint string) error {
		return withPlace(v.place(name), problem(message, hint), v.code())
	}
	switch {
	case guests.from == "": // the command is not the node's: it has none of these
		return nil
	case cert.set() && !key.set():
		return refuse(cert, "guests-cert", "a certificate needs its key", "give --guests-key too")
	case key.set() && !cert.set():
		return refuse(key, "guests-key", "a key needs its certificate", "give --guests-cert too")
	case cert.set() && domain.set():
		return refuse(domain, "domain", "a certificate is there already (guests-cert)", "leave one of the two out")
	case cert.set() && !guests.set():
		return refuse(cert, "guests-cert", "there is no guest door to use it", "give --guests too")
	case s.on("relay-only") && (guests.set() || domain.set()):
		return refuse(s.value("relay-only"), "relay-only", "a node that hides can't have guests: they would learn its address", "leave one of the two out")
	}
	return nil
}

func checkDomain(v string) error {
	if net.ParseIP(v) != nil || len(v) > 253 || v == "" {
		return problem(fmt.Sprintf("%q is not a domain", v), "for example talk.example.org")
	}
	for _, c := range v {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return problem(fmt.Sprintf("%q is not a domain", v), "for example talk.example.org")
		}
	}
	return nil
}

func checkGuests(v string) error {
	if n, err := strconv.Atoi(v); err != nil || n < 1 || n > 1000 {
		return problem(fmt.Sprintf("%q is not a number of guests", v), "give a number from 1 to 1000")
	}
	return nil
}

// doorAddress takes the HOST:PORT after --guests, which may stand alone: what
// follows such a flag after a space is an argument for all that pflag knows.
func doorAddress(cmd *cobra.Command, args []string) error {
	flag := cmd.Flags().Lookup("guests")
	if len(args) == 1 && flag != nil && flag.Changed && flag.Value.String() == flag.NoOptDefVal && checkHostPort(args[0]) == nil {
		return flag.Value.Set(args[0])
	}
	return words()(cmd, args)
}

func (p *program) guestsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "guests",
		Short: "Show who listens without a node, send somebody away, shut the door",
		Long: `Show who listens without a node, send somebody away, shut the door. The guest
door opens with: earshot up --guests. Guests hear the rooms that this node is in,
by the links that earshot open and earshot room show, and can do nothing else.`,
		Example: `  earshot guests list                      who is in
  earshot guests remove k3vq2a             send one away, and the household for an hour
  earshot guests close                     send all away and let none in
  earshot guests open                      let them in again`,
		GroupID: groupNode,
	}
	cmd.AddCommand(
		p.guestAct("list", "List who listens", words(), func(ctx context.Context, n *caller, _ []string) error { return p.listGuests(ctx, n) }),
		p.guestAct("open", "Let guests in, those too who were removed", words(), func(ctx context.Context, n *caller, _ []string) error {
			return p.doorDone(n.OpenDoor(ctx), "door_open", "The guest door is open.")
		}),
		p.guestAct("close", "Send all guests away and let none in", words(), func(ctx context.Context, n *caller, _ []string) error {
			return p.doorDone(n.ShutDoor(ctx), "door_shut", "The guest door is shut. Open it with: earshot guests open")
		}),
		p.guestAct("remove", "Send a guest away, and the household for an hour", words("ID"), func(ctx context.Context, n *caller, args []string) error {
			return p.doorDone(n.RemoveGuest(ctx, args[0]), "removed", "The guest "+args[0]+" is gone.")
		}),
	)
	return within(cmd)
}

// guestAct is one of the command's parts.
func (p *program) guestAct(name, short string, args cobra.PositionalArgs, do func(context.Context, *caller, []string) error) *cobra.Command {
	use := name
	if name == "remove" {
		use += " ID"
	}
	return &cobra.Command{Use: use, Short: short, Args: args, Example: "  earshot " + use, RunE: func(cmd *cobra.Command, args []string) error {
		n, err := p.node()
		if err != nil {
			return err
		}
		return do(cmd.Context(), n, args)
	}}
}

// doorLine tells scripts what was done to the guest door.
type doorLine struct {
	Event string `json:"event"`
}

func (p *program) doorDone(err error, event, said string) error {
	switch {
	case err != nil:
		return err
	case p.json:
		return p.line(doorLine{event})
	}
	return p.say("%s\n", said)
}

func (p *program) listGuests(ctx context.Context, n *caller) error {
	g, err := n.Guests(ctx)
	if err != nil {
		return err
	}
	if p.json {
		return p.line(g)
	}
	state := "open"
	if !g.Open {
		state = "shut"
	}
	if err := p.say("The guest door at %s is %s: %s of %d.\n", g.Address, state, count(len(g.Guests), "guest"), g.Max); err != nil {
		return err
	}
	for _, r := range g.Rooms {
		if err := p.say("%s\n  %s\n", p.bold(r.Title), r.Link); err != nil {
			return err
		}
	}
	if len(g.Guests) == 0 {
		return nil
	}
	rows := [][]string{{"ID", "NAME", "ROOM", "FROM", "SINCE"}}
	for _, one := range g.Guests {
		rows = append(rows, []string{one.ID, cmp.Or(string(one.Name), "-"), shortRoom(one.Room), one.Address, ago(time.Since(one.Since))})
	}
	return p.table(rows)
}
