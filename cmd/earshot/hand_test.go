package main

import (
	"context"
	"slices"
	"strings"
	"testing"
)

func (f *fakeNode) Hand(_ context.Context, _ string, up bool) error {
	if up {
		return f.act("hand up")
	}
	return f.act("hand down")
}

func (f *fakeNode) Lower(_ context.Context, _, who string) error { return f.act("lower " + who) }

func TestHands(t *testing.T) {
	f := &fakeNode{view: sky()}
	for i := range f.view.Members {
		f.view.Members[i].WaitingMS = int64(i * f.view.Members[i].Hand * 60_000)
	}
	dir := home(t, f)
	for _, c := range []struct{ args, want string }{
		{"hand up 7k2m", "Your hand is up in Why the sky is dark. Your place in line: earshot hand list 7k2mabcd\n"},
		{"hand down 7k2m", "Your hand is down in Why the sky is dark.\n"},
		{"hand list 7k2m", "  1  dewi (you)       2 min\n  2  eko              6 min\n"},
		{"stage grant 7k2m eko", "eko may speak in Why the sky is dark. The microphone stays off until they turn it on.\n"},
		{"stage lower 7k2m eko", "eko's hand is down in Why the sky is dark.\n"},
		{"hand up 7k2m --json", `{"event":"hand_up","room":"` + roomID + `"}` + "\n"},
	} {
		if got, stderr, code := (call{home: dir}).run(t, strings.Fields(c.args)...); got != c.want || code != 0 {
			t.Errorf("%s: code %d, %q %q, want %q", c.args, code, got, stderr, c.want)
		}
	}
	if want := []string{"hand up", "hand down", "grant eko speaker", "lower eko", "hand up"}; !slices.Equal(f.acts, want) {
		t.Errorf("acts %q", f.acts)
	}
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"hand", "earshot: earshot hand needs down, list or up; for example: earshot hand up 7k2m\n", 2},
		{"hand over 7k2m", "earshot: earshot hand has no part \"over\"; it has down, list or up\n", 2},
		{"stage grant 7k2m", "earshot: earshot stage grant needs PEER; for example: earshot stage grant 7k2m budi\n", 2},
	} {
		if _, stderr, code := (call{home: dir}).run(t, strings.Fields(c.args)...); stderr != c.want || code != c.code {
			t.Errorf("%s: code %d, %q, want %q", c.args, code, stderr, c.want)
		}
	}
	got, _, _ := call{home: dir}.run(t, "__complete", "stage", "grant", "7k2m", "")
	if !strings.Contains(got, "eko\t") || strings.Contains(got, "budi") {
		t.Errorf("Tab offers %q", got)
	}
}
