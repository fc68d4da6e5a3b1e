package web

import (
	"bufio"
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// Whatever a speaker's program sends, a frame that is accepted is within
// bounds and encodes to what reads the same.
func FuzzReadFrame(f *testing.F) {
	for _, frame := range []*pb.LocalFrame{
		{Packet: []byte{0xf8, 0xff, 0xfe}, Timestamp: 960},
		{Packet: make([]byte, protocol.MaxPacketBytes)},
		{Packet: make([]byte, protocol.MaxPacketBytes+1)},
		{},
	} {
		var b bytes.Buffer
		protodelim.MarshalTo(&b, frame)
		protodelim.MarshalTo(&b, frame)
		f.Add(b.Bytes())
		f.Add(b.Bytes()[:b.Len()-1])
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		from := bufio.NewReader(bytes.NewReader(b))
		for {
			frame, err := readFrame(from)
			if err != nil {
				return
			}
			if n := len(frame.GetPacket()); n == 0 || n > protocol.MaxPacketBytes {
				t.Fatalf("accepted %d bytes", n)
			}
			var again bytes.Buffer
			protodelim.MarshalTo(&again, frame)
			if same, err := readFrame(bufio.NewReader(&again)); err != nil || !proto.Equal(same, frame) {
				t.Fatalf("%v reads again as %v, %v", frame, same, err)
			}
		}
	})
}

func FuzzOpenRequest(f *testing.F) {
	for _, text := range []string{
		`{"title":"Why the sky is dark","language":"en","topics":["sky"],"stage":"open","speakers":["12D3KooW"],"unlisted":true}`,
		`{"title":"x"}{}`, `{"title":"x","y":1}`, `{"title":null}`, `[[[[`, ``, "\xff", `{"title":"\ud800"}`, `{"topics":[null]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var first, again OpenRequest
		if err := decode(b, &first); err != nil {
			if _, status := problemOf(err); status != 400 {
				t.Fatalf("%q is answered with %d", b, status)
			}
			return
		}
		text, err := line(first)
		if err != nil {
			t.Fatal(err)
		}
		if err := decode(text, &again); err != nil {
			t.Fatalf("%q, encoded from %q, is refused: %v", text, b, err)
		}
		if same, _ := line(again); !bytes.Equal(same, text) {
			t.Fatalf("%q reads again as %q", text, same)
		}
	})
}

// Whatever asks to meet others, what is let through names one way, in sane words.
func FuzzMeetRequest(f *testing.F) {
	for _, text := range []string{
		`{"link":"earshot:room/7k2m/x"}`, `{"address":"/ip4/192.0.2.7/tcp/1/p2p/x"}`, `{"local":true}`, `{"public":true}`, `{}`,
		`{"local":true,"public":true}`, `{"link":"\u0000"}`, `{"link":null,"local":true}`, `{"Local":true}`, "\xff",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readMeetRequest(b)
		if err != nil {
			if _, status := problemOf(err); status != 400 {
				t.Fatalf("%q is answered with %d", b, status)
			}
			return
		}
		text, err := line(r)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := readMeetRequest(text); err != nil || again != r || again.ways() != 1 {
			t.Fatalf("%q reads again as %+v, %v", text, again, err)
		}
	})
}
