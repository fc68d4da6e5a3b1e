package web_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/earshot-audio/earshot/protocol"
)

func (b *backend) Hand(_ context.Context, room string, up bool) error {
	if up {
		return b.act("raise", room)
	}
	return b.act("lower", room)
}

func (b *backend) Grant(_ context.Context, room, who, role string) error {
	return b.act("let "+who+" be "+role, room)
}

func (b *backend) Lower(_ context.Context, room, who string) error {
	return b.act("lower "+who, room)
}

func TestHands(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	ctx := t.Context()
	for _, do := range []func() error{
		func() error { return c.Hand(ctx, "7k2m", true) },
		func() error { return c.Hand(ctx, "7k2m", false) },
		func() error { return c.Grant(ctx, "7k2m", "ana / budi", "speaker") },
		func() error { return c.Lower(ctx, "7k2m", "ana") },
	} {
		if err := do(); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"raise 7k2m", "lower 7k2m", "let ana / budi be speaker 7k2m", "lower ana 7k2m"}; !slices.Equal(b.did, want) {
		t.Errorf("did %q, want %q", b.did, want)
	}
	if err := c.Hand(ctx, "zzzz", true); codeOf(err) != protocol.CodeUnknownRoom {
		t.Errorf("in a room that nobody knows: %v", err)
	}
}

func TestHandsAreAskedForInFull(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	const hand, member = "/api/v1/rooms/7k2m/hand", "/api/v1/rooms/7k2m/members/ana"
	for _, c := range []struct{ path, body string }{
		{hand, ``}, {hand, `{}`}, {hand, `{"up":null}`}, {hand, `{"up":1}`}, {hand, `{"up":true,"down":false}`}, {hand, `[true]`},
		{member, `{}`}, {member, `{"hand":true}`}, {member, `{"role":"speaker","hand":false}`}, {member, `{"role":""}`}, {member, `{"role":1}`},
	} {
		response := send(t, server, "POST", c.path, http.Header{"Content-Type": {"application/json"}}, c.body)
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s with %s: %s", c.path, c.body, response.Status)
		}
	}
	if len(b.did) > 0 {
		t.Errorf("did %q", b.did)
	}
}
