package relay

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ana, budi, citra, dewi = protocol.PeerID("ana"), protocol.PeerID("budi"), protocol.PeerID("citra"), protocol.PeerID("dewi")

	frameTicks = 960 // of 20 ms
	frameSpan  = 20 * time.Millisecond
)

// bench is a forwarder at work, in a synctest bubble, and what it said.
type bench struct {
	*Forwarder
	t      *testing.T
	start  time.Time
	mu     sync.Mutex
	events []Event
}

// newBench runs a forwarder until the test ends.
func newBench(t *testing.T) *bench {
	b := &bench{t: t, start: time.Now()}
	b.Forwarder = New(Config{
		Now: b.since,
		Events: func(e Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, e)
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return b
}

func (b *bench) since() time.Duration { return time.Since(b.start) }

// take gives the events since the last call, once all is at rest.
func (b *bench) take() []Event {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	events := b.events
	b.events = nil
	return events
}

// silences gives the Silent events since the last call.
func (b *bench) silences() []Silent {
	var all []Silent
	for _, e := range b.take() {
		if s, ok := e.(Silent); ok {
			all = append(all, s)
		}
	}
	return all
}

func (b *bench) snapshot() Snapshot {
	b.t.Helper()
	snap, err := b.Snapshot(context.Background())
	if err != nil {
		b.t.Fatalf("Snapshot: %v", err)
	}
	return snap
}

func (b *bench) sink(id SinkID, peer protocol.PeerID, mode Mode) *tape {
	k := &tape{bench: b}
	b.AddSink(id, peer, mode, k)
	return k
}

// said is one thing that a sink was sent.
type said struct {
	at    time.Duration
	frame protocol.Frame
	beat  protocol.Beat
	is    bool // a beat
}

// tape is a sink that records.
type tape struct {
	bench *bench
	mu    sync.Mutex
	all   []said
}

func (k *tape) Send(f *protocol.Frame) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	fr := *f
	fr.Packet = slices.Clone(f.Packet)
	k.all = append(k.all, said{at: k.bench.since(), frame: fr})
	return true
}

func (k *tape) Beat(b protocol.Beat) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, said{at: k.bench.since(), beat: b, is: true})
}

// take gives what was sent since the last call, once all is at rest.
func (k *tape) take() []said {
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	all := k.all
	k.all = nil
	return all
}

func (k *tape) frames() []protocol.Frame {
	var frames []protocol.Frame
	for _, s := range k.take() {
		if !s.is {
			frames = append(frames, s.frame)
		}
	}
	return frames
}

// counters gives those of the frames of one source.
func (k *tape) counters(s protocol.Source) []uint16 {
	var counters []uint16
	for _, f := range k.frames() {
		if f.Source == s {
			counters = append(counters, f.Counter)
		}
	}
	return counters
}

func (k *tape) beats() []protocol.Beat {
	var beats []protocol.Beat
	for _, s := range k.take() {
		if s.is {
			beats = append(beats, s.beat)
		}
	}
	return beats
}

// frameOf makes the i-th 20 ms frame of a source, its packet naming it.
func frameOf(s protocol.Source, i int) *protocol.Frame {
	packet := binary.BigEndian.AppendUint32([]byte{0x48}, uint32(s))
	return &protocol.Frame{
		Source: s, Timestamp: uint32(i * frameTicks), Counter: uint16(i), Level: 30,
		Packet: binary.BigEndian.AppendUint32(packet, uint32(i)),
	}
}

// marked adds marks to a frame.
func marked(f *protocol.Frame, m protocol.Marks) *protocol.Frame {
	f.Marks |= m
	return f
}

// speak pushes frames first to last-1 of a source at their pace.
func (b *bench) speak(from protocol.PeerID, s protocol.Source, first, last int) {
	for i := first; i < last; i++ {
		b.Push(from, frameOf(s, i))
		time.Sleep(frameSpan)
	}
}

