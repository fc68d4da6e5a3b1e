package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/node/web/client"
	"github.com/earshot-audio/earshot/protocol"
)

func TestEveryCallReachesTheNode(t *testing.T) {
	b := newBackend()
	server, c := up(t, b)
	ctx := t.Context()
	status, err := c.Status(ctx)
	if err != nil || status.Peer != "quiet-heron" || status.Addrs == nil || status.Dropped == nil {
		t.Errorf("Status: %+v, %v", status, err)
	}
	rooms, err := c.Rooms(ctx)
	if err != nil || len(rooms) != 1 || rooms[0].Title != "Why the sky is <dark>" || rooms[0].Topics == nil {
		t.Errorf("Rooms: %+v, %v", rooms, err)
	}
	room, err := c.Room(ctx, "7k2m")
	if err != nil || room.Term != 2 || room.Members == nil || room.Sources == nil {
		t.Errorf("Room: %+v, %v", room, err)
	}
	opened, err := c.Open(ctx, web.OpenRequest{Title: "Hello, wörld", Topics: []string{"a"}})
	if err != nil || opened.Notice != "Hello, wörld" {
		t.Errorf("Open: %+v, %v", opened, err)
	}
	page, err := c.Page(ctx)
	if err != nil || !strings.HasPrefix(page, server.Address()+"/#key=") {
		t.Errorf("Page: %q, %v", page, err)
	}
	if _, err := c.Reopen(ctx, "7k2m"); err != nil {
		t.Error(err)
	}
	next := time.Date(2026, 12, 1, 19, 0, 0, 0, time.FixedZone("WIB", 7*3600))
	if err := errors.Join(c.Close(ctx, "7k2m", time.Time{}), c.Close(ctx, "7k2m", next), c.Leave(ctx, "7k2m"),
		c.Follow(ctx, "7k2m", true), c.Follow(ctx, "7k2m", false)); err != nil {
		t.Error(err)
	}
	if want := []string{"open 7k2m", "reopen 7k2m", "close 7k2m", "close until 2026-12-01T12:00:00Z 7k2m", "leave 7k2m", "follow 7k2m", "unfollow 7k2m"}; !slices.Equal(b.did, want) {
		t.Errorf("did %q, want %q", b.did, want)
	}
	if got := text(t, send(t, server, "GET", "/metrics", nil, "")); got != "earshot_rooms 1\n" {
		t.Errorf("metrics: %q", got)
	}
}

// TestRoomsToComeAreAskedFor: who asks for rooms gets live ones, since programs take
// what they get for something to join.
func TestRoomsToComeAreAskedFor(t *testing.T) {
	b := newBackend()
	next := time.Now().Add(time.Hour)
	b.rooms = append(b.rooms, web.RoomLine{Room: "abcd", Title: "Later", State: web.StateComing, Closed: true, Next: &next})
	server, c := up(t, b)
	for query, want := range map[string]int{"": 1, "?state=live": 1, "?state=coming": 1, "?state=all": 2} {
		var rooms []web.RoomLine
		if err := json.Unmarshal([]byte(text(t, send(t, server, "GET", "/api/v1/rooms"+query, nil, ""))), &rooms); err != nil || len(rooms) != want {
			t.Errorf("%q: %d rooms, %v", query, len(rooms), err)
		}
	}
	if all, err := c.AllRooms(t.Context()); err != nil || len(all) != 2 || all[1].State != web.StateComing || !all[1].Next.Equal(next) {
		t.Errorf("%+v, %v", all, err)
	}
	if closed, err := c.ClosedRooms(t.Context()); err != nil || len(closed) != 1 || closed[0].State != web.StateClosed {
		t.Errorf("%+v, %v", closed, err)
	}
	if response := send(t, server, "GET", "/api/v1/rooms?state=gone", nil, ""); response.StatusCode != http.StatusBadRequest {
		t.Error(response.Status)
	}
}

func TestEmptyDirectoryIsAList(t *testing.T) {
	b := newBackend()
	b.rooms = nil
	server, _ := up(t, b)
	if got := text(t, send(t, server, "GET", "/api/v1/rooms", nil, "")); got != "[]\n" {
		t.Errorf("no rooms are %q", got)
	}
}

// A link has slashes and may have anything beside; it arrives as it was given.
func TestRoomsAreNamedAsPeopleDo(t *testing.T) {
	for _, name := range []string{"earshot:room/7k2m/aGlu_-dHM", "http://host/r#room/7k2m/x", "7k", "a b", "a%2Fb", "é?&=;+", "....x"} {
		b := newBackend()
		_, c := up(t, b)
		if err := c.Leave(t.Context(), name); codeOf(err) != protocol.CodeUnknownRoom {
			t.Errorf("%q: %v", name, err)
		}
		if !slices.Equal(b.did, []string{"leave " + name}) {
			t.Errorf("%q arrived as %q", name, b.did)
		}
	}
}

func codeOf(err error) string {
	if p, ok := errors.AsType[*protocol.Problem](err); ok {
		return p.Code
	}
	return ""
}

