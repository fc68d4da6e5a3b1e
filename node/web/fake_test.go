package web_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/node/web/client"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "the-token-of-the-test"

var (
	unknownRoom = &protocol.Problem{Code: protocol.CodeUnknownRoom, Message: "no room is known by this", Hint: "ask for its link"}
	notOnStage  = &protocol.Problem{Code: protocol.CodeNotOnStage, Message: "you are not on stage here", Hint: "ask the host"}
)

// backend is a node that has one room, "7k2m", and remembers what was done.
type backend struct {
	acts    atomic.Int64 // that changed something
	changed chan struct{}

	mu     sync.Mutex
	did    []string
	status web.Status
	rooms  []web.RoomLine
	view   web.RoomView
	fault  error // of every call, if not nil
	slow   time.Duration

	listening *listening
	speaking  *speaking
	cut       func() bool // of a demo
	chat      web.Chat
	people    []web.Person
	reports   web.RoomReports
	following []web.FollowedRoom
}

func newBackend() *backend {
	b := &backend{
		changed:   make(chan struct{}, 1),
		status:    web.Status{Peer: "quiet-heron", PeerID: "12D3KooW", Version: "0.1.0", UptimeMS: 1},
		rooms:     []web.RoomLine{{Room: "7k2m", Title: "Why the sky is <dark>", Link: "earshot:room/7k2m/x", Joined: true, Listed: true, State: web.StateLive}},
		view:      web.RoomView{Room: "7k2m", Title: "Why the sky is <dark>", Term: 2},
		listening: &listening{events: make(chan *pb.LocalEvent, 64), closed: make(chan struct{})},
		speaking:  &speaking{closed: make(chan struct{})},
	}
	b.cut = func() bool { return b.act("cut", "") == nil }
	return b
}

// act notes something that changes the node.
func (b *backend) act(what, room string) error {
	b.acts.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.did = append(b.did, what+" "+room)
	if b.fault == nil && room != "7k2m" {
		return unknownRoom
	}
	return b.fault
}

// change alters what the node shows, and says so.
func (b *backend) change(f func(b *backend)) {
	b.mu.Lock()
	f(b)
	b.mu.Unlock()
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

func (b *backend) Status(ctx context.Context) (web.Status, error) {
	select {
	case <-time.After(b.slow):
	case <-ctx.Done():
		return web.Status{}, ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.UptimeMS++
	return b.status, b.fault
}

func (b *backend) ClosedRooms(context.Context) ([]web.RoomLine, error) {
	return []web.RoomLine{{Room: "efgh", Title: "Over", State: web.StateClosed, Closed: true}}, nil
}

func (b *backend) Rooms(context.Context) ([]web.RoomLine, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]web.RoomLine(nil), b.rooms...), b.fault
}

func (b *backend) Room(_ context.Context, room string) (web.RoomView, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if room != b.view.Room {
		return web.RoomView{}, unknownRoom
	}
	b.view.TermSinceMS++
	return b.view, b.fault
}

func (b *backend) Changes() (<-chan struct{}, func()) { return b.changed, func() {} }

func (b *backend) Open(_ context.Context, r web.OpenRequest) (web.Opened, error) {
	return web.Opened{Room: "7k2m", Link: "earshot:room/7k2m/x", Notice: r.Title}, b.act("open", "7k2m")
}

func (b *backend) Listen(_ context.Context, room string, recording bool) (web.Listening, error) {
	what := "listen"
	if recording {
		what = "record"
	}
	return b.listening, b.act(what, room)
}

func (b *backend) Speak(_ context.Context, room string) (web.Speaking, error) {
	return b.speaking, b.act("speak", room)
}

func (b *backend) Hear(_ context.Context, room string) (web.Hearing, error) {
	return hearing{b.listening}, b.act("hear", room)
}

func (b *backend) Publish(_ context.Context, room, offer string) (string, string, error) {
	return "in/1", "v=0 answer", b.act("publish", room)
}

func (b *backend) Play(_ context.Context, room, offer string) (string, string, error) {
	return "out-1", "v=0 answer", b.act("play", room)
}

func (b *backend) EndSession(session string) bool {
	if session != "in/1" {
		return false
	}
	return b.act("end", "7k2m") == nil
}

