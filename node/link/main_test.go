package link

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// happening is one call of Events.
type happening struct {
	what    string // up, message, down
	peer    protocol.PeerID
	message *pb.LinkMessage
	err     error
}

// inbox is an Events that keeps what happens, in order, while there is room.
type inbox chan happening

func (i inbox) LinkUp(p protocol.PeerID, _ multiaddr.Multiaddr) { i <- happening{what: "up", peer: p} }
func (i inbox) LinkMoved(p protocol.PeerID, _ multiaddr.Multiaddr) {
	i <- happening{what: "moved", peer: p}
}
func (i inbox) LinkDown(p protocol.PeerID, err error) {
	i <- happening{what: "down", peer: p, err: err}
}
func (i inbox) LinkMessage(p protocol.PeerID, m *pb.LinkMessage) bool {
	select {
	case i <- happening{what: "message", peer: p, message: m}:
		return len(i) < cap(i)/2
	default:
		return false
	}
}

// wait gives the next happening, or fails the test.
func (i inbox) wait(t *testing.T, what string, within time.Duration) happening {
	t.Helper()
	select {
	case h := <-i:
		if h.what != what {
			t.Fatalf("got %s (%v), want %s", h.what, h.err, what)
		}
		return h
	case <-time.After(within):
		t.Fatalf("no %s within %v", what, within)
		panic("unreachable")
	}
}

// none fails the test if anything happens within a time.
func (i inbox) none(t *testing.T, within time.Duration) {
	t.Helper()
	select {
	case h := <-i:
		t.Fatalf("unexpected %s (%v)", h.what, h.err)
	case <-time.After(within):
	}
}

func newKey(t testing.TB) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newHost makes a host on loopback, with QUIC and TCP unless told where.
func newHost(t testing.TB, key crypto.PrivKey, listen ...string) host.Host {
	t.Helper()
	if len(listen) == 0 {
		listen = []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}
	}
	h, err := libp2p.New(libp2p.Identity(key), libp2p.ListenAddrStrings(listen...), libp2p.DisableRelay(), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// pair gives two hosts, the one with the lower peer ID first.
func pair(t testing.TB, listen ...string) (low, high host.Host) {
	t.Helper()
	low, high = newHost(t, newKey(t), listen...), newHost(t, newKey(t), listen...)
	if high.ID() < low.ID() {
		low, high = high, low
	}
	return low, high
}

// node is Links that run.
type node struct {
	*Links
	inbox
	host host.Host
	stop func() // ends Run and waits for it
}

func run(t testing.TB, h host.Host, change ...func(*Config)) node {
	t.Helper()
	n := node{inbox: make(inbox, 1<<14), host: h}
	cfg := Config{Host: h, Agent: "earshot/test", Events: n.inbox, Beat: 150 * time.Millisecond, Dead: time.Second}
	if os.Getenv("EARSHOT_TEST_LOG") != "" {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("self", h.ID())
	}
	for _, c := range change {
		c(&cfg)
	}
	n.Links = New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stopped := false
	n.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(n.stop)
	return n
}

// usual is a Config's beat as it is outside tests: a busy machine is not dead.
func usual(c *Config) { c.Beat, c.Dead = 0, 0 }

func info(h host.Host) peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }

func feed(text string) *pb.LinkMessage {
	return &pb.LinkMessage{What: &pb.LinkMessage_Feed{Feed: &pb.Feed{Message: []byte(text)}}}
}

// eventually waits for a condition that no event tells of.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(fmt.Sprint("not within ", within, ": ", what))
		}
	}
}
