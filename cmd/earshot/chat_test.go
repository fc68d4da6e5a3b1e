package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/earshot-audio/earshot/node/store"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/node/web/client"
	"github.com/earshot-audio/earshot/protocol"
)

func (f *fakeNode) Chat(context.Context, string, uint64) (web.Chat, error) { return web.Chat{}, nil }

func (f *fakeNode) FollowChat(context.Context, string) (web.ChatFollowing, error) {
	return &fakeChatting{rest: f.chats}, nil
}

func (f *fakeNode) Write(_ context.Context, _, text string) (web.Written, error) {
	return web.Written{Room: roomID, ID: "12D3KooWana-1-2"}, f.act("write " + text)
}

func (f *fakeNode) HideChat(_ context.Context, _ string, r web.HideRequest) error {
	return f.act(fmt.Sprintf("hide %q %q %v", r.Message, r.Peer, r.Shown))
}

func (f *fakeNode) React(_ context.Context, _, emoji string) error { return f.act("react " + emoji) }

func (f *fakeNode) Caption(_ context.Context, _ string, r web.CaptionRequest) error {
	f.mu.Lock()
	f.captioned++
	busy := f.captioned == 2
	f.mu.Unlock()
	if busy {
		return &protocol.Problem{Code: protocol.CodeTooFast, Message: "that is more at once than the room takes"}
	}
	return f.act("caption " + r.Language + " " + r.Text)
}

func (f *fakeNode) AllowCaptions(_ context.Context, _ string, allowed bool) error {
	return f.act(fmt.Sprint("allow ", allowed))
}

// fakeChatting tells what it is given, and ends.
type fakeChatting struct{ rest []web.Chat }

func (c *fakeChatting) Next(context.Context) (web.Chat, error) {
	if len(c.rest) == 0 {
		return web.Chat{}, io.EOF
	}
	chat := c.rest[0]
	c.rest = c.rest[1:]
	return chat, nil
}

func (c *fakeChatting) Close() {}

// talked is a chat as it is told to one who reads along.
func talked() []web.Chat {
	at := time.Date(2026, 1, 2, 20, 15, 0, 0, time.Local)
	partial := web.CaptionLine{ID: "c", Peer: anaID, Name: "ana", Text: "good"}
	whole := web.CaptionLine{ID: "c", Peer: anaID, Name: "ana", Language: "en", Text: "good evening", Final: true}
	return []web.Chat{
		{Room: roomID, Revision: 2, Messages: []web.ChatLine{
			{ID: "a", Order: 1, Peer: anaID, Name: "ana", Text: "hello\nall", Said: at, Revision: 1},
			{ID: "b", Order: 2, Peer: anaID, Name: "eko", Hidden: true, Said: at, Revision: 2}}},
		{Room: roomID, Revision: 2, Captions: []web.CaptionLine{partial}, Reactions: map[string]int{"👏": 2}},
		{Room: roomID, Revision: 3, Captions: []web.CaptionLine{whole}, Reactions: map[string]int{"👏": 3},
			Messages: []web.ChatLine{{ID: "d", Order: 3, Name: "dewi", Text: "hi", Said: at, You: true, Revision: 3}}},
		{Room: roomID, Revision: 3, Captions: []web.CaptionLine{whole}},
	}
}