func TestProblemsArriveWhole(t *testing.T) {
	for code, status := range map[string]int{
		protocol.CodeUsage: 400, protocol.CodeUnknownRoom: 404, protocol.CodeAmbiguousRoom: 409, protocol.CodeClosedRoom: 409, protocol.CodeOpensLater: 409,
		protocol.CodeFullRoom: 503, protocol.CodeLinkCut: 400, protocol.CodeLinkForm: 400, protocol.CodeOtherNetwork: 400,
		protocol.CodeNotOnStage: 403, protocol.CodeNotHost: 403, protocol.CodeNotInRoom: 409, protocol.CodeBadAddress: 400,
		protocol.CodeMuted: 403, protocol.CodeFullLog: 409,
		protocol.CodeUnreachable: 502, protocol.CodeUnknownPeer: 404, protocol.CodeInternal: 500,
	} {
		b := newBackend()
		server, c := up(t, b)
		b.fault = &protocol.Problem{Code: code, Message: "this & that", Hint: "do so"}
		err := c.Close(t.Context(), "7k2m", time.Time{})
		if p, ok := errors.AsType[*protocol.Problem](err); !ok || p.Code != code || p.Error() != "this & that; do so" {
			t.Errorf("%s arrived as %v", code, err)
		}
		if got := send(t, server, "GET", "/api/v1/node", nil, "").StatusCode; got != status {
			t.Errorf("%s has the status %d, not %d", code, got, status)
		}
	}
}

// What is nobody's business outside stays inside.
func TestInternalErrorsKeepTheirText(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	b.fault = errors.New("open /a/path: denied")
	if _, err := c.Status(t.Context()); codeOf(err) != protocol.CodeInternal || strings.Contains(err.Error(), "path") {
		t.Errorf("got %v", err)
	}
}

func TestNoNode(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + listener.Addr().String()
	listener.Close()
	c := client.New(address, token)
	_, err = c.Rooms(t.Context())
	if codeOf(err) != protocol.CodeNoNode || err.Error() != "no node is running here; start one with: earshot up" {
		t.Errorf("got %v", err)
	}
	if _, err := c.Listen(t.Context(), "7k2m", false); codeOf(err) != protocol.CodeNoNode {
		t.Errorf("Listen: %v", err)
	}
	if _, err := c.Speak(t.Context(), "7k2m"); codeOf(err) != protocol.CodeNoNode {
		t.Errorf("Speak: %v", err)
	}
	if _, err := c.Events(t.Context(), ""); codeOf(err) != protocol.CodeNoNode {
		t.Errorf("Events: %v", err)
	}
}

func TestWrongToken(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	c := client.New(server.Address(), "another")
	defer c.CloseIdle()
	for what, call := range map[string]func(context.Context) error{
		"Status": func(ctx context.Context) error { _, err := c.Status(ctx); return err },
		"Open":   func(ctx context.Context) error { _, err := c.Open(ctx, web.OpenRequest{Title: "x"}); return err },
		"Listen": func(ctx context.Context) error { _, err := c.Listen(ctx, "7k2m", true); return err },
		"Speak":  func(ctx context.Context) error { _, err := c.Speak(ctx, "7k2m"); return err },
		"Events": func(ctx context.Context) error { _, err := c.Events(ctx, ""); return err },
	} {
		if err := call(t.Context()); codeOf(err) != protocol.CodeBadToken {
			t.Errorf("%s: %v", what, err)
		}
	}
	if b.acts.Load() != 0 {
		t.Errorf("did %q", b.did)
	}
}

func TestWHIP(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	const room = "/api/v1/rooms/7k2m"
	sdp := http.Header{"Content-Type": {"application/sdp"}}
	in := send(t, server, "POST", room+"/whip", sdp, "v=0\r\n")
	session := in.Header.Get("Location")
	if in.StatusCode != http.StatusCreated || in.Header.Get("Content-Type") != "application/sdp" || text(t, in) != "v=0 answer" {
		t.Errorf("whip: %s", in.Status)
	}
	if out := send(t, server, "POST", room+"/whep", sdp, "v=0\r\n"); out.StatusCode != http.StatusCreated || out.Header.Get("Location") != "/api/v1/sessions/out-1" {
		t.Errorf("whep: %s at %q", out.Status, out.Header.Get("Location"))
	}
	if options := send(t, server, "OPTIONS", room+"/whip", nil, ""); options.StatusCode != http.StatusNoContent || options.Header.Get("Accept-Post") != "application/sdp" {
		t.Errorf("options: %s", options.Status)
	}
	if patch := send(t, server, "PATCH", session, sdp, ""); patch.StatusCode != http.StatusMethodNotAllowed || patch.Header.Get("Allow") != "DELETE" {
		t.Errorf("patch: %s", patch.Status)
	}
	if end := send(t, server, "DELETE", session, nil, ""); end.StatusCode != http.StatusOK {
		t.Errorf("delete: %s", end.Status)
	}
	if want := []string{"publish 7k2m", "play 7k2m", "end 7k2m"}; !slices.Equal(b.did, want) {
		t.Errorf("did %q", b.did)
	}
}
