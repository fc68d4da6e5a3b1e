package rtc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/transport/v4/packetio"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	maxDescriptionBytes = 8 << 10 // SDP between nodes
	maxCandidates       = 32      // in one of them: each is an address that gets packets of ours
	maxControls         = 8       // SSRCs of RTCP in a connection; an honest one has two

	mediaBuffer   = 128 << 10 // received and not read yet
	controlBuffer = 16 << 10
	// replayWindow covers what a far side may resend of a busy link: with
	// SRTP's usual 64 packets, most resends of 20 sources count as replays.
	replayWindow = 2048

	gatherTimeout = 2 * time.Second

	// A direct path on the local network answers within these, and is to be
	// preferred to one through the router; pion's own waits, up to a second,
	// would have every link between two homes begin by the detour.
	reflexiveWait     = 150 * time.Millisecond // for a path to where a server saw the far side
	peerReflexiveWait = 250 * time.Millisecond // to where a check came from
)

var (
	errStreams     = errors.New("the far side sends streams that it did not declare")
	errNoFrames    = errors.New("the far side does not take frames: a header extension is missing")
	errLost        = errors.New("no packet comes through any more")
	errClosed      = errors.New("the far side closed the connection")
	errDescription = errors.New("not a description of a link")
)

// connection is one PeerConnection of a link. Its owner, the link's goroutine,
// makes and closes it; pion's callbacks only post to changed.
type connection struct {
	link       *Link
	pc         *webrtc.PeerConnection
	sender     *webrtc.RTPSender
	track      *track
	generation uint32
	changed    chan struct{} // there is something new for ready

	remote   atomic.Uint32 // SSRC of what arrives, as declared
	controls atomic.Int32  // SSRCs of RTCP
	strange  atomic.Bool   // streams arrive that should not
	out      atomic.Pointer[sending]

	ctx    context.Context
	cancel context.CancelFunc
	turnstile
}

// connection makes one, with its one m-line. The offerer adds it, the
// answerer finds it in the offer.
func (l *Link) connection(generation uint32) (*connection, error) {
	c := &connection{link: l, generation: generation, changed: make(chan struct{}, 1)}
	api, err := l.engine.api(l.loopback.Load(), c.buffer)
	if err != nil {
		return nil, err
	}
	c.pc, err = api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{l.engine.certificate},
	})
	if err != nil {
		return nil, err
	}
	c.ctx, c.cancel = context.WithCancel(l.ctx)
	c.track = &track{id: "frames", stream: "earshot", bound: c.post}
	// The calls may overtake each other: what they say is not looked at.
	c.pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) { c.post() })
	c.pc.OnTrack(c.read)
	return c, nil
}

// api gives pion as links want it: no interceptors, no mDNS, and no STUN servers,
// which describe knows.
func (e *Engine) api(loopback bool, buffer func(packetio.BufferPacketType, uint32) io.ReadWriteCloser) (*webrtc.API, error) {
	m := &webrtc.MediaEngine{}
	codec := opusCodec("minptime=10;useinbandfec=1")
	codec.RTCPFeedback = []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBNACK}}
	if err := m.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	for _, uri := range []string{protocol.LevelExtension, protocol.FrameExtension} {
		x := webrtc.RTPHeaderExtensionCapability{URI: uri}
		if err := m.RegisterHeaderExtension(x, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, err
		}
	}
	s := webrtc.SettingEngine{LoggerFactory: pionLogs{e.log}, BufferFactory: buffer}
	s.SetICEUDPMux(hosts{sockets: e.sockets, loopback: loopback})
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	s.SetIncludeLoopbackCandidate(loopback)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	t := e.cfg.times
	s.SetICETimeouts(t.disconnected, t.failed, t.keepalive)
	s.SetSrflxAcceptanceMinWait(reflexiveWait)
	s.SetPrflxAcceptanceMinWait(peerReflexiveWait)
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	s.SetSRTPReplayProtectionWindow(replayWindow)
	s.SetReceiveMTU(receiveMTU)
	s.SetFireOnTrackBeforeFirstRTP(true)
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(m),
		webrtc.WithSettingEngine(s),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}),
	), nil
}

