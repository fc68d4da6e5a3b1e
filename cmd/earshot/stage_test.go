package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

func (f *fakeNode) Act(_ context.Context, _ string, r web.ActRequest) error {
	what := []string{r.Act}
	for _, word := range []string{r.Peer, r.Role, r.Text, strings.Join(r.Topics, " ")} {
		if word != "" {
			what = append(what, word)
		}
	}
	if r.ForMS > 0 {
		what = append(what, fmt.Sprint(time.Duration(r.ForMS)*time.Millisecond))
	}
	if r.MayUnmute {
		what = append(what, "may unmute")
	}
	return f.act(strings.Join(what, " "))
}

func (f *fakeNode) Log(context.Context, string) (web.RoomLog, error) {
	return web.RoomLog{Room: roomID, Hash: strings.Repeat("ab", 32), Actions: []web.LogLine{
		{Actor: budiID, Name: "budi", Act: web.ActGrant, Peer: citraID, PeerName: "citra", Role: "moderator", Right: "host", Stands: true},
		{Actor: citraID, Name: "citra", Act: web.ActBan, Peer: dewiID, ForMS: 3_600_000, EndedBy: budiID},
	}, Standing: web.Standing{Opened: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), Muted: []string{}, Host: budiID, Moderators: []string{citraID}, Speakers: []string{}, Carriers: []string{}, Banned: []string{dewiID},
		Title: "Why the sky is dark", Topics: []string{}, Stage: "open", Locked: true}}, nil
}

func (f *fakeNode) ExportLog(context.Context, string) ([]byte, error) {
	return []byte("earshot log 1\n"), nil
}

func TestStageActs(t *testing.T) {
	f := &fakeNode{view: sky()}
	dir := home(t, f)
	for _, c := range []struct{ args, want, act string }{
		{"stage grant 7k2m eko --role moderator", "eko is a moderator of Why the sky is dark: may speak, let others on stage, mute, remove and ban.\n", "grant eko moderator"},
		{"stage revoke 7k2m eko", "eko is in the audience of Why the sky is dark. Anybody may speak there, so they are muted, until: earshot stage unmute 7k2mabcd eko\n", "revoke eko"},
		{"stage revoke 7k2m eko --role carrier", "eko is no longer carrier in Why the sky is dark.\n", "revoke eko carrier"},
		{"stage mute 7k2m eko", "eko is muted in Why the sky is dark, until: earshot stage unmute 7k2mabcd eko\n", "mute eko"},
		{"stage mute 7k2m --all --may-unmute", "All but its host and moderators are muted in Why the sky is dark, until they turn their microphone on again\n", "mute may unmute"},
		{"stage unmute 7k2m --all", "All but its host and moderators are not muted any more in Why the sky is dark.\n", "unmute"},
		{"mod remove 7k2m eko", "eko is out of Why the sky is dark, without any role, and may come again to listen. To keep them out: earshot stage ban 7k2mabcd eko\n", "remove eko"},
		{"mod ban 7k2m eko --for 1h", "eko is banned from Why the sky is dark, for 60 min\n", "ban eko 1h0m0s"},
		{"mod unban 7k2m eko", "eko may come into Why the sky is dark again.\n", "unban eko"},
		{"mod pause 7k2m", "Why the sky is dark is paused: nobody is heard, comes in or writes, until: earshot room resume 7k2mabcd\n", "pause"},
		{"room resume 7k2m", "Why the sky is dark goes on.\n", "resume"},
		{"room set 7k2m --title Blue", "In Why the sky is dark you called the room \"Blue\".\n", "title Blue"},
		{"room set 7k2m --stage moderators", "In Why the sky is dark you gave the stage to host and moderators alone.\n", "stage moderators"},
		{"room set 7k2m --unlock", "In Why the sky is dark you unlocked the room.\n", "unlock"},
		{"room set 7k2m --topic sky --topic light", "In Why the sky is dark you set the topics to sky, light.\n", "topics sky light"},
	} {
		f.acts = nil
		if got, stderr, code := (call{home: dir}).run(t, strings.Fields(c.args)...); got != c.want || code != 0 {
			t.Errorf("%s: code %d, %q %q, want %q", c.args, code, got, stderr, c.want)
		}
		if !slices.Equal(f.acts, []string{c.act}) {
			t.Errorf("%s: asked for %q, want %q", c.args, f.acts, c.act)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"stage grant 7k2m eko --role host", `earshot: --role: "host" is not one of speaker, moderator, carrier`},
		{"stage mute 7k2m", "earshot: earshot stage mute needs PEER (or --all); "},
		{"stage mute 7k2m eko --all", `earshot: earshot stage mute does not know what to do with "eko"; `},
		{"stage ban 7k2m eko --for=-1h", "earshot: --for: a ban can't last less than no time; "},
		{"room set 7k2m", "earshot: it is not said what to set; for example: earshot room set 7k2m --title"},
		{"room set 7k2m --lock --unlock", "earshot: a room is locked or unlocked, not both; "},
		{"room set 7k2m --at tomorrow", `earshot: --at: "tomorrow" is no time; `},
		{"room set 7k2m --at 2001-01-01T10:00", "earshot: --at: 2001-01-01T10:00 is over"},
		{"room set 7k2m --stage any", `earshot: --stage: "any" is not one of `},
	} {
		if _, stderr, code := (call{home: dir}).run(t, strings.Fields(c.args)...); !strings.HasPrefix(stderr, c.want) || strings.Count(stderr, "\n") != 1 || code != 2 {
			t.Errorf("%s: code %d, %q, want %q", c.args, code, stderr, c.want)
		}
	}
	if got, _, _ := (call{home: dir}).run(t, "__complete", "stage", "mute", "7k2m", ""); !strings.Contains(got, "budi\t") || strings.Contains(got, "dewi") {
		t.Errorf("Tab offers %q", got)
	}
}

