package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

// schema is as much of JSON Schema as docs/cli.schema.json uses.
type schema struct {
	Ref                  string             `json:"$ref"`
	Type                 string             `json:"type"`
	Const                any                `json:"const"`
	Enum                 []any              `json:"enum"`
	Required             []string           `json:"required"`
	Properties           map[string]*schema `json:"properties"`
	AdditionalProperties *schema            `json:"additionalProperties"`
	Items                *schema            `json:"items"`
	Defs                 map[string]*schema `json:"$defs"`
}

const schemaFile = "../../docs/cli.schema.json"

func readSchema(t testing.TB) map[string]*schema {
	t.Helper()
	defs, err := schemaAt(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return defs
}

func schemaAt(path string) (map[string]*schema, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s schema
	err = json.Unmarshal(b, &s)
	return s.Defs, err
}

// fits checks a value against a schema, and that it has no key which the
// schema does not tell of.
func fits(defs map[string]*schema, s *schema, at string, v any) error {
	if s.Ref != "" {
		s = defs[strings.TrimPrefix(s.Ref, "#/$defs/")]
	}
	if s.Const != nil && v != s.Const {
		return fmt.Errorf("%s is %v, not %v", at, v, s.Const)
	}
	if s.Enum != nil && !slices.Contains(s.Enum, v) {
		return fmt.Errorf("%s is %v, none of %v", at, v, s.Enum)
	}
	switch v := v.(type) {
	case map[string]any:
		return fitsObject(defs, s, at, v)
	case []any:
		for i, one := range v {
			if err := fits(defs, s.Items, fmt.Sprintf("%s[%d]", at, i), one); err != nil {
				return err
			}
		}
		return kindIs(at, s.Type, "array")
	case string:
		return kindIs(at, s.Type, "string")
	case bool:
		return kindIs(at, s.Type, "boolean")
	case float64:
		if v == math.Trunc(v) {
			return kindIs(at, s.Type, "integer", "number")
		}
		return kindIs(at, s.Type, "number")
	}
	return fmt.Errorf("%s is null", at)
}

func kindIs(at, want string, kinds ...string) error {
	if want == "" || slices.Contains(kinds, want) {
		return nil
	}
	return fmt.Errorf("%s is of type %s, not %s", at, kinds[0], want)
}

func fitsObject(defs map[string]*schema, s *schema, at string, v map[string]any) error {
	for _, key := range s.Required {
		if _, ok := v[key]; !ok {
			return fmt.Errorf("%s has no %q", at, key)
		}
	}
	for key, one := range v {
		child := s.Properties[key]
		if child == nil {
			child = s.AdditionalProperties
		}
		if child == nil {
			return fmt.Errorf("%s has %q, which the schema does not know", at, key)
		}
		if err := fits(defs, child, at+"."+key, one); err != nil {
			return err
		}
	}
	return kindIs(at, s.Type, "object")
}

// lineFits checks one line of output against a definition.
func lineFits(defs map[string]*schema, name, line string) error {
	var v any
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		return fmt.Errorf("%s: %w in %q", name, err, line)
	}
	if defs[name] == nil {
		return fmt.Errorf("the schema has no %q", name)
	}
	if err := fits(defs, defs[name], name, v); err != nil {
		return fmt.Errorf("%w:\n%s", err, line)
	}
	return nil
}

func checkLine(t testing.TB, defs map[string]*schema, name, line string) {
	t.Helper()
	if err := lineFits(defs, name, line); err != nil {
		t.Error(err)
	}
}

