package main

import (
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
)

// FuzzConfigEdit sets and unsets a key in any text: what was a config.toml is
// one afterwards, with the other settings as they were.
func FuzzConfigEdit(f *testing.F) {
	for _, text := range []string{
		"", "\n", "# only a comment", "name = \"ana\"\n", "name=\"ana\" # who\nno-mdns = true",
		"listen = [\n \"a\", # one\n \"b\",\n]\nname = 'x'\n", "\"name\" = \"quoted\"\n",
		"network = \"\"\"\nname = 1\n\"\"\"\n", "name = \"\"\"a\nb\"\"\"\nno-dht = false\n", "[name]\n", "name = = 3",
	} {
		f.Add(text, "quiet \"heron\"\n\\")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		key, _ := settingOfFile("name")
		before, err := parseConfig("config.toml", text)
		sound := err == nil
		for _, line := range []string{key.line([]string{name}), ""} {
			after, err := edited("config.toml", text, "name", line)
			if err != nil || !sound {
				continue
			}
			now, err := parseConfig("config.toml", after)
			if err != nil {
				t.Fatalf("%q became %q: %v", text, after, err)
			}
			if !sameBut("name", before, now) {
				t.Fatalf("%q became %q", text, after)
			}
			v, set := now["name"]
			if line == "" && set || line != "" && !slices.Equal(v.words, []string{name}) {
				t.Fatalf("%q became %q, where name is %q", text, after, v.words)
			}
		}
	})
}

func TestPlatformHome(t *testing.T) {
	env := func(pairs ...string) lookup {
		return func(name string) (string, bool) {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1], true
				}
			}
			return "", false
		}
	}
	for _, c := range []struct {
		system string
		env    lookup
		want   string
	}{
		{"linux", env("HOME", "/home/ana"), "/home/ana/.local/state/earshot"},
		{"linux", env("HOME", "/home/ana", "XDG_STATE_HOME", "/state"), "/state/earshot"},
		{"darwin", env("HOME", "/Users/ana"), "/Users/ana/Library/Application Support/Earshot"},
		{"windows", env("LOCALAPPDATA", "/local"), "/local/Earshot"},
		{"linux", env(), ""},
	} {
		if got := platformHome(c.system, c.env); got != c.want {
			t.Errorf("%s: %q, want %q", c.system, got, c.want)
		}
	}
}

// TestFirstSignal: a signal that comes twice at once is one Ctrl-C.
func TestFirstSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process can't send itself a signal here")
	}
	ctx, stop := interruptible(t.Context())
	defer stop()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := self.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-ctx.Done():
	case <-time.After(patience):
		t.Error("the signal did not end the context")
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 59 * time.Second: "59 s", 18 * time.Minute: "18 min", 3 * time.Hour: "3 h", 72 * time.Hour: "3 days",
	} {
		if got := ago(d); got != want {
			t.Errorf("ago(%v) is %q, want %q", d, got, want)
		}
	}
	if got := clock(3*time.Hour + 2*time.Minute + time.Second); got != "3:02:01" {
		t.Errorf("clock: %q", got)
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 2013: "2 013", 1234567: "1 234 567"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) is %q, want %q", n, got, want)
		}
	}
}
