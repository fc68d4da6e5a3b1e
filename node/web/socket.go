package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Where a machine has no network interface but loopback, browsers gather no ICE
// candidate, and WHIP and WHEP have no way. Then sound goes over a WebSocket (RFC
// 6455), in the messages of listen and speak, each a binary one of its own.

// Subprotocols say what a socket is for.
const (
	listenProtocol = "earshot-listen"
	speakProtocol  = "earshot-speak"
)

const (
	// spokenAhead is how many packets of a microphone may wait for their time:
	// its clock may run faster than ours, and what waits is heard later.
	spokenAhead = 8
	// failedWith is the first of the close codes that say what went wrong: an
	// HTTP status after it (RFC 6455 section 7.4.2: 4000 to 4999 are private).
	failedWith = 4000
)

// socket serves one page's ear or mouth.
func (s *Server) socket(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	protocol, err := upgradeOf(r)
	if err != nil {
		return err
	}
	s.sockets.Add(1)
	defer s.sockets.Done()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocol}, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		s.log.Debug("refused a socket", "err", err)
		return nil // it has been answered
	}
	defer conn.CloseNow()
	ctx := r.Context()
	conn.SetReadLimit(maxFrameBytes)
	if protocol == speakProtocol {
		err = s.socketSpeak(ctx, conn, room)
	} else {
		err = s.socketListen(ctx, conn, room)
	}
	if ctx.Err() != nil {
		return nil // there is no time for a page's own goodbye
	}
	code := websocket.StatusNormalClosure
	if err != nil {
		_, status := problemOf(err)
		code = failedWith + websocket.StatusCode(status)
		tellSocket(ctx, conn, s.broken(r, err))
	}
	conn.Close(code, "")
	return nil
}

// upgradeOf checks that a request would become a WebSocket, and gives the
// subprotocol it asks for.
func upgradeOf(r *http.Request) (string, error) {
	header := func(name string) string { return strings.Join(r.Header.Values(name), ",") }
	if r.Method != http.MethodGet || !strings.EqualFold(header("Upgrade"), "websocket") || header("Sec-WebSocket-Version") != "13" {
		return "", refuse(http.StatusUpgradeRequired, "this path is for WebSockets", "see /api/v1/openapi.json")
	}
	switch protocol := header("Sec-WebSocket-Protocol"); protocol {
	case listenProtocol, speakProtocol:
		return protocol, nil
	}
	return "", refuse(http.StatusBadRequest, "the socket is for something unknown", "ask for the subprotocol "+listenProtocol+" or "+speakProtocol)
}

// sendSocket sends one event, or fails if the page does not take it.
func sendSocket(ctx context.Context, conn *websocket.Conn, e *pb.LocalEvent) error {
	b, err := proto.Marshal(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writePatience)
	defer cancel()
	return conn.Write(ctx, websocket.MessageBinary, b)
}

// tellSocket sends a JSON object.
func tellSocket(ctx context.Context, conn *websocket.Conn, v any) error {
	text, err := line(v)
	if err != nil {
		return err
	}
	return sendSocket(ctx, conn, &pb.LocalEvent{What: &pb.LocalEvent_Event{Event: string(bytes.TrimSpace(text))}})
}

// socketListen sends what is heard until the page is gone, or the room is. A
// page has nothing to say here.
func (s *Server) socketListen(ctx context.Context, conn *websocket.Conn, room string) error {
	open, gone := context.WithCancelCause(ctx)
	defer gone(nil)
	s.sockets.Go(func() {
		_, _, err := conn.Read(ctx)
		if err == nil {
			gone(malformed("a message came where nothing is spoken", "ask for the subprotocol "+speakProtocol, nil))
		} else {
			gone(io.EOF)
		}
	})
	hearing, err := s.backend.Hear(open, room)
	if err != nil {
		return err
	}
	defer hearing.Close()
	if tellSocket(ctx, conn, ListenBegin{"joined"}) != nil {
		return nil
	}
	for {
		frame, err := hearing.Next(open)
		if open.Err() != nil {
			err = context.Cause(open)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if sendSocket(ctx, conn, &pb.LocalEvent{What: &pb.LocalEvent_Frame{Frame: frame}}) != nil {
			return nil
		}
	}
}

// socketSpeak takes a microphone's packets until the page is gone.
func (s *Server) socketSpeak(ctx context.Context, conn *websocket.Conn, room string) error {
	speaking, err := s.backend.Speak(ctx, room)
	if err != nil {
		return err
	}
	defer func() {
		short, cancel := context.WithTimeout(ctx, lastPatience)
		defer cancel()
		speaking.Close(short) // that it failed, Packet has said
	}()
	if tellSocket(ctx, conn, SpeakBegin{"speaking"}) != nil {
		return nil
	}
	frames := make(chan *pb.LocalFrame, spokenAhead)
	var wrong error // once frames are closed
	s.sockets.Go(func() {
		defer close(frames)
		var dropped int
		if dropped, wrong = receive(ctx, conn, frames); dropped > 0 {
			s.log.Debug("dropped packets that came faster than they play", "count", dropped)
		}
	})
	for frame := range frames {
		if err := hand(ctx, frame, speaking); err != nil {
			return err
		}
	}
	return wrong
}

// receive takes a page's packets in until the socket is closed. Those that come
// while to is full are dropped.
func receive(ctx context.Context, conn *websocket.Conn, to chan<- *pb.LocalFrame) (dropped int, err error) {
	for {
		kind, b, err := conn.Read(ctx)
		if err != nil {
			return dropped, nil // closed, by whomever
		}
		frame, err := spoken(kind, b)
		if err != nil {
			return dropped, err
		}
		select {
		case to <- frame:
		default:
			dropped++
		}
	}
}

// spoken reads a page's message.
func spoken(kind websocket.MessageType, b []byte) (*pb.LocalFrame, error) {
	var frame pb.LocalFrame
	if err := proto.Unmarshal(b, &frame); err != nil || kind != websocket.MessageBinary {
		return nil, malformed("a message is no frame", "send LocalFrames, each as a binary message", err)
	}
	if err := bounded(&frame); err != nil {
		return nil, err
	}
	return &frame, nil
}