// TestOutputFitsSchema runs every command with --json against a node and checks
// each line that it prints.
func TestOutputFitsSchema(t *testing.T) {
	defs := readSchema(t)
	f := twoVoices(t, 3)
	next := time.Now()
	f.rooms = []web.RoomLine{{Room: roomID, Title: "T", Stage: "open", Started: time.Now()}, {Room: "q" + roomID[1:], Title: "U", Stage: "open", State: web.StateComing, Next: &next}}
	f.view.Sources = []web.SourceLine{{Peer: anaID, Source: 11}}
	f.status = web.Status{Links: f.view.Links, Dropped: map[string]int64{"stale": 1},
		Reach: web.Reach{Reach: "private", NAT: "dependent", UDP: "blocked", IPv4: "private", IPv6: "none", Serves: web.Serves{Policy: "rooms"}}}
	f.diagnosis, f.met = ill(), web.Met{Found: 1, Neighbors: 1}
	f.reports = web.RoomReports{Room: roomID, MayRead: true, Reports: []web.ReportLine{ekoReported()}, Sent: []web.SentReport{{Room: roomID}}}
	talk := filepath.Join(t.TempDir(), "talk.ogg")
	if err := os.WriteFile(talk, talkFile(t, 3), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := home(t, f)
	for _, c := range []struct {
		args  string
		lines []string // their definitions, in order
	}{
		{"rooms", []string{"rooms"}},
		{"room 7k2m", []string{"room"}},
		{"status", []string{"status"}},
		{"doctor", []string{"doctor"}},
		{"meet --local", []string{"meet"}},
		{"rooms --all", []string{"rooms", "rooms"}},
		{"open T", []string{"open"}},
		{"open T --at 2126-12-01T19:00:00Z", []string{"open"}},
		{"reopen 7k2m", []string{"reopen"}},
		{"leave 7k2m", []string{"leave"}},
		{"close 7k2m", []string{"close"}},
		{"hand up 7k2m", []string{"hand"}},
		{"hand down 7k2m", []string{"hand"}},
		{"hand list 7k2m", []string{"hand.list", "hand.list"}},
		{"stage grant 7k2m eko", []string{"stage"}},
		{"stage lower 7k2m eko", []string{"stage"}},
		{"stage mute 7k2m --all", []string{"stage"}},
		{"mod ban 7k2m eko", []string{"stage"}},
		{"room set 7k2m --lock --title New", []string{"room.set"}},
		{"room pause 7k2m", []string{"room.set"}},
		{"log 7k2m", []string{"log.action", "log.action", "log"}},
		{"log 7k2m --export " + filepath.Join(t.TempDir(), "room.log"), []string{"log.export"}},
		{"block eko --for 1h", []string{"person.noted"}},
		{"call eko Eko", []string{"person.noted"}},
		{"following", []string{"person"}},
		{"following --rooms", []string{"following.room"}},
		{"follow --room 7k2m", []string{"room.followed"}},
		{"close 7k2m --at 2126-12-01T19:00:00Z", []string{"close"}},
		{"blocks", []string{"person"}},
		{"profile eko", []string{"profile"}},
		{"up", []string{"up.ready"}}, // of the node that is up
		{"listen 7k2m", []string{"listen.joined", "listen.first_frame", "listen.first_frame", "listen.relay", "listen.gap", "listen.summary"}},
		{"speak 7k2m " + talk, []string{"speak.speaking", "speak.summary"}},
		{"config path", []string{"config.path"}},
		{"config", slices.Repeat([]string{"config"}, len(allSettings()))},
		{"report 7k2m eko", []string{"report"}},
		{"reports 7k2m", []string{"reports.report", "report"}},
		{"reports 7k2m --dismiss 3", []string{"reports.dismissed"}},
		{"version", []string{"version"}},
	} {
		got, stderr, code := call{home: dir}.run(t, append(strings.Fields(c.args), "--json")...)
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		if code != 0 || len(lines) != len(c.lines) {
			t.Errorf("%s: code %d, %q, %d lines, want %d:\n%s", c.args, code, stderr, len(lines), len(c.lines), got)
			continue
		}
		for i, line := range lines {
			checkLine(t, defs, c.lines[i], line)
		}
	}
	f.met = web.Met{}
	for _, args := range []string{"meet --local", "meet --public", "doctor zzzz", "room zzzz", "romms", "listen earshot:room/cut"} {
		got, stderr, code := call{home: dir}.run(t, append(strings.Fields(args), "--json")...)
		if code == 0 || got != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: code %d, %q, %q", args, code, got, stderr)
		}
		checkLine(t, defs, "error", stderr)
	}
}
