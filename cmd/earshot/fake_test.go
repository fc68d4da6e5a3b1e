package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/node/store"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// fakeNode is a node without others: it tells what it is given, and notes what
// it is asked. What a test does not need of web.Backend is nil.
type fakeNode struct {
	web.Backend
	status web.Status
	rooms  []web.RoomLine
	closed []web.RoomLine // the node's own, to be reopened
	view   web.RoomView

	diagnosis web.Diagnosis
	met       web.Met

	events  []*pb.LocalEvent // for Listen
	open    bool             // the listening does not end by itself
	summary web.Summary
	chats   []web.Chat // for FollowChat
	reports web.RoomReports

	changed chan struct{}

	mu     sync.Mutex
	spoken [][]byte
	opened web.OpenRequest
	acts   []string
	asked  web.MeetRequest
	doctor string // what was examined last

	captioned int // captions asked for
}

func (f *fakeNode) Status(context.Context) (web.Status, error) { return f.status, nil }

func (f *fakeNode) Rooms(context.Context) ([]web.RoomLine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rooms, nil
}

func (f *fakeNode) Changes() (<-chan struct{}, func()) { return f.changed, func() {} }

func (f *fakeNode) Room(_ context.Context, room string) (web.RoomView, error) {
	if room == "zzzz" {
		return web.RoomView{}, &protocol.Problem{Code: protocol.CodeUnknownRoom, Message: "nobody known has a room zzzz", Hint: "ask for its link"}
	}
	return f.view, nil
}

func (f *fakeNode) Open(_ context.Context, r web.OpenRequest) (web.Opened, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened = r
	return web.Opened{Room: f.view.Room, Link: f.view.Link, Notice: "Anyone can see it, and this node's address.", Next: r.At}, nil
}

func (f *fakeNode) Doctor(_ context.Context, of string) (web.Diagnosis, error) {
	if of == "zzzz" {
		return web.Diagnosis{}, &protocol.Problem{Code: protocol.CodeUnknownRoom, Message: "nobody known has a room zzzz", Hint: "ask for its link"}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.doctor = of
	return f.diagnosis, nil
}

func (f *fakeNode) examined() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.doctor
}

func (f *fakeNode) Meet(_ context.Context, r web.MeetRequest) (web.Met, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = r
	return f.met, nil
}

func (f *fakeNode) act(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acts = append(f.acts, what)
	return nil
}

func (f *fakeNode) Leave(_ context.Context, room string) error { return f.act("leave " + room) }
func (f *fakeNode) Close(_ context.Context, room string, next time.Time) error {
	if !next.IsZero() {
		f.mu.Lock()
		f.view.Closed, f.view.State, f.view.Next = true, web.StateComing, &next
		f.mu.Unlock()
	}
	return f.act("close " + room)
}

func (f *fakeNode) FollowRoom(_ context.Context, room string, on bool) error {
	return f.act(fmt.Sprintf("follow %s %t", room, on))
}

func (f *fakeNode) Following(context.Context) ([]web.FollowedRoom, error) {
	return []web.FollowedRoom{{Room: roomID, Title: "Why the sky is dark", State: web.StateClosed}}, nil
}
func (f *fakeNode) Reopen(_ context.Context, room string) (web.Opened, error) {
	return web.Opened{Room: f.view.Room, Link: f.view.Link}, f.act("reopen " + room)
}

func (f *fakeNode) Listen(_ context.Context, _ string, recording bool) (web.Listening, error) {
	if recording {
		f.act("record")
	}
	return &fakeListening{node: f, rest: f.events}, nil
}

type fakeListening struct {
	node *fakeNode
	rest []*pb.LocalEvent
}

func (l *fakeListening) Next(ctx context.Context) (*pb.LocalEvent, error) {
	if len(l.rest) == 0 {
		if !l.node.open {
			return nil, io.EOF
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	e := l.rest[0]
	l.rest = l.rest[1:]
	return e, nil
}

func (l *fakeListening) Close() web.Summary { return l.node.summary }

func (f *fakeNode) Speak(context.Context, string) (web.Speaking, error) { return &fakeSpeaking{f}, nil }

type fakeSpeaking struct{ node *fakeNode }

func (s *fakeSpeaking) Packet(_ context.Context, packet []byte, _ time.Duration) error {
	s.node.mu.Lock()
	defer s.node.mu.Unlock()
	s.node.spoken = append(s.node.spoken, bytes.Clone(packet))
	return nil
}

func (s *fakeSpeaking) Close(context.Context) (web.SpeakSummary, error) {
	s.node.mu.Lock()
	defer s.node.mu.Unlock()
	n := len(s.node.spoken)
	return web.SpeakSummary{Frames: uint64(n), Seconds: float64(n) * 0.02}, nil
}

func frame(source, timestamp uint32, packet []byte) *pb.LocalEvent {
	return &pb.LocalEvent{What: &pb.LocalEvent_Frame{Frame: &pb.LocalFrame{Source: source, Timestamp: timestamp, Packet: packet}}}
}

func event(t testing.TB, v any) *pb.LocalEvent {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return &pb.LocalEvent{What: &pb.LocalEvent_Event{Event: string(b)}}
}

// opus20 gives a packet of 20 ms, told apart by its number (TOC: CELT, mono).
func opus20(n int) []byte { return []byte{0xf8, byte(n), byte(n >> 8), 1, 2, 3} }

// home is a home in which the given node runs. After the test nothing of it, or
// of the commands that were called, may be left.
func home(t testing.TB, f *fakeNode) string {
	t.Helper()
	others := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, others) })
	f.changed = make(chan struct{}, 1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := web.New(web.Config{Listener: listener, Token: "token", Backend: f, Version: version})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	if err := store.WriteAPIFile(dir, server.Address(), "token"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// call runs the program in a home, as a person does.
type call struct {
	home  string
	stdin io.Reader
	out   io.Writer // instead of the captured standard output
	ctx   context.Context
}

// run gives what was printed and the exit code.
func (c call) run(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	if c.stdin == nil {
		c.stdin = bytes.NewReader(nil)
	}
	if c.out == nil {
		c.out = &out
	}
	if c.ctx == nil {
		c.ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(c.ctx, 20*time.Second)
	defer cancel()
	env := func(name string) (string, bool) {
		if name == "EARSHOT_HOME" {
			return c.home, true
		}
		return "", false
	}
	code = run(ctx, args, c.stdin, c.out, &errs, env)
	return out.String(), errs.String(), code
}
