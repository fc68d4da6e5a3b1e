package node

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// ordered makes an enemy whose ID is above or below a node's.
func ordered(t testing.TB, v *running, above bool) *enemy {
	t.Helper()
	for {
		if key, id := newKey(t); id > v.self == above {
			h := newEnemy(t, key)
			h.deaf = true
			return h
		}
	}
}

// TestBadDescriptionsAreNoWayToBurnCPU answers each offer with garbage, and
// offers what can't be answered: the node may not make connections as fast as
// that goes.
func TestBadDescriptionsAreNoWayToBurnCPU(t *testing.T) {
	t.Parallel()
	s := newStage(t, "host")
	ana := s.ana()
	describe := func(h *enemy, kind pb.Description_Kind, generation uint32, sdp string) {
		h.send(ana, &pb.LinkMessage{What: &pb.LinkMessage_Description{Description: &pb.Description{Kind: kind, Generation: generation, Sdp: sdp}}})
	}
	const span, most = time.Second, 12 // connections

	// replied bounds how often the node offers anew to who replies so to each offer.
	replied := func(t *testing.T, kind pb.Description_Kind, answer string) (sdp string) {
		h := ordered(t, ana, true)
		var offers atomic.Int64
		var last atomic.Pointer[string]
		hears := func(_ protocol.PeerID, m *pb.LinkMessage) bool {
			if d := m.GetDescription(); d != nil && d.Kind == pb.Description_OFFER {
				offers.Add(1)
				last.Store(&d.Sdp)
				go describe(h, kind, d.Generation, answer)
			}
			return false
		}
		h.hears.Store(&hears)
		h.at(ana)
		time.Sleep(span)
		if n := offers.Load(); n > most || n == 0 {
			t.Fatalf("%d offers in %v", n, span)
		}
		return *last.Load()
	}
	var sdp string
	t.Run("answers", func(t *testing.T) { sdp = replied(t, pb.Description_ANSWER, "garbage") })
	t.Run("wants", func(t *testing.T) { replied(t, pb.Description_WANTED, "") })
	for name, offer := range map[string]func() string{
		"garbage offers": func() string { return "garbage" },
		"good offers":    func() string { return sdp },
	} {
		t.Run(name, func(t *testing.T) {
			h := ordered(t, ana, false)
			var answers atomic.Int64
			hears := func(_ protocol.PeerID, m *pb.LinkMessage) bool {
				if d := m.GetDescription(); d != nil && (d.Kind == pb.Description_ANSWER || name == "garbage offers") {
					answers.Add(1)
				}
				return false
			}
			h.hears.Store(&hears)
			h.at(ana)
			began := time.Now()
			for i := range 300 {
				describe(h, pb.Description_OFFER, uint32(i+1), offer())
				time.Sleep(span / 300)
			}
			took := max(span, time.Since(began)) // a busy machine takes longer
			if n := answers.Load(); time.Duration(n)*span > most*took {
				t.Errorf("%d answers and requests in %v", n, took)
			}
		})
	}
	s.unhurt()
}

// note is what a listener is given of a frame, beside its packet.
type note struct {
	marks   protocol.Marks
	counter uint16
	level   uint8
}

// notes listens without recording, until ctx ends.
func (r *running) notes(ctx context.Context, room string, speaker byte) (got func() []note, stop func()) {
	r.t.Helper()
	l, err := r.Listen(ctx, room, false)
	must(r.t, err)
	ctx, cancel := context.WithCancel(ctx)
	frames := make(chan []note, 1)
	frames <- nil
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			e, err := l.Next(ctx)
			if err != nil {
				return
			}
			if f := e.GetFrame(); f != nil && f.Packet[1] == speaker {
				frames <- append(<-frames, note{protocol.Marks(f.Marks), uint16(f.Counter), uint8(f.Level)})
			}
		}
	}()
	return func() []note {
			n := <-frames
			frames <- n
			return n
		}, func() {
			cancel()
			<-done
			l.Close()
		}
}

// speaks lets an enemy speak here: let on stage, attached and bound.
func (h *enemy) speaks(s *stage, v *running) *mouth {
	h.t.Helper()
	h.at(v)
	h.child(v, s.id, pb.Attach_WARM)
	s.does(protocol.Grant{Peer: h.id, Role: protocol.RoleSpeaker})
	v.eventually("the enemy is on stage", func() bool { return v.lawful(s.id).Has(h.id, protocol.RoleSpeaker) })
	raw, source := voice(h.t, h.key, s.id)
	m := h.bind(v, s.id, raw, source)
	if m.answered() {
		h.t.Fatal("a speaker is refused")
	}
	return m
}

