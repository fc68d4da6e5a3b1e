package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestDemoStays: a script gets the address of the demo's page, and Ctrl-C ends
// what would stay.
func TestDemoStays(t *testing.T) {
	home := t.TempDir()
	env := func(name string) (string, bool) { return home, name == "EARSHOT_HOME" }
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, in := io.Pipe()
	code := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		code <- run(ctx, []string{"demo", "--fast", "--stay", "--json", "--out", t.TempDir()}, strings.NewReader(""), in, &stderr, env)
		in.Close()
	}()
	var page string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var told struct{ Event, Page string }
		if err := json.Unmarshal(lines.Bytes(), &told); err != nil {
			t.Fatal(err)
		}
		if told.Event != "page" {
			continue
		}
		page = told.Page
		api, _, _ := strings.Cut(page, "#")
		response, err := http.Get(api)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%s: %v", api, err)
		} else {
			response.Body.Close()
		}
		interrupt()
	}
	select {
	case got := <-code:
		if got != exitDone && raced {
			t.Skipf("too slow with the race detector: %s", &stderr)
		}
		if got != exitDone || page == "" || stderr.Len() > 0 {
			t.Errorf("exit code %d, page %q, said %s", got, page, &stderr)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
}
