package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/earshot-audio/earshot/node/web"
)

// People asks whom the node's person has noted.
func (c *Client) People(ctx context.Context) ([]web.Person, error) {
	return ask[[]web.Person](ctx, c, http.MethodGet, "/api/v1/people", nil)
}

// Note changes what is noted about somebody.
func (c *Client) Note(ctx context.Context, r web.NoteRequest) (web.Person, error) {
	return ask[web.Person](ctx, c, http.MethodPost, "/api/v1/people", r)
}

// Profile asks what somebody says of themselves; "": the node's person.
func (c *Client) Profile(ctx context.Context, who string) (web.Profile, error) {
	path := "/api/v1/profile"
	if who != "" {
		path += "?" + url.Values{"who": {who}}.Encode()
	}
	return ask[web.Profile](ctx, c, http.MethodGet, path, nil)
}

// Describe changes what the node's person says of themselves.
func (c *Client) Describe(ctx context.Context, r web.ProfileRequest) (web.Profile, error) {
	return ask[web.Profile](ctx, c, http.MethodPost, "/api/v1/profile", r)
}
