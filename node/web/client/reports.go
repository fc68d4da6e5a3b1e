package client

import (
	"context"
	"fmt"
	"net/http"

	"github.com/earshot-audio/earshot/node/web"
)

// Report tells a room's host and moderators about somebody in it.
func (c *Client) Report(ctx context.Context, room string, r web.ReportRequest) (web.SentReport, error) {
	return ask[web.SentReport](ctx, c, http.MethodPost, roomPath(room, "/reports"), r)
}

// Reports gives what the node has of a room's reports.
func (c *Client) Reports(ctx context.Context, room string) (web.RoomReports, error) {
	return ask[web.RoomReports](ctx, c, http.MethodGet, roomPath(room, "/reports"), nil)
}

// DismissReport takes a report that came off the node's list.
func (c *Client) DismissReport(ctx context.Context, room string, n uint64) error {
	return c.post(ctx, roomPath(room, fmt.Sprintf("/reports/%d/dismiss", n)), nil)
}
