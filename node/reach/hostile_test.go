package reach

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-msgio/pbio"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

func say(m *pb.ReachAnswer) func(network.Stream) {
	return func(s network.Stream) {
		_ = pbio.NewDelimitedWriter(s).WriteMsg(m)
		s.Close()
	}
}

// TestHostileAnswers has a neighbour answer with malice: nothing of it is
// believed, and an honest one beside it is.
func TestHostileAnswers(t *testing.T) {
	for name, answer := range map[string]func(network.Stream){
		"resets": func(s network.Stream) { s.Reset() },
		"ends":   func(s network.Stream) { s.Close() },
		"too large": func(s network.Stream) {
			s.Write(binary.AppendUvarint(nil, 1<<40))
			s.Write(make([]byte, 1<<12))
			s.Close()
		},
		"truncated": func(s network.Stream) { s.Write(append(binary.AppendUvarint(nil, 100), 1, 2, 3)); s.Close() },
		"no protobuf": func(s network.Stream) {
			s.Write(append(binary.AppendUvarint(nil, 100), bytes.Repeat([]byte{0xff}, 100)...))
			s.Close()
		},
		"port 0":          say(&pb.ReachAnswer{Relays: true, StunPorts: []uint32{0}}),
		"port 65536":      say(&pb.ReachAnswer{Relays: true, StunPorts: []uint32{65536}}),
		"too many ports":  say(&pb.ReachAnswer{Relays: true, StunPorts: []uint32{1, 2, 3, 4, 5}}),
		"seen too large":  say(&pb.ReachAnswer{Relays: true, Seen: make([]byte, protocol.MaxAddressBytes+1)}),
		"seen no address": say(&pb.ReachAnswer{Relays: true, Seen: []byte{0xff, 0xff}}),
	} {
		t.Run(name, func(t *testing.T) {
			ana, bad := newNode(t, home), newHost(t, first)
			bad.SetStreamHandler(protocol.DirectoryStream, func(s network.Stream) { s.Reset() })
			answered := make(chan struct{}, 1)
			bad.SetStreamHandler(protocol.ReachStream, func(s network.Stream) {
				answer(s)
				select {
				case answered <- struct{}{}:
				default:
				}
			})
			must(t, ana.Connect(t.Context(), peer.AddrInfo{ID: bad.ID(), Addrs: bad.Addrs()}))
			select {
			case <-answered:
			case <-time.After(5 * time.Second):
				t.Fatal("not asked")
			}
			good := newNode(t, other)
			ana.connect(good)
			ana.holds(good)
			if infos := ana.PublicNeighbours(); len(infos) != 1 || infos[0].ID != good.ID() {
				t.Errorf("%v", infos)
			}
		})
	}
}

// TestALiarIsNoRelay has a neighbour say that it relays, which it doesn't.
func TestALiarIsNoRelay(t *testing.T) {
	ana, bad := newNode(t, home), newHost(t, first)
	bad.SetStreamHandler(protocol.DirectoryStream, func(s network.Stream) { s.Reset() })
	bad.SetStreamHandler(protocol.ReachStream, say(&pb.ReachAnswer{Relays: true}))
	must(t, ana.Connect(t.Context(), peer.AddrInfo{ID: bad.ID(), Addrs: bad.Addrs()}))
	for _, at := range []string{other, third} {
		ana.connect(newNode(t, at))
	}
	ana.becomes("held by two others", func(s State) bool {
		return len(s.Circuits) == 2 && s.Circuits[0].Relay != bad.ID() && s.Circuits[1].Relay != bad.ID()
	})
}

func TestAskersAreLimited(t *testing.T) {
	public, asker := newNode(t, first), newHost(t, home)
	must(t, asker.Connect(t.Context(), public.info()))
	refused := 0
	for range 3 * answerEachBurst {
		s, err := asker.NewStream(t.Context(), public.ID(), protocol.ReachStream)
		must(t, err)
		must(t, s.SetReadDeadline(time.Now().Add(5*time.Second)))
		if pbio.NewDelimitedReader(s, maxAnswerBytes).ReadMsg(&pb.ReachAnswer{}) != nil {
			refused++
		}
		s.Reset()
	}
	if refused < answerEachBurst {
		t.Errorf("%d refused", refused)
	}
	if got := public.Counts().Refused; got < uint64(refused) {
		t.Errorf("%d counted of %d refused", got, refused)
	}
}

// TestASilentAskerCostsNothing opens streams and never reads.
func TestASilentAskerCostsNothing(t *testing.T) {
	public, ana := newNode(t, first), newNode(t, home)
	for range 2 * answersAtOnce {
		silent := newHost(t, home)
		must(t, silent.Connect(t.Context(), public.info()))
		_, err := silent.NewStream(t.Context(), public.ID(), protocol.ReachStream)
		must(t, err)
	}
	ana.connect(public)
	ana.holds(public)
}

func FuzzReply(f *testing.F) {
	for _, m := range []*pb.ReachAnswer{
		{}, {Relays: true}, {StunPorts: []uint32{41642, 41643}, Seen: []byte{4, 127, 0, 0, 1, 0x91, 2, 0, 7}}, {StunPorts: []uint32{0}}, {StunPorts: []uint32{1 << 20}},
	} {
		raw, err := proto.Marshal(m)
		must(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pb.ReachAnswer
		if proto.Unmarshal(raw, &m) != nil {
			return
		}
		a, err := readReply(&m)
		if err != nil {
			return
		}
		if len(a.ports) > maxPorts || len(m.StunPorts) == 0 != (len(a.ports) == 0) || a.relays != m.Relays {
			t.Fatalf("%+v of %v", a, &m)
		}
		if a.seen != nil && !bytes.Equal(a.seen.Bytes(), m.Seen) {
			t.Fatalf("%v is not %x", a.seen, m.Seen)
		}
	})
}
