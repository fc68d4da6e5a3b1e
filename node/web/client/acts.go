package client

import (
	"context"
	"io"
	"net/http"

	"github.com/earshot-audio/earshot/node/web"
)

// Act does one thing in a room that its log keeps.
func (c *Client) Act(ctx context.Context, room string, r web.ActRequest) error {
	return c.post(ctx, roomPath(room, "/acts"), r)
}

// Log asks for a room's log and what it comes to.
func (c *Client) Log(ctx context.Context, room string) (web.RoomLog, error) {
	return ask[web.RoomLog](ctx, c, http.MethodGet, roomPath(room, "/log"), nil)
}

// ExportLog asks for a room's log as text that whoever has it can check.
func (c *Client) ExportLog(ctx context.Context, room string) ([]byte, error) {
	response, err := c.send(ctx, http.MethodGet, roomPath(room, "/log/export"), nil, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	return text, nil
}
