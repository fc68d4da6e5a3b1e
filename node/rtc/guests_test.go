package rtc

import (
	"errors"
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
			s, answer, err := e.PlayGuest(t.Context(), loopback, offerOf(t, guest), Playing{Closed: func() { close(ended) }})
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
	if _, _, err := none.PlayGuest(t.Context(), loopback, offer, Playing{}); !errors.Is(err, ErrNoGuests) {
		t.Errorf("without a door: %v", err)
	}
	lite := strings.Replace(offer, "m=audio", "a=ice-lite\r\nm=audio", 1)
	if _, _, err := e.PlayGuest(t.Context(), loopback, lite, Playing{}); !errors.Is(err, ErrOffer) {
		t.Errorf("ICE lite: %v", err)
	}
	if _, _, err := e.PlayGuest(t.Context(), netip.MustParseAddr("192.0.2.9"), offer, Playing{}); err == nil {
		t.Error("it answers at another address")
	}
	speaks, _ := client(t, webrtc.RTPTransceiverDirectionSendonly, 1, webrtc.NetworkTypeUDP4)
	if _, _, err := e.PlayGuest(t.Context(), loopback, offerOf(t, speaks), Playing{}); !errors.Is(err, ErrOffer) {
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
