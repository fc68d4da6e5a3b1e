package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// Open founds a room, which is live when it returns, or to come.
func (n *Node) Open(ctx context.Context, r web.OpenRequest) (web.Opened, error) {
	if err := n.mayHost(); err != nil {
		return web.Opened{}, err
	}
	next, err := n.timeToCome(r.At)
	if err != nil {
		return web.Opened{}, err
	}
	g, err := n.newGenesis(r, next)
	if err != nil {
		return web.Opened{}, err
	}
	var speakers []protocol.PeerID
	for _, s := range r.Speakers {
		p, err := n.peerNamed(ctx, s)
		if err != nil {
			return web.Opened{}, err
		}
		speakers = append(speakers, p)
	}
	kept, err := n.keepFounded(g, speakers, next)
	if next.IsZero() { // it is live even if it could not be stored
		return n.enterOwn(ctx, entry{id: g.Room, genesis: g, fresh: true, speakers: speakers})
	}
	if err != nil {
		return web.Opened{}, err
	}
	n.desk.Lock()
	defer n.desk.Unlock()
	if err := n.schedule(kept); err != nil {
		return web.Opened{}, err
	}
	n.changed()
	return n.opened(g, said(next)), nil
}

// newGenesis checks what is asked of a room and seals its genesis. One that is to come
// says that time as its beginning: since then it is shown to be live.
func (n *Node) newGenesis(r web.OpenRequest, next time.Time) (*protocol.Genesis, error) {
	g := &protocol.Genesis{Language: strings.TrimSpace(r.Language), Unlisted: r.Unlisted, Created: n.cfg.Wall(), Network: n.cfg.Network}
	if !next.IsZero() {
		g.Created = next
	}
	var err error
	if g.Title, err = protocol.CleanTitle(r.Title); err != nil || g.Title == "" {
		return nil, badRequest("a title has 1 to 120 bytes of printable text", err)
	}
	if g.Stage, err = protocol.ParseStage(r.Stage); err != nil {
		return nil, badRequest("a stage is host or open", err)
	}
	for _, t := range r.Topics {
		t, err := protocol.CleanTopic(t)
		if err != nil {
			return nil, badRequest("a topic has 1 to 20 bytes of printable text", err)
		}
		g.Topics = append(g.Topics, t)
	}
	_, _ = rand.Read(g.Salt[:]) // never fails (crypto/rand)
	if err := g.Seal(n.key); err != nil {
		return nil, badRequest("title, language and topics must be short printable text (at most 3 topics)", err)
	}
	return g, nil
}

// mayHost says whether this node may have rooms of its own: who hides can't.
func (n *Node) mayHost() error {
	if !n.cfg.RelayOnly {
		return nil
	}
	return &protocol.Problem{Code: protocol.CodeBadRequest, Message: "with --relay-only this node carries no room, not its own either",
		Hint: "start it without, or let a friend's node open the room"}
}

func (n *Node) enterOwn(ctx context.Context, e entry) (web.Opened, error) {
	c, err := n.enter(e)
	if err != nil {
		return web.Opened{}, err
	}
	wait, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	if err := c.room.Joined(wait); err != nil {
		return web.Opened{}, err
	}
	return n.opened(e.genesis, nil), nil
}

// opened tells who opened a room of it.
func (n *Node) opened(g *protocol.Genesis, next *time.Time) web.Opened {
	o := web.Opened{Room: g.Room.String(), Link: n.linkOf(g.Room, discovery.Entry{}), Next: next}
	o.GuestLink = n.guestLink(o.Link)
	o.Notice = "Anyone can see this room and your Internet address."
	if g.Unlisted {
		o.Notice = "Only people with the link find this room; they can see your Internet address."
	}
	return o
}

// Leave takes this node out of a room.
func (n *Node) Leave(ctx context.Context, name string) error {
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return err
	}
	c.room.Leave()
	return c.wait(ctx)
}

// wait waits until all of a room has ended here.
func (c *carried) wait(ctx context.Context) error {
	select {
	case <-c.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes a room of this node's own, until next, or else until the time that its
// log says. One that is closed already gets another time.
func (n *Node) Close(ctx context.Context, name string, next time.Time) error {
	if !next.IsZero() {
		var err error
		if next, err = n.timeToCome(&next); err != nil {
			return err
		}
	}
	c, e, err := n.carriedRoom(name)
	if c == nil {
		r, ok := n.stored(e.id)
		switch {
		case !ok || !r.Mine || !r.Closed:
			return err
		case next.IsZero() && !r.Next.IsZero():
			return &protocol.Problem{Code: protocol.CodeOpensLater, Message: fmt.Sprintf("the room is closed, and opens at %s", shownTime(r.Next)),
				Hint: `earshot room set ROOM --at "" takes that back`}
		case next.IsZero():
			return n.closedProblem(next, nil)
		}
		return n.actWhileClosed(e.id, web.ActRequest{Act: web.ActNext, At: &next})
	}
	if _, lawful, err := c.room.Log(ctx); err == nil && lawful != nil && next.IsZero() {
		next = lawful.Listing().At(n.cfg.Wall()).Next
	}
	if err := c.room.Close(ctx, next); errors.Is(err, protocol.ErrNoRight) {
		return notHost(err)
	} else if err != nil && !errors.Is(err, room.ErrClosed) {
		return err
	}
	return c.wait(ctx)
}

func notHost(cause error) error {
	return &protocol.Problem{Code: protocol.CodeNotHost, Message: "only the room's host can do that", Hint: "earshot leave takes this node out of it", Cause: cause}
}

// Reopen opens a room of this node's own again, under the same link.
func (n *Node) Reopen(ctx context.Context, name string) (web.Opened, error) {
	e, err := n.find(name)
	if err != nil {
		return web.Opened{}, err
	}
	r, ok := n.stored(e.id)
	if !ok || !r.Mine {
		return web.Opened{}, notHost(nil)
	}
	if err := n.mayHost(); err != nil {
		return web.Opened{}, err
	}
	n.desk.Lock()
	e, err = n.unshelve(ctx, r)
	n.desk.Unlock()
	if err != nil {
		return web.Opened{}, err
	}
	return n.enterOwn(ctx, e)
}
