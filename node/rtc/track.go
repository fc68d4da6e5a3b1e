package rtc

import (
	"errors"
	"strings"
	"sync/atomic"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/protocol"
)

// opusPayloadType is what offers of ours name Opus by.
const opusPayloadType = 111

var errNoOpus = errors.New("the far side takes no Opus")

// opusCodec is Opus as RFC 7587 names it in SDP.
func opusCodec(fmtp string) webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType:    webrtc.MimeTypeOpus,
			ClockRate:   protocol.ClockRate,
			Channels:    2, // RFC 7587 section 7: always, also for mono
			SDPFmtpLine: fmtp,
		},
		PayloadType: opusPayloadType,
	}
}

// track is a webrtc.TrackLocal that keeps what it was bound to and leaves the
// packets to its owner, who writes them without a copy.
type track struct {
	id     string
	stream string
	bound  func() // called in Bind, may be nil
	path   atomic.Pointer[path]
}

// path is the way out that a negotiation gave a track.
type path struct {
	writer      webrtc.TrackLocalWriter
	ssrc        uint32
	payloadType uint8
	level       uint8 // header extension ID of protocol.LevelExtension; 0: not agreed
	frame       uint8 // of protocol.FrameExtension
	sent        uint8 // of abs-send-time, on a detour
}

// Bind is called by pion when the negotiation is complete.
func (t *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, codec := range c.CodecParameters() {
		if !strings.EqualFold(codec.MimeType, webrtc.MimeTypeOpus) {
			continue
		}
		p := &path{writer: c.WriteStream(), ssrc: uint32(c.SSRC()), payloadType: uint8(codec.PayloadType)}
		p.level, p.frame = extensions(c.HeaderExtensions())
		t.path.Store(p)
		if t.bound != nil {
			t.bound()
		}
		return codec, nil
	}
	return webrtc.RTPCodecParameters{}, errNoOpus
}

// Unbind is called by pion when the connection ends.
func (t *track) Unbind(webrtc.TrackLocalContext) error {
	t.path.Store(nil)
	return nil
}

// ID names the track in SDP (RFC 8830).
func (t *track) ID() string { return t.id }

// StreamID names the track's stream in SDP (RFC 8830).
func (t *track) StreamID() string { return t.stream }

// RID is empty: there is no simulcast.
func (t *track) RID() string { return "" }

// Kind is audio.
func (t *track) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }

// extensions finds the negotiated IDs of the two header extensions (RFC 8285).
func extensions(negotiated []webrtc.RTPHeaderExtensionParameter) (level, frame uint8) {
	for _, x := range negotiated {
		// IDs over 14 need two-byte headers, which nobody needs.
		if x.ID < 1 || x.ID > 14 {
			continue
		}
		switch x.URI {
		case protocol.LevelExtension:
			level = uint8(x.ID)
		case protocol.FrameExtension:
			frame = uint8(x.ID)
		}
	}
	return level, frame
}

// packet is the RTP header of a packet in the making, with room for what the
// header points to, so that filling it anew allocates nothing.
type packet struct {
	path   *path
	header rtp.Header
	csrc   [1]uint32
	level  [1]byte
	frame  [protocol.FrameExtensionBytes]byte
	sent   [sendTimeBytes]byte
}

// prepare sets what is the same in all packets of a path.
func (p *packet) prepare(to *path) {
	if p.path == to {
		return
	}
	p.path = to
	p.header = rtp.Header{Version: 2, PayloadType: to.payloadType, SSRC: to.ssrc, Timestamp: p.header.Timestamp}
	p.header.CSRC = p.csrc[:]
	if to.level != 0 {
		_ = p.header.SetExtension(to.level, p.level[:]) // can't fail: one byte, ID of one byte
	}
	if to.frame != 0 {
		_ = p.header.SetExtension(to.frame, p.frame[:])
	}
	if to.sent != 0 {
		_ = p.header.SetExtension(to.sent, p.sent[:])
	}
}

// restore makes it say what was sent before.
func (p *packet) restore(s *sent) {
	p.header.Timestamp, p.csrc[0] = s.timestamp, s.csrc
	p.level[0], p.frame = s.level, s.frame
}

// setLevel writes the RFC 6464 level, with the voice flag unless it is silent.
func (p *packet) setLevel(level uint8) {
	p.level[0] = level & silent
	if level < silent {
		p.level[0] |= 0x80
	}
}

// silent is RFC 6464's lowest level.
const silent = 127
