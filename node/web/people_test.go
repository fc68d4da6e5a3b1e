package web_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/earshot-audio/earshot/node/web"
)

func (b *backend) People(context.Context) ([]web.Person, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.people, b.fault
}

func (b *backend) Note(_ context.Context, r web.NoteRequest) (web.Person, error) {
	p := web.Person{Peer: r.Who}
	if r.Petname != nil {
		p.Petname = *r.Petname
	}
	if r.Block != nil {
		p.Blocked = *r.Block
	}
	if r.Follow != nil {
		p.Followed = *r.Follow
	}
	return p, b.act("note", "7k2m")
}

func TestPeople(t *testing.T) {
	b := newBackend()
	server, c := up(t, b)
	if people, err := c.People(t.Context()); err != nil || people == nil || len(people) != 0 {
		t.Errorf("%v, %v", people, err)
	}
	b.change(func(b *backend) { b.people = []web.Person{{Peer: "p", Petname: "Citra", Blocked: true}} })
	if people, err := c.People(t.Context()); err != nil || !slices.Equal(people, b.people) {
		t.Errorf("%v, %v", people, err)
	}
	p, err := c.Note(t.Context(), web.NoteRequest{Who: "budi", Block: new(true), ForMS: 1})
	if err != nil || p.Peer != "budi" || !p.Blocked {
		t.Errorf("%+v, %v", p, err)
	}
	did := b.acts.Load()
	for _, body := range []string{`{}`, `{"who":"budi"}`, `{"block":true}`, `{"who":"budi","for_ms":5}`, `{"who":"budi","block":false,"for_ms":5}`,
		`{"who":"budi","block":1}`, `{"who":"budi","block":true,"more":1}`, `{"who":"\u0000","block":true}`} {
		response := send(t, server, "POST", "/api/v1/people", http.Header{"Content-Type": {"application/json"}}, body)
		if response.StatusCode != http.StatusBadRequest && response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", body, response.Status)
		}
	}
	if b.acts.Load() != did {
		t.Error("what is malformed was done")
	}
}

func (b *backend) Profile(_ context.Context, who string) (web.Profile, error) {
	return web.Profile{Peer: who, Colour: "teal"}, nil
}

func (b *backend) Describe(_ context.Context, r web.ProfileRequest) (web.Profile, error) {
	return web.Profile{Text: *r.Text}, b.act("describe", "7k2m")
}

func TestProfiles(t *testing.T) {
	b := newBackend()
	server, c := up(t, b)
	for _, who := range []string{"", "Budi of Bandung & friends"} {
		if p, err := c.Profile(t.Context(), who); err != nil || p.Peer != who || p.Colour != "teal" {
			t.Errorf("%+v, %v", p, err)
		}
	}
	if p, err := c.Describe(t.Context(), web.ProfileRequest{Text: new("hello")}); err != nil || p.Text != "hello" {
		t.Errorf("%+v, %v", p, err)
	}
	for _, body := range []string{`{}`, `{"text":1}`, `{"text":"a","more":1}`} {
		if response := send(t, server, "POST", "/api/v1/profile", http.Header{"Content-Type": {"application/json"}}, body); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", body, response.Status)
		}
	}
}
