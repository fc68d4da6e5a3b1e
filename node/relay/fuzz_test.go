package relay

import (
	"maps"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// dice reads a fuzzer's bytes as small decisions.
type dice []byte

func (d *dice) roll(n int) int {
	if len(*d) == 0 {
		return 0
	}
	b := (*d)[0]
	*d = (*d)[1:]
	return int(b) % n
}

// FuzzForwarder has frames, heartbeats and commands come in any order: nothing
// panics, what is kept stays bounded, and no sink gets a frame twice unless it
// asked for a replay.
func FuzzForwarder(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("speak, mute, resume, enable, close, watch and be silent"))
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		d := dice(data)
		s := newStage(0)
		once := &onceSink{t: t, got: map[[2]uint32]bool{}}
		peers := []protocol.PeerID{"", ana, budi, citra}
		peer := func() protocol.PeerID { return peers[d.roll(len(peers))] }
		source := func() protocol.Source { return protocol.Source(d.roll(5)) }
		sink := func() SinkID { return SinkID(d.roll(4)) }
		s.AddSink(9, "", Local, once)
		timestamp := uint32(0)
		for len(d) > 0 {
			switch d.roll(16) {
			case 0:
				s.OpenSource(source(), peer())
			case 1:
				s.Mute(source(), d.roll(2) == 0)
			case 2:
				s.AddSink(sink(), peer(), Mode(d.roll(6)), &s.sink)
			case 3:
				s.SetMode(sink(), Mode(d.roll(6)))
			case 4:
				s.RemoveSink(sink())
			case 5:
				s.Enable(sink(), source())
			case 6:
				s.Disable(sink(), source())
			case 7:
				s.Resume(sink(), []Position{{source(), timestamp - uint32(d.roll(256))*frameTicks}})
			case 8:
				s.Watch(peer())
			case 9:
				s.Activity(peer(), d.roll(2) == 0)
			case 10:
				s.Heard(peer(), protocol.Beat(d.roll(5)))
			case 11:
				id := source()
				s.CloseSource(id) // forgets what it has seen
				once.forget(id)
			case 12:
				s.clock += time.Duration(d.roll(256)) * 10 * time.Millisecond
				s.tick()
			default:
				switch d.roll(8) {
				case 0:
					timestamp += uint32(d.roll(256)) << d.roll(12) // in all less than signed differences reach
				case 1, 2:
				default:
					timestamp += frameTicks
				}
				s.Push(peer(), &protocol.Frame{
					Source: source(), Timestamp: timestamp - uint32(d.roll(4))*frameTicks,
					Counter: uint16(timestamp/frameTicks) + uint16(d.roll(256)),
					Level:   uint8(d.roll(140)), Marks: protocol.Marks(d.roll(256)),
					Packet: make([]byte, d.roll(256)*d.roll(6)),
				})
			}
			s.drain()
		}
		s.tick()
		snap := s.snapshot()
		if len(s.sources) > protocol.MaxSources || len(s.origins) > maxOrigins || len(snap.Sinks) > 5 {
			t.Errorf("%d sources, %d origins, %d sinks", len(s.sources), len(s.origins), len(snap.Sinks))
		}
		hot := 0
		for _, o := range s.open {
			if o.ring.n > ringSlots {
				t.Errorf("%d frames in a ring", o.ring.n)
			}
			if o.hot {
				hot++
			}
			for i := 1; i < o.ring.n; i++ {
				if !protocol.Newer(o.ring.slot(i).frame.Timestamp, o.ring.slot(i-1).frame.Timestamp) {
					t.Fatal("a ring is out of order")
				}
			}
		}
		if hot != s.hot {
			t.Errorf("%d sources are hot, it counts %d", hot, s.hot)
		}
	})
}

// onceSink wants each frame once, within what a ring remembers.
type onceSink struct {
	t   *testing.T
	got map[[2]uint32]bool
}

func (o *onceSink) Send(f *protocol.Frame) bool {
	k := [2]uint32{uint32(f.Source), f.Timestamp}
	if o.got[k] {
		o.t.Errorf("frame %d of source %d came twice", f.Timestamp, f.Source)
	}
	o.got[k] = true
	return true
}

func (o *onceSink) forget(id protocol.Source) {
	maps.DeleteFunc(o.got, func(k [2]uint32, _ bool) bool { return k[0] == uint32(id) })
}

func (o *onceSink) Beat(protocol.Beat) { o.t.Error("a local sink got a heartbeat") }

// FuzzHearing has any frames come at any time: they are given out in order,
// none twice, and all are accounted for.
func FuzzHearing(f *testing.F) {
	f.Add([]byte("frames come, some late, some twice, some never"))
	f.Add([]byte{0, 1, 0, 2, 0, 1, 9, 200, 9, 3, 1, 1, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		d := dice(data)
		h := NewHearing()
		last := map[protocol.Source]uint32{}
		given := uint64(0)
		out := func(f *protocol.Frame) {
			if l, ok := last[f.Source]; ok && !protocol.Newer(f.Timestamp, l) {
				t.Errorf("%d given out after %d", f.Timestamp, l)
			}
			last[f.Source] = f.Timestamp
			given++
		}
		now, taken, timestamp := time.Duration(0), uint64(0), uint32(1<<31)
		for len(d) > 0 {
			now += time.Duration(d.roll(256)) * time.Millisecond
			if due, ok := h.Next(); ok && due <= now {
				h.Expire(now, out)
			}
			timestamp += uint32(d.roll(5)-1) * frameTicks
			taken++
			gap := h.Take(&protocol.Frame{
				Source: protocol.Source(d.roll(3)), Timestamp: timestamp,
				Counter: uint16(timestamp/frameTicks) + uint16(d.roll(40)/39),
				Marks:   protocol.Marks(d.roll(256)), Packet: []byte{1},
			}, now, out)
			if gap != 0 && gap < GapFloor {
				t.Errorf("a gap of %v is reported", gap)
			}
		}
		h.Flush(out)
		sum := h.Summary()
		if sum.Frames != given || sum.Frames+sum.Late+sum.Duplicates != taken || sum.Lost > 1<<40 {
			t.Errorf("%+v of %d frames, %d given out", sum, taken, given)
		}
	})
}
