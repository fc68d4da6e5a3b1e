package rtc

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/protocol"
)

const levelExtensionID = 1

func TestMintedTalkspurts(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	m := minter{source: 5}
	var h rtp.Header
	var f protocol.Frame
	rtpOf := func(timestamp uint32, payload []byte) []byte {
		p := rtp.Packet{Header: rtp.Header{Version: 2, Timestamp: timestamp}, Payload: payload}
		_ = p.SetExtension(levelExtensionID, []byte{0x80 | 42})
		b, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	type want struct {
		timestamp uint32
		counter   uint16
		marks     protocol.Marks
	}
	wall := wallClock(start)
	for i, step := range []struct {
		at     time.Duration
		theirs uint32
		want   want
	}{
		{0, 4_000_000_000, want{wall, 0, protocol.Start}},
		{20 * ms, 4_000_000_960, want{wall + 960, 1, 0}},
		{65 * ms, 4_000_001_920, want{wall + 1920, 2, 0}},                      // jitter does not show
		{430 * ms, 4_000_020_160, want{wall + 20160, 3, 0}},                    // DTX
		{1200 * ms, 4_000_021_120, want{wall + 57600, 4, 1}},                   // theirs stood still: the wall clock counts
		{1210 * ms, 4_000_022_080, want{wall + 58560, 5, 0}},                   // early
		{1230 * ms, 100, want{wall + 59520, 6, protocol.Start}},                // theirs began anew: ours goes on
		{1300 * ms, 100 + 960, want{wall + 60480, 7, 0}},                       // in step again
		{1310 * ms, 10_000_000, want{wall + 62880, 8, 1}},                      // a leap
		{time.Hour, 10_000_960, want{wall + 3600*48000, 9, 1}},                 // a long pause
		{20 * time.Hour, 1, want{wallClock(start.Add(20 * time.Hour)), 10, 1}}, // more than timestamps tell
	} {
		at := start.Add(step.at)
		if m.speaking && at.Sub(m.at) >= talkspurtPause {
			m.speaking = false
		}
		if err := m.mint(&f, &h, rtpOf(step.theirs, packetOf(i, 50)), levelExtensionID, at); err != nil {
			t.Fatal(err)
		}
		if got := (want{f.Timestamp, f.Counter, f.Marks}); got != step.want || f.Level != 42 || f.Source != 5 || !bytes.Equal(f.Packet, packetOf(i, 50)) {
			t.Errorf("step %d: %+v, want %+v", i, f, step.want)
		}
	}
	last := f
	for _, bad := range [][]byte{
		nil, {1, 2, 3}, rtpOf(2000, nil), rtpOf(2000, []byte{28 << 3, 1}),
		rtpOf(2000, append([]byte{31<<3 | 3, 6}, make([]byte, 60)...)), rtpOf(1, packetOf(1, 50)),
		rtpOf(2000, packetOf(1, protocol.MaxPacketBytes+1)),
	} {
		if m.mint(&f, &h, bad, levelExtensionID, start.Add(20*time.Hour+20*ms)) == nil {
			t.Errorf("%v was taken", bad)
		}
	}
	if !m.end(&f) || f.Marks != protocol.End || f.Counter != last.Counter+1 || f.Timestamp != last.Timestamp+960 || len(f.Packet) != 1 {
		t.Errorf("the end: %+v", f)
	}
	if m.end(&f) {
		t.Error("a talkspurt ends twice")
	}
}

func FuzzMint(f *testing.F) {
	f.Add([]byte{0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xf8, 1, 2})
	f.Add([]byte{0xb0, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xbe, 0xde, 0, 1, 0x10, 1, 0, 0, 0xf8, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m minter
		var h rtp.Header
		var frame protocol.Frame
		if m.mint(&frame, &h, b, levelExtensionID, time.Unix(1, 0)) == nil && (len(frame.Packet) == 0 || frame.Marks != protocol.Start) {
			t.Errorf("%+v", frame)
		}
		m.end(&frame)
	})
}

func FuzzReadOffer(f *testing.F) {
	f.Add("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendonly\r\n")
	f.Fuzz(func(_ *testing.T, offer string) { _, _, _ = readOffer(offer) })
}

// client is a plain pion client, with pion's own defaults.
func client(t *testing.T, direction webrtc.RTPTransceiverDirection, n int, network webrtc.NetworkType) (*webrtc.PeerConnection, []*webrtc.RTPTransceiver) {
	t.Helper()
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: protocol.LevelExtension}, webrtc.RTPCodecTypeAudio); err != nil {
		t.Fatal(err)
	}
	s := webrtc.SettingEngine{}
	s.SetIncludeLoopbackCandidate(true)
	s.SetNetworkTypes([]webrtc.NetworkType{network})
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closed := make(chan error, 1)
		go func() { closed <- pc.GracefulClose() }()
		if err := receiveFrom(t, "end of the client", closed); err != nil {
			t.Error(err)
		}
	})
	var all []*webrtc.RTPTransceiver
	for range n {
		tr, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: direction})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tr)
	}
	return pc, all
}

