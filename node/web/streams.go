package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

const (
	maxFrameBytes = protocol.MaxPacketBytes + 64 // a LocalFrame
	// lastPatience is what a broken stream of speech gets for what it had
	// handed over before it broke.
	lastPatience = 2 * time.Second
	// drainPatience is how long a stream that the node ended still takes in
	// what its client sends: a connection that is closed on unread bytes is
	// reset, and takes with it what was sent last.
	drainPatience = 200 * time.Millisecond
)

// ListenBegin is the first event of a socket that listens.
type ListenBegin struct {
	Event string `json:"event"` // "joined"
}

// ListenEnd is the last event of a listening.
type ListenEnd struct {
	Event string `json:"event"` // "summary"
	Summary
}

// SpeakBegin is the first line of a speech's response.
type SpeakBegin struct {
	Event string `json:"event"` // "speaking"
}

// SpeakEnd is the last line of a speech's response.
type SpeakEnd struct {
	Event string `json:"event"` // "summary"
	SpeakSummary
}

// stream is a response that is flushed at each event.
type stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// begin answers with a stream.
func begin(w http.ResponseWriter, kind string) *stream {
	out := &stream{w, http.NewResponseController(w)}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Connection", "close") // of the request's body some may be unread at the end
	w.WriteHeader(http.StatusOK)
	out.rc.Flush()
	return out
}

// Write sends b at once, or fails if the client does not take it.
func (out *stream) Write(b []byte) (int, error) {
	out.rc.SetWriteDeadline(time.Now().Add(writePatience))
	n, err := out.w.Write(b)
	if err == nil {
		err = out.rc.Flush()
	}
	return n, err
}

func (out *stream) line(v any) error {
	text, err := line(v)
	if err == nil {
		_, err = out.Write(text)
	}
	return err
}

// event sends what a local listener is told.
func (out *stream) event(e *pb.LocalEvent) error {
	var b bytes.Buffer
	if _, err := protodelim.MarshalTo(&b, e); err != nil {
		return err
	}
	_, err := out.Write(b.Bytes())
	return err
}

// tell sends a JSON object among a listener's events.
func (out *stream) tell(v any) error {
	text, err := line(v)
	if err != nil {
		return err
	}
	return out.event(&pb.LocalEvent{What: &pb.LocalEvent_Event{Event: string(bytes.TrimSpace(text))}})
}

// broken tells of an error in the middle of a stream.
func (s *Server) broken(r *http.Request, err error) Failure {
	p, _ := problemOf(err)
	s.log.Warn("a stream broke off", "pattern", r.Pattern, "err", err)
	return failureOf(p)
}

// unread ends a Read of the body that waits, and those that come.
func (out *stream) unread() { out.rc.SetReadDeadline(time.Now()) }

// listen streams what is heard in a room, and at the end its figures. A client
// that sends a body (empty, chunked) says by its end that it has heard enough,
// and still gets the figures; without one it just goes away.
func (s *Server) listen(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	recording, err := flag(r, "recording")
	if err != nil {
		return err
	}
	ctx, enough := context.WithCancel(r.Context())
	defer enough()
	listening, err := s.backend.Listen(ctx, room, recording)
	if err != nil {
		return err
	}
	out := begin(w, typeStream)
	if r.ContentLength != 0 {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer enough()
			r.Body.Read(make([]byte, 1))
		}()
		defer func() { out.unread(); <-ended }()
	}
	err = forward(ctx, listening, out)
	summary := listening.Close()
	if err != nil && ctx.Err() == nil {
		out.tell(s.broken(r, err))
	}
	out.tell(ListenEnd{"summary", summary.whole()})
	return nil
}

// forward hands on events until there are no more or the client is gone.
func forward(ctx context.Context, from Listening, to *stream) error {
	for {
		event, err := from.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if to.event(event) != nil {
			return nil
		}
	}
}

// speak takes a speech's packets while it tells how it goes: that it may
// begin, what went wrong, what was sent.
func (s *Server) speak(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	speaking, err := s.backend.Speak(ctx, room)
	if err != nil {
		return err
	}
	out := begin(w, typeLines)
	defer after(ctx, out.unread)()
	out.line(SpeakBegin{"speaking"})

	err = take(ctx, bufio.NewReader(r.Body), speaking)
	broken := err != nil
	if broken {
		short, cancel := context.WithTimeout(ctx, lastPatience)
		defer cancel()
		ctx = short
	}
	summary, closeErr := speaking.Close(ctx)
	if err == nil {
		err = closeErr
	}
	if err != nil && r.Context().Err() == nil {
		out.line(s.broken(r, err))
	}
	out.line(SpeakEnd{"summary", summary})
	if broken {
		out.drain(r)
	}
	return nil
}

// take hands packets over until the body ends.
func take(ctx context.Context, from *bufio.Reader, to Speaking) error {
	for {
		frame, err := readFrame(from)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := hand(ctx, frame, to); err != nil {
			return err
		}
	}
}

// hand hands one packet over.
func hand(ctx context.Context, frame *pb.LocalFrame, to Speaking) error {
	gap := time.Duration(frame.GetTimestamp()) * time.Second / protocol.ClockRate
	return to.Packet(ctx, frame.GetPacket(), gap)
}

// readFrame reads one LocalFrame of a speech; io.EOF after the last.
func readFrame(from *bufio.Reader) (*pb.LocalFrame, error) {
	var frame pb.LocalFrame
	err := protodelim.UnmarshalOptions{MaxSize: maxFrameBytes}.UnmarshalFrom(from, &frame)
	if err == io.EOF {
		return nil, err
	}
	if err != nil {
		return nil, malformed("the stream of packets was cut or is malformed",
			"send LocalFrames, each after its length as a varint", err)
	}
	if err := bounded(&frame); err != nil {
		return nil, err
	}
	return &frame, nil
}

// bounded checks the packet that somebody speaks.
func bounded(frame *pb.LocalFrame) error {
	if n := len(frame.GetPacket()); n == 0 || n > protocol.MaxPacketBytes {
		return malformed("a frame's packet or level is out of bounds",
			fmt.Sprintf("a packet has 1 to %d bytes", protocol.MaxPacketBytes), nil)
	}
	return nil
}

// drain takes in for a moment what the client still sends.
func (out *stream) drain(r *http.Request) {
	if r.Context().Err() != nil {
		return
	}
	out.rc.SetReadDeadline(time.Now().Add(drainPatience))
	io.Copy(io.Discard, io.LimitReader(r.Body, maxJSONBytes))
}

// after calls f once ctx ends, unless stop was called before; stop waits for
// an f that runs.
func after(ctx context.Context, f func()) (stop func()) {
	ran := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() { defer close(ran); f() })
	return func() {
		if !cancel() {
			<-ran
		}
	}
}

// flag reads a query parameter that is true or false; absent is false.
func flag(r *http.Request, name string) (bool, error) {
	word := r.URL.Query().Get(name)
	if word == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(word)
	if err != nil {
		return false, refuse(http.StatusBadRequest, name+" is neither 1 nor 0", "")
	}
	return on, nil
}
