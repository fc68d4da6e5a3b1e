package client

import (
	"context"
	"net/http"

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