func offerOf(t *testing.T, pc *webrtc.PeerConnection) string {
	t.Helper()
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	sdp, err := gather(t.Context(), pc, offer)
	if err != nil {
		t.Fatal(err)
	}
	return sdp
}

func takeAnswer(t *testing.T, pc *webrtc.PeerConnection, answer string) {
	t.Helper()
	connected := make(chan struct{}, 1)
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			connected <- struct{}{}
		}
	})
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		t.Fatal(err)
	}
	receiveFrom(t, "connection", connected)
}

// publisher joins by WHIP and gives a way to send packets.
func publisher(t *testing.T, e *Engine, p Publication, network webrtc.NetworkType) (*Session, *webrtc.PeerConnection, func(timestamp uint32, payload []byte)) {
	t.Helper()
	pc, trs := client(t, webrtc.RTPTransceiverDirectionSendonly, 1, network)
	out, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "mic", "mic")
	if err != nil {
		t.Fatal(err)
	}
	if err := trs[0].Sender().ReplaceTrack(out); err != nil {
		t.Fatal(err)
	}
	s, answer, err := e.Publish(t.Context(), offerOf(t, pc), p)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(answer, "usedtx=1") {
		t.Errorf("no usedtx in the answer:\n%s", answer)
	}
	takeAnswer(t, pc, answer)
	sequence := uint16(0)
	return s, pc, func(timestamp uint32, payload []byte) {
		t.Helper()
		packet := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: sequence, Timestamp: timestamp}, Payload: payload}
		sequence++
		_ = packet.SetExtension(levelExtensionID, []byte{0x80 | 33})
		if err := out.WriteRTP(packet); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPublishAndPlay(t *testing.T) {
	for name, network := range map[string]webrtc.NetworkType{"udp": webrtc.NetworkTypeUDP4, "tcp": webrtc.NetworkTypeTCP4} {
		t.Run(name, func(t *testing.T) { publishAndPlay(t, network) })
	}
}

