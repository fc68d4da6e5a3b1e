package node

import (
	"context"

	"github.com/earshot-audio/earshot/node/relay"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/rtc"
	"github.com/earshot-audio/earshot/protocol"
)

// Publish is WHIP: a program or browser on this machine speaks in a room.
func (n *Node) Publish(ctx context.Context, name, offer string) (session, answer string, err error) {
	c, source, err := n.openVoice(ctx, name)
	if err != nil {
		return "", "", err
	}
	s, answer, err := n.media.Publish(ctx, offer, rtc.Publication{
		Source: source,
		Push:   func(f *protocol.Frame) { c.relay.Push("", f) },
		Closed: func() { c.closeVoice(source) },
	})
	if err != nil {
		c.closeVoice(source)
		return "", "", badOffer(err)
	}
	n.keepSession(s, c)
	return s.ID(), answer, nil
}

// Play is WHEP: a program or browser on this machine listens in a room.
func (n *Node) Play(ctx context.Context, name, offer string) (session, answer string, err error) {
	if err := n.mayReturn(name); err != nil {
		return "", "", err
	}
	c, err := n.join(ctx, name)
	if err != nil {
		return "", "", err
	}
	sink := localSinks + relay.SinkID(n.listeners.Add(1))
	c.uses(func(u *room.Use) { u.Listening++ })
	closed := func() {
		c.relay.RemoveSink(sink)
		c.uses(func(u *room.Use) { u.Listening-- })
	}
	s, answer, err := n.media.Play(ctx, offer, rtc.Playing{Closed: closed})
	if err != nil {
		closed()
		return "", "", badOffer(err)
	}
	c.relay.AddSink(sink, "", relay.Local, &others{s, c})
	n.keepSession(s, c)
	return s.ID(), answer, nil
}

// others is a player that is not given this node's own voices, since nobody wants to
// hear themselves, nor those of whom its person has blocked.
type others struct {
	relay.Sink
	c *carried
}

// Send passes on what others say.
func (o *others) Send(f *protocol.Frame) bool {
	if by, _ := o.c.opened.get(f.Source); by.owner == o.c.n.self || o.c.n.people.Blocked(by.owner) {
		return true
	}
	return o.Sink.Send(f)
}

// keepSession ends a session with its room, and forgets it when it has ended.
func (n *Node) keepSession(s *rtc.Session, c *carried) {
	n.mu.Lock()
	n.sessions[s.ID()] = s.Close
	n.mu.Unlock()
	n.tasks.Go(func() error {
		select {
		case <-s.Done():
		case <-c.ended:
			s.Close()
		case <-n.ctx.Done():
			s.Close()
		}
		<-s.Done()
		n.mu.Lock()
		delete(n.sessions, s.ID())
		n.mu.Unlock()
		return nil
	})
}

// EndSession ends what Publish or Play began.
func (n *Node) EndSession(session string) bool {
	n.mu.Lock()
	end := n.sessions[session]
	n.mu.Unlock()
	if end == nil {
		return false
	}
	end()
	return true
}

func badOffer(cause error) error {
	return &protocol.Problem{Code: protocol.CodeBadRequest, Message: "the SDP offer can't be answered: " + cause.Error(), Cause: cause}
}
