package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/node/store"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// shelve keeps a room of this node's own as closed: until next, or if that is zero
// until it is reopened. The desk is the caller's.
func (n *Node) shelve(r store.Room, next time.Time) error {
	r.Closed, r.Next = true, next
	if err := n.store.SaveRoom(r); err != nil {
		return err
	}
	defer n.changed()
	if next.IsZero() {
		n.calendar.cancel(r.ID)
		return nil
	}
	return n.schedule(r)
}

// schedule puts a room that is closed until a time into the calendar, as its log has
// it. The desk is the caller's.
func (n *Node) schedule(r store.Room) error {
	log, err := n.shelvedLog(r)
	if err != nil {
		return err
	}
	a := &coming{genesis: log.Genesis(), listing: log.Roster().Listing()}
	a.listing.Next = r.Next
	if _, known := n.calendar.listing(r.ID); !known {
		if a.sequence, err = newNumbers(n, r.ID); err != nil {
			return err
		}
	}
	n.calendar.put(r.ID, a)
	return nil
}

// shelvedLog gives the log of a room of this node's own that is closed.
func (n *Node) shelvedLog(r store.Room) (*roster.Log, error) {
	g, err := openGenesis(r.Genesis)
	if err != nil {
		return nil, err
	}
	n.ledger.settle(n.ctx)
	kept, err := n.store.Actions(r.ID)
	if err != nil {
		return nil, err
	}
	var actions []*protocol.Action
	for _, raw := range kept {
		var w pb.SignedAction
		if err := proto.Unmarshal(raw, &w); err != nil {
			return nil, err
		}
		if a, err := protocol.ParseAction(r.ID, &w); err == nil && a.Verify() == nil {
			actions = append(actions, a)
		}
	}
	return roster.Restore(g, actions), nil
}

// ClosedRooms gives the rooms of this node's own that stay closed until its person
// reopens them, the newest first.
func (n *Node) ClosedRooms(context.Context) ([]web.RoomLine, error) {
	stored, err := n.store.Rooms()
	if err != nil {
		return nil, err
	}
	lines := []web.RoomLine{}
	for _, r := range stored {
		if !r.Mine || !r.Closed || !r.Next.IsZero() {
			continue
		}
		log, err := n.shelvedLog(r)
		if err != nil {
			return nil, err
		}
		l := n.roomLine(log.Genesis(), n.linkOf(r.ID, discovery.Entry{}))
		n.asIs(&l, log.Roster())
		l.State, l.Closed, l.Known, l.Followed = web.StateClosed, true, true, []web.Followed{}
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(a, b web.RoomLine) int { return b.Started.Compare(a.Started) })
	return lines, nil
}

// closedHere notes that a room of this node's own was closed. The desk is the
// caller's.
func (n *Node) closedHere(id protocol.RoomID, next time.Time) {
	r, ok := n.stored(id)
	if !ok {
		return
	}
	if err := n.shelve(r, next); err != nil {
		n.log.Error("store a room", "err", err)
	}
}

// actWhileClosed does something about a room of this node's own that is closed:
// nobody is there, so it goes into the log alone. What is about those there can't be.
func (n *Node) actWhileClosed(id protocol.RoomID, request web.ActRequest) error {
	n.desk.Lock()
	defer n.desk.Unlock()
	r, ok := n.stored(id)
	if !ok || !r.Mine || !r.Closed {
		return &protocol.Problem{Code: protocol.CodeNotInRoom, Message: "this node is not in that room"}
	}
	if !slices.Contains(actsWhileClosed(), request.Act) {
		return n.closedProblem(r.Next, nil)
	}
	if request.Act == web.ActNext {
		next, err := n.timeToCome(request.At)
		if err != nil {
			return err
		}
		return n.shelve(r, next)
	}
	deed, err := roomDeed(request)
	if err != nil {
		return err
	}
	log, err := n.shelvedLog(r)
	if err != nil {
		return err
	}
	a, err := log.Draft(n.self)
	if err != nil {
		return notAllowed(err)
	}
	a.At, a.Deed = n.cfg.Wall(), deed
	if err := a.Seal(n.key); err != nil {
		return notAllowed(err)
	}
	raw, err := proto.Marshal(a.Signed())
	if err == nil {
		err = n.store.SaveActions(id, [][]byte{raw})
	}
	if err != nil {
		return err
	}
	defer n.changed()
	if r.Next.IsZero() {
		return nil
	}
	return n.schedule(r)
}

// actsWhileClosed gives what a room's host may change while it is closed.
func actsWhileClosed() []string {
	return []string{web.ActTitle, web.ActTopics, web.ActLanguage, web.ActStage, web.ActLock, web.ActUnlock, web.ActPin, web.ActNext}
}

// timeToCome checks a time that a person gave; nil is none.
func (n *Node) timeToCome(at *time.Time) (time.Time, error) {
	if at == nil {
		return time.Time{}, nil
	}
	t := at.Truncate(time.Millisecond) // as it travels
	if !t.After(n.cfg.Wall()) {
		return t, badRequest("that time is over", nil)
	}
	if _, ok := protocol.NextAt(protocol.NextMS(t)); !ok {
		return t, badRequest("that time is too far ahead", nil)
	}
	return t, nil
}

// openDue opens a room whose time has come.
func (n *Node) openDue(id protocol.RoomID, next time.Time) {
	n.desk.Lock()
	defer n.desk.Unlock()
	r, ok := n.stored(id)
	if !ok || !r.Closed || !r.Next.Equal(next) { // somebody was quicker
		return
	}
	if _, err := n.unshelve(n.ctx, r); err != nil && n.ctx.Err() == nil {
		n.calendar.drop(id)
		n.warn(fmt.Sprintf("%q was not opened at its time: %v", r.Title, err))
	}
}

// missed says that this node was off, or its machine asleep, at a room's time.
func (n *Node) missed(id protocol.RoomID, a coming) {
	n.desk.Lock()
	defer n.desk.Unlock()
	r, ok := n.stored(id)
	if !ok || !r.Closed || !r.Next.Equal(a.listing.Next) {
		return
	}
	n.warn(fmt.Sprintf("%q stays closed: it was to open at %s, when this node did not run; earshot reopen %s opens it", a.listing.Title, shownTime(a.listing.Next), id.Short()))
	if err := n.shelve(r, time.Time{}); err != nil {
		n.log.Error("store a room", "err", err)
	}
}

// unshelve opens a room of this node's own again. The time that was said for it is
// used up. The desk is the caller's.
func (n *Node) unshelve(ctx context.Context, r store.Room) (entry, error) {
	g, err := openGenesis(r.Genesis)
	if err != nil {
		return entry{}, err
	}
	e := entry{id: r.ID, genesis: g, seeds: n.announcers(r.ID), speakers: r.Speakers}
	was := r.Closed
	r.Closed, r.Next = false, time.Time{}
	if err := n.store.SaveRoom(r); err != nil {
		return e, err
	}
	n.ledger.settle(ctx) // what its last life has done is to be in its next
	c, err := n.enter(e)
	if err != nil || !was {
		return e, err
	}
	n.calendar.drop(r.ID)
	_, lawful, err := c.room.Log(ctx)
	if err == nil && lawful != nil && !lawful.Next().IsZero() {
		err = c.room.Act(ctx, protocol.Next{})
	}
	if err != nil {
		n.log.Warn("take back a room's next time", "room", r.ID.Short(), "err", err)
	}
	return e, nil
}

// shownTime gives a time as this machine's person reads it, with its zone: whoever asked
// may be elsewhere.
func shownTime(t time.Time) string { return t.In(time.Local).Format("2006-01-02 15:04 MST") }
