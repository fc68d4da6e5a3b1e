package client

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/earshot-audio/earshot/node/web"
)

// Chat asks for what was written in a room that the node is in.
func (c *Client) Chat(ctx context.Context, room string) (web.Chat, error) {
	return ask[web.Chat](ctx, c, http.MethodGet, roomPath(room, "/chat"), nil)
}

// Write says something to all in a room, which the node joins.
func (c *Client) Write(ctx context.Context, room, text string) (web.Written, error) {
	return ask[web.Written](ctx, c, http.MethodPost, roomPath(room, "/chat"), web.WriteRequest{Text: text})
}

// HideChat takes what somebody wrote out of sight, or shows it again.
func (c *Client) HideChat(ctx context.Context, room string, r web.HideRequest) error {
	return c.post(ctx, roomPath(room, "/chat/hide"), r)
}

// React shows an emoji to all in a room.
func (c *Client) React(ctx context.Context, room, emoji string) error {
	return c.post(ctx, roomPath(room, "/reactions"), web.ReactRequest{Emoji: emoji})
}

// Caption says what the node's person says, as text.
func (c *Client) Caption(ctx context.Context, room string, r web.CaptionRequest) error {
	return c.post(ctx, roomPath(room, "/captions"), r)
}

// AllowCaptions says whether programs may caption the node's person in a room.
func (c *Client) AllowCaptions(ctx context.Context, room string, allowed bool) error {
	return c.post(ctx, roomPath(room, "/captions/consent"), web.ConsentRequest{Allowed: &allowed})
}

// Chatting is a room as it is read.
type Chatting struct {
	client *Client
	ctx    context.Context
	body   io.ReadCloser
	lines  *bufio.Scanner
}

// FollowChat joins the room and reads along until ctx ends.
func (c *Client) FollowChat(ctx context.Context, room string) (*Chatting, error) {
	response, err := c.send(ctx, http.MethodGet, roomPath(room, "/chat/follow"), nil, nil)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxLineBytes)
	return &Chatting{c, ctx, response.Body, lines}, nil
}

// Next gives first all that was written, then what is new or changed; io.EOF when
// the room closed or the node left it.
func (c *Chatting) Next() (web.Chat, error) {
	if !c.lines.Scan() {
		if err := c.lines.Err(); err != nil {
			return web.Chat{}, c.client.failed(c.ctx, err)
		}
		return web.Chat{}, io.EOF
	}
	var line struct {
		web.Chat
		web.Failure
	}
	if err := json.Unmarshal(c.lines.Bytes(), &line); err != nil {
		return web.Chat{}, notANode(err)
	}
	if line.Event == "error" {
		return web.Chat{}, line.Failure.Problem()
	}
	return line.Chat, nil
}

// Close ends it.
func (c *Chatting) Close() error { return c.body.Close() }
