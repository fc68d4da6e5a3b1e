package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/earshot-audio/earshot/node/store"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/node/web/client"
)

func TestMain(m *testing.M) {
	// They wait more than they compute. A flag of who runs them goes before.
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"earshot": main})
}

// TestScripts runs testdata/script: the program as a person calls it.
func TestScripts(t *testing.T) {
	t.Parallel()
	schema, err := filepath.Abs(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_STATE_HOME", "")
			env.Setenv("LOCALAPPDATA", env.WorkDir)
			env.Setenv("EARSHOT_HOME", env.WorkDir+"/home")
			env.Setenv("SCHEMA", schema)
			env.Setenv("VOICE", env.WorkDir+"/voice.ogg")
			return os.WriteFile(env.WorkDir+"/voice.ogg", talkFile(t, 150), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"another":   another,
			"appears":   appears,
			"await":     await,
			"captioned": captionsSeen,
			"chats":     chatSeen,
			"code":      exitCode,
			"fits":      fitsSchema,
			"keep":      keep,
			"queue":     queueSeen,
			"recording": recordingSeen,
			"same":      samePackets,
			"spoil":     spoil,
			"warned":    warned,
		},
	})
}

// exitCode is `code N COMMAND...`: the command ends with exactly that code.
func exitCode(ts *testscript.TestScript, not bool, args []string) {
	if not || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if want, err := strconv.Atoi(args[0]); err != nil || got != want {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// patience bounds what is to happen, however soon.
const patience = 30 * time.Second

// until calls ready until it holds.
func until(ts *testscript.TestScript, what string, ready func() bool) {
	for end := time.Now().Add(patience); !ready(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// await is `await HOME`: until the node of that home answers.
func await(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, "the node of "+args[0], func() bool {
		api, token, err := store.ReadAPIFile(args[0])
		if err != nil {
			return false
		}
		_, err = client.New(api, token).Status(context.Background())
		return err == nil
	})
}

// appears is `appears FILE TEXT`: until the text is in the file.
func appears(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, args[1]+" in "+args[0], func() bool {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && strings.Contains(string(b), args[1])
	})
}

// warned is `warned HOME TEXT`: until that home's node warns so.
func warned(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, "a warning of "+args[1], func() bool {
		api, token, err := store.ReadAPIFile(args[0])
		ts.Check(err)
		status, err := client.New(api, token).Status(context.Background())
		ts.Check(err)
		return slices.ContainsFunc(status.Warnings, func(w string) bool { return strings.Contains(w, args[1]) })
	})
}

// another is `another VARIABLE ADDRESS`: the address, but of a peer that is
// not there.
func another(ts *testscript.TestScript, _ bool, args []string) {
	at, _, _ := strings.Cut(args[1], "/p2p/")
	ts.Setenv(args[0], at+"/p2p/12D3KooWMC3qbrFudvZonM1agmzcYm69zpq38ffDfkd92hrZXyiM")
}

// queueSeen is `queue HOME ROOM NAME...`: until that home's node shows these
// people's hands, in this order, and no others.
func queueSeen(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, "the queue "+strings.Join(args[2:], ", "), func() bool {
		api, token, err := store.ReadAPIFile(args[0])
		ts.Check(err)
		view, err := client.New(api, token).Room(context.Background(), args[1])
		ts.Check(err)
		return slices.EqualFunc(queued(view), args[2:], func(m web.Member, name string) bool { return string(m.Name) == name })
	})
}

// recordingSeen is `recording HOME ROOM`: until that home's node knows that
// somebody records the room, and sends them its sound.
func recordingSeen(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, "somebody to record", func() bool {
		api, token, err := store.ReadAPIFile(args[0])
		ts.Check(err)
		view, err := client.New(api, token).Room(context.Background(), args[1])
		ts.Check(err)
		return slices.ContainsFunc(view.Members, func(m web.Member) bool {
			return m.Recording && slices.ContainsFunc(view.Links, func(l web.LinkLine) bool { return l.Peer == m.Peer && l.Direction == "down" })
		})
	})
}

// fitsSchema is `fits NAME,... FILE`: the file's first line is the first of those
// in docs/cli.schema.json, each other line one of them.
func fitsSchema(ts *testscript.TestScript, _ bool, args []string) {
	defs, err := schemaAt(ts.Getenv("SCHEMA"))
	ts.Check(err)
	names := strings.Split(args[0], ",")
	for i, line := range slices.Collect(strings.Lines(ts.ReadFile(args[1]))) {
		err := lineFits(defs, names[0], line)
		for _, name := range names[1:] {
			if err != nil && i > 0 {
				err = lineFits(defs, name, line)
			}
		}
		ts.Check(err)
	}
}

// keep is `keep VARIABLE KEY FILE`: the key's value, or the first of its
// values, in the file's JSON.
func keep(ts *testscript.TestScript, _ bool, args []string) {
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[2])), &object))
	v := object[args[1]]
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	text, ok := v.(string)
	if !ok {
		ts.Fatalf("%s is %v", args[1], v)
	}
	ts.Setenv(args[0], strings.TrimPrefix(text, "http://"))
}

// spoil is `spoil FILE`: a token that is not the node's.
func spoil(ts *testscript.TestScript, _ bool, args []string) {
	api, _, err := store.ReadAPIFile(filepath.Dir(ts.MkAbs(args[0])))
	ts.Check(err)
	ts.Check(store.WriteAPIFile(filepath.Dir(ts.MkAbs(args[0])), api, "wrong"))
}

// samePackets is `same FILE FILE`: both hold the same packets in the same order.
func samePackets(ts *testscript.TestScript, _ bool, args []string) {
	var packets [2][][]byte
	for i, name := range args {
		var err error
		packets[i], err = packetsOf(strings.NewReader(ts.ReadFile(name)))
		ts.Check(err)
	}
	if !slices.EqualFunc(packets[0], packets[1], bytes.Equal) {
		ts.Fatalf("%d packets in %s, %d others in %s", len(packets[0]), args[0], len(packets[1]), args[1])
	}
}