// TestASpeakerIsHeldToItsRate sends 10,000 packets in a second, none
// of them twice.
func TestASpeakerIsHeldToItsRate(t *testing.T) {
	s := newStage(t, "host")
	h := newEnemy(t)
	m := h.speaks(s, s.ana())
	began := time.Now()
	packets := 10_000
	if raceEnabled {
		packets = 1000 // this machine would have no time for the others
	}
	for i := range packets {
		m.frame(&protocol.Frame{Timestamp: uint32(i) * 480, Counter: uint16(i), Packet: packetOf('x', i)})
		if i%100 == 99 {
			time.Sleep(time.Until(began.Add(time.Duration(i) * 100 * time.Microsecond)))
		}
	}
	ana := s.ana()
	forwarded := func() (n uint64) {
		for _, l := range ana.view(s.room).Sources {
			if l.Source == uint32(m.source) {
				n = l.Frames
			}
		}
		return n
	}
	ana.eventually("what is too much is counted", func() bool { return s.dropped("frames beyond a source's rate") > int64(packets)/10 })
	took := time.Since(began)
	if n, most := forwarded(), uint64(protocol.MaxPacketsASecond*(took.Seconds()+2)); n == 0 || n > most {
		t.Errorf("%d frames forwarded in %v, %d would be too many", n, took, most)
	}
	if !raceEnabled {
		s.unhurt('x')
	}
}

// TestASpeakersLiesAreItsOwn lies in all that a frame says of itself.
func TestASpeakersLiesAreItsOwn(t *testing.T) {
	s := newStage(t, "host")
	h := newEnemy(t)
	got, stop := s.nodes[1].notes(s.ctx, s.room, 'x')
	m := h.speaks(s, s.ana())
	all := protocol.Start | protocol.End | protocol.Replayed | protocol.Selected | protocol.Skipped
	const frames = 60
	for i := range frames {
		// Leaps of hours to and fro, counters that say much was lost.
		m.frame(&protocol.Frame{Timestamp: uint32(i*i) * 0x1357_9bdf, Counter: uint16(i * 20000), Level: 0, Marks: all, Packet: packetOf('x', i)})
		time.Sleep(10 * time.Millisecond)
	}
	heard := got()
	if len(heard) == 0 || len(heard) > frames {
		t.Errorf("%d frames heard", len(heard))
	}
	for _, n := range heard {
		if n.marks&protocol.Skipped != 0 {
			t.Fatalf("only forwarders leave out: %+v", n)
		}
	}
	stop()
	s.unhurt('x')
}

// TestLoudLiarsSilenceNobody has as many liars as are forwarded at a time claim
// the loudest level without a pause, beside one whose level is that of speech.
func TestLoudLiarsSilenceNobody(t *testing.T) {
	t.Parallel()
	s := newStage(t, "host")
	stop, done := make(chan struct{}), make(chan struct{}, protocol.MaxHeard+1)
	speak := func(speaker byte, level uint8) {
		m := newEnemy(t).speaks(s, s.ana())
		go func() {
			defer func() { done <- struct{}{} }()
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
					m.level = level
					m.say(speaker, 1)
				}
			}
		}()
	}
	for range protocol.MaxHeard {
		speak('x', 0)
	}
	speak('h', 30)
	for i, n := range s.nodes[1:] {
		n.eventually("the honest one has a turn", func() bool { return s.ears[i].count('h') > 25 })
	}
	close(stop)
	for range protocol.MaxHeard + 1 {
		<-done
	}
	s.stop()
	<-s.spoken
	for i, e := range s.ears {
		e.cancel()
		<-e.done
		for _, o := range e.l.Close().Sources { // what is left out is not lost
			if o.Lost > uint64(s.missable()) {
				t.Errorf("%s lost %+v", s.nodes[i+1].name, o)
			}
		}
	}
}

// TestStrangersBeatsMoveNobody has a stranger say on the media path of a silent
// room that somebody speaks: a listener must not leave its parent for that.
func TestStrangersBeatsMoveNobody(t *testing.T) {
	s := newStage(t, "host")
	s.unhurt()
	_, stop := s.nodes[1].notes(s.ctx, s.room, 'x')
	_, stop2 := s.nodes[2].notes(s.ctx, s.room, 'x')
	defer stop()
	defer stop2()
	time.Sleep(time.Second) // the room is cold
	h := newEnemy(t)
	live := func(v *running) (n protocol.PeerID) {
		w, err := v.room(s.id).room.View(s.ctx)
		must(t, err)
		return w.Live
	}
	for _, v := range s.nodes[1:] {
		h.at(v)
		before := live(v)
		m := h.bind(v, s.id, nil, 0)
		for range 60 {
			m.out.Beat(protocol.Alive)
			time.Sleep(10 * time.Millisecond)
			if now := live(v); now != before {
				t.Fatalf("%s takes its sound from another", v.name)
			}
		}
	}
}
