package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// reportPatience is how long moderators have to say that they have a report, before
// its reporter is told who does.
const reportPatience = 3 * time.Second

// Report tells who moderates a room that this node is in about somebody in it.
func (n *Node) Report(ctx context.Context, name string, r web.ReportRequest) (web.SentReport, error) {
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return web.SentReport{}, err
	}
	of, err := n.writer(ctx, c, name, r.Peer)
	switch {
	case err != nil:
		return web.SentReport{}, err
	case of == n.self:
		return web.SentReport{}, badRequest("that is you", nil)
	}
	changed, stop := n.changes.watch()
	defer stop()
	id, err := c.room.Report(ctx, of, r.Why, n.cfg.Wall())
	if err != nil {
		return web.SentReport{}, reportProblem(err)
	}
	return c.awaitReport(ctx, id, changed)
}

// awaitReport waits a moment for those who moderate to have a report.
func (c *carried) awaitReport(ctx context.Context, id protocol.ReportID, changed <-chan struct{}) (web.SentReport, error) {
	late := time.NewTimer(reportPatience)
	defer late.Stop()
	for {
		sent, underWay, err := c.sentReport(ctx, id)
		if err != nil || !underWay {
			return sent, err
		}
		select {
		case <-changed:
		case <-late.C:
			return sent, nil
		case <-ctx.Done():
			return sent, ctx.Err()
		}
	}
}

func reportProblem(err error) error {
	switch {
	case errors.Is(err, protocol.ErrText):
		return badRequest(fmt.Sprintf("why is one line of at most %d bytes of printable text", protocol.MaxWhyBytes), err)
	case errors.Is(err, room.ErrNobodyElse):
		return &protocol.Problem{Code: protocol.CodeNotAllowed, Message: "nobody else moderates this room", Hint: "not to hear somebody yourself: earshot block", Cause: err}
	case errors.Is(err, room.ErrTooFast):
		return &protocol.Problem{Code: protocol.CodeTooFast, Message: "you have reported several people just now", Hint: "wait a moment", Cause: err}
	}
	return err
}

// sentReport gives one that this node sent, as it stands, and whether more of those
// who are to have it may have it soon.
func (c *carried) sentReport(ctx context.Context, id protocol.ReportID) (sent web.SentReport, underWay bool, err error) {
	all, err := c.room.Reports(ctx)
	if err != nil {
		return sent, false, err
	}
	names, err := c.names(ctx)
	if err != nil {
		return sent, false, err
	}
	for _, s := range all.Sent {
		if s.ID(c.id) == id {
			return c.showSent(s, names), s.UnderWay, nil
		}
	}
	return sent, false, nil // others came since: the room forgets the oldest
}

// Reports gives those that came to this node, and those that it sent.
func (n *Node) Reports(ctx context.Context, name string) (web.RoomReports, error) {
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return web.RoomReports{}, err
	}
	all, err := c.room.Reports(ctx)
	if err != nil {
		return web.RoomReports{}, err
	}
	out := web.RoomReports{Room: c.id.String(), MayRead: all.MayRead}
	if len(all.Came)+len(all.Sent) == 0 {
		return out, nil
	}
	names, err := c.names(ctx)
	if err != nil {
		return web.RoomReports{}, err
	}
	for _, r := range all.Came {
		out.Reports = append(out.Reports, c.showReport(r, names))
	}
	for _, s := range all.Sent {
		if s.Guest == "" { // a guest's is theirs
			out.Sent = append(out.Sent, c.showSent(s, names))
		}
	}
	return out, nil
}

// names gives what people in the room call themselves.
func (c *carried) names(ctx context.Context) (map[protocol.PeerID]protocol.Name, error) {
	v, err := c.room.View(ctx)
	return v.Names, err
}

// DismissReport takes one of those that came off the list.
func (n *Node) DismissReport(ctx context.Context, name string, number uint64) error {
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return err
	}
	err = c.room.DismissReport(ctx, number)
	if errors.Is(err, room.ErrNoReport) {
		return badRequest("there is no such report", err)
	}
	return err
}

func (c *carried) showSent(s room.SentReport, names map[protocol.PeerID]protocol.Name) web.SentReport {
	out := web.SentReport{Room: c.id.String(), Of: c.person(s.Of, s.Name, names), Why: s.Why, Made: s.Made.UTC()}
	for _, p := range s.Told {
		out.Told = append(out.Told, c.person(p, "", names))
	}
	for _, p := range s.Waiting {
		out.Waiting = append(out.Waiting, c.person(p, "", names))
	}
	return out
}

// person shows somebody, by the name that a report gives or the one they have now.
func (c *carried) person(p protocol.PeerID, name protocol.Name, names map[protocol.PeerID]protocol.Name) web.ReportedPerson {
	return web.ReportedPerson{Peer: p.String(), Name: string(cmp.Or(name, names[p])), Petname: c.n.people.Of(p).Petname, You: p == c.n.self}
}

func (c *carried) showReport(r room.CameReport, names map[protocol.PeerID]protocol.Name) web.ReportLine {
	line := web.ReportLine{N: r.N, Came: r.Came.UTC(), By: c.person(cmp.Or(r.Guest, r.Reporter), "", names), ByNew: r.ByNew, Of: c.person(r.Of, r.Name, names),
		Why: r.Why, Role: r.Role.String(), Muted: r.Muted, Hand: r.Hand}
	if r.Guest != "" {
		door := c.person(r.Reporter, "", names)
		line.Door = &door
	}
	for _, s := range r.Spoke {
		line.Spoke = append(line.Spoke, web.SpokeLine{AgoMS: s.Ago.Milliseconds(), LastedMS: s.Lasted.Milliseconds()})
		line.SpokeMS += s.Lasted.Milliseconds()
	}
	for _, s := range slices.Backward(r.Said) { // as people read: the newest last
		said := web.SaidLine{Kind: "caption", AgoMS: s.Ago.Milliseconds()}
		if chat := s.Message.Chat; chat != nil {
			said.Kind, said.Text = "chat", chat.Text
		} else {
			said.Text = s.Message.Caption.Text
		}
		line.Said = append(line.Said, said)
	}
	for _, o := range r.Reacted {
		line.Reactions = append(line.Reactions, web.ReactedLine{Emoji: o.Emoji, AgoMS: o.Ago.Milliseconds()})
	}
	return line
}
