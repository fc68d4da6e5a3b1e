//go:build linux

package main

import (
	"slices"
	"syscall"
	"time"

	"github.com/earshot-audio/earshot/node/store"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/node/web/client"
)

// The bounds that homes keep to.
const (
	connectedWithin = 5 * time.Second  // a node that is told of another
	soundWithin     = 5 * time.Second  // from the start of `listen`, in a federation that is connected
	upgradedWithin  = 30 * time.Second // from when UDP works
)

// connected waits until each of these nodes has a neighbour.
func (w *world) connected(nodes ...*liveNode) {
	w.Helper()
	for _, n := range nodes {
		w.until(connectedWithin, n.name+" is connected", func() bool { return n.now().Neighbors > 0 })
	}
}

// now asks the node how it is.
func (n *liveNode) now() web.Status {
	n.f.Helper()
	api, token, err := store.ReadAPIFile(n.home)
	n.f.must(err)
	c := client.New(api, token)
	defer c.CloseIdle()
	s, err := c.Status(n.f.Context())
	n.f.must(err)
	return s
}

// recording starts one, and waits for nothing.
func (n *liveNode) recording(room string) *ear {
	n.f.Helper()
	e := &ear{by: n, file: n.f.dir + "/" + n.name + ".ogg"}
	e.process = n.start("listen", room, "--out", e.file, "--force")
	return e
}

// whole ends a recording, in which nothing may be missing or twice.
func (e *ear) whole(scripts ...script) (s web.Summary) {
	e.f.Helper()
	e.signal(syscall.SIGINT)
	s = e.ends(endsWithin)
	if !e.complete(s) {
		return s
	}
	found := e.check(scripts...)
	for _, one := range scripts {
		if !slices.ContainsFunc(s.Sources, func(l web.SourceSummary) bool { return l.Name == one.name }) || found[one.name].to == 0 {
			e.f.Errorf("%s did not hear %s: %+v", e.by.name, one.name, s)
		}
	}
	return s
}

// between says whether both of two nodes show this path between them.
func between(room string, a, b *liveNode, path string) func() bool {
	shows := func(n, other *liveNode) bool {
		for _, l := range n.views[room].Links {
			if l.Peer == other.PeerID {
				return l.Path == path
			}
		}
		return false
	}
	return func() bool { return shows(a, b) && shows(b, a) }
}
