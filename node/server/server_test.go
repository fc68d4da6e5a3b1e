package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/node/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Run ends with its context, though somebody streams, and with it its children.
func TestRunEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	streams, child := make(chan struct{}), make(chan struct{})
	handler := func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		close(streams)
		<-r.Context().Done()
	}
	done := make(chan error, 1)
	go func() {
		done <- server.Run(ctx, l, server.Config{Handler: http.HandlerFunc(handler), Conns: 4, HeadBytes: 1 << 10, Patience: time.Minute, Idle: time.Minute,
			Log: slog.New(slog.DiscardHandler)}, func(ctx context.Context) { <-ctx.Done(); close(child) })
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	<-streams
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-child
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

func TestMux(t *testing.T) {
	ok := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
	mux := server.Mux([]server.Route{{"GET", "/a", ok}, {"POST", "/a", ok}, {"DELETE", "/b/{id}", ok}}, func(w http.ResponseWriter, _ *http.Request, allow string) {
		if allow == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusMethodNotAllowed)
	})
	for _, test := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/a", 200, ""}, {"HEAD", "/a", 200, ""}, {"POST", "/a", 200, ""}, {"PUT", "/a", 405, "GET, HEAD, POST"},
		{"DELETE", "/b/1", 200, ""}, {"GET", "/b/1", 405, "DELETE"}, {"GET", "/", 404, ""}, {"GET", "/a/b", 404, ""},
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
		if w.Code != test.status || w.Header().Get("Allow") != test.allow {
			t.Errorf("%s %s: %d, %q", test.method, test.path, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestForeign(t *testing.T) {
	const own = "http://127.0.0.1:1"
	for _, test := range []struct {
		header http.Header
		want   bool
	}{
		{nil, false},
		{http.Header{"Origin": {own}}, false},
		{http.Header{"Origin": {"HTTP://127.0.0.1:1"}}, false},
		{http.Header{"Origin": {own, "http://evil.example"}}, true},
		{http.Header{"Origin": {"null"}}, true},
		{http.Header{"Origin": {own + "/"}}, true},
		{http.Header{"Sec-Fetch-Site": {"same-origin"}}, false},
		{http.Header{"Sec-Fetch-Site": {"none"}}, false},
		{http.Header{"Sec-Fetch-Site": {"same-site"}}, true},
		{http.Header{"Sec-Fetch-Site": {"none", "cross-site"}}, true},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header = test.header
		if got := server.Foreign(r, own); got != test.want {
			t.Errorf("%v: %v", test.header, got)
		}
	}
}

func TestStraight(t *testing.T) {
	for path, want := range map[string]bool{"/": true, "/a/b": true, "/a%2Fb": true, "/a/../b": false, "//a": false, "/a/": false, "/./a": false} {
		r := httptest.NewRequest("GET", "http://h"+path, nil)
		if got := server.Straight(r); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestBody(t *testing.T) {
	for kind, want := range map[string]bool{"application/sdp": true, "application/sdp; x=y": true, "application/sdpx": false, "": false, ";": false} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", kind)
		if got := server.Is(r, "application/sdp"); got != want {
			t.Errorf("%q: %v", kind, got)
		}
		r.Header.Add("Content-Type", kind)
		if server.Is(r, "application/sdp") {
			t.Errorf("%q twice", kind)
		}
	}
	for text, want := range map[string]error{"four": nil, "fives": server.ErrLarge} {
		got, err := server.Whole(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(text)), 4)
		if !errors.Is(err, want) || err == nil && string(got) != text {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	cut := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader("ab"), broken{}))
	if _, err := server.Whole(httptest.NewRecorder(), cut, 4); err == nil || errors.Is(err, server.ErrLarge) {
		t.Errorf("a cut body: %v", err)
	}
}

// broken is a body that was cut.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
