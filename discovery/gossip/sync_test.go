package gossip

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-msgio/pbio"
	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

func cancelled() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx, cancel
}

func TestLateJoinerLearnsBySync(t *testing.T) {
	a, b := newNode(t), newNode(t)
	a.connect(t, b)
	room := a.open(t)
	b.learns(t, room, 2*time.Second)

	late := newNode(t)
	late.connect(t, b)
	late.learns(t, room, 2*time.Second)
	if late.gossip.Counters().Accepted != 0 {
		t.Fatal("it came by gossip")
	}
	theirs, _ := b.directory.Room(room)
	ours, _ := late.directory.Room(room)
	if ours.Announcers[0].Remaining > theirs.Announcers[0].Remaining+time.Second {
		t.Fatalf("sync lengthens lives: %v of %v", ours.Announcers[0].Remaining, theirs.Announcers[0].Remaining)
	}
}

// TestNewsOfAnAnswerGoesOn has a node learn of rooms by an answer: whoever is behind
// it, and has asked it already, learns of them too.
func TestNewsOfAnAnswerGoesOn(t *testing.T) {
	behind, middle, teller := newNode(t), newNode(t), bare(t)
	behind.connect(t, middle)
	behind.learns(t, middle.open(t), 4*time.Second)
	middle.learns(t, behind.open(t), 4*time.Second)
	g := teller.found(t)
	teller.host.SetStreamHandler(protocol.DirectoryStream, func(s network.Stream) {
		defer s.Close()
		pbio.NewDelimitedWriter(s).WriteMsg(&pb.DirectoryResponse{Entries: []*pb.DirectoryEntry{{RemainingMs: 50_000, Envelope: teller.seal(t, g, 1)}}})
	})
	middle.connect(t, teller)
	behind.learns(t, g.Room, 4*time.Second)
	if n := middle.gossip.Counters().PassedOn; n != 1 {
		t.Errorf("%d passed on", n)
	}
}

// hostileServers are neighbours that answer a DirectoryRequest with malice.
var hostileServers = map[string]func(t *testing.T, n *node, s network.Stream){
	"resets":    func(_ *testing.T, _ *node, s network.Stream) { s.Reset() },
	"is silent": func(*testing.T, *node, network.Stream) {},
	"too large": func(_ *testing.T, _ *node, s network.Stream) {
		s.Write(binary.AppendUvarint(nil, 1<<40))
		s.Write(make([]byte, 1<<16))
	},
	"truncated": func(_ *testing.T, _ *node, s network.Stream) {
		s.Write(append(binary.AppendUvarint(nil, 1000), 1, 2, 3))
		s.CloseWrite()
	},
	"no protobuf": func(_ *testing.T, _ *node, s network.Stream) {
		s.Write(append(binary.AppendUvarint(nil, 100), bytes.Repeat([]byte{0xff}, 100)...))
	},
	"too many": func(_ *testing.T, _ *node, s network.Stream) {
		m := &pb.DirectoryResponse{}
		for range protocol.MaxDirectoryEntries + 1 {
			m.Entries = append(m.Entries, &pb.DirectoryEntry{RemainingMs: 1})
		}
		pbio.NewDelimitedWriter(s).WriteMsg(m)
	},
	"tells of too many neighbours": func(_ *testing.T, _ *node, s network.Stream) {
		m := &pb.DirectoryResponse{}
		for range acquaintancesTold + 1 {
			m.Neighbours = append(m.Neighbours, &pb.Address{})
		}
		pbio.NewDelimitedWriter(s).WriteMsg(m)
	},
	"forged": func(t *testing.T, n *node, s network.Stream) {
		envelope := n.seal(t, n.found(t), 1)
		envelope[len(envelope)-1] ^= 1
		pbio.NewDelimitedWriter(s).WriteMsg(&pb.DirectoryResponse{Entries: []*pb.DirectoryEntry{{RemainingMs: 60_000, Envelope: envelope}}})
	},
	"expired": func(t *testing.T, n *node, s network.Stream) {
		pbio.NewDelimitedWriter(s).WriteMsg(&pb.DirectoryResponse{Entries: []*pb.DirectoryEntry{{Envelope: n.seal(t, n.found(t), 1)}}})
	},
}

func TestHostileServers(t *testing.T) {
	for name, serve := range hostileServers {
		t.Run(name, func(t *testing.T) {
			honest, victim, hostile := newNode(t), newNode(t), bare(t)
			room := honest.open(t)
			asked := make(chan struct{}, 16)
			hostile.host.SetStreamHandler(protocol.DirectoryStream, func(s network.Stream) {
				serve(t, hostile, s)
				asked <- struct{}{}
			})
			victim.connect(t, hostile)
			<-asked
			victim.connect(t, honest)
			victim.learns(t, room, 5*time.Second)
			if rooms := victim.directory.Rooms(); len(rooms) != 1 {
				t.Fatalf("%d rooms, should be the honest one's alone", len(rooms))
			}
		})
	}
}

// ask sends what a client sends and gives how reading the answer ends.
func (n *node) ask(t testing.TB, of *node, request []byte) (*pb.DirectoryResponse, error) {
	t.Helper()
	s, err := n.host.NewStream(t.Context(), of.host.ID(), protocol.DirectoryStream)
	must(t, err)
	defer s.Reset()
	_, err = s.Write(request)
	must(t, err)
	m := &pb.DirectoryResponse{}
	return m, pbio.NewDelimitedReader(s, maxResponseBytes).ReadMsg(m)
}

