package protocol

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseStage(t *testing.T) {
	for _, c := range []struct {
		s     string
		stage Stage
		err   error
	}{
		{"host", StageHost, nil}, {"open", StageOpen, nil}, {"", StageHost, nil},
		{"Open", 0, ErrMalformed}, {" open", 0, ErrMalformed}, {"1", 0, ErrMalformed},
	} {
		if got, err := ParseStage(c.s); got != c.stage || !errors.Is(err, c.err) {
			t.Errorf("%q: %v %v", c.s, got, err)
		}
	}
	if StageHost.String() != "host" || StageOpen.String() != "open" {
		t.Errorf("%v %v", StageHost, StageOpen)
	}
}

// TestCreatedIsADate: whatever the clock says, the room can be opened, and the
// date be written.
func TestCreatedIsADate(t *testing.T) {
	c := people()
	for _, at := range []time.Time{{}, time.UnixMilli(-1), time.UnixMilli(0), time.UnixMilli(1_700_000_000_123), time.UnixMilli(1 << 62)} {
		g := c.tea().genesis()
		g.Created = at
		must(t, g.Seal(c.founder.key))
		got, err := OpenGenesis(g.Signed())
		must(t, err)
		_, err = json.Marshal(got.Created)
		if err != nil || !got.Created.Equal(g.Created) || at.UnixMilli() == 1_700_000_000_123 && !got.Created.Equal(at) {
			t.Errorf("%v came back as %v, %v", at, got.Created, err)
		}
	}
}

func TestSealRefusesWhatNobodyWouldOpen(t *testing.T) {
	c := people()
	for name, change := range map[string]func(g *Genesis){
		"no title":           func(g *Genesis) { g.Title = "" },
		"title not trimmed":  func(g *Genesis) { g.Title += " " },
		"title turned":       func(g *Genesis) { g.Title += "\u202e" },
		"title not UTF-8":    func(g *Genesis) { g.Title += "\xff" },
		"title too long":     func(g *Genesis) { g.Title = strings.Repeat("x", MaxTitleBytes+1) },
		"language too long":  func(g *Genesis) { g.Language = strings.Repeat("x", MaxLanguageBytes+1) },
		"network too long":   func(g *Genesis) { g.Network = strings.Repeat("x", MaxNetworkBytes+1) },
		"too many topics":    func(g *Genesis) { g.Topics = []string{"a", "b", "c", "d"} },
		"topic without word": func(g *Genesis) { g.Topics = []string{""} },
	} {
		g := c.tea().genesis()
		change(g)
		if err := g.Seal(c.founder.key); !errors.Is(err, ErrText) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenGenesisTakesNothing(t *testing.T) {
	if _, err := OpenGenesis(nil); !errors.Is(err, ErrLarge) {
		t.Error(err)
	}
}

func TestCleanTexts(t *testing.T) {
	for _, c := range []struct {
		clean func(string) (string, error)
		limit int
	}{{CleanTitle, MaxTitleBytes}, {CleanTopic, MaxTopicBytes}} {
		if s, err := c.clean("  e\u0301lan \n"); err != nil || s != "élan" {
			t.Errorf("%q %v", s, err)
		}
		if s, err := c.clean(""); err != nil || s != "" {
			t.Errorf("%q %v", s, err)
		}
		if _, err := c.clean(strings.Repeat("x", c.limit)); err != nil {
			t.Error(err)
		}
		if _, err := c.clean(strings.Repeat("x", c.limit+1)); !errors.Is(err, ErrText) {
			t.Error(err)
		}
	}
}
