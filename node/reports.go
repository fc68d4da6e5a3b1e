package node

import (
	"context"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// Report tells the room's host and moderators of somebody.
func (n *Node) Report(ctx context.Context, name string, r web.ReportRequest) (web.SentReport, error) {
	return web.SentReport{}, &protocol.Problem{Code: protocol.CodeNotAllowed, Message: "this version sends no reports yet"}
}

// Reports gives those that came to this node, and those that it sent.
func (n *Node) Reports(ctx context.Context, name string) (web.RoomReports, error) {
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return web.RoomReports{}, err
	}
	_, lawful, err := c.room.Log(ctx)
	if err != nil {
		return web.RoomReports{}, err
	}
	return web.RoomReports{Room: c.id.String(), MayRead: lawful != nil && lawful.MayModerate(n.self)}, nil
}

// DismissReport takes one of those that came off the list.
func (n *Node) DismissReport(ctx context.Context, name string, number uint64) error {
	return badRequest("there is no such report in this room", nil)
}
