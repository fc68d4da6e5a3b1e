package protocol

import (
	"strings"
	"testing"
	"time"
)

func TestCleanChat(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"hello", "hello"},
		{"  hello \r\n", "hello"},
		{"one\r\ntwo\rthree", "one\ntwo\nthree"},
		{"a\n\n\n\n\nb", "a\n\nb"},
		{"a\u2029\u2029b", "a\n\nb"},
		{"a\tb\u00a0c", "a b c"},
		{"bidi \u202eoverride\u202c and \u2066isolate\u2069", "bidi override and isolate"},
		{"\x1b[31mred\x00", "[31mred"},
		{"e\u0301", "é"},
		{"👩\u200d👧 ❤️", "👩\u200d👧 ❤️"},
		{strings.Repeat("x", MaxChatBytes), strings.Repeat("x", MaxChatBytes)},
	} {
		got, err := CleanChat(test.in)
		if err != nil || got != test.want {
			t.Errorf("%q became %q, %v; want %q", test.in, got, err, test.want)
		}
	}
	for _, bad := range []string{"", " \n\t", "\u202e", "a\xff", strings.Repeat("x", MaxChatBytes+1), "\u0301a", "\u200da", strings.Repeat("\n", 5000) + "a"} {
		if got, err := CleanChat(bad); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

// FuzzCleanChat: what it gives out is what the wire takes, as it is.
func FuzzCleanChat(f *testing.F) {
	for _, s := range []string{"hello", "a\r\n\r\n\r\nb", "\u202e\u0301x", " \u2028 x \u2029", "e\u0301\n\u0301"} {
		f.Add(s)
	}
	k := someone(1)
	f.Fuzz(func(t *testing.T, s string) {
		clean, err := CleanChat(s)
		if err != nil {
			return
		}
		if again, err := CleanChat(clean); err != nil || again != clean {
			t.Errorf("%q became %q, then %q, %v", s, clean, again, err)
		}
		m := &Message{Boot: 1, Sequence: 1, Chat: &Chat{Order: 1, Name: "ana", Text: clean}}
		must(t, m.Seal(RoomID{}, k.key))
		got, err := ParseMessage(m.Raw)
		must(t, err)
		if got.Chat.Text != clean {
			t.Errorf("%q came as %q", clean, got.Chat.Text)
		}
	})
}

func TestCleanLanguage(t *testing.T) {
	for _, good := range []string{"", "id", "zh-Hant", "de-CH-1996", " vi "} {
		if _, err := CleanLanguage(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"x", "-", "a-", "e n", "en--us", "12", "muchtoolong", "zh-Hant-TW-xyz", "é"} {
		if _, err := CleanLanguage(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestReactionsFit: each of the set can be said.
func TestReactionsFit(t *testing.T) {
	k := someone(1)
	for _, emoji := range Reactions() {
		m := &Message{Boot: 1, Sequence: 1, Reaction: &Reaction{emoji}}
		must(t, m.Seal(RoomID{}, k.key))
		if got, err := ParseMessage(m.Raw); err != nil || !got.Reaction.Known() {
			t.Errorf("%q: %v", emoji, err)
		}
	}
	if (Reaction{"🍕"}).Known() {
		t.Error("one that is not in the set is known")
	}
}

// TestTheLongestChatFits: whatever the numbers, it is never too large to say.
func TestTheLongestChatFits(t *testing.T) {
	k := someone(1)
	chat := &Chat{Order: MaxOrder, Name: Name(strings.Repeat("n", MaxNameBytes)), Text: strings.Repeat("x", MaxChatBytes), Said: time.UnixMilli(maxCreatedMS)}
	must(t, (&Message{Boot: 1<<64 - 1, Sequence: 1<<64 - 1, Chat: chat}).Seal(RoomID{7}, k.key))
}
