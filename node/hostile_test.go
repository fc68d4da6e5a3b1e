package node

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/node/link"
	"github.com/earshot-audio/earshot/node/rtc"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// enemy is a client made of the real parts, a host, its links and its media
// paths, that says what no honest node would.
type enemy struct {
	t     testing.TB
	key   crypto.PrivKey
	id    protocol.PeerID
	host  host.Host
	links *link.Links
	media *rtc.Engine

	// deaf to descriptions: no media path comes up but what the test says.
	deaf bool
	// byStream sends packets by the link's streams alone, as where UDP is blocked.
	byStream bool
	// hears, if set, sees each message first; true: that was all.
	hears atomic.Pointer[func(from protocol.PeerID, m *pb.LinkMessage) bool]

	mu       sync.Mutex
	paths    map[protocol.PeerID]*rtc.Link
	up       map[protocol.PeerID]bool
	got      map[protocol.PeerID][]*pb.LinkMessage
	downs    int
	boot     uint64
	sequence uint64
	handle   protocol.Handle
}

func newEnemy(t testing.TB, key ...crypto.PrivKey) *enemy {
	t.Helper()
	h := &enemy{t: t, paths: map[protocol.PeerID]*rtc.Link{}, up: map[protocol.PeerID]bool{}, got: map[protocol.PeerID][]*pb.LinkMessage{}, boot: uint64(time.Now().UnixMilli())}
	if h.key, h.id = newKey(t); len(key) > 0 {
		h.key = key[0]
		id, err := peer.IDFromPrivateKey(h.key)
		must(t, err)
		h.id = id
	}
	var err error
	h.host, err = libp2p.New(libp2p.Identity(h.key), libp2p.ListenAddrs(multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")),
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()), libp2p.DisableRelay())
	must(t, err)
	h.media, err = rtc.New(rtc.Config{Self: h.id, Listen: loopback, Loopback: true})
	must(t, err)
	h.links = link.New(link.Config{Host: h.host, Agent: "enemy", Log: slog.New(slog.DiscardHandler), Events: h})
	ctx, cancel := context.WithCancel(context.Background())
	var parts errgroup.Group
	parts.Go(func() error { return h.links.Run(ctx) })
	parts.Go(func() error { return h.media.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		_ = parts.Wait()
		h.host.Close()
	})
	return h
}

func newKey(t testing.TB) (crypto.PrivKey, protocol.PeerID) {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	must(t, err)
	id, err := peer.IDFromPrivateKey(key)
	must(t, err)
	return key, id
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *enemy) LinkUp(p protocol.PeerID, _ multiaddr.Multiaddr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.deaf {
		h.paths[p] = h.media.Connect(p, true, h)
		if frames := h.links.Frames(p); h.byStream && frames != nil {
			h.paths[p].SetDetour(frames)
		}
	}
}

func (h *enemy) LinkMoved(protocol.PeerID, multiaddr.Multiaddr) {}
func (h *enemy) LinkDown(p protocol.PeerID, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up[p] = false
	h.downs++
	delete(h.paths, p)
	h.media.Disconnect(p)
}

func (h *enemy) LinkMessage(p protocol.PeerID, m *pb.LinkMessage) bool {
	if hears := h.hears.Load(); hears != nil && (*hears)(p, m) {
		return true
	}
	if d := m.GetDescription(); d != nil {
		if !h.deaf {
			h.media.Signal(p, rtc.Signal{Kind: d.Kind, Generation: d.Generation, SDP: d.Sdp})
		}
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.got[p]) < 4096 {
		h.got[p] = append(h.got[p], m)
	}
	return true
}

func (h *enemy) Signal(p protocol.PeerID, s rtc.Signal) {
	if h.byStream {
		return
	}
	h.links.Send(p, &pb.LinkMessage{What: &pb.LinkMessage_Description{Description: &pb.Description{Kind: s.Kind, Generation: s.Generation, Sdp: s.SDP}}})
}

func (h *enemy) Moved(protocol.PeerID) {}

func (h *enemy) Up(p protocol.PeerID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up[p] = true
}

func (h *enemy) Down(p protocol.PeerID, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up[p] = false
}

// at waits for a link to a node, and for its media path unless the enemy is deaf.
func (h *enemy) at(v *running) {
	h.t.Helper()
	h.links.Want(peer.AddrInfo{ID: v.self, Addrs: tcpOf(v)})
	h.eventually("a link to "+string(v.name), func() bool {
		_, linked := h.links.Peer(v.self)
		h.mu.Lock()
		defer h.mu.Unlock()
		return linked && (h.deaf || h.up[v.self] && v.pathTo(h.id))
	})
}

// pathTo says whether the node sees its path to p up, too.
func (r *running) pathTo(p protocol.PeerID) bool {
	r.pairs.mu.Lock()
	defer r.pairs.mu.Unlock()
	at := r.pairs.peers[p]
	return at != nil && at.up
}

func tcpOf(v *running) []multiaddr.Multiaddr {
	return slices.DeleteFunc(slices.Clone(v.host.Addrs()), func(a multiaddr.Multiaddr) bool {
		_, err := a.ValueForProtocol(multiaddr.P_TCP)
		return err != nil
	})
}

func (h *enemy) eventually(what string, ok func() bool) {
	h.t.Helper()
	late := time.After(patience)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-late:
			h.t.Fatalf("enemy: not within %v: %s", patience, what)
		}
	}
}

// told gives what a node answered so far, of one kind.
func told[T any](h *enemy, v *running, pick func(*pb.LinkMessage) *T) (out []*T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.got[v.self] {
		if w := pick(m); w != nil {
			out = append(out, w)
		}
	}
	return out
}

