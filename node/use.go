package node

import (
	"context"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/node/room"
)

// useCount counts what programs on this machine do with a room.
type useCount struct {
	mu sync.Mutex
	room.Use
	leave *time.Timer // runs while nothing uses the room
}

// uses changes the counts and tells the room. When nothing uses a room of
// somebody else's any more, this node leaves it a little later.
func (c *carried) uses(change func(*room.Use)) {
	c.use.mu.Lock()
	defer c.use.mu.Unlock()
	change(&c.use.Use)
	c.room.Used(c.use.Use)
	if c.use.leave != nil {
		c.use.leave.Stop()
		c.use.leave = nil
	}
	if c.use.Use == (room.Use{}) && !c.mine {
		c.use.leave = time.AfterFunc(lingering, c.leaveIfUnused)
	}
}

// leaveIfUnused leaves, unless this node relays or stands by: the others would
// have to move.
func (c *carried) leaveIfUnused() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	v, err := c.room.View(ctx)
	if err != nil {
		return // it has ended
	}
	c.use.mu.Lock()
	defer c.use.mu.Unlock()
	switch {
	case c.use.Use != (room.Use{}):
	case v.Relay == c.n.self || v.Standby == c.n.self:
		c.use.leave = time.AfterFunc(lingering, c.leaveIfUnused)
	default:
		c.room.Leave()
	}
}