func publishAndPlay(t *testing.T, network webrtc.NetworkType) {
	// Over TCP, the client's farewell may not get through.
	e := newSide(t, "one", Config{times: hurried}).engine

	listener, _ := client(t, webrtc.RTPTransceiverDirectionRecvonly, 3, network)
	heard := make(chan *rtp.Packet, 1000)
	listener.OnTrack(func(track *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		for {
			p, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			heard <- p
		}
	})
	ended := make(chan string, 2)
	player, answer, err := e.Play(t.Context(), offerOf(t, listener), Playing{Closed: func() { ended <- "player" }})
	if err != nil {
		t.Fatal(err)
	}
	takeAnswer(t, listener, answer)
	await(t, player.up.Load)

	const source = 0xdecade
	frames := make(chan protocol.Frame, 1000)
	mic, pc, send := publisher(t, e, Publication{
		Source: source,
		Push: func(f *protocol.Frame) {
			kept := *f
			kept.Packet = bytes.Clone(f.Packet)
			frames <- kept
			player.Send(f)
		},
		Closed: func() { ended <- "publisher" },
	}, network)
	const n = 60
	for i := range n {
		send(uint32(i)*960+7, packetOf(i, 60))
		f := receiveFrom(t, "frame", frames)
		if !bytes.Equal(f.Packet, packetOf(i, 60)) || f.Source != source || f.Level != 33 || int(f.Counter) != i {
			t.Fatalf("frame %d: %+v", i, f)
		}
		p := receiveFrom(t, "packet", heard)
		if len(p.Payload) == 1 {
			t.Logf("a pause before frame %d", i)
			p = receiveFrom(t, "packet after a pause", heard)
		}
		var level rtp.AudioLevelExtension
		if err := level.Unmarshal(p.GetExtension(p.GetExtensionIDs()[0])); err != nil || level.Level != 33 {
			t.Fatalf("level %+v, %v", level, err)
		}
		if !bytes.Equal(p.Payload, packetOf(i, 60)) || len(p.CSRC) != 1 || p.CSRC[0] != source {
			t.Fatalf("packet %d: %v", i, p)
		}
	}
	send(n*960+7, []byte{28 << 3, 1, 2}) // 2.5 ms
	await(t, func() bool { return mic.Stats() == SessionStats{Frames: n, Dropped: 1} })

	// The publisher goes: its talkspurt ends.
	if err := pc.GracefulClose(); err != nil {
		t.Fatal(err)
	}
	if f := receiveFrom(t, "end", frames); f.Marks != protocol.End {
		t.Errorf("the last frame: %+v", f)
	}
	receiveFrom(t, "Done", mic.Done())
	if who := receiveFrom(t, "Closed", ended); who != "publisher" {
		t.Errorf("%s ended", who)
	}
	player.Close()
	receiveFrom(t, "Done", player.Done())
	if who := receiveFrom(t, "Closed", ended); who != "player" {
		t.Errorf("%s ended", who)
	}
	if player.Send(frameOf(1, 1)) {
		t.Error("an ended player takes frames")
	}
}