func (h *enemy) send(v *running, m *pb.LinkMessage) bool { return h.links.Send(v.self, m) }

func (h *enemy) attach(v *running, room protocol.RoomID, mode pb.Attach_Mode) {
	h.send(v, &pb.LinkMessage{What: &pb.LinkMessage_Attach{Attach: &pb.Attach{Room: room[:], Mode: mode}}})
}

// child attaches, and waits until it is taken for a child.
func (h *enemy) child(v *running, room protocol.RoomID, mode pb.Attach_Mode) {
	h.t.Helper()
	asked := time.Time{}
	h.eventually("a child of "+string(v.name), func() bool {
		if time.Since(asked) > 300*time.Millisecond {
			asked = time.Now()
			h.attach(v, room, mode)
		}
		return len(told(h, v, (*pb.LinkMessage).GetAccept)) > 0
	})
}

func (h *enemy) feed(v *running, room protocol.RoomID, raw []byte) bool {
	return h.send(v, &pb.LinkMessage{What: &pb.LinkMessage_Feed{Feed: &pb.Feed{Room: room[:], Message: raw}}})
}

func (h *enemy) accept(v *running, room protocol.RoomID, s *pb.RoomState) bool {
	return h.send(v, &pb.LinkMessage{What: &pb.LinkMessage_Accept{Accept: &pb.Accept{Room: room[:], State: s}}})
}

func (h *enemy) redirect(v *running, room protocol.RoomID, to ...*pb.Address) bool {
	return h.send(v, &pb.LinkMessage{What: &pb.LinkMessage_Redirect{Redirect: &pb.Redirect{Room: room[:], To: to}}})
}

func (h *enemy) refuse(v *running, room protocol.RoomID, why pb.Refuse_Reason) bool {
	return h.send(v, &pb.LinkMessage{What: &pb.LinkMessage_Refuse{Refuse: &pb.Refuse{Room: room[:], Reason: why}}})
}

// sign makes the enemy's next message.
func (h *enemy) sign(room protocol.RoomID, m *protocol.Message) []byte {
	h.t.Helper()
	h.mu.Lock()
	h.sequence++
	m.Boot, m.Sequence = h.boot, h.sequence
	h.mu.Unlock()
	return signed(h.t, h.key, room, m)
}

// signed signs a message with anybody's key.
func signed(t testing.TB, key crypto.PrivKey, room protocol.RoomID, m *protocol.Message) []byte {
	t.Helper()
	if m.Boot == 0 {
		m.Boot, m.Sequence = uint64(time.Now().UnixMilli()), 1
	}
	must(t, m.Seal(room, key))
	return m.Raw
}

// mouth is a source that the enemy sends frames of to one node.
type mouth struct {
	h      *enemy
	v      *running
	out    *rtc.Outlet
	source protocol.Source
	handle protocol.Handle
	n      uint32
	level  uint8
}

// voice makes a Voice message of somebody's key, and its source.
func voice(t testing.TB, key crypto.PrivKey, room protocol.RoomID) (raw []byte, s protocol.Source) {
	t.Helper()
	m := &protocol.Message{Voice: &protocol.Voice{}}
	_, _ = rand.Read(m.Voice.Session[:]) // never fails (crypto/rand)
	raw = signed(t, key, room, m)
	return raw, protocol.SourceOf(room, m.From, m.Voice.Session)
}

// bind names a voice to a node under a fresh handle, and opens the way for its
// frames whatever the node says of it.
func (h *enemy) bind(v *running, room protocol.RoomID, raw []byte, s protocol.Source) *mouth {
	h.t.Helper()
	h.mu.Lock()
	h.handle++
	handle, path := 1000+h.handle, h.paths[v.self]
	h.mu.Unlock()
	if path == nil {
		h.t.Fatalf("no media path to %s", v.name)
	}
	m := &mouth{h: h, v: v, source: s, handle: handle, out: path.Outlet(handle)}
	m.out.Bind(s, handle)
	h.send(v, &pb.LinkMessage{What: &pb.LinkMessage_Bind{Bind: &pb.Bind{Room: room[:], Handle: uint32(handle), Voice: raw}}})
	return m
}

// answered gives the node's answer to the Bind, once it is there.
func (m *mouth) answered() (refused bool) {
	m.h.t.Helper()
	var all []*pb.Bound
	m.h.eventually("an answer to Bind", func() bool {
		all = told(m.h, m.v, func(w *pb.LinkMessage) *pb.Bound {
			if b := w.GetBound(); b.GetHandle() == uint32(m.handle) {
				return b
			}
			return nil
		})
		return len(all) > 0
	})
	return all[len(all)-1].Refused
}

// say sends frames of speaker at once, in order.
func (m *mouth) say(speaker byte, count int) {
	for range count {
		m.frame(&protocol.Frame{Timestamp: 960 * m.n, Counter: uint16(m.n), Level: m.level, Packet: packetOf(speaker, int(m.n))})
		m.n++
	}
}

func (m *mouth) frame(f *protocol.Frame) bool {
	f.Source = m.source
	return m.out.Send(f)
}

// certificate is issued by one key, whoever it says it is by.
func certificate(t testing.TB, room protocol.RoomID, by crypto.PrivKey, to protocol.PeerID, duties protocol.Duties, life time.Duration) protocol.Certificate {
	t.Helper()
	c := protocol.Certificate{Subject: to, Duties: duties, Life: life, Serial: uint64(time.Now().UnixMilli())}
	must(t, c.Issue(room, by))
	return c
}

func (h *enemy) feedCertificate(v *running, room protocol.RoomID, c protocol.Certificate) {
	h.feed(v, room, h.sign(room, &protocol.Message{Certificate: c.Wire()}))
}
