package node

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/node/stall"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a node under test.
type running struct {
	*Node
	t      testing.TB
	cancel context.CancelFunc
	done   chan error
	home   string
}

// start runs a node on loopback, bootstrapped from others.
func start(t testing.TB, name string, from ...*running) *running {
	t.Helper()
	return startAt(t, t.TempDir(), name, from...)
}

func startAt(t testing.TB, home, name string, from ...*running) *running {
	t.Helper()
	return startWith(t, name, func(c *Config) { c.Home = home }, from...)
}

// startWith runs a node whose settings are changed.
func startWith(t testing.TB, name string, change func(*Config), from ...*running) *running {
	t.Helper()
	level := slog.LevelWarn
	if os.Getenv("EARSHOT_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	cfg := Config{Home: t.TempDir(), Name: protocol.Name(name), API: "127.0.0.1:0", APIGiven: true, Lend: true, DHT: true, Version: "test",
		Listen: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/udp/0/quic-v1"), multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")},
		Log:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})).With("node", name)}
	change(&cfg)
	for _, f := range from {
		cfg.Bootstrap = append(cfg.Bootstrap, f.Addresses()[0])
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Node: n, t: t, cancel: cancel, done: make(chan error, 1), home: cfg.Home}
	go func() { r.done <- n.Run(ctx) }()
	t.Cleanup(r.stop)
	select {
	case <-n.Ready():
	case <-time.After(patience):
		t.Fatalf("%s is not ready", name)
	}
	return r
}

// stop ends the node with a goodbye.
func (r *running) stop() {
	r.cancel()
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Errorf("%s: %v", r.name, err)
		}
		r.done <- nil
	case <-time.After(patience):
		r.t.Errorf("%s does not end", r.name)
	}
}

// patience is how long is waited for what is to happen at all, on a machine that may
// do much else. How soon it happens is judged only where that is what is shown.
const patience = time.Minute

// eventually waits for something that the node's changes may bring about.
func (r *running) eventually(what string, ok func() bool) {
	r.t.Helper()
	r.within(patience, what, ok)
}

// within is eventually where the time is what is shown.
func (r *running) within(limit time.Duration, what string, ok func() bool) {
	r.t.Helper()
	if raceEnabled { // which makes everything several times slower
		limit *= 4
	}
	changed, stop := r.Changes()
	defer stop()
	late := time.NewTimer(limit)
	defer late.Stop()
	look := time.NewTicker(20 * time.Millisecond) // figures change without telling
	defer look.Stop()
	for !ok() {
		select {
		case <-changed:
		case <-look.C:
		case <-late.C:
			r.t.Fatalf("%s: not within %v: %s", r.name, limit, what)
		}
	}
}

// answered calls until somebody who carries the room answers: a busy machine may take
// longer than a node waits.
func answered[T any](r *running, call func() (T, error)) (got T) {
	r.t.Helper()
	r.eventually("somebody answers", func() bool {
		var err error
		if got, err = call(); codeOf(err) == protocol.CodeUnreachable {
			return false
		}
		if err != nil {
			r.t.Fatalf("%s: %v", r.name, err)
		}
		return true
	})
	return got
}

// packetOf makes the n-th 20 ms packet of a speaker: a valid TOC (RFC 6716
// section 3.1: CELT, 20 ms, one frame), and content that nobody else sends.
func packetOf(speaker byte, n int) []byte {
	b := append([]byte{31 << 3, speaker}, make([]byte, 60)...)
	binary.BigEndian.PutUint32(b[2:], uint32(n))
	return b
}

// talk speaks count packets; it returns when they have been spoken.
func (r *running) talk(ctx context.Context, room string, speaker byte, count int) error {
	s, err := r.Speak(ctx, room)
	if err != nil {
		return err
	}
	for i := range count {
		if err := s.Packet(ctx, packetOf(speaker, i), 0); err != nil {
			break
		}
	}
	sum, err := s.Close(context.WithoutCancel(ctx))
	if err == nil && int(sum.Frames) != count && ctx.Err() == nil {
		err = fmt.Errorf("spoke %d of %d frames", sum.Frames, count)
	}
	return err
}

// ear records a room.
type ear struct {
	l       web.Listening
	cancel  context.CancelFunc
	done    chan struct{}
	mu      sync.Mutex
	packets map[uint32][][]byte // by source
	events  []map[string]any
	heard   chan struct{}        // holds a value after each event or frame
	stood   func() time.Duration // how long this machine stood still in all
}

