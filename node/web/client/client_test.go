package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// What a node answers is tested with the node's side, in package web. Here
// stands what no node of ours would do.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// against serves every request with f.
func against(t *testing.T, f http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex() // a stream's body does not end
		f(w, r)
	}))
	c := New(server.URL+"/", "token")
	t.Cleanup(func() {
		c.CloseIdle()
		server.Close()
	})
	return c
}

func messageOf(err error) string {
	if p, ok := errors.AsType[*protocol.Problem](err); ok && p.Code == protocol.CodeNoNode {
		return p.Message
	}
	return ""
}

func TestAnotherProgramAtTheAddress(t *testing.T) {
	const want = "another program answers at the node's address"
	for name, f := range map[string]http.HandlerFunc{
		"not found": http.NotFound,
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
		"odd JSON": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400); io.WriteString(w, `{"error":"x"}`) },
		"welcome":  func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<h1>It works!</h1>") },
	} {
		c := against(t, f)
		if _, err := c.Status(t.Context()); messageOf(err) != want {
			t.Errorf("%s: Status: %v", name, err)
		}
		if name == "welcome" {
			continue // a stream of it breaks at its first event
		}
		if _, err := c.Listen(t.Context(), "7k2m", false); messageOf(err) != want {
			t.Errorf("%s: Listen: %v", name, err)
		}
		if _, err := c.Speak(t.Context(), "7k2m"); messageOf(err) != want {
			t.Errorf("%s: Speak: %v", name, err)
		}
	}
}

// A node that is killed in the middle says nothing more.
func TestNodeDiesInTheMiddle(t *testing.T) {
	const want = "the node has stopped answering"
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		protodelim.MarshalTo(w, &pb.LocalEvent{What: &pb.LocalEvent_Event{Event: `{"event":"speaking"}`}})
		rc.Flush()
		conn, _, err := rc.Hijack()
		if err == nil {
			conn.Close()
		}
	})
	l, err := c.Listen(t.Context(), "7k2m", false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Next(); messageOf(err) != want {
		t.Errorf("Next: %v", err)
	}
	s, err := c.Speak(t.Context(), "7k2m")
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = s.Packet([]byte("x"), 0)
	}
	if messageOf(err) != want {
		t.Errorf("Packet: %v", err)
	}
	if _, err := s.Finish(); messageOf(err) != want {
		t.Errorf("Finish: %v", err)
	}
}

func TestRoomPath(t *testing.T) {
	for room, want := range map[string]string{
		"7k2m": "/api/v1/rooms/7k2m/close", "earshot:room/7k/x": "/api/v1/rooms/earshot:room%2F7k%2Fx/close",
		"": "/api/v1/rooms/%3F/close", "..": "/api/v1/rooms/..%3F/close", ".a": "/api/v1/rooms/.a/close",
	} {
		if got := roomPath(room, "/close"); got != want {
			t.Errorf("%q is at %s", room, got)
		}
	}
}
