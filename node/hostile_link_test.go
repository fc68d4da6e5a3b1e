package node

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// TestAHostileHintKeepsNobodyOut joins by links that name an enemy first and
// the founder second.
func TestAHostileHintKeepsNobodyOut(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	ana, dewi := start(t, "ana"), start(t, "dewi")
	h := newEnemy(t)
	// An address where nobody is: what was there is gone.
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	nowhere, err := manet.FromNetAddr(gone.Addr())
	must(t, err)
	must(t, gone.Close())
	founder, founderID := newKey(t)
	other := &protocol.Genesis{Title: "Another room", Created: time.Now()}
	must(t, other.Seal(founder))
	state := func(id protocol.RoomID) *pb.RoomState {
		s := &pb.RoomState{Genesis: other.Signed()}
		for range 30 {
			_, stranger := newKey(t)
			c := certificate(t, id, founder, stranger, protocol.Carry|protocol.Speak, time.Hour)
			s.Certificates = append(s.Certificates, c.Wire())
			s.Messages = append(s.Messages, h.sign(id, &protocol.Message{Claim: &protocol.RelayClaim{Claim: protocol.Claim{Key: protocol.Key{Term: 99}, Standby: founderID}}}))
		}
		return s
	}
	for _, x := range []struct {
		name string
		does func(id protocol.RoomID)
	}{
		{"says that the room is closed", func(id protocol.RoomID) { h.refuse(dewi, id, pb.Refuse_CLOSED) }},
		{"does not know the room", func(id protocol.RoomID) { h.refuse(dewi, id, pb.Refuse_UNKNOWN_ROOM) }},
		{"says that the room is full", func(id protocol.RoomID) { h.refuse(dewi, id, pb.Refuse_FULL) }},
		{"says nothing", func(protocol.RoomID) {}},
		{"accepts into another room", func(id protocol.RoomID) { h.accept(dewi, id, state(id)) }},
		{"accepts without a word of the room", func(id protocol.RoomID) { h.accept(dewi, id, nil) }},
		{"redirects nowhere", func(id protocol.RoomID) {
			for range 30 {
				_, nobody := newKey(t)
				a, err := protocol.WireAddress(peer.AddrInfo{ID: nobody, Addrs: []multiaddr.Multiaddr{nowhere}}, 8)
				must(t, err)
				h.redirect(dewi, id, a)
			}
		}},
		{"feeds what nobody said", func(id protocol.RoomID) {
			for range 30 {
				b := make([]byte, 200)
				_, _ = rand.Read(b) // never fails (crypto/rand)
				h.feed(dewi, id, b)
			}
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			o, err := ana.Open(ctx, web.OpenRequest{Title: x.name, Unlisted: true})
			must(t, err)
			id, err := protocol.ParseRoomID(o.Room)
			must(t, err)
			hears := func(_ protocol.PeerID, m *pb.LinkMessage) bool {
				if a := m.GetAttach(); a != nil && string(a.Room) == string(id[:]) {
					x.does(id)
				}
				return false
			}
			h.hears.Store(&hears)
			link := protocol.Link{Room: id, Peers: []peer.AddrInfo{{ID: h.id, Addrs: h.host.Addrs()}, {ID: ana.self, Addrs: ana.host.Addrs()}}}
			h.at(dewi) // the enemy's answer is there first
			e, err := dewi.Listen(ctx, link.String(), false)
			must(t, err)
			e.Close()
		})
	}
}

// trap counts connections to an address that an enemy names for others.
type trap struct {
	addr  multiaddr.Multiaddr
	calls atomic.Int64
}

func newTrap(t testing.TB) *trap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	v := &trap{}
	v.addr, err = manet.FromNetAddr(l.Addr())
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			v.calls.Add(1)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return v
}

// TestStrangersMakeNobodyDial has somebody who is neither parent nor child
// redirect a listener to a victim under many names.
func TestStrangersMakeNobodyDial(t *testing.T) {
	t.Parallel()
	s := newStage(t, "host")
	h, victim := newEnemy(t), newTrap(t)
	for _, v := range s.nodes {
		h.at(v)
		before := v.links.Counts().Dials
		for range 200 {
			_, name := newKey(t)
			a, err := protocol.WireAddress(peer.AddrInfo{ID: name, Addrs: []multiaddr.Multiaddr{victim.addr}}, 8)
			must(t, err)
			h.redirect(v, s.id, a, a)
		}
		time.Sleep(1200 * time.Millisecond) // a second attempt would have begun
		if n := v.links.Counts().Dials - before; n > 8 {
			t.Errorf("%s dials %d times", v.name, n)
		}
		v.pairs.mu.Lock()
		if n := len(v.pairs.wants); n > 16 {
			t.Errorf("%s wants %d nodes", v.name, n)
		}
		v.pairs.mu.Unlock()
	}
	if n := victim.calls.Load(); n > 24 {
		t.Errorf("the victim is called %d times", n)
	}
	s.unhurt()
}

