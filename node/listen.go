package node

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"math"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/node/relay"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

const (
	// heardAhead is how many frames may wait for a listener: a ring's length of
	// three speakers, and then some.
	heardAhead = 1024
	noTime     = time.Duration(math.MinInt64)
)

// listening is one program on this machine that listens: a sink of the room's
// forwarder, and what comes out of it in order. Send is the forwarder's, the
// rest belongs to whoever calls Next.
type listening struct {
	c         *carried
	recording bool
	sink      relay.SinkID
	frames    chan *heard
	free      chan *heard
	dropped   atomic.Uint64

	hearing *relay.Hearing
	relayed <-chan room.RelayChange
	unwatch func()
	began   time.Duration
	first   time.Duration // from asking, or from the source's opening, to its first frame
	sources map[protocol.Source]protocol.PeerID
	called  map[protocol.PeerID]protocol.Name // as last known
	pending []*pb.LocalEvent
	over    bool
	closed  bool
	summary web.Summary
}

// heard is a frame on its way to a listener.
type heard struct {
	frame protocol.Frame
	at    time.Duration
}

// Listen joins the room and gives what is heard there.
func (n *Node) Listen(ctx context.Context, name string, recording bool) (web.Listening, error) {
	began := n.now()
	c, err := n.join(ctx, name)
	if err != nil {
		return nil, err
	}
	l := &listening{c: c, recording: recording, sink: localSinks + relay.SinkID(n.listeners.Add(1)), frames: make(chan *heard, heardAhead),
		free: make(chan *heard, heardAhead), hearing: relay.NewHearing(), began: began, first: noTime, sources: map[protocol.Source]protocol.PeerID{}, called: map[protocol.PeerID]protocol.Name{}}
	l.relayed, l.unwatch = c.relayed.watch()
	c.uses(func(u *room.Use) {
		u.Listening++
		if recording {
			u.Recording++
		}
	})
	c.relay.AddSink(l.sink, "", relay.Local, &unblocked{l, c})
	l.tell(map[string]any{"event": "joined", "room": c.id.String()})
	return l, nil
}

// Send takes a frame from the forwarder.
func (l *listening) Send(f *protocol.Frame) bool {
	var h *heard
	select {
	case h = <-l.free:
	default:
		h = &heard{}
	}
	buffer := append(h.frame.Packet[:0], f.Packet...)
	h.frame, h.at = *f, l.c.n.now()
	h.frame.Packet = buffer
	select {
	case l.frames <- h:
		return true
	default:
		l.dropped.Add(1)
		return false
	}
}

// Beat means nothing to a listener.
func (l *listening) Beat(protocol.Beat) {}

// Next gives the next frame in order, or event.
func (l *listening) Next(ctx context.Context) (*pb.LocalEvent, error) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for len(l.pending) == 0 {
		if l.over {
			if away := keptAway(l.c.room.Err()); away != nil {
				return nil, away
			}
			return nil, io.EOF
		}
		if due, waits := l.hearing.Next(); waits {
			timer.Reset(max(0, due-l.c.n.now()))
		}
		select {
		case h := <-l.frames:
			l.take(h)
		case <-timer.C:
			l.hearing.Expire(l.c.n.now(), l.give)
		case r, ok := <-l.relayed:
			if !ok {
				l.finish()
				continue
			}
			l.tell(map[string]any{"event": "relay", "term": r.Term, "relay": r.Relay.String()})
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	e := l.pending[0]
	l.pending = l.pending[1:]
	return e, nil
}

func (l *listening) take(h *heard) {
	l.note(&h.frame, h.at)
	if gap := l.hearing.Take(&h.frame, h.at, l.give); gap > 0 {
		l.tell(map[string]any{"event": "gap", "peer": l.sources[h.frame.Source].String(), "source": h.frame.Source, "ms": gap.Milliseconds()})
	}
	select {
	case l.free <- h:
	default:
	}
}

// note tells of a source's first frame.
func (l *listening) note(f *protocol.Frame, at time.Duration) {
	if _, known := l.sources[f.Source]; known || len(l.sources) >= protocol.MaxSources {
		return
	}
	l.learnNames()
	o, _ := l.c.opened.get(f.Source)
	l.sources[f.Source] = o.owner
	after := at - max(l.began, o.at)
	if l.first == noTime {
		l.first = after
	}
	event := map[string]any{"event": "first_frame", "peer": o.owner.String(), "name": nameIn(l.called, o.owner), "source": f.Source, "ms": after.Milliseconds()}
	if petname := l.c.n.people.Of(o.owner).Petname; petname != "" {
		event["petname"] = petname
	}
	l.tell(event)
}

// give hands out a frame that is in order.
func (l *listening) give(f *protocol.Frame) {
	l.pending = append(l.pending, &pb.LocalEvent{What: &pb.LocalEvent_Frame{Frame: &pb.LocalFrame{Source: uint32(f.Source), Timestamp: f.Timestamp,
		Counter: uint32(f.Counter), Level: uint32(f.Level), Marks: uint32(f.Marks), Packet: append([]byte(nil), f.Packet...)}}})
}

func (l *listening) tell(event map[string]any) {
	b, err := json.Marshal(event)
	if err == nil { // names and numbers
		l.pending = append(l.pending, &pb.LocalEvent{What: &pb.LocalEvent_Event{Event: string(b)}})
	}
}

// finish gives out what still waits for earlier frames.
func (l *listening) finish() {
	for {
		select {
		case h := <-l.frames:
			l.take(h)
			continue
		default:
		}
		break
	}
	l.hearing.Flush(l.give)
	l.over = true
}

// Close ends the listening. Frames that Next has not given are in the figures
// only if they were in order.
func (l *listening) Close() web.Summary {
	if l.closed {
		return l.summary
	}
	l.closed = true
	l.c.relay.RemoveSink(l.sink)
	l.unwatch()
	l.summary = l.figures()
	l.c.uses(func(u *room.Use) {
		u.Listening--
		if l.recording {
			u.Recording--
		}
	})
	return l.summary
}

func (l *listening) figures() web.Summary {
	h := l.hearing.Summary()
	l.learnNames()
	s := web.Summary{Seconds: (l.c.n.now() - l.began).Seconds(), Frames: h.Frames, Lost: h.Lost + l.dropped.Load(), Late: h.Late, Resumed: h.Resumed,
		LongestGapMS: h.LongestGap.Milliseconds(), FirstFrameMS: -1, Sources: []web.SourceSummary{}}
	if l.first != noTime {
		s.FirstFrameMS = max(0, l.first.Milliseconds())
	}
	for _, o := range h.Sources {
		owner := l.sources[o.Source]
		s.Sources = append(s.Sources, web.SourceSummary{Peer: owner.String(), Name: nameIn(l.called, owner), Petname: l.c.n.people.Of(owner).Petname, Source: uint32(o.Source),
			Frames: o.Frames, Lost: o.Lost, LongestGapMS: o.LongestGap.Milliseconds()})
	}
	return s
}

// learnNames notes what those in the room are called; who has gone keeps the
// name, also when the room has ended.
func (l *listening) learnNames() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if v, err := l.c.room.View(ctx); err == nil {
		maps.Copy(l.called, v.Names)
	}
}
