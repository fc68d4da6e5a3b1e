package node

import (
	"context"

	"github.com/earshot-audio/earshot/node/relay"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/rtc"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// audition is a page on this machine that hears the loudest over a socket, where
// its browser has no way to us by ICE.
type audition struct {
	*rtc.Playback
	left context.CancelFunc
}

// Hear joins the room and gives what its loudest say, as Play does.
func (n *Node) Hear(ctx context.Context, name string) (web.Hearing, error) {
	if err := n.mayReturn(name); err != nil {
		return nil, err
	}
	c, err := n.join(ctx, name)
	if err != nil {
		return nil, err
	}
	sink := localSinks + relay.SinkID(n.listeners.Add(1))
	playback := rtc.NewPlayback()
	c.uses(func(u *room.Use) { u.Listening++ })
	c.relay.AddSink(sink, "", relay.Local, &others{playback, c})
	until, left := context.WithCancel(n.ctx)
	n.tasks.Go(func() error {
		select {
		case <-until.Done():
		case <-c.ended:
		}
		left()
		playback.Close()
		c.relay.RemoveSink(sink)
		c.uses(func(u *room.Use) { u.Listening-- })
		return nil
	})
	return audition{playback, left}, nil
}

// Next gives the next frame; io.EOF when the page left the room, or the node did.
func (a audition) Next(ctx context.Context) (*pb.LocalFrame, error) {
	f, err := a.Playback.Next(ctx)
	if err != nil {
		return nil, err
	}
	return &pb.LocalFrame{Source: uint32(f.Source), Timestamp: f.Timestamp, Counter: uint32(f.Counter),
		Level: uint32(f.Level), Marks: uint32(f.Marks), Packet: f.Packet}, nil
}

// Close leaves.
func (a audition) Close() { a.left() }
