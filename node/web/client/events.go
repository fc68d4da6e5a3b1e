package client

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
)

// maxLineBytes bounds a line of the events: a whole directory fits.
const maxLineBytes = 8 << 20

// Event is one change at the node.
type Event struct {
	ID   string // to resume after; "" if nothing can be
	Type string // reset, node, rooms, room, chat or reports
	Data []byte // JSON: {}, web.Status, web.RoomsChange, web.RoomView, web.Chat or web.RoomReports
}

// Events is what changes at the node, as it changes.
type Events struct {
	client *Client
	ctx    context.Context
	body   io.ReadCloser
	lines  *bufio.Scanner
}

// Events begins to follow, until ctx ends: after the event with the given ID
// if the node still has what came since, else from `reset` and the whole state.
func (c *Client) Events(ctx context.Context, after string) (*Events, error) {
	header := http.Header{"Last-Event-ID": {after}}
	response, err := c.send(ctx, http.MethodGet, "/api/v1/events", header, nil)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxLineBytes)
	return &Events{client: c, ctx: ctx, body: response.Body, lines: lines}, nil
}

// Next gives the next event; io.EOF when the node ended the stream, which may
// be followed again.
func (e *Events) Next() (Event, error) {
	var event Event
	for e.lines.Scan() {
		name, value, _ := strings.Cut(e.lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case e.lines.Text() == "" && event.Type != "":
			return event, nil
		case name == "id":
			event.ID = value
		case name == "event":
			event.Type = value
		case name == "data":
			event.Data = []byte(value)
		}
	}
	if err := e.lines.Err(); err != nil {
		return Event{}, e.client.failed(e.ctx, err)
	}
	return Event{}, io.EOF
}

// Close ends it.
func (e *Events) Close() error { return e.body.Close() }