func (b *backend) Leave(_ context.Context, room string) error { return b.act("leave", room) }
func (b *backend) Close(_ context.Context, room string, next time.Time) error {
	if !next.IsZero() {
		return b.act("close until "+next.UTC().Format(time.RFC3339), room)
	}
	return b.act("close", room)
}

func (b *backend) FollowRoom(_ context.Context, room string, on bool) error {
	if !on {
		return b.act("unfollow", room)
	}
	return b.act("follow", room)
}

func (b *backend) Following(context.Context) ([]web.FollowedRoom, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.following, b.fault
}

func (b *backend) Reopen(_ context.Context, room string) (web.Opened, error) {
	return web.Opened{Room: "7k2m"}, b.act("reopen", room)
}

func (b *backend) Doctor(_ context.Context, of string) (web.Diagnosis, error) {
	if of != "" && of != "7k2m" {
		return web.Diagnosis{}, unknownRoom
	}
	return web.Diagnosis{Headline: "Others reach you.", OK: true}, b.act("examine", "7k2m")
}

func (b *backend) Meet(_ context.Context, r web.MeetRequest) (web.Met, error) {
	return web.Met{Found: 1, Neighbors: 2}, b.act("meet", "7k2m")
}

// listening gives the events put into it, until its channel is closed.
type listening struct {
	events chan *pb.LocalEvent
	fault  error // after the events, in place of io.EOF
	closed chan struct{}
}

func (l *listening) Next(ctx context.Context) (*pb.LocalEvent, error) {
	select {
	case e, ok := <-l.events:
		if !ok && l.fault != nil {
			return nil, l.fault
		}
		if !ok {
			return nil, io.EOF
		}
		return e, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *listening) Close() web.Summary {
	close(l.closed)
	return web.Summary{Frames: 7, FirstFrameMS: -1}
}

// hearing gives the frames among a listening's events.
type hearing struct{ *listening }

func (h hearing) Next(ctx context.Context) (*pb.LocalFrame, error) {
	e, err := h.listening.Next(ctx)
	return e.GetFrame(), err
}

func (h hearing) Close() { h.listening.Close() }

// speaking keeps what is spoken.
type speaking struct {
	mu      sync.Mutex
	packets []string
	gaps    []time.Duration
	refuse  int // from this packet on; 0: none
	closed  chan struct{}
}

func (s *speaking) Packet(_ context.Context, packet []byte, gap time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packets, s.gaps = append(s.packets, string(packet)), append(s.gaps, gap)
	if s.refuse > 0 && len(s.packets) >= s.refuse {
		return notOnStage
	}
	return nil
}

func (s *speaking) Close(context.Context) (web.SpeakSummary, error) {
	close(s.closed)
	s.mu.Lock()
	defer s.mu.Unlock()
	return web.SpeakSummary{Frames: uint64(len(s.packets))}, nil
}

// alone serves b until stop is called, which waits for its end.
func alone(t testing.TB, b *backend) (server *web.Server, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "earshot_rooms 1\n") })
	server = web.New(web.Config{Listener: listener, Token: token, Backend: b, Metrics: metrics, Version: "0.1.0", Cut: b.cut})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	return server, func() {
		cancel()
		if err := await(t, ended); err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// up serves b until the test ends, and gives the server and a client of it.
func up(t testing.TB, b *backend) (*web.Server, *client.Client) {
	t.Helper()
	server, stop := alone(t, b)
	c := client.New(server.Address(), token)
	t.Cleanup(func() {
		stop()
		c.CloseIdle()
	})
	return server, c
}

// await receives, or fails the test.
func await[T any](t testing.TB, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(5 * time.Second):
		t.Fatal("waited in vain")
	}
	return v
}

// send makes one request with the token, unless header brings its own way in.
func send(t testing.TB, server *web.Server, method, path string, header http.Header, body string) *http.Response {
	t.Helper()
	request, err := http.NewRequest(method, server.Address()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	for name, values := range header {
		if name == "Host" {
			request.Host = values[0]
			continue
		}
		request.Header[name] = values
		if values == nil {
			delete(request.Header, name)
		}
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}
