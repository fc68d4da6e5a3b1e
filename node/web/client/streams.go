package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

const (
	typeStream    = "application/x-earshot"
	maxEventBytes = 1 << 20
)

// Listening is a room as it is heard. One goroutine at a time may call Next;
// Enough and Close may be called from any.
type Listening struct {
	client *Client
	ctx    context.Context
	cancel context.CancelFunc
	open   *io.PipeWriter // the request's body: its end says that it is enough
	body   io.ReadCloser
	events *bufio.Reader
}

// Listen joins the room and begins to listen, until ctx ends.
func (c *Client) Listen(ctx context.Context, room string, recording bool) (*Listening, error) {
	path := roomPath(room, "/listen")
	if recording {
		path += "?recording=1"
	}
	ctx, cancel := context.WithCancel(ctx)
	body, open := io.Pipe()
	context.AfterFunc(ctx, func() { open.CloseWithError(ctx.Err()) })
	response, err := c.send(ctx, http.MethodPost, path, http.Header{"Content-Type": {typeStream}}, body)
	if err != nil {
		cancel()
		return nil, err
	}
	return &Listening{c, ctx, cancel, open, response.Body, bufio.NewReader(response.Body)}, nil
}

// Next gives the next frame or event. The last event is the summary; io.EOF
// comes after it.
func (l *Listening) Next() (*pb.LocalEvent, error) {
	var event pb.LocalEvent
	err := protodelim.UnmarshalOptions{MaxSize: maxEventBytes}.UnmarshalFrom(l.events, &event)
	if err == io.EOF {
		return nil, err
	}
	if err != nil {
		return nil, l.client.failed(l.ctx, err)
	}
	return &event, nil
}

// Enough asks the node to end the listening: Next gives what is under way,
// then the summary.
func (l *Listening) Enough() { l.open.Close() }

// Close ends the listening at once.
func (l *Listening) Close() error {
	l.cancel()
	return l.body.Close()
}

// Speaking is a speech into a room. One goroutine at a time may call Packet
// and Finish.
type Speaking struct {
	client *Client
	ctx    context.Context
	cancel context.CancelFunc
	out    *io.PipeWriter

	over    chan struct{}    // closed when the node has said its last
	summary web.SpeakSummary // valid after over
	err     error            // valid after over
}

// Speak joins the room and begins to speak, until ctx ends. It returns when
// the node lets this speaker speak.
func (c *Client) Speak(ctx context.Context, room string) (*Speaking, error) {
	ctx, cancel := context.WithCancel(ctx)
	body, out := io.Pipe()
	context.AfterFunc(ctx, func() { out.CloseWithError(ctx.Err()) })
	response, err := c.send(ctx, http.MethodPost, roomPath(room, "/speak"), http.Header{"Content-Type": {typeStream}}, body)
	if err != nil {
		cancel()
		return nil, err
	}
	s := &Speaking{client: c, ctx: ctx, cancel: cancel, out: out, over: make(chan struct{})}
	go s.hear(response.Body)
	return s, nil
}

// hear reads what the node says of the speech.
func (s *Speaking) hear(body io.ReadCloser) {
	defer close(s.over)
	defer body.Close()
	ended := false
	lines := json.NewDecoder(body)
	for {
		var said struct {
			web.Failure
			web.SpeakSummary
		}
		err := lines.Decode(&said)
		if err == io.EOF && ended {
			return
		}
		if err != nil {
			s.stop(s.client.failed(s.ctx, err))
			return
		}
		switch said.Event {
		case "error":
			s.stop(said.Failure.Problem())
		case "summary":
			ended, s.summary = true, said.SpeakSummary
			s.out.Close()
		}
	}
}

// stop ends the speech for the first error.
func (s *Speaking) stop(err error) {
	if s.err == nil {
		s.err = err
	}
	s.out.Close() // not with the error, or the response would be lost with the request
}

// Packet sends an Opus packet after a silence of gap. It blocks while the
// speaker is ahead of its own pace. The node measures how loud it is.
func (s *Speaking) Packet(packet []byte, gap time.Duration) error {
	var b bytes.Buffer
	_, err := protodelim.MarshalTo(&b, &pb.LocalFrame{
		Timestamp: uint32(gap * protocol.ClockRate / time.Second),
		Packet:    packet,
	})
	if err != nil {
		return err
	}
	if _, err = s.out.Write(b.Bytes()); err == nil {
		return nil
	}
	<-s.over // why comes with the last that the node says
	if s.err != nil {
		return s.err
	}
	return err
}

// Finish ends the speech, waits until all of it has been sent, and gives its
// figures, which may be there beside an error.
func (s *Speaking) Finish() (web.SpeakSummary, error) {
	s.out.Close()
	<-s.over
	s.cancel()
	return s.summary, s.err
}

// Close ends the speech at once; what was not sent yet may be left out.
func (s *Speaking) Close() {
	s.cancel()
	<-s.over
}
