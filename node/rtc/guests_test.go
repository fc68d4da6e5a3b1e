package rtc

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/protocol"
)

// A guest is offered the one address at which it came, and hears.
func TestPlayGuest(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	for name, at := range map[string]string{"one address": "127.0.0.1:0", "all addresses": "0.0.0.0:0"} {
		t.Run(name, func(t *testing.T) {
			e := newSide(t, "one", Config{Guests: netip.MustParseAddrPort(at)}).engine
			guest, _ := client(t, webrtc.RTPTransceiverDirectionRecvonly, 3, webrtc.NetworkTypeUDP4)
			heard := make(chan *rtp.Packet, 100)
			guest.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
				for {
					p, _, err := track.ReadRTP()
					if err != nil {
						return
					}
					heard <- p
				}
			})
			ended := make(chan struct{})
			s, answer, err := e.PlayGuest(t.Context(), Entry{Offer: offerOf(t, guest), At: loopback}, Playing{Closed: func() { close(ended) }})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(answer, "a=ice-lite") {
				t.Error("the answer is not that of an ICE-lite agent")
			}
			for line := range strings.Lines(answer) {
				if strings.HasPrefix(line, "a=candidate:") && !strings.Contains(line, " 127.0.0.1 ") {
					t.Errorf("it tells of another address: %s", line)
				}
			}
			takeAnswer(t, guest, answer)
			await(t, s.up.Load)
			f := protocol.Frame{Source: 7, Marks: protocol.Start, Packet: packetOf(1, 50)}
			if !s.Send(&f) {
				t.Error("a frame was dropped")
			}
			if p := receiveFrom(t, "packet", heard); len(p.CSRC) != 1 || p.CSRC[0] != 7 {
				t.Errorf("heard %v", p)
			}
			s.Close()
			receiveFrom(t, "end", ended)
		})
	}
}

func TestPlayGuestRefuses(t *testing.T) {
	e := newSide(t, "one", Config{Guests: netip.MustParseAddrPort("127.0.0.1:0")}).engine
	none := newSide(t, "two", Config{}).engine
	guest, _ := client(t, webrtc.RTPTransceiverDirectionRecvonly, 1, webrtc.NetworkTypeUDP4)
	offer := offerOf(t, guest)
	loopback := netip.MustParseAddr("127.0.0.1")
	if _, _, err := none.PlayGuest(t.Context(), Entry{Offer: offer, At: loopback}, Playing{}); !errors.Is(err, ErrNoGuests) {
		t.Errorf("without a door: %v", err)
	}
	lite := strings.Replace(offer, "m=audio", "a=ice-lite\r\nm=audio", 1)
	if _, _, err := e.PlayGuest(t.Context(), Entry{Offer: lite, At: loopback}, Playing{}); !errors.Is(err, ErrOffer) {
		t.Errorf("ICE lite: %v", err)
	}
	if _, _, err := e.PlayGuest(t.Context(), Entry{Offer: offer, At: netip.MustParseAddr("192.0.2.9")}, Playing{}); err == nil {
		t.Error("it answers at another address")
	}
	speaks, _ := client(t, webrtc.RTPTransceiverDirectionSendonly, 1, webrtc.NetworkTypeUDP4)
	if _, _, err := e.PlayGuest(t.Context(), Entry{Offer: offerOf(t, speaks), At: loopback}, Playing{}); !errors.Is(err, ErrOffer) {
		t.Errorf("one that sends: %v", err)
	}
}

// What goes to guests passes what stands before the sockets: a limit on the upload.
func TestGuestsAreWrapped(t *testing.T) {
	wrapped := map[bool]int{}
	for _, door := range []bool{false, true} {
		cfg := Config{Wrap: func(c net.PacketConn) net.PacketConn { wrapped[door]++; return c }}
		if door {
			cfg.Guests = netip.MustParseAddrPort("127.0.0.1:0")
		}
		newSide(t, "one", cfg)
	}
	if wrapped[true] != wrapped[false]+1 {
		t.Errorf("wrapped %v sockets", wrapped)
	}
}