func span(first, last int) []uint16 {
	var all []uint16
	for i := first; i < last; i++ {
		all = append(all, uint16(i))
	}
	return all
}

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.OpenSource(1, ana)
		b.OpenSource(2, budi)
		b.OpenSource(3, "self")
		warm, live, mirror := b.sink(1, citra, Warm), b.sink(2, dewi, Live), b.sink(3, budi, Mirror)
		up, local, origin := b.sink(4, citra, Up), b.sink(5, "", Local), b.sink(6, ana, Live)
		for id := SinkID(1); id <= 6; id++ {
			for s := protocol.Source(1); s <= 3; s++ {
				b.Enable(id, s)
			}
		}
		b.Push(ana, frameOf(1, 0))
		b.Push(ana, frameOf(2, 0)) // budi's, by way of ana
		b.Push("", frameOf(3, 0))
		b.Push(ana, frameOf(9, 0)) // nobody opened it
		sources := func(k *tape) (all []protocol.Source) {
			for _, f := range k.frames() {
				all = append(all, f.Source)
			}
			return all
		}
		equal(t, "warm", sources(warm), nil)
		equal(t, "live", sources(live), []protocol.Source{1, 2, 3})
		equal(t, "mirror without its own voice", sources(mirror), []protocol.Source{1, 3})
		equal(t, "up", sources(up), []protocol.Source{3})
		equal(t, "local", sources(local), []protocol.Source{1, 2, 3})
		equal(t, "to where it came from", sources(origin), []protocol.Source{3})
		if got := b.snapshot().Dropped; got != (Dropped{Unauthorised: 1}) {
			t.Errorf("dropped %+v", got)
		}
	})
}

func TestFrameArrivesAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.OpenSource(1, ana)
		mirror, live := b.sink(1, budi, Mirror), b.sink(2, citra, Live)
		b.Enable(1, 1)
		b.Enable(2, 1)
		sent := marked(frameOf(1, 7), protocol.Start)
		b.Push(ana, sent)
		for what, k := range map[string]*tape{"mirror": mirror, "live": live} {
			got := k.frames()
			if len(got) != 1 || !slices.Equal(got[0].Packet, sent.Packet) {
				t.Fatalf("%s got %v", what, got)
			}
			if what == "live" {
				got[0].Marks &^= protocol.Selected
			}
			got[0].Packet = nil
			want := *sent
			want.Packet = nil
			if got[0].Marks != want.Marks || got[0].Timestamp != want.Timestamp || got[0].Counter != want.Counter || got[0].Level != want.Level {
				t.Errorf("%s got %+v, want %+v", what, got[0], want)
			}
		}
	})
}

func TestCommandsAfterTheEnd(t *testing.T) {
	f := New(Config{Now: func() time.Duration { return 0 }})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range 4 * (inboxFrames + inboxCommands) {
		f.Mute(1, i%2 == 0)
		f.Push(ana, frameOf(1, i))
	}
	if _, err := f.Snapshot(context.Background()); err != ErrEnded {
		t.Errorf("Snapshot after the end: %v, want ErrEnded", err)
	}
}

// Links, the room and whoever asks for figures use a forwarder at once.
func TestUseFromManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var wait sync.WaitGroup
		for n := range 8 {
			wait.Go(func() {
				s, peer := protocol.Source(n%4+1), protocol.PeerID(rune('a'+n))
				for i := range 200 {
					switch i % 50 {
					case 0:
						b.OpenSource(s, peer)
						b.sink(SinkID(n), peer, Mode(i/50))
					case 10:
						b.Enable(SinkID(n), s)
						b.Watch(peer)
					case 20:
						b.Resume(SinkID(n), nil)
						b.Activity(peer, true)
					case 30:
						b.Mute(s, i == 30)
					case 40:
						if _, err := b.Snapshot(t.Context()); err != nil {
							t.Error(err)
						}
					case 49:
						b.CloseSource(s)
						b.RemoveSink(SinkID(n))
					}
					b.Push(peer, frameOf(s, i))
					b.Heard(peer, protocol.Alive)
					time.Sleep(time.Millisecond)
				}
			})
		}
		wait.Wait()
		if snap := b.snapshot(); len(snap.Sources)+len(snap.Sinks) != 0 || snap.Hot {
			t.Errorf("something is left: %+v", snap)
		}
	})
}