func TestChat(t *testing.T) {
	f := &fakeNode{view: sky(), chats: talked()}
	dir := home(t, f)
	got, stderr, code := call{home: dir}.run(t, "chat", "7k2m")
	want := `20:15  ana: hello
         all
20:15  eko: (taken out of sight)
       👏 👏
20:15  dewi (you): hi
       ana says: good evening
       👏
The room is closed, or this node has left it.
`
	if got != want || code != 0 {
		t.Errorf("code %d, %q, printed\n%s", code, stderr, got)
	}
	for _, c := range []struct{ args, want string }{
		{"chat 7k2m good evening", ""},
		{"chat 7k2m --hide eko", "Out of everybody's sight: eko\n"},
		{"chat 7k2m --show " + anaID + "-1-2", "Shown again: " + anaID + "-1-2\n"},
		{"react 7k2m 👏", ""},
		{"captions 7k2m --forbid", ""},
	} {
		if got, stderr, code := (call{home: dir}).run(t, strings.Fields(c.args)...); got != c.want || code != 0 {
			t.Errorf("%s: code %d, %q %q, want %q", c.args, code, got, stderr, c.want)
		}
	}
	lines := strings.NewReader("good evening\n\n" + strings.Repeat("long ", 100) + "\n")
	if got, stderr, code := (call{home: dir, stdin: lines}).run(t, "captions", "7k2m", "--allow", "--language", "en"); got != "Said as text: 3 lines.\n" || code != 0 {
		t.Errorf("captions: code %d, %q %q", code, got, stderr)
	}
	wanted := []string{"write good evening", `hide "" "eko" false`, `hide "` + anaID + `-1-2" "" true`, "react 👏", "allow false", "allow true", "caption en good evening"}
	if len(f.acts) != 9 || !slices.Equal(f.acts[:7], wanted) {
		t.Errorf("acts %q", f.acts)
	}
	for _, c := range []struct{ args, want string }{
		{"chat", "earshot: earshot chat needs ROOM; for example: earshot chat 7k2m\n"},
		{"chat 7k2m --hide eko hello", "earshot: write, --hide or --show: one at a time; for example: earshot chat 7k2m\n"},
		{"react 7k2m", "earshot: earshot react needs EMOJI; for example: earshot react 7k2m 👏\n"},
	} {
		if _, stderr, code := (call{home: dir}).run(t, strings.Fields(c.args)...); stderr != c.want || code != 2 {
			t.Errorf("%s: code %d, %q, want %q", c.args, code, stderr, c.want)
		}
	}
}

func TestChatFitsSchema(t *testing.T) {
	defs := readSchema(t)
	f := &fakeNode{view: sky(), chats: talked()}
	dir := home(t, f)
	for _, c := range []struct {
		args  string
		lines []string
	}{
		{"chat 7k2m", []string{"chat", "chat", "chat.caption", "chat.reaction", "chat", "chat.caption", "chat.reaction"}},
		{"chat 7k2m hello", []string{"chat.written"}},
		{"chat 7k2m --hide eko", []string{"chat.act"}},
		{"react 7k2m 👏", []string{"chat.act"}},
		{"captions 7k2m", []string{"captions"}},
	} {
		got, stderr, code := call{home: dir}.run(t, append(strings.Fields(c.args), "--json")...)
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		if code != 0 || len(lines) != len(c.lines) {
			t.Errorf("%s: code %d, %q, printed\n%s", c.args, code, stderr, got)
			continue
		}
		for i, line := range lines {
			checkLine(t, defs, c.lines[i], line)
		}
	}
}

func TestPieces(t *testing.T) {
	for _, test := range []struct {
		line string
		want []string
	}{
		{"", nil}, {"  a  b ", []string{"a b"}}, {"one two three", []string{"one two", "three"}},
		{"abcdefghijk", []string{"abcdefgh", "ijk"}}, {"a éééééé", []string{"a", "éééé", "éé"}},
	} {
		got := pieces(test.line, 8)
		if !slices.Equal(got, test.want) {
			t.Errorf("%q is cut into %q", test.line, got)
		}
		for _, part := range got {
			if !utf8.ValidString(part) {
				t.Errorf("%q is no text", part)
			}
		}
	}
}

// chatSeen is `chats HOME ROOM TEXT...`: until that home's node shows these
// messages, in this order, and no others; one that is hidden has no text.
func chatSeen(ts *testscript.TestScript, _ bool, args []string) {
	readSeen(ts, args, func(chat web.Chat) (texts []string) {
		for _, m := range chat.Messages {
			texts = append(texts, m.Text)
		}
		return texts
	})
}

// captionsSeen is `captioned HOME ROOM TEXT...`, the same of captions.
func captionsSeen(ts *testscript.TestScript, _ bool, args []string) {
	readSeen(ts, args, func(chat web.Chat) (texts []string) {
		for _, c := range chat.Captions {
			texts = append(texts, c.Text)
		}
		return texts
	})
}

func readSeen(ts *testscript.TestScript, args []string, texts func(web.Chat) []string) {
	until(ts, strings.Join(args[2:], ", "), func() bool {
		api, token, err := store.ReadAPIFile(args[0])
		ts.Check(err)
		chat, err := client.New(api, token).Chat(context.Background(), args[1])
		return err == nil && slices.Equal(texts(chat), args[2:])
	})
}