func TestUseDTX(t *testing.T) {
	for name, x := range map[string][2]string{
		"fmtp":     {"a=rtpmap:109 opus/48000/2\r\na=fmtp:109 stereo=1\r\na=mid:0\r\n", "a=rtpmap:109 opus/48000/2\r\na=fmtp:109 stereo=1;usedtx=1\r\na=mid:0\r\n"},
		"feedback": {"a=rtpmap:96 OPUS/48000/2\r\na=rtcp-fb:96 nack\r\na=fmtp:96 x=1\r\n", "a=rtpmap:96 OPUS/48000/2\r\na=rtcp-fb:96 nack\r\na=fmtp:96 x=1;usedtx=1\r\n"},
		"no fmtp":  {"a=rtpmap:96 opus/48000/2\r\na=mid:0\r\n", "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 usedtx=1\r\na=mid:0\r\n"},
		"no Opus":  {"a=rtpmap:0 PCMU/8000\r\na=mid:0\r\n", "a=rtpmap:0 PCMU/8000\r\na=mid:0\r\n"},
	} {
		if got := useDTX(x[0]); got != x[1] {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Programs that stream publish video with their audio; it is refused, and the
// audio taken.
func TestPublisherWithVideo(t *testing.T) {
	e := newSide(t, "one", Config{}).engine
	pc, _ := client(t, webrtc.RTPTransceiverDirectionSendonly, 1, webrtc.NetworkTypeUDP4)
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
		t.Fatal(err)
	}
	_, answer, err := e.Publish(t.Context(), offerOf(t, pc), Publication{Source: 1, Push: func(*protocol.Frame) {}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(answer, "m=video 0 ") || !strings.Contains(answer, "m=audio 9 ") {
		t.Errorf("the answer:\n%s", answer)
	}
}

// An offer of one m-line needs no BUNDLE group: programs on GStreamer send none.
func TestOffersWithoutABundle(t *testing.T) {
	e := newSide(t, "one", Config{}).engine
	send, _ := client(t, webrtc.RTPTransceiverDirectionSendonly, 1, webrtc.NetworkTypeUDP4)
	receive, _ := client(t, webrtc.RTPTransceiverDirectionRecvonly, 1, webrtc.NetworkTypeUDP4)
	group := regexp.MustCompile(`a=group:BUNDLE .*\r\n`)
	published, answer, err := e.Publish(t.Context(), group.ReplaceAllString(offerOf(t, send), ""), Publication{Source: 1, Push: func(*protocol.Frame) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer published.Close()
	if group.MatchString(answer) || !strings.Contains(answer, "m=audio 9 ") {
		t.Errorf("the publisher is answered:\n%s", answer)
	}
	takeAnswer(t, send, answer)
	played, answer, err := e.Play(t.Context(), group.ReplaceAllString(offerOf(t, receive), ""), Playing{})
	if err != nil {
		t.Fatal(err)
	}
	defer played.Close()
	takeAnswer(t, receive, answer)
}

// Most players ask for video first. It is refused; the way to the audio is told.
func TestPlayerWithVideo(t *testing.T) {
	e := newSide(t, "one", Config{}).engine
	pc, _ := client(t, webrtc.RTPTransceiverDirectionRecvonly, 0, webrtc.NetworkTypeUDP4)
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			t.Fatal(err)
		}
	}
	s, answer, err := e.Play(t.Context(), offerOf(t, pc), Playing{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	video, audio, _ := strings.Cut(answer, "m=audio 9 ")
	if !strings.Contains(video, "m=video 0 ") || strings.Contains(video, "a=candidate:") || !strings.Contains(audio, "a=candidate:") {
		t.Errorf("the answer:\n%s", answer)
	}
	takeAnswer(t, pc, answer)
}

func TestPauseEndsATalkspurt(t *testing.T) {
	e := newSide(t, "one", Config{}).engine
	frames := make(chan protocol.Marks, 100)
	_, _, send := publisher(t, e, Publication{Source: 1, Push: func(f *protocol.Frame) { frames <- f.Marks }}, webrtc.NetworkTypeUDP4)
	send(0, packetOf(0, 60))
	send(960, packetOf(0, 60))
	began := time.Now()
	for _, want := range []protocol.Marks{protocol.Start, 0, protocol.End} {
		if got := receiveFrom(t, "frame", frames); got != want {
			t.Errorf("marks %d, want %d", got, want)
		}
	}
	if took := time.Since(began); took < talkspurtPause-50*ms || took > 2*talkspurtPause {
		t.Errorf("ended after %v", took)
	}
}

func TestOffersThatDoNotDo(t *testing.T) {
	e := newSide(t, "one", Config{}).engine
	send, _ := client(t, webrtc.RTPTransceiverDirectionSendonly, 2, webrtc.NetworkTypeUDP4)
	receive, _ := client(t, webrtc.RTPTransceiverDirectionRecvonly, 4, webrtc.NetworkTypeUDP4)
	two, four := offerOf(t, send), offerOf(t, receive)
	for name, offer := range map[string]string{
		"empty": "", "large": strings.Repeat("v=0\r\n", maxOfferBytes), "nonsense": "v=0\r\nnonsense",
		"two tracks": two, "four players": four,
		"no fingerprint": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n",
	} {
		if _, _, err := e.Publish(t.Context(), offer, Publication{}); !errors.Is(err, ErrOffer) {
			t.Errorf("Publish, %s: %v", name, err)
		}
		if _, _, err := e.Play(t.Context(), offer, Playing{}); !errors.Is(err, ErrOffer) {
			t.Errorf("Play, %s: %v", name, err)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.sessions) != 0 {
		t.Errorf("%d sessions left", len(e.sessions))
	}
}

func TestEngineEndsItsSessions(t *testing.T) {
	s := newSide(t, "one", Config{})
	pc, _ := client(t, webrtc.RTPTransceiverDirectionRecvonly, 1, webrtc.NetworkTypeUDP4)
	closed := make(chan struct{}, 1)
	player, answer, err := s.engine.Play(context.Background(), offerOf(t, pc), Playing{Closed: func() { closed <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	takeAnswer(t, pc, answer)
	s.stop()
	receiveFrom(t, "Closed", closed)
	receiveFrom(t, "Done", player.Done())
	if _, _, err := s.engine.Play(context.Background(), "", Playing{}); err == nil {
		t.Error("Play after the end")
	}
}