// A guest that speaks is heard, and is whom its offer names.
func TestPublishGuest(t *testing.T) {
	e := newSide(t, "one", Config{Guests: netip.MustParseAddrPort("127.0.0.1:0")}).engine
	guest, senders := client(t, webrtc.RTPTransceiverDirectionSendonly, 1, webrtc.NetworkTypeUDP4)
	out, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "mic", "mic")
	if err != nil {
		t.Fatal(err)
	}
	if err := senders[0].Sender().ReplaceTrack(out); err != nil {
		t.Fatal(err)
	}
	heard, ended := make(chan protocol.Source, 10), make(chan struct{})
	offer := offerOf(t, guest)
	s, answer, err := e.PublishGuest(t.Context(), Entry{Offer: offer, At: netip.MustParseAddr("127.0.0.1")}, Publication{
		Source: 7, Push: func(f *protocol.Frame) { heard <- f.Source }, Closed: func() { close(ended) }})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(answer, "a=ice-lite") {
		t.Error("the answer is not that of an ICE-lite agent")
	}
	takeAnswer(t, guest, answer)
	if err := out.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2}, Payload: packetOf(1, 50)}); err != nil {
		t.Fatal(err)
	}
	if from := receiveFrom(t, "frame", heard); from != 7 {
		t.Errorf("heard %d", from)
	}
	print, err := Fingerprint(offer)
	if got := sha256.Sum256(s.pc.SCTP().Transport().GetRemoteCertificate()); err != nil || got != print {
		t.Errorf("the offer names %x (%v), and %x came", print, err, got)
	}
	s.Close()
	receiveFrom(t, "end", ended)
}

func TestFingerprint(t *testing.T) {
	const sum = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
	head, media := "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
	line := func(v string) string { return "a=fingerprint:" + v + "\r\n" }
	for name, c := range map[string]struct {
		offer string
		good  bool
	}{
		"of the session":       {head + line("sha-256 "+sum) + media, true},
		"of the m-line":        {head + media + line("SHA-256 "+strings.ToLower(sum)), true},
		"of both":              {head + line("sha-256 "+sum) + media + line("sha-256 "+sum), true},
		"none":                 {head + media, false},
		"two":                  {head + line("sha-256 "+sum) + media + line("sha-256 11"+sum[2:]), false},
		"two kinds":            {head + line("sha-256 "+sum) + media + line("sha-1 "+sum[:59]), false},
		"another kind":         {head + media + line("sha-1 "+sum[:59]), false},
		"called another kind":  {head + media + line("sha-1 "+sum), false},
		"short":                {head + media + line("sha-256 "+sum[3:]), false},
		"no digits":            {head + media + line("sha-256 "+strings.Repeat("zz:", 31)+"zz"), false},
		"no session":           {"hello", false},
		"larger than an offer": {head + media + line("sha-256 "+sum) + strings.Repeat("a=x\r\n", maxOfferBytes), false},
	} {
		print, err := Fingerprint(c.offer)
		if c.good != (err == nil) || c.good && (print[1] != 0x11 || print[31] != 0xff) {
			t.Errorf("%s: %x, %v", name, print, err)
		}
		if !c.good && !errors.Is(err, ErrOffer) {
			t.Errorf("%s: %v is no fault of the offer", name, err)
		}
	}
}

func FuzzFingerprint(f *testing.F) {
	f.Add("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 00:11\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, offer string) {
		if _, err := Fingerprint(offer); err == nil && !strings.Contains(strings.ToLower(offer), "sha-256") {
			t.Error("a fingerprint out of nothing")
		}
	})
}

// Who comes from the Internet to a door behind a router is told where that router
// is; who comes from within is not.
func TestGuestsFromOutside(t *testing.T) {
	e := newSide(t, "one", Config{Guests: netip.MustParseAddrPort("127.0.0.1:0")}).engine
	e.SetMapped(func() []netip.AddrPort {
		return []netip.AddrPort{netip.MustParseAddrPort("198.51.100.7:41642"), netip.MustParseAddrPort("[2001:db8::7]:41642")}
	})
	loopback := netip.MustParseAddr("127.0.0.1")
	for from, want := range map[string]int{"203.0.113.9": 1, "192.168.1.9": 0, "127.0.0.1": 0, "fe80::1": 0} {
		guest, _ := client(t, webrtc.RTPTransceiverDirectionRecvonly, 1, webrtc.NetworkTypeUDP4)
		s, answer, err := e.PlayGuest(t.Context(), Entry{Offer: offerOf(t, guest), At: loopback, From: netip.MustParseAddr(from)}, Playing{})
		if err != nil {
			t.Fatal(err)
		}
		at := fmt.Sprintf(" 198.51.100.7 %d typ srflx raddr 127.0.0.1 ", e.guests.addrs[0].Port())
		if got := strings.Count(answer, "srflx"); got != want || strings.Count(answer, at) != want {
			t.Errorf("one from %s is told\n%s", from, answer)
		}
		takeAnswer(t, guest, answer)
		s.Close()
		<-s.Done()
	}
}
