package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/node/web/client"
	"github.com/earshot-audio/earshot/protocol"
)

func (b *backend) Chat(_ context.Context, room string, after uint64) (web.Chat, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if room != "7k2m" {
		return web.Chat{}, unknownRoom
	}
	chat := b.chat
	chat.Messages = slices.DeleteFunc(slices.Clone(chat.Messages), func(l web.ChatLine) bool { return l.Revision <= after })
	return chat, b.fault
}

func (b *backend) FollowChat(_ context.Context, room string) (web.ChatFollowing, error) {
	return &chatFollowing{b: b}, b.act("read", room)
}

func (b *backend) Write(_ context.Context, room, text string) (web.Written, error) {
	return web.Written{Room: room, ID: "p-1-2"}, b.act("write "+text, room)
}

func (b *backend) HideChat(_ context.Context, room string, r web.HideRequest) error {
	return b.act(fmt.Sprintf("hide %s%s %v", r.Message, r.Peer, r.Shown), room)
}

func (b *backend) React(_ context.Context, room, emoji string) error {
	return b.act("react "+emoji, room)
}

func (b *backend) Caption(_ context.Context, room string, r web.CaptionRequest) error {
	return b.act(fmt.Sprintf("caption %s %s %v", r.Language, r.Text, r.Final == nil || *r.Final), room)
}

func (b *backend) AllowCaptions(_ context.Context, room string, allowed bool) error {
	return b.act(fmt.Sprintf("captions %v", allowed), room)
}

// chatFollowing tells what the backend has, twice, and then that it is over.
type chatFollowing struct {
	b    *backend
	told int
}

func (f *chatFollowing) Next(ctx context.Context) (web.Chat, error) {
	if f.told++; f.told > 2 {
		return web.Chat{}, io.EOF
	}
	return f.b.Chat(ctx, "7k2m", 0)
}

func (f *chatFollowing) Close() { _ = f.b.act("part", "7k2m") }

func TestChat(t *testing.T) {
	b := newBackend()
	b.chat = web.Chat{Room: "7k2m", Revision: 3, Messages: []web.ChatLine{{ID: "p-1-2", Order: 1, Name: "ana", Text: "<b>hi</b>", Said: time.Unix(1, 0).UTC(), Revision: 3}}}
	_, c := up(t, b)
	ctx := t.Context()
	no := false
	for _, do := range []func() error{
		func() error { _, err := c.Write(ctx, "7k2m", "two\nlines"); return err },
		func() error { return c.HideChat(ctx, "7k2m", web.HideRequest{Message: "p-1-2"}) },
		func() error { return c.HideChat(ctx, "7k2m", web.HideRequest{Peer: "ana", Shown: true}) },
		func() error { return c.React(ctx, "7k2m", "👏") },
		func() error { return c.AllowCaptions(ctx, "7k2m", true) },
		func() error {
			return c.Caption(ctx, "7k2m", web.CaptionRequest{Text: "hal", Language: "id", Final: &no})
		},
		func() error { return c.Caption(ctx, "7k2m", web.CaptionRequest{Text: "halo"}) },
	} {
		if err := do(); err != nil {
			t.Error(err)
		}
	}
	want := []string{"write two\nlines 7k2m", "hide p-1-2 false 7k2m", "hide ana true 7k2m", "react 👏 7k2m", "captions true 7k2m", "caption id hal false 7k2m", "caption  halo true 7k2m"}
	if !slices.Equal(b.did, want) {
		t.Errorf("did %q, want %q", b.did, want)
	}
	chat, err := c.Chat(ctx, "7k2m")
	if err != nil || len(chat.Messages) != 1 || chat.Messages[0].Text != "<b>hi</b>" || chat.Captions == nil || chat.Reactions == nil {
		t.Errorf("read %+v, %v", chat, err)
	}
	if _, err := c.Chat(ctx, "zzzz"); codeOf(err) != protocol.CodeUnknownRoom {
		t.Errorf("in a room that nobody knows: %v", err)
	}
}

func TestFollowChat(t *testing.T) {
	b := newBackend()
	b.chat = web.Chat{Room: "7k2m", Revision: 1, Messages: []web.ChatLine{{ID: "p-1-1", Order: 1, Text: "hi", Revision: 1}}}
	_, c := up(t, b)
	chatting, err := c.FollowChat(t.Context(), "7k2m")
	if err != nil {
		t.Fatal(err)
	}
	defer chatting.Close()
	for range 2 {
		if chat, err := chatting.Next(); err != nil || len(chat.Messages) != 1 || chat.Messages[0].Text != "hi" {
			t.Errorf("read %+v, %v", chat, err)
		}
	}
	if _, err := chatting.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestChatIsAskedForInFull(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	const room = "/api/v1/rooms/7k2m"
	for _, c := range []struct{ path, body string }{
		{"/chat", ``}, {"/chat", `{"text":1}`}, {"/chat", `{"text":"a","to":"b"}`}, {"/chat/hide", `{}`}, {"/chat/hide", `{"message":"a","peer":"b"}`},
		{"/reactions", `[]`}, {"/captions/consent", `{}`}, {"/captions", `"halo"`},
	} {
		if response := send(t, server, "POST", room+c.path, http.Header{"Content-Type": {"application/json"}}, c.body); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s with %s: %s", c.path, c.body, response.Status)
		}
	}
	for _, after := range []string{"x", "-1", "1&after=2", "99999999999999999999"} {
		if response := send(t, server, "GET", room+"/chat?after="+after, nil, ""); response.StatusCode != http.StatusBadRequest {
			t.Errorf("after %s: %s", after, response.Status)
		}
	}
	if len(b.did) > 0 {
		t.Errorf("did %q", b.did)
	}
}

// Events tell of what is new, and resume; who has nothing is told all.
func TestChatEvents(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	events := follow(t, c, "")
	whole(t, events)
	says := func(revision uint64, lines ...web.ChatLine) {
		b.change(func(b *backend) {
			b.chat.Revision = revision
			b.chat.Messages = append(b.chat.Messages, lines...)
		})
	}
	chatOf := func(events *client.Events, want ...string) client.Event {
		t.Helper()
		e, chat := next[web.Chat](t, events, "chat")
		var ids []string
		for _, l := range chat.Messages {
			ids = append(ids, l.ID)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("told of %q, not %q", ids, want)
		}
		return e
	}
	says(1, web.ChatLine{ID: "a", Order: 1, Revision: 1})
	e := chatOf(events, "a")
	says(3, web.ChatLine{ID: "b", Order: 2, Revision: 2}, web.ChatLine{ID: "c", Order: 3, Revision: 3})
	chatOf(events, "b", "c")
	chatOf(follow(t, c, e.ID), "b", "c")
	b.change(func(b *backend) { b.chat.Messages[0].Hidden, b.chat.Messages[0].Revision, b.chat.Revision = true, 4, 4 })
	chatOf(events, "a")
	b.change(func(b *backend) { b.chat.Reactions = map[string]int{"👏": 2} })
	chatOf(events)
	b.change(func(b *backend) { b.chat.Captions = []web.CaptionLine{{ID: "x", Text: "halo"}} })
	chatOf(events)
	late := follow(t, c, "")
	next[struct{}](t, late, "reset")
	next[web.Status](t, late, "node")
	next[web.RoomsChange](t, late, "rooms")
	next[web.RoomView](t, late, "room")
	chatOf(late, "a", "b", "c")
	b.change(func(b *backend) { b.chat = web.Chat{Revision: 1, Messages: []web.ChatLine{{ID: "d", Revision: 1}}} }) // it came again
	chatOf(events, "d")
}