// TestFloodsOnALinkCostTheirSender sends what is legal, too much of it.
func TestFloodsOnALinkCostTheirSender(t *testing.T) {
	s := newStage(t, "open")
	ana := s.ana()
	settledGoroutines := runtime.NumGoroutine()
	for _, x := range []struct {
		name string
		say  func(h *enemy, v *running, i int) bool
	}{
		{"attach to unknown rooms", func(h *enemy, v *running, i int) bool {
			h.attach(v, protocol.RoomID{byte(i), byte(i >> 8)}, pb.Attach_LIVE)
			return true
		}},
		{"attach and detach", func(h *enemy, v *running, i int) bool {
			h.attach(v, s.id, pb.Attach_LIVE)
			return h.send(v, &pb.LinkMessage{What: &pb.LinkMessage_Detach{Detach: &pb.Detach{Room: s.id[:]}}})
		}},
		{"bind", func(h *enemy, v *running, i int) bool {
			raw, _ := voice(t, h.key, s.id)
			return h.send(v, &pb.LinkMessage{What: &pb.LinkMessage_Bind{Bind: &pb.Bind{Room: s.id[:], Handle: uint32(i + 1), Voice: raw}}})
		}},
		{"resume", func(h *enemy, v *running, i int) bool {
			if i == 0 {
				h.attach(v, s.id, pb.Attach_WARM)
			}
			return h.send(v, &pb.LinkMessage{What: &pb.LinkMessage_Resume{Resume: &pb.Resume{Room: s.id[:], Positions: []*pb.Position{{Source: 1}}}}})
		}},
		{"bound and unbind", func(h *enemy, v *running, i int) bool {
			h.send(v, &pb.LinkMessage{What: &pb.LinkMessage_Bound{Bound: &pb.Bound{Handle: uint32(i)}}})
			return h.send(v, &pb.LinkMessage{What: &pb.LinkMessage_Unbind{Unbind: &pb.Unbind{Handle: uint32(i)}}})
		}},
		{"activity", func(h *enemy, v *running, i int) bool {
			return h.send(v, &pb.LinkMessage{What: &pb.LinkMessage_Activity{Activity: &pb.Activity{Room: s.id[:], Hot: i%2 == 0}}})
		}},
		{"feed garbage", func(h *enemy, v *running, i int) bool { return h.feed(v, s.id, []byte(fmt.Sprint(i))) }},
	} {
		t.Run(x.name, func(t *testing.T) {
			h := newEnemy(t)
			h.at(ana)
			cut := func() bool { _, up := h.links.Peer(ana.self); return !up }
			for i := 0; i < 4000 && !cut(); i++ {
				if !x.say(h, ana, i) {
					time.Sleep(2 * time.Millisecond) // the outbox is full, or it is over
				} else if i%64 == 63 {
					time.Sleep(time.Millisecond)
				}
			}
			h.eventually("the enemy is cut off", cut)
			h.links.Release(ana.self)
		})
	}
	if n := s.dropped("links flooding") + s.dropped("links that read too slowly"); n < 4 { // some had been cut off before they flooded
		t.Errorf("%d floods counted", n)
	}
	ana.eventually("goroutines are back to what they were", func() bool { return runtime.NumGoroutine() < settledGoroutines+60 })
	s.unhurt()
}

// TestGarbageOnLinkStreams opens streams without the real link.
func TestGarbageOnLinkStreams(t *testing.T) {
	s := newStage(t, "host")
	ana := s.ana()
	h := newEnemy(t)
	must(t, h.host.Connect(s.ctx, peer.AddrInfo{ID: ana.self, Addrs: tcpOf(ana)}))
	before := runtime.NumGoroutine()
	for i := range 60 { // half open: less than a Hello
		st, err := h.host.NewStream(s.ctx, ana.self, protocol.LinkStream)
		if err != nil {
			break // refused: full
		}
		_, _ = st.Write([]byte{40, 10}[:1+i%2])
	}
	ana.eventually("half-open streams are cut off", func() bool { return runtime.NumGoroutine() < before+20 })
	for i, b := range [][]byte{
		{0xff, 0xff, 0xff, 0xff, 0xff}, // no length
		{0x81, 0x80, 0x01},             // one byte over the limit
		{3, 0xff, 0xff, 0xff},          // no message
		{0},                            // not Hello
		{2, 0x12, 0},                   // Ping first
	} {
		x := newEnemy(t)
		must(t, x.host.Connect(s.ctx, peer.AddrInfo{ID: ana.self, Addrs: tcpOf(ana)}))
		st, err := x.host.NewStream(s.ctx, ana.self, protocol.LinkStream)
		must(t, err)
		_, _ = st.Write(b)
		if _, err := st.Read(make([]byte, 1)); err == nil {
			t.Errorf("garbage %d is answered", i)
		}
	}
	ana.eventually("each is counted", func() bool {
		st, err := ana.Status(s.ctx)
		return err == nil && st.Dropped["links malformed"] == 5
	})
	s.unhurt()
}

// TestACircuitIsNotThisMachine: whoever comes by a relay on this machine must not
// have it send to programs here that listen on loopback.
func TestACircuitIsNotThisMachine(t *testing.T) {
	v := start(t, "victim")
	_, near := newKey(t)
	_, far := newKey(t)
	here := multiaddr.StringCast("/ip4/127.0.0.1/tcp/9")
	v.pairs.LinkUp(near, here)
	v.pairs.LinkUp(far, here.Encapsulate(multiaddr.StringCast("/p2p/"+near.String()+"/p2p-circuit")))
	if !v.pairs.at(near).loopback || v.pairs.at(far).loopback {
		t.Error("who comes by a circuit is taken to be on this machine")
	}
	v.pairs.LinkDown(near, nil)
	v.pairs.LinkDown(far, nil)
}