// buffer gives pion a buffer for a stream that begins. Only one SSRC may send
// media, and few may send RTCP; with others the far side is no honest node.
func (c *connection) buffer(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser {
	b := packetio.NewBuffer()
	switch {
	case kind == packetio.RTPBufferPacket && ssrc != c.remote.Load():
		c.strange.Store(true)
		c.post()
		// This is SRTP's read loop: pion itself opens only what the description
		// declares. The loop must not go on to hand the stream over, since pion
		// waits for itself if that happens while the connection closes.
		runtime.Goexit()
	case kind == packetio.RTPBufferPacket:
		b.SetLimitSize(mediaBuffer)
	case c.controls.Add(1) > maxControls:
		c.strange.Store(true)
		c.post()
		_ = b.Close()
	default:
		b.SetLimitSize(controlBuffer)
	}
	return b
}

func (c *connection) post() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// offer describes the connection to the far side.
func (c *connection) offer() (string, error) {
	transceiver, err := c.pc.AddTransceiverFromTrack(c.track, webrtc.RTPTransceiverInit{
		Direction: webrtc.RTPTransceiverDirectionSendrecv,
	})
	if err != nil {
		return "", err
	}
	c.sender = transceiver.Sender()
	return c.describe(func() (webrtc.SessionDescription, error) { return c.pc.CreateOffer(nil) })
}

// answer takes an offer and describes this side of it.
func (c *connection) answer(offer string) (string, error) {
	if err := c.take(webrtc.SDPTypeOffer, offer); err != nil {
		return "", err
	}
	sender, err := c.pc.AddTrack(c.track)
	if err != nil {
		return "", err
	}
	c.sender = sender
	return c.describe(func() (webrtc.SessionDescription, error) { return c.pc.CreateAnswer(nil) })
}

// describe gives SDP with all candidates in it, also those that others tell.
func (c *connection) describe(create func() (webrtc.SessionDescription, error)) (string, error) {
	d, err := create()
	if err != nil {
		return "", err
	}
	seen := make(chan []netip.AddrPort, 1)
	c.tasks.Go(func() { seen <- c.link.engine.seen(c.ctx) })
	sdp, err := gather(c.ctx, c.pc, d)
	if err != nil {
		return "", err
	}
	c.tasks.Go(func() { c.serve(c.sender) })
	return addCandidates(sdp, <-seen, c.link.loopback.Load())
}

// gather sets the local description and waits for its candidates.
func gather(ctx context.Context, pc *webrtc.PeerConnection, d webrtc.SessionDescription) (string, error) {
	complete := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(d); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, gatherTimeout)
	defer cancel()
	select {
	case <-complete:
		return pc.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", fmt.Errorf("gathering addresses: %w", ctx.Err())
	}
}

// take bounds and sets the far side's description.
func (c *connection) take(kind webrtc.SDPType, description string) error {
	if len(description) > maxDescriptionBytes {
		return protocol.ErrLarge
	}
	d := webrtc.SessionDescription{Type: kind, SDP: description}
	parsed, err := d.Unmarshal()
	if err != nil {
		return fmt.Errorf("%w: %w", errDescription, err)
	}
	if len(parsed.MediaDescriptions) != 1 || parsed.MediaDescriptions[0].MediaName.Media != "audio" {
		return errDescription
	}
	candidates := 0
	for _, a := range append(parsed.Attributes, parsed.MediaDescriptions[0].Attributes...) {
		switch {
		case a.IsICECandidate():
			candidates++
		case a.Key == sdp.AttrKeySSRC: // RFC 5576 section 4.1
			number, _, _ := strings.Cut(a.Value, " ")
			ssrc, err := strconv.ParseUint(number, 10, 32)
			if err != nil || !c.remote.CompareAndSwap(0, uint32(ssrc)) && c.remote.Load() != uint32(ssrc) {
				return fmt.Errorf("%w: one SSRC is a link's", errDescription)
			}
		}
	}
	if candidates > maxCandidates || c.remote.Load() == 0 {
		return fmt.Errorf("%w: it takes an SSRC and no more than %d candidates", errDescription, maxCandidates)
	}
	c.link.engine.leftOut.Add(leaveOut(parsed, c.link.loopback.Load()))
	usable, err := parsed.Marshal()
	if err != nil {
		return fmt.Errorf("%w: %w", errDescription, err)
	}
	return c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: kind, SDP: string(usable)})
}

// read is pion's callback for the far side's track; it has a goroutine of its
// own there, in which it stays.
func (c *connection) read(from *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	if !c.enter() {
		return
	}
	defer c.tasks.Done()
	level, frame := extensions(receiver.GetParameters().HeaderExtensions)
	newReceiving(c.link, c, level, frame).run(c.ctx, from)
}

// ready says whether frames may go out, or why they never will.
func (c *connection) ready() (*sending, error) {
	switch state := c.pc.ConnectionState(); {
	case c.strange.Load():
		return nil, errStreams
	case state == webrtc.PeerConnectionStateFailed:
		return nil, errLost
	case state == webrtc.PeerConnectionStateClosed:
		return nil, errClosed
	case state != webrtc.PeerConnectionStateConnected:
		return nil, nil
	}
	path := c.track.path.Load()
	if path == nil {
		return nil, nil
	}
	if path.level == 0 || path.frame == 0 {
		return nil, errNoFrames
	}
	out := c.out.Load()
	if out == nil {
		out = newSending(c.link.engine, path, &c.link.stats, c.link.poke)
		c.out.Store(out)
	}
	return out, nil
}

// ssrc is what this side sends under.
func (c *connection) ssrc() uint32 {
	if path := c.track.path.Load(); path != nil {
		return path.ssrc
	}
	return 0
}

// where gives the path that ICE chose.
func (c *connection) where() *where {
	pair, err := c.sender.Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return &where{}
	}
	w := &where{path: pair.Local.Protocol.String()}
	if addr, err := netip.ParseAddr(pair.Remote.Address); err == nil {
		w.remote = netip.AddrPortFrom(addr, pair.Remote.Port)
	}
	return w
}

// end closes the connection and returns when all its goroutines have ended.
func (c *connection) end() {
	c.cancel()
	c.close(c.pc, c.link.log)
}
