package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/earshot-audio/earshot/node/web"
)

// Guests asks for the guest door and who is in.
func (c *Client) Guests(ctx context.Context) (web.Guests, error) {
	return ask[web.Guests](ctx, c, http.MethodGet, "/api/v1/guests", nil)
}

// OpenDoor lets guests in.
func (c *Client) OpenDoor(ctx context.Context) error { return c.tell(ctx, "/api/v1/guests/open") }

// ShutDoor sends all guests away, and lets none in.
func (c *Client) ShutDoor(ctx context.Context) error { return c.tell(ctx, "/api/v1/guests/close") }

// RemoveGuest sends one away, by the ID that Guests gives.
func (c *Client) RemoveGuest(ctx context.Context, id string) error {
	return c.tell(ctx, "/api/v1/guests/"+url.PathEscape(id)+"/remove")
}
