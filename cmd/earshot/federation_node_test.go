package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"

	"github.com/earshot-audio/earshot/node/store"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/node/web/client"
)

// liveNode is a running `earshot up`, and what it tells its followers.
type liveNode struct {
	*process
	name, home string
	readyLine

	// under the federation's lock
	views   map[string]web.RoomView // of rooms that it is in
	relayed []string                // whoever its rooms' views named as relay, the latest last
	rooms   map[string]web.RoomLine // live
	coming  map[string]web.RoomLine
	status  web.Status
	follows context.CancelFunc
}

// up starts a node and waits until it serves. It knows the addresses of from.
func (f *federation) up(name string, from ...*liveNode) *liveNode {
	f.Helper()
	return f.upAt(filepath.Join(f.dir, name), name, from...)
}

func (f *federation) upAt(home, name string, from ...*liveNode) *liveNode {
	f.Helper()
	flags := []string{"--api", "127.0.0.1:0", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--listen", "/ip4/127.0.0.1/tcp/0"}
	for _, other := range from {
		flags = append(flags, "--bootstrap", other.Addrs[0])
	}
	return f.serve(home, name, flags...)
}

// serve starts a node with these flags, and waits until it serves.
func (f *federation) serve(home, name string, flags ...string) *liveNode {
	f.Helper()
	args := append([]string{"up", "--name", name, "--no-mdns", "--no-browser"}, flags...)
	n := &liveNode{process: f.launch(home, true, args...), name: name, home: home, views: map[string]web.RoomView{}, rooms: map[string]web.RoomLine{}, coming: map[string]web.RoomLine{}}
	n.says(patience, "event", "ready", &n.readyLine)
	f.nodes = append(f.nodes, n)
	ctx, cancel := context.WithCancel(context.Background())
	n.follows = cancel
	f.Cleanup(cancel)
	go n.follow(ctx)
	return n
}

// five starts five nodes that know the first alone.
func (f *federation) five() (nodes []*liveNode) {
	f.Helper()
	nodes = append(nodes, f.up("ana"))
	for _, name := range []string{"budi", "citra", "dewi", "eko"} {
		nodes = append(nodes, f.up(name, nodes[0]))
	}
	return nodes
}

// follow keeps what the node tells, until it ends.
func (n *liveNode) follow(ctx context.Context) {
	api, token, err := store.ReadAPIFile(n.home)
	if err != nil {
		return
	}
	c := client.New(api, token)
	defer c.CloseIdle()
	last := ""
	for ctx.Err() == nil {
		events, err := c.Events(ctx, last)
		if err != nil {
			return
		}
		for {
			e, err := events.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					return
				}
				break
			}
			if e.ID != "" {
				last = e.ID
			}
			n.f.note(func() { n.learn(e) })
		}
		events.Close()
	}
}

func (n *liveNode) learn(e client.Event) {
	switch e.Type {
	case "reset":
		clear(n.views)
		clear(n.rooms)
		clear(n.coming)
	case "node":
		_ = json.Unmarshal(e.Data, &n.status)
	case "room":
		var v web.RoomView
		if json.Unmarshal(e.Data, &v) == nil {
			n.views[v.Room] = v
			if last := len(n.relayed) - 1; v.Relay != "" && (last < 0 || n.relayed[last] != v.Relay) {
				n.relayed = append(n.relayed, v.Relay)
			}
		}
	case "rooms", "coming":
		rooms := map[string]map[string]web.RoomLine{"rooms": n.rooms, "coming": n.coming}[e.Type]
		var change web.RoomsChange
		_ = json.Unmarshal(e.Data, &change)
		for _, l := range change.Changed {
			rooms[l.Room] = l
		}
		for _, id := range change.Gone {
			delete(rooms, id)
		}
	}
}

// start runs a command of this node's person.
func (n *liveNode) start(args ...string) *process {
	n.f.Helper()
	return n.f.launch(n.home, false, args...)
}

// call runs a command to its end, which must be good, and gives its lines.
func (n *liveNode) call(args ...string) []spoken {
	n.f.Helper()
	p := n.start(args...)
	n.f.until(patience, p.title+" ends", func() bool { return p.ended })
	if p.err != nil {
		n.f.Fatalf("%s: %v: %s", p.title, p.err, tail(p.said()))
	}
	return p.lines
}

// refused runs a command that must fail, and gives the code of its error.
func (n *liveNode) refused(args ...string) string {
	n.f.Helper()
	return n.start(args...).refusal()
}

// refusal waits for the end of a command, which must fail, and gives the code of its
// error.
func (p *process) refusal() string {
	p.f.Helper()
	p.f.until(patience, p.title+" ends", func() bool { return p.ended })
	if code := p.cmd.ProcessState.ExitCode(); code != exitFailed {
		p.f.Errorf("%s: exit code %d, want %d", p.title, code, exitFailed)
	}
	var failure web.Failure
	for said := range bytes.Lines([]byte(p.said())) {
		if json.Unmarshal(said, &failure) == nil && failure.Event == "error" {
			return failure.Code
		}
	}
	p.f.Errorf("%s: no error object: %s", p.title, p.said())
	return ""
}

// settled says whether all of these nodes see one relay, the same and one of
// them, of a term above the given one, and one standby.
func settled(room string, above uint64, nodes []*liveNode) func() bool {
	return func() bool {
		first := nodes[0].views[room]
		here := slices.ContainsFunc(nodes, func(n *liveNode) bool { return n.PeerID == first.Relay })
		return here && !slices.ContainsFunc(nodes, func(n *liveNode) bool {
			v := n.views[room]
			return v.Term <= above || v.Relay != first.Relay || v.Term != first.Term || v.Standby != first.Standby || v.Standby == "" && len(nodes) > 1
		})
	}
}

// attached says whether the node has links to its room's relay and standby.
func (n *liveNode) attached(room string) bool {
	v := n.views[room]
	linked := func(peer string) bool {
		return peer == "" || peer == n.PeerID || slices.ContainsFunc(v.Links, func(l web.LinkLine) bool { return l.Peer == peer })
	}
	return v.Relay != "" && linked(v.Relay) && linked(v.Standby)
}

// ready says whether a room has settled and all are attached.
func ready(room string, nodes []*liveNode) func() bool {
	one := settled(room, 0, nodes)
	return func() bool {
		return one() && !slices.ContainsFunc(nodes, func(n *liveNode) bool { return !n.attached(room) })
	}
}

// relayOf gives the nodes' relay, of those given, and its term.
func (f *federation) relayOf(room string, nodes []*liveNode) (*liveNode, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := nodes[0].views[room]
	for _, n := range nodes {
		if n.PeerID == v.Relay {
			return n, v.Term
		}
	}
	f.Fatalf("%s relays, who is not there", v.Relay)
	return nil, 0
}

// listedBy says whether the room is in all these nodes' directories.
func listedBy(room string, nodes []*liveNode) func() bool {
	return func() bool {
		return !slices.ContainsFunc(nodes, func(n *liveNode) bool { _, ok := n.rooms[room]; return !ok })
	}
}