// TestLog: the log in words, in which those have one's own names who have some.
func TestLog(t *testing.T) {
	f := &fakeNode{view: sky()}
	got, stderr, code := call{home: home(t, f)}.run(t, "log", "7k2m")
	for _, want := range []string{"budi   opened the room\n", "budi   made Citra a moderator           host\n",
		"Citra  banned 12D3KooW…Dewi for 60 min  does not stand: budi had ended Citra's moderating\n",
		"  moderators Citra\n", "  banned     12D3KooW…Dewi\n", "  room       open, locked, 2 actions\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("code %d, %q: it does not say %q:\n%s", code, stderr, want, got)
		}
	}
}

// TestBansWithALife: the log alone can't tell whether such a ban is over.
func TestBansWithALife(t *testing.T) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.Local)
	for _, c := range []struct {
		lines []web.LogLine
		want  string
	}{
		{[]web.LogLine{{Act: web.ActBan, Peer: citraID, Stands: true}}, ""},
		{[]web.LogLine{{Act: web.ActBan, Peer: citraID, Stands: true, ForMS: 6000, At: at}, {Act: web.ActBan, Peer: dewiID, Stands: true}}, " (for 6 s since 2026-11-01 12:00)"},
		{[]web.LogLine{{Act: web.ActBan, Peer: citraID, Stands: true, ForMS: 6000, At: at}, {Act: web.ActBan, Peer: citraID, Stands: true}}, ""},
		{[]web.LogLine{{Act: web.ActBan, Peer: citraID, ForMS: 6000}}, ""},
	} {
		if got := banLife(c.lines, citraID); got != c.want {
			t.Errorf("%+v: %q", c.lines, got)
		}
	}
}

// TestLogWords: who did what, by which right, and why not, is said of each kind of act.
func TestLogWords(t *testing.T) {
	names := calledIn{budiID: "budi", citraID: "citra"}
	for _, c := range []struct {
		line             web.LogLine
		whom, act, right string
	}{
		{web.LogLine{Act: web.ActGrant, Role: "speaker", Peer: citraID, Stands: true, Right: "host"}, "citra", "let citra on stage", "host"},
		{web.LogLine{Act: web.ActGrant, Role: "carrier", Peer: citraID, Stands: true, Right: "moderator", By: budiID}, "citra", "let citra carry the sound", "moderator by budi"},
		{web.LogLine{Act: web.ActRevoke, Role: "speaker", Peer: citraID, Stands: true, Right: "host"}, "citra", "moved citra to the audience", "host"},
		{web.LogLine{Act: web.ActRevoke, Role: "moderator", Peer: citraID, Stands: true, Right: "host"}, "citra", "took moderating from citra", "host"},
		{web.LogLine{Act: web.ActRevoke, Role: "moderator", Actor: citraID, Peer: citraID, Stands: true, Right: "moderator", By: budiID}, "citra", "gave back the role of moderator", "moderator by budi"},
		{web.LogLine{Act: web.ActMute, Peer: citraID, MayUnmute: true, Stands: true, Right: "host"}, "citra", "muted citra, until they turn their microphone on again", "host"},
		{web.LogLine{Act: web.ActMute, Stands: true, Right: "host"}, "", "muted everybody but host and moderators", "host"},
		{web.LogLine{Act: web.ActUnmute, Stands: true, Right: "host"}, "", "unmuted everybody", "host"},
		{web.LogLine{Act: web.ActUnknown, Stands: true, Right: "host"}, "", "did something that this version does not know", "host"},
		{web.LogLine{Act: web.ActLock, Actor: citraID, EndedBy: citraID}, "", "locked the room", "does not stand: citra had given moderating back"},
		{web.LogLine{Act: web.ActLock, Actor: citraID}, "", "locked the room", "does not stand: nor does what made citra a moderator"},
	} {
		if act, right := actWords(c.line, c.whom), rightWords(c.line, names); act != c.act || right != c.right {
			t.Errorf("%+v: %q, %q", c.line, act, right)
		}
	}
}

