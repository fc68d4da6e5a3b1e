package guest_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/node/guest"
	"github.com/earshot-audio/earshot/protocol"
)

func TestMain(m *testing.M) {
	// What stands in for Let's Encrypt has no end.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/letsencrypt/pebble/v2/va.VAImpl.processTasks"))
}

// sky is the room that can be heard; there is no other.
var sky = protocol.RoomID{1, 2, 3}

var noRoom = &protocol.Problem{Code: protocol.CodeUnknownRoom, Message: "this node is in no such room"}

// backend is a node with one room, which plays to whoever offers anything.
type backend struct {
	acts atomic.Int64 // offers answered

	mu    sync.Mutex
	room  guest.Room
	talk  guest.Talk
	law   guest.Law
	gone  bool // the room has ended
	fault error
	left  map[string]func() // sessions that go on

	watchers []chan struct{}

	said     []*protocol.Message
	reports  []guest.Report
	known    []protocol.PeerID
	went     []protocol.PeerID
	speaking int
}

func newBackend() *backend {
	return &backend{left: map[string]func(){},
		room: guest.Room{Title: "Why the sky is <dark>", Language: "en", Stage: []guest.Speaker{{Name: "ana", Speaking: true, Sources: []uint32{7}}}, Listeners: 3}}
}

func (b *backend) Room(_ context.Context, id protocol.RoomID) (guest.Room, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id != sky || b.gone {
		return guest.Room{}, noRoom
	}
	room := b.room
	room.Stage = append([]guest.Speaker(nil), room.Stage...)
	return room, nil
}

func (b *backend) Talk(_ context.Context, id protocol.RoomID) (guest.Talk, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id != sky || b.gone {
		return guest.Talk{}, noRoom
	}
	t := b.talk
	t.Lines = slices.Clone(t.Lines)
	return t, nil
}

func (b *backend) Law(_ context.Context, id protocol.RoomID) (guest.Law, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id != sky || b.gone {
		return guest.Law{}, noRoom
	}
	return b.law, nil
}

func (b *backend) Changes() (<-chan struct{}, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := make(chan struct{}, 1)
	b.watchers = append(b.watchers, changed)
	return changed, func() {}
}

func (b *backend) Play(_ context.Context, v guest.Visit, offer string, closed func()) (guest.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v.Room != sky || b.fault != nil {
		if b.fault != nil {
			return guest.Session{}, b.fault
		}
		return guest.Session{}, noRoom
	}
	id := fmt.Sprintf("session-%d", b.acts.Add(1))
	end := sync.OnceFunc(func() {
		b.mu.Lock()
		delete(b.left, id)
		b.mu.Unlock()
		closed()
	})
	b.left[id] = end
	return guest.Session{ID: id, Answer: "v=0 to " + v.From.String() + " at " + v.At.String(), End: end, Known: func(p protocol.PeerID) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.known = append(b.known, p)
	}}, nil
}

func (b *backend) Say(_ context.Context, id protocol.RoomID, m *protocol.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case id != sky:
		return noRoom
	case b.fault != nil:
		return b.fault
	case m.Verify(sky) != nil:
		return &protocol.Problem{Code: protocol.CodeBadRequest, Message: "a signature does not fit"}
	case slices.Contains(b.law.Banned, m.From):
		return &protocol.Problem{Code: protocol.CodeBanned, Message: "this guest is banned"}
	}
	b.acts.Add(1)
	b.said = append(b.said, m)
	return nil
}

func (b *backend) Report(_ context.Context, id protocol.RoomID, by protocol.PeerID, r guest.Report) (guest.Told, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault != nil {
		return guest.Told{}, b.fault
	}
	b.acts.Add(1)
	b.reports = append(b.reports, r)
	return guest.Told{Told: 1}, nil
}

func (b *backend) Publish(_ context.Context, v guest.Visit, voice *protocol.Message, offer string) (guest.Session, error) {
	if err := b.Say(context.Background(), v.Room, voice); err != nil {
		return guest.Session{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.speaking++
	return guest.Session{ID: "voice", Answer: "v=0 to who speaks", End: sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.speaking--
	})}, nil
}

func (b *backend) Gone(_ protocol.RoomID, who protocol.PeerID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.went = append(b.went, who)
}

// change alters what the node shows, and says so.
func (b *backend) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	for _, changed := range b.watchers {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
}

func (b *backend) playing() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.left)
}

// run opens a door on loopback; it shuts with the test.
func run(t testing.TB, b *backend, change func(*guest.Config)) *guest.Door {
	t.Helper()
	listener, err := guest.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := guest.Config{Listener: listener, Backend: b, Changed: func() { b.change(func() {}) }}
	if change != nil {
		change(&cfg)
	}
	d := guest.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return d
}

// from gives a client of another address, one of 127.0.0.0/8.
func from(t testing.TB, home int) *http.Client {
	t.Helper()
	local := &net.TCPAddr{IP: net.IPv4(127, 0, byte(home>>8), byte(1+home%250))}
	transport := &http.Transport{DialContext: (&net.Dialer{LocalAddr: local, Timeout: 3 * time.Second}).DialContext, DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// send makes one request.
func send(t testing.TB, d *guest.Door, client *http.Client, method, path string, header http.Header, body string) *http.Response {
	t.Helper()
	request, err := http.NewRequest(method, "http://"+d.Addr().String()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		if name == "Host" {
			request.Host = values[0]
			continue
		}
		request.Header[name] = values
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func offer(t testing.TB, d *guest.Door, client *http.Client) *http.Response {
	t.Helper()
	return send(t, d, client, "POST", "/api/rooms/"+sky.String()+"/whep", http.Header{"Content-Type": {"application/sdp"}}, "v=0\r\n")
}
