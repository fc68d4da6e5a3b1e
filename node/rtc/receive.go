package rtc

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/opus"
)

// receiveMTU is the largest packet read: the largest frame with its headers
// and SRTP's tag. It is more than Ethernet's MTU; IP fragments such packets.
const receiveMTU = protocol.MaxPacketBytes + 128

// Receiver takes what arrives. It must not block, nor keep f or f.Packet.
type Receiver interface {
	Push(origin protocol.PeerID, f *protocol.Frame)
	Heard(origin protocol.PeerID, b protocol.Beat)
}

// inlet is what a handle means on this link. Source 0: the room's heartbeats.
type inlet struct {
	source protocol.Source
	to     Receiver
}

var errMalformed = errors.New("not a frame or a heartbeat of Earshot")

// receiving is the incoming half of one connection; it belongs to one
// goroutine.
type receiving struct {
	link             *Link
	connection       *connection
	levelID, frameID uint8 // negotiated header extension IDs
	gaps             gaps
	header           rtp.Header
	ask              []uint16
	passed           protocol.Frame // the frame at hand, here so that it needs no allocation
}

// run reads the track until the connection ends.
func (r *receiving) run(ctx context.Context, from *webrtc.TrackRemote) {
	buf := make([]byte, receiveMTU)
	for {
		n, _, err := from.Read(buf)
		switch {
		case err == nil:
			r.take(buf[:n])
		case errors.Is(err, os.ErrDeadlineExceeded) || isTimeout(err):
			// Something missing has to be asked for.
		case ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe):
			return
		default: // a payload type that was not negotiated
			r.link.stats.malformed.Add(1)
		}
		if err := from.SetReadDeadline(r.pursue()); err != nil {
			return
		}
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// pursue asks for what is missing and due, and gives the time to do so again;
// zero if nothing is missing.
func (r *receiving) pursue() time.Time {
	if len(r.gaps.holes) == 0 {
		return time.Time{}
	}
	e := r.link.engine
	ask, lost := r.gaps.due(e.now(), r.link.rtt(), r.ask[:0])
	r.ask = ask
	r.link.stats.lost.Add(int64(lost))
	if len(ask) > 0 {
		r.connection.nack(ask)
	}
	at, ok := r.gaps.wake(r.link.rtt())
	if !ok {
		return time.Time{}
	}
	return e.started.Add(at)
}

// take handles one packet of the link.
func (r *receiving) take(b []byte) {
	stats := &r.link.stats
	stats.packetsReceived.Add(1)
	payload, err := r.parse(b)
	if err != nil {
		stats.malformed.Add(1)
		return
	}
	stats.bytesReceived.Add(uint64(len(payload)))
	was, lost := r.gaps.take(r.header.SequenceNumber, r.link.engine.now())
	stats.lost.Add(int64(lost))
	switch was {
	case recovered:
		stats.recovered.Add(1)
	case late:
		stats.lost.Add(-1)
	}

	in, ok := (*r.link.inlets.Load())[protocol.Handle(r.header.CSRC[0])]
	if !ok {
		stats.unbound.Add(1)
		return
	}
	if in.source == 0 {
		beat, err := parseBeat(payload)
		if err != nil {
			stats.malformed.Add(1)
			return
		}
		// A heartbeat says how things are now: an old one says nothing.
		if was == newest {
			in.to.Heard(r.link.peer, beat)
		}
		return
	}
	r.passed = protocol.Frame{Source: in.source, Timestamp: r.header.Timestamp, Packet: payload}
	if err := readFrame(&r.passed, &r.header, r.levelID, r.frameID); err != nil {
		stats.malformed.Add(1)
		return
	}
	in.to.Push(r.link.peer, &r.passed)
}

// parse reads a packet's RTP header (RFC 3550 section 5.1) into r.header, which
// has exactly one CSRC then, and gives its payload. The payload type needs no
// look: pion lets no other pass.
func (r *receiving) parse(b []byte) (payload []byte, err error) {
	n, err := r.header.Unmarshal(b)
	if err != nil || r.header.Version != 2 || r.header.Padding || n > len(b) || len(r.header.CSRC) != 1 {
		return nil, errMalformed
	}
	payload = b[n:]
	if len(payload) == 0 || len(payload) > protocol.MaxPacketBytes {
		return nil, errMalformed
	}
	return payload, nil
}

// readFrame fills in what the header extensions say and checks the packet.
func readFrame(f *protocol.Frame, h *rtp.Header, level, frame uint8) error {
	l, x := h.GetExtension(level), h.GetExtension(frame)
	if len(l) == 0 {
		return errMalformed
	}
	f.Level = l[0] & silent
	if err := f.TakeExtension(x); err != nil {
		return err
	}
	span, err := opus.Duration(f.Packet)
	if err != nil {
		return err
	}
	if span < protocol.MinPacketDuration || span > protocol.MaxPacketDuration {
		return protocol.ErrPacketSpan
	}
	return nil
}

func parseBeat(payload []byte) (protocol.Beat, error) {
	if len(payload) != 1 || protocol.Beat(payload[0]) > protocol.Idle {
		return 0, errMalformed
	}
	return protocol.Beat(payload[0]), nil
}

// serve reads RTCP about what this side sends, and resends what NACKs ask for.
func (c *connection) serve(sender *webrtc.RTPSender) {
	buf := make([]byte, receiveMTU)
	for {
		n, _, err := sender.Read(buf)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			c.link.stats.malformed.Add(1)
			continue
		}
		out := c.out.Load()
		if out == nil {
			continue
		}
		for _, p := range packets {
			if nack, ok := p.(*rtcp.TransportLayerNack); ok && nack.MediaSSRC == out.path.ssrc {
				out.serve(nack)
			}
		}
	}
}

// serve resends what is asked for, as far as the bound on resends goes.
func (s *sending) serve(nack *rtcp.TransportLayerNack) {
	for _, pair := range nack.Nacks {
		spent := false
		pair.Range(func(sequence uint16) bool {
			spent = !s.bound.Allow()
			if !spent {
				s.resend(sequence)
			}
			return !spent
		})
		if spent {
			return
		}
	}
}

// maxAsked keeps a NACK within a packet, however scattered the gaps are.
const maxAsked = 256

// nack asks for packets (RFC 4585 section 6.2.1). A request that gets lost is
// followed by the next.
func (c *connection) nack(sequences []uint16) {
	for some := range slices.Chunk(sequences, maxAsked) {
		err := c.pc.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{
			SenderSSRC: c.ssrc(),
			MediaSSRC:  c.remote.Load(),
			Nacks:      rtcp.NackPairsFromSequenceNumbers(some),
		}})
		if err != nil {
			c.link.log.Debug("a NACK could not be sent", "error", err)
		}
	}
}
