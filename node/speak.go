package node

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/node/level"
	"github.com/earshot-audio/earshot/node/relay"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/opus"
)

// speaking is one program on this machine that speaks: packets in, frames of a
// new source out, at their own pace.
type speaking struct {
	c       *carried
	source  protocol.Source
	packets chan packet
	cancel  context.CancelFunc
	ended   chan struct{}
	close   sync.Once

	frames int
	err    error
	length time.Duration
}

type packet struct {
	data []byte
	gap  time.Duration
}

// packetsAhead is how many packets a speaker may be ahead of its pace: a few,
// so that Ctrl-C is heard at once.
const packetsAhead = 4

// Speak joins the room and opens a source of this node.
func (n *Node) Speak(ctx context.Context, name string) (web.Speaking, error) {
	c, s, err := n.openVoice(ctx, name)
	if err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(n.ctx)
	sp := &speaking{c: c, source: s, packets: make(chan packet, packetsAhead), cancel: cancel, ended: make(chan struct{})}
	n.tasks.Go(func() error { sp.run(run); return nil })
	return sp, nil
}

// openVoice joins the room and opens a source there.
func (n *Node) openVoice(ctx context.Context, name string) (*carried, protocol.Source, error) {
	c, err := n.join(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	var session protocol.Session
	_, _ = rand.Read(session[:]) // never fails (crypto/rand)
	c.uses(func(u *room.Use) { u.Speaking, u.Muted = u.Speaking+1, false })
	s, err := c.room.OpenVoice(ctx, session)
	if err != nil {
		c.speaksNoMore()
	}
	switch {
	case errors.Is(err, room.ErrMuted):
		err = c.hushed(ctx, err)
	case errors.Is(err, protocol.ErrNoRight):
		err = &protocol.Problem{Code: protocol.CodeNotOnStage, Message: "you are not on this room's stage",
			Hint: "raise your hand: earshot hand up " + c.id.Short() + "; its host lets you on the stage", Cause: err}
	}
	return c, s, err
}

// closeVoice ends what openVoice began.
func (c *carried) closeVoice(s protocol.Source) {
	c.room.CloseVoice(s)
	c.speaksNoMore()
}

func (c *carried) speaksNoMore() {
	c.uses(func(u *room.Use) {
		u.Speaking--
		u.Muted = u.Muted && u.Speaking > 0
	})
}

// Mute says whether the microphones by which this node speaks in a room are off.
// What begins to speak later is on.
func (n *Node) Mute(_ context.Context, name string, muted bool) error {
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return err
	}
	var speaks bool
	c.uses(func(u *room.Use) {
		speaks = u.Speaking > 0
		u.Muted = muted && speaks
	})
	if !speaks && !muted {
		return badRequest("no microphone of this node is on in the room", nil)
	}
	return nil
}

func (s *speaking) run(ctx context.Context) {
	defer close(s.ended)
	defer s.c.closeVoice(s.source)
	v := relay.Voice{Source: s.source, Wall: s.c.n.cfg.Wall, Level: new(level.Meter).Level}
	s.frames, s.err = v.Speak(ctx, func(ctx context.Context) ([]byte, time.Duration, error) {
		select {
		case p, ok := <-s.packets:
			if !ok {
				return nil, 0, io.EOF
			}
			return p.data, p.gap, nil
		case <-s.c.ended:
			return nil, 0, io.EOF
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}, func(f *protocol.Frame) {
		d, _ := opus.Duration(f.Packet) // the voice checked it
		s.length += d
		s.c.relay.Push("", f)
	})
}

// Packet hands over one packet; it waits while the speaker is ahead.
func (s *speaking) Packet(ctx context.Context, data []byte, gap time.Duration) error {
	select {
	case s.packets <- packet{data, gap}:
		return nil
	case <-s.ended:
		if s.err != nil {
			return s.err
		}
		return s.c.over()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// over says for a person why the room has ended here.
func (c *carried) over() error {
	if away := keptAway(c.room.Err()); away != nil {
		return away
	}
	next, _ := c.n.closedUntil(c.id)
	return c.n.closedProblem(next, nil)
}

// Close lets the rest be spoken, unless ctx ends first.
func (s *speaking) Close(ctx context.Context) (web.SpeakSummary, error) {
	s.close.Do(func() { close(s.packets) })
	select {
	case <-s.ended:
	case <-ctx.Done():
		s.cancel()
		<-s.ended
	}
	s.cancel()
	err := s.err
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return web.SpeakSummary{Frames: uint64(s.frames), Seconds: s.length.Seconds()}, err
}
