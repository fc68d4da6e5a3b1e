package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/node/ogg"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

const (
	// lead is how far ahead of its own pace a talk is handed to the node: enough
	// for a busy machine, little enough that Ctrl-C is soon heard.
	lead = 400 * time.Millisecond
	// goodbye is how long the node has to send what it was handed, and say so.
	goodbye = 2 * time.Second
)

func (p *program) speakCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "speak ROOM [FILE.ogg|-]",
		Short: "Speak a file, or standard input, into a room",
		Long: `Speak an Ogg Opus file, or standard input while it is still being made, into a
room. The packets go out at their own pace, and untouched.`,
		Example: `  earshot speak 7k2m talk.ogg
  ffmpeg -i talk.mp3 -c:a libopus -f ogg - | earshot speak 7k2m -
  ffmpeg -f pulse -i default -c:a libopus -f ogg - | earshot speak 7k2m -    a microphone`,
		GroupID:           groupRooms,
		ValidArgsFunction: p.completeRoomThenFile,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil // standard input
			}
			return words("ROOM", "FILE.ogg (or -)")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.speak(cmd.Context(), args[0], append(args, "-")[1])
		},
	}
}

// spokenPacket is a packet on its way from the file to the node.
type spokenPacket struct {
	data          []byte
	duration, gap time.Duration
	err           error // instead of a packet: io.EOF after the last
}

// speak hands a file's packets to the node until it ends, or Ctrl-C.
func (p *program) speak(ctx context.Context, word, name string) error {
	room, err := roomWord(word)
	if err != nil {
		return err
	}
	in, err := p.openTalk(name)
	if err != nil {
		return err
	}
	defer in.Close()
	packets := make(chan spokenPacket, 8)
	done := make(chan struct{})
	defer close(done)
	go readTalk(in, packets, done)

	// The start is looked at before anybody is bothered with it.
	first, err := begins(ctx, name, packets)
	if err != nil {
		return err
	}
	node, err := p.node()
	if err != nil {
		return err
	}
	calls, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(goodbye, hangUp) })
	defer stop()
	stream, err := node.Speak(calls, room)
	if err != nil {
		return err
	}
	defer stream.Close()
	t := &talk{program: p, name: name, show: p.progress(name)}
	if view, err := node.Room(calls, room); err == nil {
		t.room, t.silences = view.Room, silences(calls, node, view.Room)
	}
	if err := t.greet(); err != nil {
		return err
	}
	failed := t.send(ctx, stream, first, packets)
	t.show.clear()
	summary, err := stream.Finish()
	if err == nil {
		err = t.sum(summary)
	}
	if failed != nil {
		return failed
	}
	return err
}

// openTalk opens what is to be spoken.
func (p *program) openTalk(name string) (io.ReadCloser, error) {
	if name == "-" {
		if terminal(p.stdin) {
			return nil, usage("there is no sound in what is typed", "pipe Ogg Opus in: ffmpeg -i talk.mp3 -c:a libopus -f ogg - | earshot speak ROOM -")
		}
		return io.NopCloser(p.stdin), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, ogg.Explain(name, err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, problemOfFile(name + " is a directory")
	}
	return f, nil
}

// readTalk reads packets as they come. A Read of standard input can't be
// called back: it may outlive the talk.
func readTalk(in io.Reader, to chan<- spokenPacket, done <-chan struct{}) {
	reader := ogg.NewReader(in)
	for {
		var s spokenPacket
		packet, err := reader.Next()
		if err != nil {
			s.err = err
		} else {
			s = spokenPacket{data: bytes.Clone(packet.Data), duration: packet.Duration, gap: packet.Gap}
		}
		select {
		case to <- s:
		case <-done:
			return
		}
		if err != nil {
			return
		}
	}
}

// begins waits for the first packet, or says what is wrong with the input.
func begins(ctx context.Context, name string, packets <-chan spokenPacket) (spokenPacket, error) {
	select {
	case s := <-packets:
		if s.err != nil {
			return s, explain(name, s.err)
		}
		return s, nil
	case <-ctx.Done():
		return spokenPacket{}, ctx.Err()
	}
}

// explain words what is wrong with the input. Its very end is an input without
// any sound.
func explain(name string, err error) error {
	if errors.Is(err, io.EOF) {
		err = ogg.ErrNoSound
	}
	return ogg.Explain(name, err)
}

// spokenStream is what goes to the node while it speaks.
type spokenStream interface {
	Packet(packet []byte, gap time.Duration) error
}

// talk is one speaking as it goes on.
type talk struct {
	*program
	name     string
	room     string
	silences <-chan silence // nil: nobody tells
	over     bool           // what is spoken now will not be heard again
	show     *progress
}

// send hands packets over at their own pace until there are no more, ctx ends,
// or something breaks.
func (t *talk) send(ctx context.Context, to spokenStream, next spokenPacket, packets <-chan spokenPacket) error {
	due := time.Now() // when the next packet's time is
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		switch {
		case errors.Is(next.err, io.EOF):
			return nil
		case next.err != nil:
			return explain(t.name, next.err)
		}
		due = due.Add(next.gap)
		if now := time.Now(); due.Before(now) {
			due = now // the input is slower than speech
		}
		pause.Reset(time.Until(due) - lead)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil
		}
		if err := to.Packet(next.data, next.gap); err != nil {
			return t.cutShort(err)
		}
		due = due.Add(next.duration)
		t.show.spoke(next.gap + next.duration)
		for waits := true; waits; {
			select {
			case next = <-packets:
				waits = false
			case s := <-t.silences:
				if err := t.silenced(s); err != nil {
					return err
				}
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// cutShort words why the node takes no more.
func (t *talk) cutShort(err error) error {
	if errors.Is(err, io.ErrClosedPipe) { // it gave no reason
		return &protocol.Problem{Code: protocol.CodeClosedRoom, Message: "the room ended before the talk did", Hint: "see: earshot rooms", Cause: err}
	}
	return err
}

// greet says that the room hears.
func (t *talk) greet() error {
	if t.json {
		return t.line(struct {
			Event string `json:"event"`
		}{"speaking"})
	}
	what := t.name
	if what == "-" {
		what = "standard input"
	}
	return t.say("Speaking %s. Ctrl-C ends it.\n", what)
}

// sum says what was spoken.
func (t *talk) sum(s web.SpeakSummary) error {
	if t.json {
		return t.line(web.SpeakEnd{Event: "summary", SpeakSummary: s})
	}
	return t.say("Spoke %s: %s frames.\n", seconds(s.Seconds), number(s.Frames))
}
