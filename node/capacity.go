package node

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/node/link"
	"github.com/earshot-audio/earshot/node/upload"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

const (
	weighEach = time.Second // as often as links tell what arrived
	weighOver = 4           // of these; one lost packet is no loss
	showEach  = 5           // of these: what changes with each packet is shown so often
)

// capacity gives the rooms of this node their children's places, and watches what
// children lose.
type capacity struct {
	n    *Node
	free func(child protocol.PeerID) bool // serving it costs no upload
	sent atomic.Int64                     // bytes a second, of late

	mu     sync.Mutex
	places *upload.Capacity
	seats  map[seat]bool // those in use, and whether they count
}

// seat is a child in a room.
type seat struct {
	room  protocol.RoomID
	child protocol.PeerID
}

func newCapacity(n *Node) *capacity {
	return &capacity{n: n, free: n.near, places: upload.NewCapacity(n.cfg.MaxUpload), seats: map[seat]bool{}}
}

// place gives a room's way to take places.
func (c *capacity) place(id protocol.RoomID) func(child protocol.PeerID, duty bool) bool {
	return func(child protocol.PeerID, duty bool) bool {
		free := c.free(child)
		c.mu.Lock()
		defer c.mu.Unlock()
		s := seat{id, child}
		if _, has := c.seats[s]; has {
			return true
		}
		switch {
		case free:
		case duty:
			c.places.Oblige()
		case !c.places.Ask(c.n.now()):
			return false
		}
		c.seats[s] = !free
		return true
	}
}

// leave gives a room's way to give them back.
func (c *capacity) leave(id protocol.RoomID) func(child protocol.PeerID) {
	return func(child protocol.PeerID) {
		c.mu.Lock()
		defer c.mu.Unlock()
		s := seat{id, child}
		if c.seats[s] {
			c.places.Leave()
		}
		delete(c.seats, s)
	}
}

// near says whether serving a child costs no upload: it is on this machine, or on
// the same network while there is no limit, which would count that too.
func (n *Node) near(child protocol.PeerID) bool {
	at, ok := n.links.Peer(child)
	if !ok || at.Circuit {
		return false
	}
	ip, _ := protocol.IPOf(at.Remote)
	return n.costless(ip)
}

// costless says so of an address.
func (n *Node) costless(ip netip.Addr) bool {
	return ip.IsLoopback() || n.cfg.MaxUpload == 0 && (ip.IsPrivate() || ip.IsLinkLocalUnicast())
}

// guest takes a place for a guest at an address, and gives the way to give it back;
// false: there is none.
func (c *capacity) guest(from netip.Addr) (giveBack func(), ok bool) {
	if c.n.costless(from) {
		return func() {}, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.places.Ask(c.n.now()) {
		return nil, false
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.places.Leave()
	}, true
}

// Run weighs each second what this node sends and what of it is lost.
func (c *capacity) Run(ctx context.Context) error {
	beat := time.NewTicker(weighEach)
	defer beat.Stop()
	var losses losses
	var sent traffic
	last := c.n.now()
	for beats := 1; ; beats++ {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
		loss, now := losses.of(c.n.links.Peers(), c.paying()), c.n.now()
		c.mu.Lock()
		c.places.Report(now, loss)
		c.mu.Unlock()
		c.sent.Store(int64(float64(sent.since(c.n)) / (now - last).Seconds())) // a busy machine's second is longer
		last = now
		if links := c.n.pairs.carry(); c.n.rates.look(now, links) || len(links) > 0 && beats%showEach == 0 {
			c.n.changed()
		}
	}
}

// paying gives the children that take places.
func (c *capacity) paying() map[protocol.PeerID]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[protocol.PeerID]bool{}
	for s, counts := range c.seats {
		if counts {
			out[s.child] = true
		}
	}
	return out
}

// status gives what a person sees of it.
func (c *capacity) status() web.Upload {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := web.Upload{LimitBPS: c.n.cfg.MaxUpload, SentBPS: 8 * c.sent.Load(), Places: c.places.Places(), Children: c.places.Children()}
	if m := c.n.sockets.meter; m != nil {
		counts := m.Counts()
		u.Dropped = int64(counts.DroppedMedia + counts.DroppedControl)
	}
	return u
}

// losses remembers what each child said it had received and lost.
type losses map[protocol.PeerID][]link.Media

// of gives the loss over the last seconds of the child in the middle: a full
// upload loses of everybody's, a bad line at the far end of one's.
func (l *losses) of(links []link.PeerLink, children map[protocol.PeerID]bool) float64 {
	past := losses{}
	var all []float64
	for _, k := range links {
		if !children[k.Peer] {
			continue
		}
		told := append(slices.Clone((*l)[k.Peer]), k.Far)
		first := told[0]
		if k.Far.Received < first.Received || k.Far.Lost < first.Lost { // it counts anew
			told = told[len(told)-1:]
			first = k.Far
		}
		if received, lost := k.Far.Received-first.Received, k.Far.Lost-first.Lost; received > 0 {
			all = append(all, float64(lost)/float64(received+lost))
		}
		past[k.Peer] = told[max(0, len(told)-weighOver):]
	}
	*l = past
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}

// traffic counts what this node sends: on the wire if there is a limit, else what
// links carry of media.
type traffic struct {
	all   uint64
	links map[protocol.PeerID]uint64
}

// since gives the bytes since it was last asked.
func (t *traffic) since(n *Node) int64 {
	if n.sockets.meter != nil {
		before := t.all
		t.all = n.sockets.meter.Counts().Sent
		return int64(t.all - before)
	}
	now, sum := map[protocol.PeerID]uint64{}, uint64(0)
	for _, p := range n.pairs.list() {
		if at := n.pairs.at(p); at != nil {
			now[p] = at.media.Stats().BytesSent
			if before := t.links[p]; now[p] > before {
				sum += now[p] - before
			}
		}
	}
	t.links = now
	return int64(sum)
}
