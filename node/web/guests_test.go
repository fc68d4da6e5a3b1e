package web_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// The backend has a guest door, and one guest: "abc".

func (b *backend) Guests(context.Context) (web.Guests, error) {
	return web.Guests{Open: true, Address: "http://192.0.2.7:8734", Max: 50, Guests: []web.GuestLine{{ID: "abc", Room: "7k2m", Address: "192.0.2.9", Since: time.Unix(1, 0).UTC()}}}, b.fault
}

func (b *backend) OpenDoor(context.Context) error { return b.act("open door", "7k2m") }
func (b *backend) ShutDoor(context.Context) error { return b.act("shut door", "7k2m") }
func (b *backend) RemoveGuest(_ context.Context, id string) error {
	if err := b.act("remove "+id, "7k2m"); err != nil || id == "abc" {
		return err
	}
	return &protocol.Problem{Code: protocol.CodeUnknownGuest, Message: "there is no guest " + id}
}

func TestGuests(t *testing.T) {
	b := newBackend()
	server, c := up(t, b)
	g, err := c.Guests(t.Context())
	if err != nil || !g.Open || len(g.Guests) != 1 || g.Guests[0].ID != "abc" {
		t.Fatalf("%+v, %v", g, err)
	}
	for _, err := range []error{c.ShutDoor(t.Context()), c.OpenDoor(t.Context()), c.RemoveGuest(t.Context(), "abc")} {
		if err != nil {
			t.Error(err)
		}
	}
	if want := []string{"shut door 7k2m", "open door 7k2m", "remove abc 7k2m"}; len(b.did) != 3 || b.did[0] != want[0] || b.did[1] != want[1] || b.did[2] != want[2] {
		t.Errorf("did %q", b.did)
	}
	p, ok := errors.AsType[*protocol.Problem](c.RemoveGuest(t.Context(), "xyz"))
	if !ok || p.Code != protocol.CodeUnknownGuest {
		t.Errorf("one who is not there: %v", p)
	}
	b.fault = &protocol.Problem{Code: protocol.CodeNoDoor, Message: "this node has no guest door"}
	if r := send(t, server, "GET", "/api/v1/guests", nil, ""); r.StatusCode != http.StatusConflict {
		t.Errorf("without a door: %s", r.Status)
	}
}
