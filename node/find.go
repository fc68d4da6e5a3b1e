package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/node/link"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/protocol"
)

// find turns what a person calls a room into one: a link, an ID or a unique
// prefix of one that is announced, stored or carried here.
func (n *Node) find(name string) (entry, error) {
	if protocol.IsLink(name) {
		return n.findLink(name)
	}
	name = strings.ToLower(name)
	known := map[protocol.RoomID]bool{}
	for _, c := range n.carriedRooms() {
		known[c.id] = true
	}
	for _, e := range n.directory.Find(name) {
		known[e.Room] = true
	}
	stored, err := n.store.Rooms()
	if err != nil {
		return entry{}, err
	}
	for _, r := range stored {
		known[r.ID] = true
	}
	var found []protocol.RoomID
	for id := range known {
		if name != "" && strings.HasPrefix(id.String(), name) {
			found = append(found, id)
		}
	}
	switch {
	case len(found) == 0:
		return entry{}, &protocol.Problem{Code: protocol.CodeUnknownRoom, Message: fmt.Sprintf("no room %q is known here", name),
			Hint: "earshot rooms lists what is live; an unlisted room needs its link"}
	case len(found) > 1:
		return entry{}, &protocol.Problem{Code: protocol.CodeAmbiguousRoom, Message: fmt.Sprintf("%d rooms begin with %q", len(found), name), Hint: "give more letters"}
	}
	return n.entryOf(found[0], nil), nil
}

func (n *Node) findLink(name string) (entry, error) {
	l, err := protocol.ParseLink(name)
	switch {
	case errors.Is(err, protocol.ErrLinkCut):
		return entry{}, &protocol.Problem{Code: protocol.CodeLinkCut, Message: "the link is cut short or mistyped (its checksum does not fit)", Hint: "ask for it again", Cause: err}
	case err != nil:
		return entry{}, &protocol.Problem{Code: protocol.CodeLinkForm, Message: "this is not an Earshot link", Hint: "one looks like earshot:room/ID/HINTS", Cause: err}
	case l.Network != n.cfg.Network:
		return entry{}, otherNetwork(l.Network, n.cfg.Network)
	}
	return n.entryOf(l.Room, l.Peers), nil
}

func otherNetwork(theirs, ours string) error {
	return &protocol.Problem{Code: protocol.CodeOtherNetwork, Message: fmt.Sprintf("the link is of %s, this node is in %s", networkName(theirs), networkName(ours)),
		Hint: "start a node of that network: earshot up" + networkFlag(theirs) + " --home ANOTHER"}
}

func networkName(s string) string {
	if s == "" {
		return "the common network"
	}
	return fmt.Sprintf("the network %q", s)
}

func networkFlag(s string) string {
	if s == "" {
		return ""
	}
	return " --network " + s
}

// entryOf gathers what is known of a room.
func (n *Node) entryOf(id protocol.RoomID, hints []peer.AddrInfo) entry {
	e := entry{id: id, seeds: append(n.announcers(id), hints...)}
	if d, ok := n.directory.Room(id); ok {
		e.genesis = d.Genesis
	} else if r, ok := n.stored(id); ok {
		if g, err := openGenesis(r.Genesis); err == nil {
			e.genesis = g
		}
	}
	return e
}

// join enters the room that a person named, and waits until it is there.
func (n *Node) join(ctx context.Context, name string) (*carried, error) {
	e, err := n.find(name)
	if id, whole := protocol.ParseRoomID(name); err != nil && whole == nil {
		e, err = n.locate(ctx, id, err)
	}
	if err != nil {
		return nil, err
	}
	if next, closed := n.closedUntil(e.id); closed {
		return nil, n.closedProblem(next, nil)
	}
	c, err := n.enter(e)
	if err != nil {
		return nil, err
	}
	for _, s := range e.seeds {
		n.bootstrap.Add(s)
		c.room.Seed(s)
	}
	wait, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	if err := c.room.Joined(wait); err != nil {
		return nil, n.whyNotJoined(ctx, c, e, err)
	}
	return c, nil
}

// closedUntil says whether a room is closed, as far as this node knows, and until
// when; zero: until its host reopens it.
func (n *Node) closedUntil(id protocol.RoomID) (next time.Time, closed bool) {
	if l, coming := n.calendar.listing(id); coming {
		return l.Next, true
	}
	if c := n.room(id); c != nil && c.mine {
		return next, false // the directory may not have heard yet
	}
	if e, ok := n.directory.Room(id); ok && e.Closed {
		return e.Listing.Next, true
	}
	r, ok := n.stored(id)
	return r.Next, ok && r.Closed
}

// closedProblem says to a person that a room is closed, and until when.
func (n *Node) closedProblem(next time.Time, cause error) error {
	switch {
	case next.IsZero():
		return &protocol.Problem{Code: protocol.CodeClosedRoom, Message: "the room is closed", Hint: "its host can reopen it under the same link", Cause: cause}
	case next.After(n.cfg.Wall()):
		return &protocol.Problem{Code: protocol.CodeOpensLater, Message: fmt.Sprintf("the room opens at %s", shownTime(next)),
			Hint: "earshot follow --room ROOM marks it in earshot rooms --watch", Cause: cause}
	}
	return &protocol.Problem{Code: protocol.CodeOpensLater, Message: fmt.Sprintf("the room was to open at %s, and its host has not opened it yet", shownTime(next)),
		Hint: "try again in a moment", Cause: cause}
}

func unknownRoom(cause error) error {
	return &protocol.Problem{Code: protocol.CodeUnknownRoom, Message: "nobody who could be asked knows this room", Hint: "is it still live? ask for a new link", Cause: cause}
}

// whyNotJoined says it for a person; a room that nothing else uses is left.
func (n *Node) whyNotJoined(ctx context.Context, c *carried, e entry, err error) error {
	if !c.mine {
		c.uses(func(*room.Use) {}) // leave soon, unless somebody else uses it
	}
	if errors.Is(err, room.ErrClosed) {
		var until room.ClosedUntil
		errors.As(err, &until)
		return n.closedProblem(until.Next, err)
	}
	if away := keptAway(err); away != nil {
		return away
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, s := range e.seeds {
		if errors.Is(n.links.Trouble(s.ID), protocol.ErrNetwork) {
			return &protocol.Problem{Code: protocol.CodeOtherNetwork, Message: "the room is of another network", Hint: "start a node of that network: earshot up --network NAME --home ANOTHER", Cause: link.ErrBye}
		}
	}
	v, verr := c.room.View(ctx)
	if verr == nil && v.Full {
		return &protocol.Problem{Code: protocol.CodeFullRoom, Message: "the room is full: those who carry it have no upload to spare",
			Hint: "try again in a moment; a listener with upload to lend makes room for others", Cause: err}
	}
	if verr == nil && v.KeptOut != nil {
		return unproven(v)
	}
	if verr == nil && v.Genesis == nil {
		return unknownRoom(err)
	}
	return &protocol.Problem{Code: protocol.CodeUnreachable, Message: "nobody who carries this room answers", Hint: "try again in a moment", Cause: err}
}
