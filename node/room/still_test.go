package room

import (
	"log/slog"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// A stillness is one room that nobody runs, so that a test may call what it likes
// and set the clock.
type stillness struct {
	*Room
	t         testing.TB
	nodes     []*node
	clock     time.Duration
	sent      int
	lastSent  *pb.LinkMessage
	told      *pb.LogTold // the last one sent
	fed       map[protocol.PeerID]int
	published []*protocol.Message
	opened    map[protocol.Source]bool
}

// still gives the room of the node with that number; the first is the founder.
func still(t testing.TB, stage protocol.Stage, nodes, self int) *stillness {
	t.Helper()
	w := newWorld(t, 1, stage, nodes)
	s := &stillness{t: t, nodes: w.nodes, clock: time.Hour, fed: map[protocol.PeerID]int{}, opened: map[protocol.Source]bool{}}
	n := w.nodes[self]
	s.Room = New(Config{
		Room: w.genesis.Room, Genesis: w.genesis, Self: n.id, Key: n.key, Boot: 1, Name: "still",
		Links: nowhere{s}, Topic: nowhere{s}, Forwarder: nowhere{s},
		Addresses:   func() []multiaddr.Multiaddr { return nil },
		SaveTerm:    func(_ uint32, _ protocol.Key, done func(error)) { done(nil) },
		SaveActions: func([]*pb.SignedAction) {},
		SaveGenesis: func(*protocol.Genesis) {},
		SaveLives:   func(roster.Lives) {},
		Wall:        time.Now,
		Announce:    func([]byte) {},
		Announcers:  func() []peer.AddrInfo { return nil },
		Rooms:       func() int { return 1 },
		Sequence:    n.next,
		Changed:     func() {},
		Relayed:     func(RelayChange) {},
		Now:         func() time.Duration { return s.clock },
		Log:         slog.New(slog.DiscardHandler),
	})
	s.start(s.clock)
	return s
}

// nowhere is all that a room calls.
type nowhere struct{ *stillness }

func (nowhere) Want(peer.AddrInfo)      {}
func (nowhere) Release(protocol.PeerID) {}
func (n nowhere) Send(to protocol.PeerID, m *pb.LinkMessage) bool {
	n.sent++
	if m.GetFeed() != nil {
		n.fed[to]++
	}
	n.lastSent = m
	if t := m.GetLogTold(); t != nil {
		n.told = t
	}
	return true
}
func (nowhere) Path(protocol.PeerID) Path                       { return nil }
func (nowhere) Addresses(protocol.PeerID) []multiaddr.Multiaddr { return nil }
func (n nowhere) Publish(raw []byte) {
	m, err := protocol.ParseMessage(raw)
	if err != nil {
		n.t.Error(err)
	}
	n.published = append(n.published, m)
}
func (n nowhere) OpenSource(s protocol.Source, _, _ protocol.PeerID) { n.opened[s] = true }
func (n nowhere) CloseSource(s protocol.Source)                      { delete(n.opened, s) }
func (nowhere) AddSink(protocol.PeerID, Mode, Outlet)                {}
func (nowhere) SetMode(protocol.PeerID, Mode)                        {}
func (nowhere) RemoveSink(protocol.PeerID)                           {}
func (nowhere) Enable(protocol.PeerID, protocol.Source)              {}
func (nowhere) Disable(protocol.PeerID, protocol.Source)             {}
func (nowhere) Resume(protocol.PeerID, []*pb.Position)               {}
func (nowhere) Watch(protocol.PeerID)                                {}
func (nowhere) Activity(protocol.PeerID, bool)                       {}

// certificate has one node certify another.
func (s *stillness) certificate(issuer, subject int, duties protocol.Duties, serial uint64, life time.Duration) protocol.Certificate {
	s.t.Helper()
	c := protocol.Certificate{Subject: s.nodes[subject].id, Duties: duties, Life: life, Serial: serial}
	if err := c.Issue(s.cfg.Room, s.nodes[issuer].key); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// says has another node say something, by its link.
func (s *stillness) says(from int, boot, sequence uint64, m protocol.Message) *protocol.Message {
	s.t.Helper()
	m.Boot, m.Sequence = boot, sequence
	if err := m.Seal(s.cfg.Room, s.nodes[from].key); err != nil {
		s.t.Fatal(err)
	}
	s.repeats(from, &m)
	return &m
}

// repeats brings what was said, by the link of a node, once more.
func (s *stillness) repeats(by int, m *protocol.Message) {
	s.hearRaw(m.Raw, s.nodes[by].id, s.clock)
}

func presence(name protocol.Name) protocol.Message {
	return protocol.Message{Presence: &protocol.Presence{Name: name}}
}