func (r *running) listen(ctx context.Context, room string) *ear {
	r.t.Helper()
	l := answered(r, func() (web.Listening, error) { return r.Listen(ctx, room, true) })
	ctx, cancel := context.WithCancel(ctx)
	e := &ear{l: l, cancel: cancel, done: make(chan struct{}), packets: map[uint32][][]byte{}, heard: make(chan struct{}, 1), stood: stall.Total(r.t)}
	go func() {
		defer close(e.done)
		for {
			ev, err := l.Next(ctx)
			if err != nil {
				if !errors.Is(err, io.EOF) && ctx.Err() == nil {
					r.t.Errorf("%s: %v", r.name, err)
				}
				return
			}
			e.mu.Lock()
			if f := ev.GetFrame(); f != nil {
				e.packets[f.Source] = append(e.packets[f.Source], f.Packet)
			} else {
				var m map[string]any
				if json.Unmarshal([]byte(ev.GetEvent()), &m) == nil {
					e.events = append(e.events, m)
				}
			}
			e.mu.Unlock()
			select {
			case e.heard <- struct{}{}:
			default:
			}
		}
	}()
	return e
}

// count gives how many packets of a speaker were heard.
func (e *ear) count(speaker byte) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ps := range e.packets {
		for _, p := range ps {
			if p[1] == speaker {
				n++
			}
		}
	}
	return n
}

// stop ends the recording and checks it: each source's packets are one speaker's, in
// order, without a hole but what the machine's standstill may cost.
func (e *ear) stop(t testing.TB) web.Summary {
	t.Helper()
	s := e.stopWithin(t, e.missable())
	if missable := e.missable(); s.Lost > uint64(missable) {
		t.Errorf("lost %d packets, %d at the most are right: %+v", s.Lost, missable, s)
	}
	return s
}

// missable is how many packets may be missing, since this machine stood still.
func (e *ear) missable() uint32 { return uint32(e.stood() / (20 * time.Millisecond)) }

// stopWithin is stop where as many packets of a source may be missing.
func (e *ear) stopWithin(t testing.TB, missing uint32) web.Summary {
	t.Helper()
	e.cancel()
	<-e.done
	s := e.l.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	for source, ps := range e.packets {
		at, left := binary.BigEndian.Uint32(ps[0][2:]), missing
		for i, p := range ps {
			has := binary.BigEndian.Uint32(p[2:])
			if has > at && has-at <= left {
				left, at = left-(has-at), has
			}
			if string(p) != string(packetOf(ps[0][1], int(at))) {
				t.Errorf("source %x, packet %d: has %d of speaker %d, want %d of %d", source, i, has, p[1], at, ps[0][1])
				break
			}
			at++
		}
	}
	return s
}

func (r *running) open(ctx context.Context, title, stage string) web.Opened {
	r.t.Helper()
	o, err := r.Open(ctx, web.OpenRequest{Title: title, Stage: stage})
	if err != nil {
		r.t.Fatal(err)
	}
	return o
}

func (r *running) sees(room string) func() bool {
	return func() bool {
		lines, err := r.Rooms(context.Background())
		if err != nil {
			return false
		}
		for _, l := range lines {
			if l.Room == room {
				return true
			}
		}
		return false
	}
}

// TestTwoNodesOneVoice is the whole of Earshot at its smallest.
func TestTwoNodesOneVoice(t *testing.T) {
	stood := stall.Watch(t)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	o := ana.open(ctx, "Why the sky is dark", "host")
	budi.eventually("the room is in the directory", budi.sees(o.Room))
	e := budi.listen(ctx, o.Room)
	if err := ana.talk(ctx, o.Room, 'a', 100); err != nil {
		t.Fatal(err)
	}
	budi.eventually("all is heard", func() bool { return e.count('a') == 100 })
	s := e.stop(t)
	if s.Frames != 100 || s.FirstFrameMS < 0 || s.FirstFrameMS > 500+3*stood().Milliseconds() {
		t.Errorf("heard %+v", s)
	}
}

// five are nodes bootstrapped from the first alone.
func five(t *testing.T) []*running {
	nodes := []*running{start(t, "ana")}
	for _, name := range []string{"budi", "citra", "dewi", "eko"} {
		nodes = append(nodes, start(t, name, nodes[0]))
	}
	return nodes
}

func (r *running) view(room string) web.RoomView {
	v, err := r.Room(context.Background(), room)
	if err != nil && r.ctx.Err() == nil {
		r.t.Errorf("%s: %v", r.name, err)
	}
	return v
}

// settled says whether every node sees one relay and one standby, the same: two of
// them.
func settled(room string, above uint64, nodes ...*running) func() bool {
	return func() bool {
		first := nodes[0].view(room)
		is := func(n *running) bool { return n.self.String() == first.Relay }
		if first.Term <= above || first.Standby == "" && len(nodes) > 1 || !slices.ContainsFunc(nodes, is) {
			return false
		}
		return !slices.ContainsFunc(nodes, func(n *running) bool {
			v := n.view(room)
			return v.Term != first.Term || v.Relay != first.Relay || v.Standby != first.Standby
		})
	}
}

