package protocol

import (
	"strings"
	"testing"
	"time"
)

// chatFields are what people in a room write, hide, and show by an emoji.
type chatFields struct {
	Order uint64 `json:"order"`
	Name  string `json:"name"`
	Text  string `json:"text"`
	Said  uint64 `json:"said_ms"`
}

type hideFields struct {
	Order    uint64   `json:"order"`
	Peer     hexBytes `json:"peer"`
	Boot     uint64   `json:"boot"`
	Sequence uint64   `json:"sequence"`
	Lifted   bool     `json:"lifted"`
}

type captionFields struct {
	Utterance uint32 `json:"utterance"`
	Language  string `json:"language"`
	Text      string `json:"text"`
	Final     bool   `json:"final"`
}

// chatBody adds to a body what the fields say of chat.
func (f messageFields) chatBody(m message) message {
	switch {
	case f.Chat != nil:
		c := f.Chat
		return m.part(12, message{}.number(1, c.Order).text(2, c.Name).text(3, c.Text).number(4, c.Said))
	case f.Hide != nil:
		h := f.Hide
		return m.part(13, message{}.number(1, h.Order).bytes(2, h.Peer).number(3, h.Boot).number(4, h.Sequence).flag(5, h.Lifted))
	case f.Reaction != nil:
		return m.part(14, message{}.text(1, *f.Reaction))
	case f.Caption != nil:
		c := f.Caption
		return m.part(16, message{}.number(1, uint64(c.Utterance)).text(2, c.Language).text(3, c.Text).flag(4, c.Final))
	case f.Profile != nil:
		return m.part(18, message{}.text(1, f.Profile.Text).number(2, uint64(f.Profile.Colour)))
	}
	return m
}

// profileFields is a Profile.
type profileFields struct {
	Text   string `json:"text"`
	Colour Colour `json:"colour"`
}

// chatWords puts what a parsed message says of chat into f.
func (f *messageFields) chatWords(t testing.TB, m *Message) {
	t.Helper()
	if c := m.Chat; c != nil {
		f.Chat = &chatFields{c.Order, string(c.Name), c.Text, uint64(c.Said.UnixMilli())}
	}
	if h := m.Hide; h != nil {
		key, err := PeerKey(h.Of.From)
		must(t, err)
		f.Hide = &hideFields{h.Order, key, h.Of.Boot, h.Of.Sequence, h.Lifted}
	}
	if m.Reaction != nil {
		f.Reaction = &m.Reaction.Emoji
	}
	f.Profile = (*profileFields)(m.Profile)
	if c := m.Caption; c != nil {
		f.Caption = &captionFields{c.Utterance, c.Language, c.Text, c.Final}
	}
}

// chat puts what the fields say of chat into m.
func (f messageFields) chat(t testing.TB, m *Message) {
	t.Helper()
	if c := f.Chat; c != nil {
		m.Chat = &Chat{c.Order, Name(c.Name), c.Text, time.UnixMilli(int64(c.Said))}
	}
	if h := f.Hide; h != nil {
		p, err := PeerOf(h.Peer)
		must(t, err)
		m.Hide = &Hide{h.Order, MessageID{p, h.Boot, h.Sequence}, h.Lifted}
	}
	if f.Reaction != nil {
		m.Reaction = &Reaction{*f.Reaction}
	}
	m.Profile = (*Profile)(f.Profile)
	if c := f.Caption; c != nil {
		m.Caption = &Caption{c.Utterance, c.Language, c.Text, c.Final}
	}
}

