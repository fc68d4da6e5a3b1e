package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol/pb"
)

const (
	// flushEvery is how often a recording is written out while nobody speaks.
	flushEvery = 200 * time.Millisecond
	// lastWords is how long the node has to say what was heard.
	lastWords = time.Second
)

// listenOptions are the flags of `listen`.
type listenOptions struct {
	out       string
	force     bool
	limit     time.Duration
	room      string
	recording *recording // nil: none
}

func (p *program) listenCommand() *cobra.Command {
	var o listenOptions
	cmd := &cobra.Command{
		Use:   "listen ROOM",
		Short: "Hear a room, or record it",
		Long: `Hear a room, or record it as Ogg Opus: every speaker a stream of their own, the
packets as they were spoken. A recording can be played while it is written.
That you record is shown to everybody in the room. Without --out the page plays it;
it opens where a browser can show up.`,
		Example: `  earshot listen 7k2m --out talk.ogg                        record until Ctrl-C
  earshot listen 7k2m --out talk.ogg --for 10m              or for ten minutes
  earshot listen 7k2m --out - | ffplay -nodisp -            hear it now`,
		GroupID:           groupRooms,
		Args:              words("ROOM"),
		ValidArgsFunction: p.completeRoom,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.room = args[0]
			return p.listen(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.out, "out", "", "record to `FILE.ogg`, or to standard output: -")
	flags.BoolVar(&o.force, "force", false, "overwrite the file that --out names")
	flags.DurationVar(&o.limit, "for", 0, "end after `DURATION`, such as 90s or 1h30m")
	_ = cmd.MarkFlagFilename("out", "ogg", "opus")
	return cmd
}

// listen hears a room until Ctrl-C, --for or the room's end.
func (p *program) listen(ctx context.Context, o listenOptions) error {
	room, err := roomWord(o.room)
	if err != nil {
		return err
	}
	if o.limit < 0 {
		return usage("--for: a listening can't be shorter than nothing", "for example: --for 90s")
	}
	if o.out != "" {
		if o.recording, err = p.record(o.out, o.force); err != nil {
			return err
		}
		defer o.recording.discard() // unless it began
	}
	node, err := p.node()
	if err != nil {
		return err
	}
	// Ctrl-C is to end the listening, not the connection: the node has the figures.
	calls, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, hangUp) })
	defer stop()
	stream, err := node.Listen(calls, room, o.recording != nil)
	if err != nil {
		return err
	}
	defer stream.Close()
	h := &hearing{program: p, node: node, room: room, recording: o.recording, out: p.stdout}
	if o.out == "-" {
		h.out = p.stderr // standard output is the sound
	}
	return h.run(ctx, calls, stream, o.limit)
}

// heardStream is what comes from the node while it listens.
type heardStream interface {
	// Next gives the next frame or event; io.EOF after the last.
	Next() (*pb.LocalEvent, error)
	// Enough says that enough was heard; the figures still come.
	Enough()
}

// hearing is one listening as it goes on. It belongs to one goroutine.
type hearing struct {
	*program
	node      *caller
	room      string
	recording *recording
	out       io.Writer // of events and figures
	names     names
	page      func() (string, error) // gives an address that opens it once
	joined    bool
	summary   *web.Summary
}

// item is what the stream's reader hands over.
type item struct {
	event *pb.LocalEvent
	err   error
}

// run takes events and frames until there are no more, and asks for the end
// when it is time. The recording's error does not keep the figures back.
func (h *hearing) run(ctx, calls context.Context, stream heardStream, limit time.Duration) error {
	h.page = func() (string, error) { return h.node.Page(calls) }
	h.names = names{ask: func() (web.RoomView, error) { return h.node.Room(calls, h.room) }}
	items := make(chan item)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			event, err := stream.Next()
			select {
			case items <- item{event, err}:
			case <-done:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	interrupted, enough := ctx.Done(), timer(limit)
	var failed error
	for {
		var err error
		select {
		case one := <-items:
			if one.err != nil {
				return h.end(failed, one.err)
			}
			err = h.take(one.event)
		case <-flush.C:
			err = h.recording.flush()
		case <-interrupted:
			interrupted = nil
			stream.Enough()
		case <-enough:
			stream.Enough()
		}
		if err != nil && failed == nil {
			failed = err
			h.recording.stop()
			stream.Enough()
		}
	}
}

// timer fires after d; never if d is 0.
func timer(d time.Duration) <-chan time.Time {
	if d == 0 {
		return nil
	}
	return time.After(d)
}

// take deals with a frame or an event.
func (h *hearing) take(e *pb.LocalEvent) error {
	if f := e.GetFrame(); f != nil {
		if h.recording == nil {
			return nil
		}
		who := h.names.of(f.GetSource())
		return h.recording.packet(f, who)
	}
	return h.tell([]byte(e.GetEvent()))
}

// end closes the recording and says what was heard. failed is what ended it
// early, err what ended the stream.
func (h *hearing) end(failed, err error) error {
	closing := h.recording.close()
	if h.summary != nil {
		if err := h.sum(*h.summary); err != nil && failed == nil {
			failed = err
		}
	}
	switch {
	case failed != nil:
		return failed
	case closing != nil:
		return closing
	case h.summary != nil, errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// sayTo writes a line for a person where this listening's words go.
func (h *hearing) sayTo(format string, args ...any) error {
	_, err := fmt.Fprintf(h.out, format, args...)
	return err
}
