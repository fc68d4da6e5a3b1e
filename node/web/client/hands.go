package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/earshot-audio/earshot/node/web"
)

// Hand raises the node's hand in a room, or lowers it.
func (c *Client) Hand(ctx context.Context, room string, up bool) error {
	return c.post(ctx, roomPath(room, "/hand"), web.HandRequest{Up: &up})
}

// Grant gives somebody a role in a room of the node's own.
func (c *Client) Grant(ctx context.Context, room, who, role string) error {
	return c.post(ctx, memberPath(room, who), web.MemberRequest{Role: role})
}

// Lower takes somebody's hand down in a room of the node's own.
func (c *Client) Lower(ctx context.Context, room, who string) error {
	down := false
	return c.post(ctx, memberPath(room, who), web.MemberRequest{Hand: &down})
}

func memberPath(room, who string) string {
	return roomPath(room, "/members/"+url.PathEscape(who))
}

// post sends JSON and wants no answer but that it is done.
func (c *Client) post(ctx context.Context, path string, body any) error {
	header, content, err := asJSON(body)
	if err != nil {
		return err
	}
	response, err := c.send(ctx, http.MethodPost, path, header, content)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