// attached says whether a listener has a path to relay and standby.
func (r *running) attached(room string) func() bool {
	return func() bool {
		v := r.view(room)
		need := map[string]bool{v.Relay: true, v.Standby: true}
		delete(need, "")
		delete(need, r.self.String())
		for _, l := range v.Links {
			delete(need, l.Peer)
		}
		return v.Relay != "" && len(need) == 0
	}
}

func TestRelayDiesInMidSentence(t *testing.T) {
	stood := stall.Watch(t)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	nodes := five(t)
	ana, budi := nodes[0], nodes[1]
	o := ana.open(ctx, "Why the sky is dark", "open")
	var ears []*ear
	for _, n := range nodes[2:] {
		n.eventually("the room is in the directory", n.sees(o.Room))
		ears = append(ears, n.listen(ctx, o.Room))
	}
	spoken := make(chan error, 2)
	speech, stopSpeech := context.WithCancel(ctx)
	defer stopSpeech()
	go func() { spoken <- ana.talk(speech, o.Room, 'a', 100_000) }()
	go func() { spoken <- budi.talk(speech, o.Room, 'b', 100_000) }()
	for i, n := range nodes[1:] {
		n.eventually("attached to relay and standby", n.attached(o.Room))
		if i > 0 {
			n.eventually("both are heard", func() bool { return ears[i-1].count('a') > 20 && ears[i-1].count('b') > 20 })
		}
	}
	term := ana.view(o.Room).Term
	if v := ana.view(o.Room); v.Relay != ana.self.String() {
		t.Fatalf("ana does not relay: %+v", v)
	}
	ana.Kill()
	died := time.Now()
	budi.eventually("another relay", settled(o.Room, term, nodes[1:]...))
	if took := time.Since(died); took > 3500*time.Millisecond+5*stood() && !raceEnabled {
		t.Errorf("it took %v, though the machine stood still for no more than %v at a time", took, stood())
	}
	for i, e := range ears {
		before := e.count('b')
		nodes[2+i].eventually("budi is heard on", func() bool { return e.count('b') > before+100 })
	}
	stopSpeech()
	<-spoken
	<-spoken
	for i, e := range ears {
		s := e.stop(nodes[2+i].t)
		if most := 300 + 3*stood().Milliseconds(); s.LongestGapMS >= most && !raceEnabled {
			t.Errorf("%s heard nothing for %d ms, where %d is the most: %+v", nodes[2+i].name, s.LongestGapMS, most, s)
		}
	}
	budi.eventually("the room stays in the directory", budi.sees(o.Room))
}

// nextToGo picks the standby, else the relay, else anybody, but for those who
// stay.
func nextToGo(v web.RoomView, here map[string]*running, stay ...*running) *running {
	for _, id := range []string{v.Standby, v.Relay} {
		if n := here[id]; n != nil && !slices.Contains(stay, n) {
			return n
		}
	}
	for _, n := range here {
		if !slices.Contains(stay, n) {
			return n
		}
	}
	return nil
}

func TestOneAfterAnotherLeaves(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	nodes := five(t)
	speaker, listener := nodes[1], nodes[2]
	o := nodes[0].open(ctx, "Musical chairs", "open")
	for _, n := range nodes[1:] {
		n.eventually("the room is in the directory", n.sees(o.Room))
	}
	e := listener.listen(ctx, o.Room)
	for _, n := range nodes[3:] {
		n.listen(ctx, o.Room)
	}
	speech, stopSpeech := context.WithCancel(ctx)
	spoken := make(chan error, 1)
	go func() { spoken <- speaker.talk(speech, o.Room, 's', 100000) }()
	listener.eventually("the speaker is heard", func() bool { return e.count('s') > 20 })
	here := map[string]*running{}
	for _, n := range nodes {
		here[n.self.String()] = n
	}
	for len(here) > 2 {
		var all []*running
		for _, n := range here {
			all = append(all, n)
		}
		listener.eventually("one relay, one standby", settled(o.Room, 0, all...))
		listener.eventually("attached", listener.attached(o.Room))
		goes := nextToGo(listener.view(o.Room), here, speaker, listener)
		before := e.count('s')
		delete(here, goes.self.String())
		goes.stop()
		listener.eventually("still heard", func() bool { return e.count('s') > before+100 })
	}
	stopSpeech()
	<-spoken
	e.stop(t)
}
