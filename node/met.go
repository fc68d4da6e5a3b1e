package node

import (
	"context"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// metEach is how often it is noted of whom this node hears.
const metEach = time.Minute

// meetHosts notes whose rooms are in the directory, until ctx ends: by that a person
// is shown whether a room's host is anybody.
func (n *Node) meetHosts(ctx context.Context) error {
	each := time.NewTicker(metEach)
	defer each.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-each.C:
			if err := n.met.Hear(n.hostsHeard(), metEach, n.cfg.Wall()); err != nil {
				n.log.Warn("note whose rooms are heard of", "err", err)
			}
		}
	}
}

// hostsHeard gives those who have rooms in the directory, each once, but for this
// node's person.
func (n *Node) hostsHeard() (hosts []protocol.PeerID) {
	heard := map[protocol.PeerID]bool{n.self: true}
	for _, e := range n.directory.Rooms() {
		if p := e.Genesis.Founder; !heard[p] {
			heard[p] = true
			hosts = append(hosts, p)
		}
	}
	return hosts
}
