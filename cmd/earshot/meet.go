package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// strangers says who is asked for strangers, and what they can see. It is said
// before anything is asked.
const strangers = `Looking for strangers asks libp2p's public network, which is not Earshot's.
  who runs it   Its entry points are run by the IPFS project (Protocol Labs and others), the rest of it by anybody.
  they can see  This machine's Internet address, this node's identity, and that it looks for Earshot. They can
                keep that. Whoever looks for Earshot there too finds this node, for two days at most.
  what is sent  Nothing else: no name, no room, no sound.
`

func (p *program) meetCommand() *cobra.Command {
	var request web.MeetRequest
	var yes bool
	cmd := &cobra.Command{
		Use:   "meet [LINK|ADDRESS]",
		Short: "Meet other nodes: by a link, nearby, or strangers",
		Long: `Meet other nodes, if none is known or more are wanted: by a link to a room, by a
node's address (its earshot status shows it), on the local network, or strangers.
Who was met is remembered; this is for the first time.

` + strangers,
		Example: `  earshot meet earshot:room/7k2m…          those in the room that somebody sent you
  earshot meet /ip4/192.0.2.7/udp/41641/quic-v1/p2p/12D3Koo…
  earshot meet --local                     those on the same network as you
  earshot meet --public                    strangers; asks you first`,
		GroupID: groupNode,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := wayToMeet(cmd, &request, args); err != nil {
				return err
			}
			return p.meet(cmd.Context(), request, yes)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&request.Local, "local", false, "look on the local network")
	flags.BoolVar(&request.Public, "public", false, "look for strangers, through a network that others run")
	flags.BoolVar(&yes, "yes", false, "don't ask before --public: you know what it shows of you")
	return cmd
}

// wayToMeet reads which one way was asked for.
func wayToMeet(cmd *cobra.Command, request *web.MeetRequest, args []string) error {
	ways := len(args)
	for _, on := range []bool{request.Local, request.Public} {
		if on {
			ways++
		}
	}
	switch {
	case ways == 0:
		return usage(cmd.CommandPath()+" needs a LINK, an ADDRESS, --local or --public", seeHelp(cmd))
	case ways > 1:
		return usage(cmd.CommandPath()+" goes one way at a time", "give a LINK, an ADDRESS, --local or --public")
	case len(args) == 0:
		return nil
	case strings.HasPrefix(args[0], "/"):
		request.Address = args[0]
		return checkBootstrap(args[0])
	case protocol.IsLink(args[0]):
		request.Link = args[0]
		_, err := roomWord(args[0])
		return err
	}
	return usage(fmt.Sprintf("%q is neither a link nor a node's address", args[0]), seeHelp(cmd))
}

// metLine is what `meet` prints for scripts.
type metLine struct {
	Event string `json:"event"`
	web.Met
}

func (p *program) meet(ctx context.Context, request web.MeetRequest, yes bool) error {
	node, err := p.node()
	if err != nil {
		return err
	}
	if request.Public {
		agreed, err := p.agreed(ctx, yes)
		if err != nil || !agreed {
			return err
		}
	}
	stop := p.waiting("looking for others")
	met, err := node.Meet(ctx, request)
	stop()
	if err != nil {
		return err
	}
	if met.Found == 0 {
		return nobodyFound(request, met.Neighbors)
	}
	if p.json {
		return p.line(metLine{"met", met})
	}
	return p.say("%s\n", metWords(met))
}

// agreed tells the person what asking for strangers shows of them, and lets
// them decide. Only a person, or --yes, can agree.
func (p *program) agreed(ctx context.Context, yes bool) (bool, error) {
	if yes {
		return true, p.tell(strangers)
	}
	if !terminal(p.stdin) {
		return false, usage("strangers are looked for only when a person says yes",
			"read what it shows of you: earshot meet --help; then add --yes")
	}
	if err := p.tell(strangers + "Look for strangers? [y/N] "); err != nil {
		return false, err
	}
	said, err := lineOfPerson(ctx, p.stdin)
	if err != nil {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(said)) {
	case "y", "yes":
		return true, nil
	}
	return false, p.tell("Nobody was asked.\n")
}

// tell says something to a person that is no result: with --json beside it.
func (p *program) tell(text string) error {
	out := p.stdout
	if p.json {
		out = p.stderr
	}
	_, err := io.WriteString(out, text)
	return err
}

// lineOfPerson reads a line, unless ctx ends first. What was begun is then left
// to the end of the program.
func lineOfPerson(ctx context.Context, from io.Reader) (string, error) {
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(from).ReadString('\n') // an end without a line is no yes
		typed <- line
	}()
	select {
	case line := <-typed:
		return line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func metWords(met web.Met) string {
	words := fmt.Sprintf("Met %s; %s near now.", count(met.Found, "other"), count(met.Neighbors, "node"))
	if met.Room != "" {
		return words + " Hear the room: earshot listen " + shortRoom(met.Room)
	}
	return words + " What is live: earshot rooms"
}

// nobodyFound says what to do if nobody was met. near counts who was met before.
func nobodyFound(r web.MeetRequest, near int) error {
	found := &protocol.Problem{Code: protocol.CodeNobodyFound}
	switch {
	case r.Link != "":
		found.Message, found.Hint = "nobody of those whom the link names answers", "see why: earshot doctor LINK; or ask for a new link"
	case r.Address != "":
		found.Message, found.Hint = "nobody answers there", "see why: earshot doctor "+r.Address
	case near > 0:
		found.Message, found.Hint = "nobody new was found (near already: "+count(near, "node")+")", "what is live: earshot rooms"
	case r.Local:
		found.Message, found.Hint = "nobody on this network answered", "guest networks often keep people apart; a link works all the same: earshot meet LINK"
	default:
		found.Message, found.Hint = "no stranger was found", "try later, or ask somebody for a link: earshot meet LINK"
	}
	return found
}
