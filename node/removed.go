package node

import (
	"time"

	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/protocol"
)

// stayAway is for how long no page of this node's comes back to a room from which
// the node was removed: pages make what breaks anew by themselves, and whether to
// come again is for a person to say.
const stayAway = 8 * time.Second

// wasRemoved notes that somebody removed this node from a room. n.mu is held.
func (n *Node) wasRemoved(id protocol.RoomID) {
	now := n.now()
	for id, at := range n.removed {
		if now-at > stayAway {
			delete(n.removed, id)
		}
	}
	n.removed[id] = now
}

// mayReturn says why a page does not come to a room just now.
func (n *Node) mayReturn(name string) error {
	e, err := n.find(name)
	if err != nil {
		return nil // to come there says why
	}
	n.mu.Lock()
	at, removed := n.removed[e.id]
	n.mu.Unlock()
	if removed && n.now()-at < stayAway {
		return keptAway(room.ErrRemoved)
	}
	return nil
}