func TestHostileClients(t *testing.T) {
	server, client := newNode(t), bare(t)
	room := server.open(t)
	client.connect(t, server)

	if m, err := client.ask(t, server, []byte{0}); err != nil || len(m.Entries) != 1 {
		t.Fatalf("an honest question gets %v, %v", m, err)
	}
	for range 20 + asksAtOnce { // more often than it may
		if _, err := client.ask(t, server, []byte{0}); err == nil && server.gossip.Counters().Served > asksAtOnce {
			t.Fatal("who asks too often is answered")
		}
	}
	var others sync.WaitGroup
	for name, request := range map[string][]byte{
		"silent":    nil,
		"too large": binary.AppendUvarint(nil, 1<<30),
		"malformed": {2, 0xff, 0xff},
	} {
		hostile := bare(t)
		hostile.connect(t, server)
		others.Go(func() {
			if _, err := hostile.ask(t, server, request); err == nil {
				t.Errorf("%s is answered", name)
			}
		})
	}
	others.Wait()
	if c := server.gossip.Counters(); c.Refused < 20 {
		t.Fatalf("miscounted: %+v", c)
	}
	late := newNode(t)
	late.connect(t, server)
	late.learns(t, room, 5*time.Second)
}

// TestWhoAsksWaitsForAPlace: as many as are served at once say nothing, and who asks
// meanwhile is answered after them.
func TestWhoAsksWaitsForAPlace(t *testing.T) {
	server, late := newNode(t), bare(t)
	for range servers {
		n := bare(t)
		n.connect(t, server)
		s, err := n.host.NewStream(t.Context(), server.host.ID(), protocol.DirectoryStream)
		must(t, err)
		defer s.Reset()
		_, err = s.Write([]byte{100}) // of a hundred bytes none
		must(t, err)
	}
	late.connect(t, server)
	if _, err := late.ask(t, server, []byte{0}); err != nil {
		t.Errorf("who comes when %d are served gets %v", servers, err)
	}
}

func TestResponseIsBounded(t *testing.T) {
	g := &Gossip{directory: shelf{}}
	for most, want := range map[uint32]int{0: protocol.MaxDirectoryEntries, 3: 3, 1 << 31: protocol.MaxDirectoryEntries} {
		m := g.response(&pb.DirectoryRequest{Most: most}, maxResponseBytes)
		if len(m.Entries) != want || proto.Size(m) > maxResponseBytes {
			t.Fatalf("%d entries in %d bytes for %d", len(m.Entries), proto.Size(m), most)
		}
	}
	if m := g.response(&pb.DirectoryRequest{}, limitedBytes); proto.Size(m) > limitedBytes || len(m.Entries) < 20 {
		t.Fatalf("%d entries in %d bytes over a limited connection", len(m.Entries), proto.Size(m))
	}
	for newest, want := range map[uint32]int{1000: 0, 60_000: 2, 59_499: 1} {
		if m := g.response(&pb.DirectoryRequest{NewestMs: newest, Most: 2}, maxResponseBytes); len(m.Entries) != want {
			t.Fatalf("%d entries of the last %d ms", len(m.Entries), newest)
		}
	}
}

// shelf is a directory that holds whatever is asked for, as large as may be.
type shelf struct{}

func (shelf) Offer([]byte, time.Duration) discovery.Verdict { return discovery.Ignore }

func (shelf) Entries(most int) []discovery.DirectoryEntry {
	entries := make([]discovery.DirectoryEntry, most)
	for i := range entries {
		entries[i] = discovery.DirectoryEntry{Envelope: make([]byte, protocol.MaxAnnouncementBytes), Remaining: protocol.MaxLife,
			Age: 59*time.Second + time.Duration(min(i, 2))*500*time.Millisecond}
	}
	return entries
}

func FuzzTakeResponse(f *testing.F) {
	for _, m := range []*pb.DirectoryResponse{{}, {Entries: []*pb.DirectoryEntry{{RemainingMs: 1, Envelope: []byte("x")}, {}}, Neighbours: []*pb.Address{{}}}} {
		var b bytes.Buffer
		must(f, pbio.NewDelimitedWriter(&b).WriteMsg(m))
		f.Add(b.Bytes())
	}
	f.Add(binary.AppendUvarint(nil, 1<<63))
	f.Fuzz(func(t *testing.T, b []byte) {
		offered := 0
		g := &Gossip{ctx: t.Context(), outbox: make(chan message, newsPassedOn), directory: offers(func(_ []byte, remaining time.Duration) discovery.Verdict {
			if offered++; remaining <= 0 {
				t.Fatal("a dead announcement is offered")
			}
			return discovery.Accept
		})}
		told, err := g.takeResponse(t.Context(), bytes.NewReader(b), "")
		if err != nil && offered > 0 {
			t.Fatalf("%d taken of an answer that fails: %v", offered, err)
		}
		if infos := believed(told, multiaddr.StringCast("/ip4/8.8.8.8/tcp/1")); len(infos) > acquaintancesTold {
			t.Fatalf("believes in %d", len(infos))
		}
		if offered > protocol.MaxDirectoryEntries {
			t.Fatalf("%d taken", offered)
		}
		if passed := g.Counters().PassedOn; passed != uint64(min(offered, newsPassedOn)) {
			t.Fatalf("%d of %d passed on", passed, offered)
		}
	})
}

// offers is a directory that only takes.
type offers func([]byte, time.Duration) discovery.Verdict

func (o offers) Offer(b []byte, d time.Duration) discovery.Verdict { return o(b, d) }
func (offers) Entries(int) []discovery.DirectoryEntry              { return nil }
