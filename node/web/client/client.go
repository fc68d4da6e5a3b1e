// Package client speaks to a running node through its HTTP API, for the
// commands. Errors are *protocol.Problem where a person can do something
// about them; no node at the address is CodeNoNode.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

const (
	// dialPatience is for loopback: a node that is there answers at once.
	dialPatience   = 3 * time.Second
	maxAnswerBytes = 16 << 20
)

// Client is one program's way to one node.
type Client struct {
	api   string
	token string
	http  *http.Client
}

// New makes a client of the node at api (http://127.0.0.1:8733). Nothing is
// sent yet.
func New(api, token string) *Client {
	return &Client{
		api: strings.TrimSuffix(api, "/"), token: token,
		http: &http.Client{
			Transport: &http.Transport{ // no proxy: the node is on this machine
				DialContext:        (&net.Dialer{Timeout: dialPatience}).DialContext,
				DisableCompression: true,
				IdleConnTimeout:    10 * time.Second,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// CloseIdle ends the connections that nothing uses.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// Status asks who the node is.
func (c *Client) Status(ctx context.Context) (web.Status, error) {
	return ask[web.Status](ctx, c, http.MethodGet, "/api/v1/node", nil)
}

// Doctor asks the node to examine how it and others reach each other; of is a
// room, a peer or a multiaddress, or "".
func (c *Client) Doctor(ctx context.Context, of string) (web.Diagnosis, error) {
	path := "/api/v1/doctor"
	if of != "" {
		path += "?" + url.Values{"of": {of}}.Encode()
	}
	return ask[web.Diagnosis](ctx, c, http.MethodGet, path, nil)
}

// Meet has the node look for others.
func (c *Client) Meet(ctx context.Context, r web.MeetRequest) (web.Met, error) {
	return ask[web.Met](ctx, c, http.MethodPost, "/api/v1/meet", r)
}

// Page asks for an address that opens the node's page once.
func (c *Client) Page(ctx context.Context) (string, error) {
	page, err := ask[web.Page](ctx, c, http.MethodPost, "/api/v1/page", nil)
	return page.Page, err
}

// Rooms asks for the live rooms, and those that the node is in.
func (c *Client) Rooms(ctx context.Context) ([]web.RoomLine, error) {
	return ask[[]web.RoomLine](ctx, c, http.MethodGet, "/api/v1/rooms", nil)
}

// AllRooms asks for those to come too.
func (c *Client) AllRooms(ctx context.Context) ([]web.RoomLine, error) {
	return ask[[]web.RoomLine](ctx, c, http.MethodGet, "/api/v1/rooms?state=all", nil)
}

// ClosedRooms asks for the node's own that stay closed until they are reopened.
func (c *Client) ClosedRooms(ctx context.Context) ([]web.RoomLine, error) {
	return ask[[]web.RoomLine](ctx, c, http.MethodGet, "/api/v1/rooms?state=closed", nil)
}

// Open opens a room, which the node carries from then on.
func (c *Client) Open(ctx context.Context, r web.OpenRequest) (web.Opened, error) {
	return ask[web.Opened](ctx, c, http.MethodPost, "/api/v1/rooms", r)
}

// Room asks for one room, named by a link, an ID or a unique prefix.
func (c *Client) Room(ctx context.Context, room string) (web.RoomView, error) {
	return ask[web.RoomView](ctx, c, http.MethodGet, roomPath(room, ""), nil)
}

// Leave takes the node out of the room.
func (c *Client) Leave(ctx context.Context, room string) error {
	return c.tell(ctx, roomPath(room, "/leave"))
}

// Close silences the room until its host reopens it; or until next, if that is not
// zero.
func (c *Client) Close(ctx context.Context, room string, next time.Time) error {
	if next.IsZero() {
		return c.tell(ctx, roomPath(room, "/close"))
	}
	return c.post(ctx, roomPath(room, "/close"), web.CloseRequest{At: &next})
}

// Follow has the room pointed out to the node's person, or no longer.
func (c *Client) Follow(ctx context.Context, room string, on bool) error {
	return c.post(ctx, roomPath(room, "/follow"), web.FollowRequest{On: &on})
}

// Following asks for the rooms that the node's person follows.
func (c *Client) Following(ctx context.Context) ([]web.FollowedRoom, error) {
	return ask[[]web.FollowedRoom](ctx, c, http.MethodGet, "/api/v1/following", nil)
}

// Reopen opens a closed room again under its link.
func (c *Client) Reopen(ctx context.Context, room string) (web.Opened, error) {
	return ask[web.Opened](ctx, c, http.MethodPost, roomPath(room, "/reopen"), nil)
}

// roomPath gives the path of something of a room. Dots alone would climb out
// of it; the node knows no room by them, whatever follows.
func roomPath(room, what string) string {
	if strings.Trim(room, ".") == "" {
		room += "?"
	}
	return "/api/v1/rooms/" + url.PathEscape(room) + what
}

func (c *Client) tell(ctx context.Context, path string) error {
	response, err := c.send(ctx, http.MethodPost, path, nil, nil)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// ask sends a request, with a JSON body unless it is nil, and reads the answer.
func ask[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var answer T
	header, content, err := asJSON(body)
	if err != nil {
		return answer, err
	}
	response, err := c.send(ctx, method, path, header, content)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return answer, c.failed(ctx, err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, notANode(err)
	}
	return answer, nil
}

// asJSON gives a body with its header; of nil, none.
func asJSON(body any) (http.Header, io.Reader, error) {
	if body == nil {
		return nil, nil, nil
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, nil, err
	}
	return http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(b), nil
}

// send makes a request and gives a response that is no error.
func (c *Client) send(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.api+path, body)
	if err != nil {
		return nil, notANode(err)
	}
	if header != nil {
		request.Header = header
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	var failure web.Failure
	err = json.NewDecoder(io.LimitReader(response.Body, maxAnswerBytes)).Decode(&failure)
	if err != nil || failure.Code == "" {
		return nil, notANode(fmt.Errorf("status %s", response.Status))
	}
	return nil, failure.Problem()
}

// failed tells a transport's error to a person.
func (c *Client) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if operation, ok := errors.AsType[*net.OpError](err); ok && operation.Op == "dial" {
		return &protocol.Problem{
			Code: protocol.CodeNoNode, Message: "no node is running here",
			Hint: "start one with: earshot up", Cause: err,
		}
	}
	return &protocol.Problem{
		Code: protocol.CodeNoNode, Message: "the node has stopped answering",
		Hint: "start it again with: earshot up", Cause: err,
	}
}

func notANode(err error) error {
	return &protocol.Problem{
		Code: protocol.CodeNoNode, Message: "another program answers at the node's address",
		Hint: "start a node with: earshot up", Cause: err,
	}
}