// exportedLog is the log of a room in which its founder made a moderator, who
// banned somebody.
func exportedLog(t testing.TB) []byte {
	t.Helper()
	var keys []crypto.PrivKey
	var ids []protocol.PeerID
	for range 3 {
		key, public, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := public.Raw() // of a key just made
		id, err := protocol.PeerOf(raw)
		if err != nil {
			t.Fatal(err)
		}
		keys, ids = append(keys, key), append(ids, id)
	}
	g := &protocol.Genesis{Title: "Kept", Created: time.Now()}
	if err := g.Seal(keys[0]); err != nil {
		t.Fatal(err)
	}
	l := roster.New(g)
	for i, deed := range []protocol.Deed{protocol.Grant{Peer: ids[1], Role: protocol.RoleModerator, Share: 5}, protocol.Ban{Peer: ids[2]}} {
		a, err := l.Draft(ids[i])
		if err == nil {
			a.At, a.Deed = time.Now(), deed
			err = a.Seal(keys[i])
		}
		if err == nil {
			_, _, err = l.Add(a)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return l.Export()
}

// A log is checked without any node, and so is a broken one.
func TestLogVerify(t *testing.T) {
	whole := exportedLog(t)
	lines := strings.SplitAfter(string(whole), "\n")
	for name, c := range map[string]struct{ text, says string }{
		"whole":     {string(whole), "All of it holds: every signature, every right, nothing missing."},
		"empty":     {"", "not an exported log"},
		"other":     {"hello\n", "not an exported log"},
		"cut":       {strings.Join(lines[:3], ""), "the log is cut short"},
		"one less":  {strings.Join(slices.Delete(slices.Clone(lines), 3, 4), ""), "the log is cut short"},
		"reordered": {lines[0] + lines[1] + lines[3] + lines[2] + lines[4], "line 3: "},
		"changed":   {lines[0] + lines[1] + "action CgAA" + lines[2][11:] + lines[3] + lines[4], "line 3: "},
	} {
		file := filepath.Join(t.TempDir(), "room.log")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, code := call{home: t.TempDir()}.run(t, "log", "verify", file)
		if says := stdout + stderr; !strings.Contains(says, c.says) || (code == 0) != (name == "whole") || strings.Count(stderr, "\n") > 1 {
			t.Errorf("%s: code %d, it does not say %q:\n%s", name, code, c.says, says)
		}
	}
	_, stderr, code := call{home: t.TempDir()}.run(t, "log", "verify", "none.log", "--json")
	if !strings.Contains(stderr, `"code":"no_file"`) || code != 1 {
		t.Errorf("code %d, %s", code, stderr)
	}
	defs := readSchema(t)
	stdout, _, _ := call{home: t.TempDir(), stdin: strings.NewReader(string(whole))}.run(t, "log", "verify", "-", "--json")
	shown := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(shown) != 3 {
		t.Fatalf("%d lines:\n%s", len(shown), stdout)
	}
	checkLine(t, defs, "log.action", shown[1])
	checkLine(t, defs, "log", shown[2])
}

// FuzzLogVerify has `log verify` read anything.
func FuzzLogVerify(f *testing.F) {
	f.Add(exportedLog(f))
	f.Add([]byte("earshot log 1\ngenesis AAAA\n"))
	f.Add([]byte("earshot log 1\nhash 00\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, stderr, code := (call{home: t.TempDir(), stdin: strings.NewReader(string(text))}).run(t, "log", "verify", "-"); (code != 0) != (stderr != "") {
			t.Errorf("code %d, %q", code, stderr)
		}
	})
}
