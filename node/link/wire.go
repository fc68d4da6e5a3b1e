package link

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"unicode"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// maxLengthBytes is the size of the varint before a message; three hold 2 MiB.
const maxLengthBytes = 3

// encode frames m: its length as a varint, then itself.
func encode(m *pb.LinkMessage) ([]byte, error) {
	size := proto.Size(m)
	if size > protocol.MaxLinkMessageBytes {
		return nil, protocol.ErrLarge
	}
	b := protowire.AppendVarint(make([]byte, 0, maxLengthBytes+size), uint64(size))
	return proto.MarshalOptions{}.MarshalAppend(b, m)
}

// reader takes framed messages off a stream. A length is checked before its
// bytes are read.
type reader struct {
	buf  *bufio.Reader
	size int // of the message that next gave last
}

func newReader(r io.Reader) *reader {
	return &reader{buf: bufio.NewReaderSize(r, protocol.MaxLinkMessageBytes)}
}

// next reads one message. Its error is protocol.ErrMalformed, protocol.ErrLarge
// or one of the stream's, as ErrDead or ErrClosed.
func (r *reader) next() (*pb.LinkMessage, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	b, err := r.buf.Peek(n)
	if err != nil {
		return nil, lost(err)
	}
	m := new(pb.LinkMessage)
	err = proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, m)
	if err != nil {
		return nil, protocol.ErrMalformed
	}
	r.size = n
	_, err = r.buf.Discard(n)
	return m, err
}

func (r *reader) length() (int, error) {
	n := 0
	for i := range maxLengthBytes {
		b, err := r.buf.ReadByte()
		if err != nil {
			return 0, lost(err)
		}
		n |= int(b&0x7f) << (7 * i)
		if b < 0x80 && n <= protocol.MaxLinkMessageBytes {
			return n, nil
		}
	}
	return 0, protocol.ErrLarge
}

// lost tells a stream that fell silent from one that was closed.
func lost(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("%w (%w)", ErrDead, err)
	}
	return fmt.Errorf("%w (%w)", ErrClosed, err)
}

// resetCode tells the far side why its stream is reset, as far as libp2p's
// error codes go.
func resetCode(err error) network.StreamErrorCode {
	switch {
	case errors.Is(err, ErrFlood), errors.Is(err, ErrInboxFull), errors.Is(err, ErrHeldOff):
		return network.StreamRateLimited
	case errors.Is(err, ErrFull), errors.Is(err, ErrOutboxFull):
		return network.StreamResourceLimitExceeded
	case errors.Is(err, ErrReplaced), errors.Is(err, errCrossed):
		return network.StreamSupplanted
	case errors.Is(err, ErrReleased):
		return network.StreamGarbageCollected
	case errors.Is(err, ErrStopped):
		return network.StreamShutdown
	case hostile(err):
		return network.StreamProtocolViolation
	}
	return network.StreamNoError
}

// hello reads the far side's Hello, which has to come first.
func (r *reader) hello(network string) (*pb.Hello, error) {
	m, err := r.next()
	if err != nil {
		return nil, err
	}
	h := m.GetHello()
	switch {
	case h == nil, len(h.Network) > protocol.MaxNetworkBytes, len(h.Agent) > maxAgentBytes, !printable(h.Agent):
		return nil, protocol.ErrMalformed
	case h.Version != protocol.Version:
		return nil, ErrVersion
	case h.Network != network:
		return nil, protocol.ErrNetwork
	}
	return h, nil
}

func printable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// sayHello writes h, with what all Hellos of this node say.
func (l *Links) sayHello(w io.Writer, h *pb.Hello) error {
	h.Version, h.Network, h.Agent = protocol.Version, l.cfg.Network, l.cfg.Agent
	b, err := encode(&pb.LinkMessage{What: &pb.LinkMessage_Hello{Hello: h}})
	if err != nil {
		return err
	}
	if _, err = w.Write(b); err != nil {
		return lost(err)
	}
	return nil
}
