package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/discovery/gossip"
	"github.com/earshot-audio/earshot/node/reach"
	"github.com/earshot-audio/earshot/node/relay"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
	"github.com/earshot-audio/earshot/protocol/roster"
)

const (
	// joinPatience is how long a room may take to be found and to accept.
	joinPatience = 8 * time.Second
	// lingering is how long this node stays in a room that nothing here uses
	// any more; while it relays or stands by it stays on.
	lingering = 30 * time.Second
)

// carried is one room that this node is in.
type carried struct {
	n      *Node
	id     protocol.RoomID
	room   *room.Room
	relay  *relay.Forwarder
	topic  *gossip.RoomTopic
	cancel context.CancelFunc
	mine   bool
	ended  chan struct{} // after all of it has

	use     useCount
	relayed *fanout[room.RelayChange]
	opened  *openings

	captions atomic.Bool // this node's person allows them here

	refused, unknown, later atomic.Uint64 // messages of the topic
}

// topicOf publishes to a room's topic; what does not fit is said again by the
// next beat.
type topicOf struct{ c *carried }

func (t topicOf) Publish(raw []byte) {
	if err := t.c.topic.Publish(raw); err != nil {
		t.c.n.log.Debug("publish", "room", t.c.id.Short(), "err", err)
	}
}

func (n *Node) room(id protocol.RoomID) *carried {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rooms[id]
}

func (n *Node) carriedRooms() []*carried {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]*carried, 0, len(n.rooms))
	for _, c := range n.rooms {
		out = append(out, c)
	}
	return out
}

// entry is how a room is entered.
type entry struct {
	id       protocol.RoomID
	genesis  *protocol.Genesis // nil: not known yet
	seeds    []peer.AddrInfo
	fresh    bool              // opened just now
	speakers []protocol.PeerID // whom the founder named
}

// enter starts a room on this node, or gives the one that runs.
func (n *Node) enter(e entry) (*carried, error) {
	if c := n.room(e.id); c != nil {
		return c, nil
	}
	kept, err := n.recall(e.id) // before the lock: others don't wait for the disk
	if err != nil {
		return nil, err
	}
	if e.genesis == nil {
		e.genesis = kept.genesis
	} else if g := e.genesis; kept.genesis == nil && len(kept.actions) > 0 { // closed once, and open again
		n.ledger.Post(func() { n.saveGenesis(g) })
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.rooms[e.id]; c != nil {
		return c, nil
	}
	if n.ctx.Err() != nil {
		return nil, n.ctx.Err()
	}
	c := &carried{n: n, id: e.id, ended: make(chan struct{}), relayed: newFanout[room.RelayChange](8), opened: newOpenings()}
	c.mine = e.genesis != nil && e.genesis.Founder == n.self
	c.relay = relay.New(relay.Config{Room: e.id, Now: n.now, Events: c.event, Log: n.log})
	c.room = room.New(c.config(e, kept))
	if c.topic, err = n.gossip.Join(e.id, c.validate, c.deliver); err != nil {
		return nil, err
	}
	n.rooms[e.id] = c
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(n.ctx)
	n.tasks.Go(func() error { c.run(ctx); return nil })
	return c, nil
}

// config is what the room gets of its node, and of what was kept of it.
func (c *carried) config(e entry, was kept) room.Config {
	n := c.n
	return room.Config{
		Room: e.id, Genesis: e.genesis, Seeds: e.seeds, Self: n.self, Key: n.key, Boot: was.boot, Name: n.name, Profile: n.profile, Noted: n.noted,
		Lends: n.cfg.Lend && !n.cfg.RelayOnly, RelayOnly: n.cfg.RelayOnly, Class: n.class,
		New: e.fresh, Speakers: e.speakers, Actions: was.actions, Term: was.term, TermEra: was.era,
		Lives: was.lives, LivesAgo: was.livesAgo,
		Place: n.capacity.place(e.id), Leave: n.capacity.leave(e.id), SendAway: c.sendAway,
		Links: &links{pairs: n.pairs, of: e.id, via: c.relay}, Topic: topicOf{c}, Forwarder: &forwarder{Forwarder: c.relay, opened: c.opened, now: n.now},
		Addresses: n.addresses, Announce: n.announce, Changed: n.changed, Relayed: c.relayed.tell, Now: n.now, Wall: n.cfg.Wall, Log: n.log,
		Rooms:      func() int { return int(n.listed.Load()) },
		Announcers: func() []peer.AddrInfo { return n.announcers(e.id) },
		Sequence:   was.sequence.Next,
		SaveTerm: func(era uint32, k protocol.Key, done func(error)) {
			n.ledger.Post(func() { done(n.store.SaveTerm(e.id, era, k)) })
		},
		SaveActions: func(actions []*pb.SignedAction) {
			n.ledger.Post(func() { n.saveActions(e.id, actions) })
		},
		SaveGenesis: func(g *protocol.Genesis) {
			n.ledger.Post(func() { n.saveGenesis(g) })
		},
		SaveLives: func(l roster.Lives) {
			at := n.cfg.Wall()
			n.ledger.Post(func() { n.saveLives(e.id, l, at) })
		},
	}
}

// class says how well this node could carry a room: one that anybody can reach,
// better than one that gets what others send it first, better than one to which
// many come only by detours.
func (n *Node) class() uint8 {
	switch s := n.reach.State(); {
	case s.Reach == reach.Public || s.Reach == reach.Mapped:
		return 3
	case s.NAT == reach.Dependent || s.UDP == reach.UDPBlocked:
		return 1
	}
	return 2
}

// run carries the room until it ends; the forwarder ends after it.
func (c *carried) run(ctx context.Context) {
	frames, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.relay.Run(frames); err != nil && frames.Err() == nil {
			c.n.log.Error("forwarder", "room", c.id.Short(), "err", err)
		}
	}()
	go c.n.pairs.greet(c.room)
	err := c.room.Run(ctx)
	c.n.log.Info("room ended here", "room", c.id.Short(), "why", err)
	stop()
	<-done
	c.topic.Leave()
	c.cancel()
	c.n.desk.Lock()
	c.n.mu.Lock()
	delete(c.n.rooms, c.id)
	if errors.Is(err, room.ErrRemoved) {
		c.n.wasRemoved(c.id)
	}
	c.n.mu.Unlock()
	switch closed := errors.Is(err, room.ErrClosed); {
	case closed && c.mine:
		var until room.ClosedUntil
		errors.As(err, &until)
		c.n.closedHere(c.id, until.Next)
	case closed:
		c.n.ledger.Post(func() { c.n.forgetGenesis(c.id) })
	}
	c.n.desk.Unlock()
	c.relayed.close()
	close(c.ended)
	c.n.changed()
}