func (c cast) goodChat(add func(name string, f messageFields)) {
	emoji := "❤️"
	add("chat", messageFields{Chat: &chatFields{Order: 7, Name: "ana", Text: "Selamat pagi!\n\nWhy not? (1 < 2)", Said: 1_700_000_000_123}})
	add("chat of 500 bytes", messageFields{Chat: &chatFields{Order: MaxOrder, Name: strings.Repeat("n", 48), Text: strings.Repeat("é", 250), Said: maxCreatedMS}})
	add("message hidden", messageFields{Hide: &hideFields{Order: 8, Peer: c.stranger.pub, Boot: 5, Sequence: 6}})
	add("all of one shown again", messageFields{Hide: &hideFields{Order: 9, Peer: c.stranger.pub, Lifted: true}})
	add("reaction", messageFields{Reaction: &emoji})
	add("caption", messageFields{Caption: &captionFields{Utterance: 3, Language: "zh-Hant", Text: "你好"}})
	add("caption that is whole", messageFields{Caption: &captionFields{Utterance: 1<<32 - 1, Text: "good evening", Final: true}})
	add("profile", messageFields{Profile: &profileFields{Text: "I read old newspapers aloud. 旧报纸", Colour: 12}})
	add("profile that says nothing", messageFields{Profile: &profileFields{}})
}

// badChat says what nobody may write.
func (c cast) badChat(said func(name string, f messageFields, err string)) {
	chat := func(name string, change func(f *chatFields), err string) {
		f := chatFields{Order: 1, Name: "ana", Text: "hello"}
		change(&f)
		said("chat: "+name, messageFields{Chat: &f}, err)
	}
	chat("order 0", func(f *chatFields) { f.Order = 0 }, "ErrMalformed")
	chat("order 2^53", func(f *chatFields) { f.Order = 1 << 53 }, "ErrMalformed")
	chat("no name", func(f *chatFields) { f.Name = "" }, "ErrName")
	for _, bad := range []struct{ name, text string }{{"no text", ""}, {"501 bytes", strings.Repeat("x", 501)}, {"turned around (bidi override)", "a\u202eb"},
		{"not in NFC", "e\u0301"}, {"a newline after it", "a\n"}, {"a space before it", " a"}, {"three newlines", "a\n\n\nb"}, {"a carriage return", "a\r\nb"},
		{"a tab", "a\tb"}, {"an escape", "\x1b[2J"}, {"begins with a mark", "\u0301a"}, {"that can't be seen", "\u200b"}} {
		chat("text with "+bad.name, func(f *chatFields) { f.Text = bad.text }, "ErrText")
	}
	chat("not UTF-8", func(f *chatFields) { f.Text = "a\xff" }, "ErrMalformed")
	said("hide: nobody's", messageFields{Hide: &hideFields{Order: 1}}, "ErrPeer")
	said("hide: order 0", messageFields{Hide: &hideFields{Peer: c.stranger.pub}}, "ErrMalformed")
	said("hide: a boot without a sequence", messageFields{Hide: &hideFields{Order: 1, Peer: c.stranger.pub, Boot: 3}}, "ErrMalformed")
	for _, bad := range []struct{ name, emoji string }{{"none", ""}, {"of 33 bytes", strings.Repeat("a", 33)}, {"with a newline", "a\nb"}} {
		said("reaction: "+bad.name, messageFields{Reaction: &bad.emoji}, "ErrText")
	}
	for _, bad := range []struct {
		name string
		f    captionFields
	}{{"utterance 0", captionFields{Text: "a"}}, {"no text", captionFields{Utterance: 1}}, {"301 bytes", captionFields{Utterance: 1, Text: strings.Repeat("x", 301)}},
		{"two lines", captionFields{Utterance: 1, Text: "a\nb"}}, {"two spaces", captionFields{Utterance: 1, Text: "a  b"}},
		{"a language of 13 bytes", captionFields{Utterance: 1, Text: "a", Language: "de-Latn-DE-xy"}}, {"a language that is no tag", captionFields{Utterance: 1, Text: "a", Language: "<b>"}}} {
		said("caption: "+bad.name, messageFields{Caption: &bad.f}, "ErrText")
	}
	for _, bad := range []struct {
		name string
		f    profileFields
	}{{"161 bytes", profileFields{Text: strings.Repeat("x", 161)}}, {"two lines", profileFields{Text: "a\nb"}}, {"a space after it", profileFields{Text: "a "}},
		{"turned around (bidi override)", profileFields{Text: "a\u202eb"}}, {"colour 13", profileFields{Colour: 13}}} {
		said("profile: "+bad.name, messageFields{Profile: &bad.f}, "ErrText")
	}
}
