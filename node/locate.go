package node

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/protocol"
)

const (
	// locatePatience is how long nodes of a room are looked for, again each
	// locateAgain: this node may have started just now. From the first on, more
	// are waited for as long as locateMore.
	locatePatience = 5 * time.Second
	locateAgain    = 500 * time.Millisecond
	locateMore     = 300 * time.Millisecond
)

// locate finds nodes of a room of which only the ID is known; unknown if there
// are none.
func (n *Node) locate(ctx context.Context, id protocol.RoomID, unknown error) (entry, error) {
	if n.dht == nil {
		return entry{}, unknown
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	enough := time.AfterFunc(locatePatience, cancel)
	defer enough.Stop()
	again := time.NewTicker(locateAgain)
	defer again.Stop()
	var found []peer.AddrInfo
	for {
		for info := range n.dht.Find(ctx, id) {
			if found = append(found, info); len(found) == 1 {
				enough.Reset(locateMore)
			}
		}
		if len(found) > 0 {
			return entry{id: id, seeds: found}, nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return entry{}, unknown
		}
	}
}

// locatable has this node's rooms found by their IDs: as long as it announces
// them, which it does while it relays them, or they are to come, and are listed.
func (n *Node) locatable(ctx context.Context) error {
	if n.dht == nil {
		return nil
	}
	changes, stop := n.directory.Watch()
	defer stop()
	done := make(chan error, 1)
	go func() { done <- n.dht.Run(ctx) }()
	provided := map[protocol.RoomID]bool{}
	for {
		select {
		case err := <-done:
			return err
		case c, ok := <-changes:
			switch {
			case !ok:
				return <-done
			case c.Kind != discovery.Several:
				n.provide(c.Room, provided)
			default:
				for id := range provided {
					n.provide(id, provided)
				}
				for _, r := range n.carriedRooms() {
					n.provide(r.id, provided)
				}
				for id := range n.calendar.all() {
					n.provide(id, provided)
				}
			}
		}
	}
}

// provide provides a room, or no longer, as the directory has it.
func (n *Node) provide(id protocol.RoomID, provided map[protocol.RoomID]bool) {
	_, coming := n.calendar.listing(id)
	if n.room(id) == nil && !coming && !provided[id] {
		return
	}
	e, live := n.directory.Room(id)
	ours := live && (!e.Closed || e.Coming()) && slices.ContainsFunc(e.Announcers, func(a discovery.Announcer) bool { return a.Peer == n.self })
	switch {
	case ours && !provided[id]:
		n.dht.Provide(id)
		provided[id] = true
	case !ours && provided[id]:
		n.dht.Withdraw(id)
		delete(provided, id)
	}
}