// validate judges a message of the topic for gossip.
func (c *carried) validate(_ peer.ID, data []byte) discovery.Verdict {
	switch _, err := c.room.Check(data); {
	case err == nil:
		return discovery.Accept
	case errors.Is(err, protocol.ErrNoRight):
		c.unknown.Add(1)
		return discovery.Ignore
	case errors.Is(err, protocol.ErrLater):
		c.later.Add(1)
		return discovery.Ignore
	default:
		c.refused.Add(1)
		return discovery.Reject
	}
}

// deliver hands it to the room; it was checked, and its bytes are gossip's.
func (c *carried) deliver(data []byte) bool {
	m, err := protocol.ParseMessage(bytes.Clone(data))
	return err == nil && c.room.Gossip(m)
}

// event takes what the forwarder has to say to its room.
func (c *carried) event(e relay.Event) {
	switch e := e.(type) {
	case relay.Silent:
		have := make([]*pb.Position, 0, len(e.Positions))
		for _, p := range e.Positions {
			have = append(have, &pb.Position{Source: uint32(p.Source), Timestamp: p.Timestamp})
		}
		c.room.Silent(e.Parent, have)
	case relay.Hot:
		c.room.Hot(e.Hot)
	case relay.Speaking:
		c.room.Spoke(e.Source, e.Speaking)
		c.n.changed()
	}
}

// announce takes an announcement into the own directory and publishes it.
func (n *Node) announce(envelope []byte) {
	n.tasks.Go(func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(n.ctx), joinPatience)
		defer cancel()
		if err := n.gossip.Announce(ctx, envelope); err != nil {
			n.log.Debug("announce", "err", err)
		}
		return nil
	})
}

// resume enters this node's own rooms again after a restart.
func (n *Node) resume() {
	rooms, err := n.store.Rooms()
	if err != nil {
		n.log.Error("read the rooms", "err", err)
	}
	for _, r := range rooms {
		if !r.Mine || r.Closed && r.Next.IsZero() {
			continue
		}
		if n.cfg.RelayOnly {
			n.warn(fmt.Sprintf("your room %s is not carried: with --relay-only this node carries none", r.ID.Short()))
			continue
		}
		if r.Closed {
			n.desk.Lock()
			err := n.schedule(r)
			n.desk.Unlock()
			if err != nil {
				n.log.Error("await a room's time", "room", r.ID.Short(), "err", err)
			}
			continue
		}
		g, err := openGenesis(r.Genesis)
		if err == nil {
			_, err = n.enter(entry{id: r.ID, genesis: g, seeds: n.announcers(r.ID), speakers: r.Speakers})
		}
		if err != nil {
			n.log.Error("resume a room", "room", r.ID.Short(), "err", err)
		}
	}
}

// whyNot says why this node does not carry a room that a neighbour asks for.
func (n *Node) whyNot(id protocol.RoomID) *pb.Refuse {
	m := &pb.Refuse{Room: id[:], Reason: pb.Refuse_UNKNOWN_ROOM}
	if l, coming := n.calendar.listing(id); coming {
		m.Reason, m.NextMs = pb.Refuse_CLOSED, protocol.NextMS(l.Next)
	} else if r, ok := n.stored(id); ok && r.Closed {
		m.Reason = pb.Refuse_CLOSED
	}
	return m
}

// announcers gives who announces a room, from the directory.
func (n *Node) announcers(id protocol.RoomID) []peer.AddrInfo {
	var out []peer.AddrInfo
	if e, ok := n.directory.Room(id); ok {
		for _, a := range e.Announcers {
			if a.Peer != n.self {
				out = append(out, peer.AddrInfo{ID: a.Peer, Addrs: a.Addresses})
			}
		}
	}
	return out
}

// watchDirectory tells rooms that wait for their founder's word what the
// directory learns.
func (n *Node) watchDirectory(ctx context.Context) error {
	changed, stop := n.directory.Watch()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case change, ok := <-changed:
			if !ok {
				return nil
			}
			n.noteTitle(change.Room)
			for _, c := range n.carriedRooms() {
				if e, ok := n.directory.Room(c.id); ok {
					n.tellRoom(c, e)
				}
			}
			n.listed.Store(int64(n.directory.Counters().Rooms))
			n.changed()
		}
	}
}

// tellRoom tells a room what the directory knows of it.
func (n *Node) tellRoom(c *carried, e discovery.Entry) {
	if e.Closed && !c.mine {
		c.room.ClosedByHost()
		return
	}
	c.room.Learn(e.Genesis)
	for _, s := range n.announcers(c.id) {
		c.room.Seed(s)
	}
}
