package protocol

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

type extensionFields struct {
	Counter  uint16 `json:"counter"`
	Start    bool   `json:"start"`
	End      bool   `json:"end"`
	Replayed bool   `json:"replayed"`
	Selected bool   `json:"selected"`
	Skipped  bool   `json:"skipped"`
}

func TestVectorsFrames(t *testing.T) {
	v := hold(t, "frames.json", vectors[extensionFields]{About: "The payload (bytes) of the RTP header extension " + FrameExtension,
		Accepted: []accepted[extensionFields]{
			{Name: "in a talkspurt", Bytes: hexBytes{0x12, 0x34, 0}, Fields: extensionFields{Counter: 0x1234}},
			{Name: "its start", Bytes: hexBytes{0, 0, 1}, Fields: extensionFields{Start: true}},
			{Name: "its end, out of the ring", Bytes: hexBytes{0xff, 0xff, 6}, Fields: extensionFields{Counter: 0xffff, End: true, Replayed: true}},
			{Name: "chosen", Bytes: hexBytes{0, 1, 8}, Fields: extensionFields{Counter: 1, Selected: true}},
			{Name: "after some left out", Bytes: hexBytes{0, 9, 16}, Fields: extensionFields{Counter: 9, Skipped: true}},
			{Name: "everything", Bytes: hexBytes{0, 9, 31}, Fields: extensionFields{9, true, true, true, true, true}},
			{Name: "marks of a later version", Bytes: hexBytes{0, 9, 0xe1}, Fields: extensionFields{Counter: 9, Start: true}, ReadOnly: true},
			{Name: "bytes of a later version", Bytes: hexBytes{0, 9, 1, 7}, Fields: extensionFields{Counter: 9, Start: true}, ReadOnly: true},
		},
		Refused: []refused{
			{Name: "empty", Error: "ErrFrame"},
			{Name: "2 bytes", Bytes: hexBytes{0, 1}, Error: "ErrFrame"},
		}})
	for _, a := range v.Accepted {
		f := Frame{Marks: 0xff}
		must(t, f.TakeExtension(a.Bytes))
		same(t, a.Name, extensionFields{f.Counter, f.Marks&Start > 0, f.Marks&End > 0, f.Marks&Replayed > 0, f.Marks&Selected > 0,
			f.Marks&Skipped > 0}, a.Fields)
		var b [FrameExtensionBytes]byte
		f.PutExtension(b[:])
		a.sameBytes(t, b[:])
	}
	for _, r := range v.Refused {
		r.is(t, new(Frame).TakeExtension(r.Bytes))
	}
}

type addressFields struct {
	Peer      hexBytes `json:"peer"`
	Addresses []string `json:"addresses,omitempty"`
}

func TestVectorsAddresses(t *testing.T) {
	c := people()
	add := func(b ...[]byte) hexBytes { return hexBytes(message{}.bytes(1, c.founder.pub).list(2, b)) }
	plain := []string{"/ip4/192.0.2.1/udp/4001/quic-v1", "/ip6/2001:db8::1/tcp/4001/ws", "/dns4/example.org/tcp/443/wss"}
	eight := strings.Fields(strings.Repeat("/ip4/192.0.2.1/tcp/1 ", MaxAddresses))
	first := binaries(plain[0])[0]
	only := addressFields{c.founder.pub, plain[:1]}
	circuit := "/ip4/192.0.2.9/tcp/1/p2p/" + c.delegate.id.String() + "/p2p-circuit"
	v := hold(t, "addresses.json", vectors[addressFields]{About: "An Address (bytes): a peer and where it is found", Seeds: c.seeds(),
		Accepted: []accepted[addressFields]{
			{Name: "three", Bytes: add(binaries(plain...)...), Fields: addressFields{c.founder.pub, plain}},
			{Name: "none", Bytes: add(), Fields: addressFields{Peer: c.founder.pub}},
			{Name: "eight", Bytes: add(binaries(eight...)...), Fields: addressFields{c.founder.pub, eight}},
			{Name: "one through a circuit", Bytes: add(binaries(circuit, plain[0])...), Fields: addressFields{c.founder.pub, []string{circuit, plain[0]}}},
			{Name: "one through two circuits is left out", Bytes: add(binaries(circuit+"/p2p/"+c.founder.id.String()+"/p2p-circuit", plain[0])...),
				Fields: only, ReadOnly: true},
			{Name: "one that names a peer is left out", Bytes: add(binaries("/ip4/192.0.2.9/tcp/1/p2p/"+c.delegate.id.String(), plain[0])...),
				Fields: only, ReadOnly: true},
			{Name: "one with a certificate's hash is left out", Fields: only, ReadOnly: true,
				Bytes: add(binaries("/ip4/192.0.2.9/udp/1/quic-v1/webtransport/certhash/uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g", plain[0])...)},
			{Name: "those that don't read are left out", Bytes: add([]byte{}, []byte{4, 1, 2}, []byte{0xff, 0xff, 0x7f, 1}, first[:len(first)-1], first),
				Fields: only, ReadOnly: true},
		},
		Refused: []refused{
			{Name: "no peer", Bytes: hexBytes(message{}.list(2, binaries(plain...))), Error: "ErrPeer"},
			{Name: "9 addresses", Bytes: add(binaries(append(eight, eight[0])...)...), Error: "ErrLarge"},
			{Name: "address of 129 bytes", Bytes: add(make([]byte, 129)), Error: "ErrLarge"},
			{Name: "addresses of 401 bytes", Bytes: add(make([]byte, 128), make([]byte, 128), make([]byte, 128), make([]byte, 17)), Error: "ErrLarge"},
		}})
	for _, a := range v.Accepted {
		var w pb.Address
		must(t, proto.Unmarshal(a.Bytes, &w))
		got, err := OpenAddress(&w)
		if err != nil {
			t.Errorf("%s: %v", a.Name, err)
			continue
		}
		key, err := PeerKey(got.ID)
		must(t, err)
		same(t, a.Name, addressFields{key, texts(got.Addrs)}, a.Fields)
		made, err := WireAddress(got, MaxAddresses)
		must(t, err)
		a.sameBytes(t, marshal(t, made))
	}
	for _, r := range v.Refused {
		var w pb.Address
		must(t, proto.Unmarshal(r.Bytes, &w))
		_, err := OpenAddress(&w)
		r.is(t, err)
	}
}
