package node

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// Rooms gives what is live in the directory, what this node is in, and what is to
// come. A room that passes from one to another meanwhile is in one of them: those
// that this node is in are read first, and one that ends is waited for.
func (n *Node) Rooms(ctx context.Context) ([]web.RoomLine, error) {
	lines, names := []web.RoomLine{}, map[protocol.PeerID]protocol.Name{}
	within := n.within(ctx)
	for _, v := range within {
		maps.Copy(names, v.Names)
	}
	listed := n.directory.Rooms()
	seen := map[protocol.RoomID]bool{}
	for _, e := range listed {
		if e.Closed {
			continue
		}
		seen[e.Room] = true
		l := n.lineOf(e)
		n.addFollowed(&l, e.Genesis.Founder, e.Announcers)
		l.Speakers, l.Listeners = int(e.Speakers), int(e.Listeners)
		if v, in := within[e.Room]; in {
			l.Joined = true
			n.asIs(&l, v.Lawful)
		}
		lines = append(lines, l)
	}
	for id, v := range within {
		if v.Genesis == nil || seen[id] {
			continue
		}
		seen[id] = true
		l := n.roomLine(v.Genesis, n.linkOf(id, discovery.Entry{}))
		n.addFollowed(&l, v.Genesis.Founder, nil)
		l.Joined = true
		n.asIs(&l, v.Lawful)
		for _, m := range v.Members {
			if m.Presence.Speaking || m.Role == "host" {
				l.Speakers++
			} else if m.Presence.Listening {
				l.Listeners++
			}
		}
		lines = append(lines, l)
	}
	lines = append(lines, n.comingLines(listed, seen)...)
	n.addKnown(lines, names)
	return lines, nil
}

// within gives the rooms that this node is in, once those that were ending have ended.
func (n *Node) within(ctx context.Context) map[protocol.RoomID]room.View {
	views := map[protocol.RoomID]room.View{}
	for _, c := range n.carriedRooms() {
		v, err := c.room.View(ctx)
		if err == nil {
			views[c.id] = v
			continue
		}
		select {
		case <-c.ended:
		case <-ctx.Done():
		}
	}
	return views
}

// comingLines gives the rooms that are closed until a time, but for those shown as
// live.
func (n *Node) comingLines(listed []discovery.Entry, live map[protocol.RoomID]bool) (lines []web.RoomLine) {
	add := func(l web.RoomLine) {
		l.State, l.Closed = web.StateComing, true
		lines = append(lines, l)
	}
	own := n.calendar.all()
	for _, e := range listed {
		if _, ours := own[e.Room]; ours || !e.Coming() || live[e.Room] {
			continue
		}
		l := n.lineOf(e)
		n.addFollowed(&l, e.Genesis.Founder, nil)
		add(l)
	}
	for id, a := range own {
		if live[id] {
			continue
		}
		l := n.roomLine(a.genesis, n.linkOf(id, discovery.Entry{}))
		n.addFollowed(&l, n.self, nil)
		show(&l, a.listing)
		add(l)
	}
	slices.SortFunc(lines, func(a, b web.RoomLine) int {
		return cmp.Or(a.Next.Compare(*b.Next), strings.Compare(a.Room, b.Room))
	})
	return lines
}

// lineOf gives a room as the directory has it.
func (n *Node) lineOf(e discovery.Entry) web.RoomLine {
	l := n.roomLine(e.Genesis, n.linkOf(e.Room, e))
	show(&l, e.Listing)
	l.Listed = true
	return l
}

func (n *Node) roomLine(g *protocol.Genesis, link string) web.RoomLine {
	return web.RoomLine{Room: g.Room.String(), Title: g.Title, Link: link, Host: g.Founder.String(), Language: g.Language,
		Topics: slices.Concat([]string{}, g.Topics), Started: g.Created, Stage: g.Stage.String(), Listed: !g.Unlisted, State: web.StateLive, Following: n.followed.Follows(g.Room)}
}

// show shows what is announced of a room.
func show(l *web.RoomLine, as protocol.Listing) {
	l.Title, l.Language, l.Topics, l.Locked, l.Next = asShown(as)
}

// asShown gives a listing as JSON shows it.
func asShown(l protocol.Listing) (title, language string, topics []string, locked bool, next *time.Time) {
	return l.Title, l.Language, append([]string{}, l.Topics...), l.Locked, said(l.Next)
}

// said gives a time as JSON shows it; nil if it is not said.
func said(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// asIs shows what the log has made of a room since its genesis.
func (n *Node) asIs(l *web.RoomLine, lawful *roster.Roster) {
	if lawful != nil {
		show(l, lawful.Listing().At(n.cfg.Wall()))
		l.Stage = lawful.Stage().String()
	}
}

// listing gives what a room that this node is not in is now: its own by its log,
// another's by the directory.
func (n *Node) listing(id protocol.RoomID, d discovery.Entry, listed bool) (protocol.Listing, bool) {
	if l, coming := n.calendar.listing(id); coming {
		return l, true
	}
	if r, ok := n.stored(id); ok && r.Mine && r.Closed {
		if log, err := n.shelvedLog(r); err == nil {
			return log.Roster().Listing().At(n.cfg.Wall()), true
		}
	}
	return d.Listing, listed
}
