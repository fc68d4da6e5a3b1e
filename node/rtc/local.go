package rtc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	maxOfferBytes    = 32 << 10 // a browser's, which describes more than ours
	maxOfferSections = 8
	maxSlots         = protocol.MaxHeard // m-lines that play

	tcpBuffer = 64 // packets read from a TCP connection and not taken yet
)

// ErrOffer is what Publish and Play give for an SDP offer that doesn't do.
var ErrOffer = errors.New("not an offer for it")

// local is where programs and browsers on this machine reach the node: a UDP
// and a TCP port on loopback alone, apart from the links' socket.
type local struct {
	udp *ice.UDPMuxDefault
	tcp *ice.TCPMuxDefault
	log *slog.Logger
}

func listenLocal(log *slog.Logger) (*local, error) {
	loopback := net.IPv4(127, 0, 0, 1)
	packets, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loopback})
	if err != nil {
		return nil, fmt.Errorf("rtc: no UDP port on loopback: %w", err)
	}
	streams, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: loopback})
	if err != nil {
		_ = packets.Close()
		return nil, fmt.Errorf("rtc: no TCP port on loopback: %w", err)
	}
	logger := pionLogs{log}.NewLogger("ice")
	return &local{
		udp: ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: packets, Logger: logger}),
		tcp: ice.NewTCPMuxDefault(ice.TCPMuxParams{Listener: streams, Logger: logger, ReadBufferSize: tcpBuffer}),
		log: log,
	}, nil
}

func (l *local) close() {
	if err := errors.Join(l.udp.Close(), l.tcp.Close()); err != nil {
		l.log.Debug("closing the ports on loopback", "error", err)
	}
}

// api gives pion as browsers on this machine need it.
func (l *local) api(reports bool, t timing) (*webrtc.API, error) {
	return browserAPI(reports, l.log, func(s *webrtc.SettingEngine) {
		s.SetICEUDPMux(l.udp)
		s.SetICETCPMux(l.tcp)
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeTCP4})
		s.SetIncludeLoopbackCandidate(true)
		s.SetIPFilter(net.IP.IsLoopback)
		// A browser on a busy machine is slower than a node.
		s.SetICETimeouts(2*t.disconnected, 2*t.failed, 2*t.keepalive)
	})
}

// browserAPI gives pion as browsers need it; place says where they find us. With
// reports, receivers get RTCP receiver reports (RFC 3550 section 6.4.2), from which
// a browser learns its round trip.
func browserAPI(reports bool, log *slog.Logger, place func(*webrtc.SettingEngine)) (*webrtc.API, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterCodec(opusCodec("minptime=10;useinbandfec=1"), webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	for _, uri := range []string{protocol.LevelExtension, sdp.SDESMidURI} {
		x := webrtc.RTPHeaderExtensionCapability{URI: uri}
		if err := m.RegisterHeaderExtension(x, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, err
		}
	}
	interceptors := &interceptor.Registry{}
	if reports {
		if err := webrtc.ConfigureRTCPReports(interceptors); err != nil {
			return nil, err
		}
	}
	s := webrtc.SettingEngine{LoggerFactory: pionLogs{log}}
	s.DisableActiveTCP(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	s.SetReceiveMTU(receiveMTU)
	s.SetFireOnTrackBeforeFirstRTP(true)
	place(&s)
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(s), webrtc.WithInterceptorRegistry(interceptors),
	), nil
}

// readOffer bounds a browser's offer and counts the audio m-lines that would
// send to us, and those that would receive.
func readOffer(offer string) (sends, receives int, err error) {
	if len(offer) > maxOfferBytes {
		return 0, 0, fmt.Errorf("%w: more than %d bytes", ErrOffer, maxOfferBytes)
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(offer); err != nil {
		return 0, 0, fmt.Errorf("%w: %w", ErrOffer, err)
	}
	if len(d.MediaDescriptions) > maxOfferSections {
		return 0, 0, fmt.Errorf("%w: more than %d m-lines", ErrOffer, maxOfferSections)
	}
	candidates := 0
	for _, m := range d.MediaDescriptions {
		for _, a := range m.Attributes {
			if a.IsICECandidate() {
				candidates++
			}
		}
		if m.MediaName.Media != "audio" {
			continue
		}
		direction := directionOf(m)
		if direction == "sendonly" || direction == "sendrecv" {
			sends++
		}
		if direction == "recvonly" || direction == "sendrecv" {
			receives++
		}
	}
	if candidates > maxOfferSections*maxCandidates {
		return 0, 0, fmt.Errorf("%w: %d candidates", ErrOffer, candidates)
	}
	return sends, receives, nil
}

// directionOf gives an m-line's direction; RFC 8866 section 6.7: sendrecv if it
// names none.
func directionOf(m *sdp.MediaDescription) string {
	for _, a := range m.Attributes {
		switch a.Key {
		case "sendrecv", "sendonly", "recvonly", "inactive":
			return a.Key
		}
	}
	return "sendrecv"
}

// useDTX asks the far side for discontinuous transmission (RFC 7587 section
// 6.1). pion has no way to say so in an answer alone.
func useDTX(answer string) string {
	var lines []string
	pending := "" // the fmtp line to make, if the answer has none for Opus
	for line := range strings.SplitSeq(answer, "\r\n") {
		if pending != "" && strings.HasPrefix(line, pending) {
			line, pending = line+";usedtx=1", ""
		} else if pending != "" && !strings.HasPrefix(line, "a=rtcp-fb:") {
			lines, pending = append(lines, pending+"usedtx=1"), ""
		}
		if codec, ok := strings.CutPrefix(line, "a=rtpmap:"); ok {
			if payloadType, name, _ := strings.Cut(codec, " "); strings.EqualFold(name, "opus/48000/2") {
				pending = "a=fmtp:" + payloadType + " "
			}
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\r\n")
}

// negotiate answers an offer, after prepare has added to the connection what
// goes into the answer.
func negotiate(ctx context.Context, pc *webrtc.PeerConnection, offer string, prepare func() error) (string, error) {
	d := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}
	if err := pc.SetRemoteDescription(d); err != nil {
		return "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	if err := prepare(); err != nil {
		return "", err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	text, err := gather(ctx, pc, answer)
	if err != nil {
		return "", err
	}
	return fit(text)
}

// fit makes an answer of pion's such that more programs can use it. The m-lines
// that it takes have ICE credentials.
//
//   - Candidates stand with the first m-line, even if that is refused, as is the
//     video that most players ask for first: they go to the first that is taken.
//     One that is refused has no other attributes.
//   - A single m-line in no BUNDLE group, as GStreamer's is, has port zero, which
//     refuses it (RFC 3264 section 6), with nothing to bundle it with: it is opened.
func fit(answer string) (string, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer); err != nil {
		return "", err
	}
	taken := slices.IndexFunc(d.MediaDescriptions, func(m *sdp.MediaDescription) bool {
		_, ok := m.Attribute("ice-ufrag")
		return ok
	})
	if taken < 0 {
		return answer, nil
	}
	m := d.MediaDescriptions[taken]
	if first := d.MediaDescriptions[0]; taken > 0 {
		m.Attributes = append(m.Attributes, first.Attributes...)
		first.Attributes = nil
	}
	if len(d.MediaDescriptions) == 1 && m.MediaName.Port.Value == 0 {
		m.MediaName.Port.Value = 9 // discard: candidates say where (RFC 8839 section 4.1.1.2)
	}
	b, err := d.Marshal()
	return string(b), err
}
