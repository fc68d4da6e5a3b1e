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

// incoming is the packet at hand, here so that it needs no allocation.
type incoming struct {
	header  rtp.Header
	payload []byte
	frame   protocol.Frame
}

// receiving is the incoming half of one connection; it belongs to one
// goroutine.
type receiving struct {
	link             *Link
	connection       *connection
	levelID, frameID uint8 // negotiated header extension IDs
	gaps             gaps
	reports          reports
	ask              []uint16
	packet           incoming
}

func newReceiving(l *Link, c *connection, levelID, frameID uint8) *receiving {
	cfg := &l.engine.cfg
	return &receiving{
		link: l, connection: c, levelID: levelID, frameID: frameID,
		gaps: newGaps(cfg.first), reports: newReports(cfg.first, cfg.times.report),
	}
}

// run reads the track until the connection ends.
func (r *receiving) run(ctx context.Context, from *webrtc.TrackRemote) {
	buf := make([]byte, receiveMTU)
	var deadline time.Time
	for {
		n, _, err := from.Read(buf)
		switch {
		case err == nil:
			r.take(buf[:n])
		case errors.Is(err, os.ErrDeadlineExceeded) || isTimeout(err):
			// There is something to ask for, or to report.
		case ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe):
			return
		default: // a payload type that was not negotiated
			r.link.stats.malformed.Add(1)
		}
		next := r.answer()
		if next.Equal(deadline) && err == nil {
			continue
		}
		if deadline = next; from.SetReadDeadline(deadline) != nil {
			return
		}
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// answer reports what came and asks for what is missing, as far as that is due,
// and gives the time to do so again; zero: nothing is to be said.
func (r *receiving) answer() time.Time {
	e := r.link.engine
	if r.reports.due(e.now()) {
		r.connection.report(r.reports.highest)
	}
	at, ok := r.reports.wake()
	if missing, some := r.pursue(); some && (!ok || missing < at) {
		at, ok = missing, true
	}
	if !ok {
		return time.Time{}
	}
	return e.started.Add(at)
}

// pursue asks for what is missing and due, and gives the time to do so again;
// false: nothing is missing.
func (r *receiving) pursue() (time.Duration, bool) {
	if len(r.gaps.holes) == 0 {
		return 0, false
	}
	ask, lost := r.gaps.due(r.link.engine.now(), r.link.rtt(), r.ask[:0])
	r.ask = ask
	r.link.stats.lost.Add(int64(lost))
	if len(ask) > 0 {
		r.connection.nack(ask)
	}
	return r.gaps.wake(r.link.rtt())
}

// take handles one packet of the link.
func (r *receiving) take(b []byte) {
	stats := &r.link.stats
	stats.packetsReceived.Add(1)
	p := &r.packet
	if err := p.parse(b); err != nil {
		stats.malformed.Add(1)
		return
	}
	stats.bytesReceived.Add(uint64(len(p.payload)))
	r.reports.take(p.header.SequenceNumber)
	was, lost := r.gaps.take(p.header.SequenceNumber, r.link.engine.now())
	stats.lost.Add(int64(lost))
	switch was {
	case recovered:
		stats.recovered.Add(1)
	case late:
		stats.lost.Add(-1)
	}
	if protocol.Handle(p.header.CSRC[0]) == probe {
		return
	}
	r.link.in.flush() // what went before, by the detour
	r.link.hand(p, r.levelID, r.frameID, was == newest)
}

// parse reads a packet's RTP header (RFC 3550 section 5.1), which has exactly
// one CSRC then, and finds its payload.
func (p *incoming) parse(b []byte) error {
	n, err := p.header.Unmarshal(b)
	if err != nil || p.header.Version != 2 || p.header.Padding || n > len(b) || len(p.header.CSRC) != 1 {
		return errMalformed
	}
	p.payload = b[n:]
	if len(p.payload) == 0 || len(p.payload) > protocol.MaxPacketBytes {
		return errMalformed
	}
	return nil
}

// hand gives a packet that was parsed to whom its handle means. news: no later
// one came before it.
func (l *Link) hand(p *incoming, levelID, frameID uint8, news bool) {
	in, ok := (*l.inlets.Load())[protocol.Handle(p.header.CSRC[0])]
	if !ok {
		l.stats.unbound.Add(1)
		return
	}
	if in.source == 0 {
		beat, err := parseBeat(p.payload)
		if err != nil {
			l.stats.malformed.Add(1)
			return
		}
		// A heartbeat says how things are now: an old one says nothing.
		if news {
			in.to.Heard(l.peer, beat)
		}
		return
	}
	p.frame = protocol.Frame{Source: in.source, Timestamp: p.header.Timestamp, Packet: p.payload}
	if err := readFrame(&p.frame, &p.header, levelID, frameID); err != nil {
		l.stats.malformed.Add(1)
		return
	}
	in.to.Push(l.peer, &p.frame)
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

// serve reads RTCP about what this side sends: reports acknowledge it, NACKs ask
// for it again.
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
			switch p := p.(type) {
			case *rtcp.TransportLayerNack:
				if p.MediaSSRC == out.path.ssrc {
					out.serve(p)
				}
			case *rtcp.ReceiverReport:
				out.acknowledge(p.Reports)
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
