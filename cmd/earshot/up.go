package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"time"

	"github.com/pkg/browser"
	"github.com/spf13/cobra"
)

// runningWait bounds how long the node that may run already has to answer.
const runningWait = 2 * time.Second

func (p *program) upCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the node and open its page (what earshot does without a command)",
		Long: `Run the node and open its page. Every flag can also be set by EARSHOT_ and its
name in the environment, or in config.toml in the home: see earshot config.

With --relay-only the node carries no room and no connection of others, and
nobody but the relay of a room that it is in learns its address from that room.
Those through whom it meets others (--bootstrap) see where it comes from, too.
It takes no part in the DHT, and does not show itself on the local network.`,
		Example: `  earshot up
  earshot up --bootstrap /ip4/192.0.2.7/udp/41641/quic-v1/p2p/12D3Koo…
  earshot up --guests                      people without a node may listen
  earshot up --home ./second --no-browser  a second node on this machine`,
		GroupID: groupNode,
		Args:    doorAddress,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.up(cmd.Context()) },
	}
	upFlags(cmd)
	return cmd
}

// readyLine tells scripts that the node serves.
type readyLine struct {
	Event  string   `json:"event"`
	Peer   string   `json:"peer"`
	PeerID string   `json:"peer_id"`
	Addrs  []string `json:"addrs"`
	API    string   `json:"api"`
	Page   string   `json:"page"`
	Door   string   `json:"guest_door"` // "": none
}

// up runs the node until Ctrl-C. If one runs in this home already, its page is
// opened instead.
func (p *program) up(ctx context.Context) error {
	if running, err := p.running(ctx); err == nil {
		return p.ready(running, "is up already", "")
	}
	return p.serve(ctx, func(r readyLine) error { return p.ready(r, "is up", upHint) }, p.alone)
}

// running asks the node of this home whether it runs.
func (p *program) running(ctx context.Context) (readyLine, error) {
	node, err := p.node()
	if err != nil {
		return readyLine{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, runningWait)
	defer cancel()
	s, err := node.Status(ctx)
	if err != nil {
		return readyLine{}, err
	}
	page, err := node.Page(ctx)
	if err != nil {
		return readyLine{}, err
	}
	return readyLine{"ready", string(s.Peer), s.PeerID, s.Addrs, s.API, page, s.Door}, nil
}

const upHint = "Ctrl-C stops the node. `earshot rooms` in another terminal lists what is live.\n"

// ready tells that the node serves, opens its page, and says what to do next.
func (p *program) ready(r readyLine, how, hint string) error {
	if p.json {
		return p.line(r)
	}
	guests := ""
	if r.Door != "" {
		guests = fmt.Sprintf("  guests    %s  for people without a node: `earshot open` gives the link\n", r.Door)
	}
	return p.say("Earshot %s as %s (%s).\n  page      %s\n%s  reach     %s\n%s",
		how, p.bold(r.Peer), shortPeer(r.PeerID), p.openPage(r), guests, listening(r.Addrs), hint)
}

// aloneLine tells scripts that a node knows nobody. It comes after the ready
// line, if at all.
type aloneLine struct {
	Event string `json:"event"`
	Hint  string `json:"hint"`
}

const aloneWords = `No one in earshot yet. Three ways to meet others, in another terminal:
  earshot meet LINK       those in the room of a link that somebody sent you (earshot listen LINK does too)
  earshot meet --local    those on the same network as you
  earshot meet --public   strangers; says first what that shows of you, and asks
`

// alone offers the ways to meet others.
func (p *program) alone() error {
	if p.json {
		return p.line(aloneLine{"alone", "meet others with: earshot meet LINK, earshot meet --local or earshot meet --public"})
	}
	return p.say("%s", aloneWords)
}

// openPage opens the page in a browser, or says how to get there.
func (p *program) openPage(r readyLine) string {
	if p.settings.on("no-browser") {
		return r.Page
	}
	if !p.desktop() {
		_, port, _ := net.SplitHostPort(strings.TrimPrefix(r.API, "http://"))
		return fmt.Sprintf("%s  from your own computer: ssh -L %s:127.0.0.1:%s you@host", r.Page, port, port)
	}
	if err := openBrowser(r.Page); err != nil {
		p.log.Debug("no browser opened", "err", err)
		return r.Page + "  (no browser could be opened)"
	}
	return r.API + "   opened in your browser"
}

// desktop tells whether a browser can show up here.
func (p *program) desktop() bool {
	if !terminal(p.stdout) {
		return false // whoever reads this has no use for a window
	}
	if over, _ := p.env("SSH_CONNECTION"); over != "" {
		return false
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return true
	}
	x, _ := p.env("DISPLAY")
	wayland, _ := p.env("WAYLAND_DISPLAY")
	return x != "" || wayland != ""
}

// openBrowser opens url without the opener's own words among ours.
func openBrowser(url string) error {
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	return browser.OpenURL(url)
}
