package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
)

func newPeer(t testing.TB) protocol.PeerID {
	t.Helper()
	_, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := peer.IDFromPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func at(t testing.TB, addrs ...string) []multiaddr.Multiaddr {
	t.Helper()
	var out []multiaddr.Multiaddr
	for _, a := range addrs {
		m, err := multiaddr.NewMultiaddr(a)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// TestNodeSurvivesReopening checks everything that is made once.
func TestNodeSurvivesReopening(t *testing.T) {
	home := t.TempDir()
	s := mustOpen(t, home)
	key, err := s.Identity()
	if err != nil || key.Type() != crypto.Ed25519 {
		t.Fatal(key, err)
	}
	token, err := s.APIToken()
	if err != nil || len(token) != 43 {
		t.Fatalf("token %q, %v", token, err)
	}
	if n, err := s.Name(); n != "" || err != nil {
		t.Fatal(n, err)
	}
	if err := s.SetName("Ada"); err != nil {
		t.Fatal(err)
	}
	s.Close()

	s = mustOpen(t, home)
	again, err := s.Identity()
	if err != nil || !again.Equals(key) {
		t.Error("another identity", err)
	}
	if u, err := s.APIToken(); u != token || err != nil {
		t.Error("another token", err)
	}
	if n, err := s.Name(); n != "Ada" || err != nil {
		t.Error(n, err)
	}
}

func TestBootGrows(t *testing.T) {
	home := t.TempDir()
	for _, c := range []struct{ now, want uint64 }{
		{1000, 1000},
		{1000, 1001}, // twice in a millisecond
		{5000, 5000},
		{100, 5001}, // the clock was set back
		{0, 5002},
	} {
		s := mustOpen(t, home)
		if got, err := s.Boot(c.now); got != c.want || err != nil {
			t.Errorf("at %d: %d, %v; want %d", c.now, got, err, c.want)
		}
		s.Close()
	}
	s := mustOpen(t, home)
	a, _ := s.Sequence("a", 7, 1)
	b, _ := s.Sequence("a", 7, 10)
	c, _ := s.Sequence("b", 7, 1)
	d, _ := s.Sequence("a", 7, 1)
	if a != 7 || b != 8 || c != 7 || d != 18 {
		t.Error("sequences:", a, b, c, d)
	}
}

func TestTerms(t *testing.T) {
	home := t.TempDir()
	s := mustOpen(t, home)
	one, two := protocol.RoomID{1}, protocol.RoomID{2}
	if _, _, ok := s.Term(one); ok {
		t.Error("a term out of nothing")
	}
	p := newPeer(t)
	if err := s.SaveTerm(one, 3, protocol.Key{Term: 1 << 40, Relay: p}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = mustOpen(t, home)
	if era, key, ok := s.Term(one); !ok || era != 3 || key.Term != 1<<40 || key.Relay != p {
		t.Error(era, key, ok)
	}
	if _, _, ok := s.Term(two); ok {
		t.Error("another room's term")
	}
}

func TestRooms(t *testing.T) {
	home := t.TempDir()
	s := mustOpen(t, home)
	room := Room{
		ID: protocol.RoomID{9}, Genesis: []byte{1, 2}, Title: "Späti", Mine: true, Closed: true,
		Speakers: []peer.ID{newPeer(t), newPeer(t)},
	}
	if err := s.SaveRoom(Room{ID: protocol.RoomID{1}}); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveRoom(room); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = mustOpen(t, home)
	rooms, err := s.Rooms()
	if err != nil || len(rooms) != 2 || !reflect.DeepEqual(rooms[1], room) {
		t.Fatalf("%+v, %v", rooms, err)
	}
}

func TestRemembersThePeersSeenLast(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	s.db.NoSync = true // 210 writes
	begin := time.UnixMilli(1_800_000_000_000)
	var peers []protocol.PeerID
	for i := range maxPeers + 10 {
		p := newPeer(t)
		peers = append(peers, p)
		info := peer.AddrInfo{ID: p, Addrs: at(t, fmt.Sprintf("/ip4/192.0.2.1/tcp/%d", 1000+i))}
		if err := s.Remember(info, begin.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	got := s.Remembered(1000)
	if len(got) != maxPeers {
		t.Fatalf("%d peers", len(got))
	}
	for i, info := range got {
		if want := peers[len(peers)-1-i]; info.ID != want {
			t.Fatalf("place %d: %v, want %v", i, info.ID, want)
		}
	}
	if got := s.Remembered(3); len(got) != 3 || got[0].Addrs[0].String() != "/ip4/192.0.2.1/tcp/1209" {
		t.Error(got)
	}
	old := peers[50]
	if err := s.Remember(peer.AddrInfo{ID: old, Addrs: at(t, "/ip4/192.0.2.9/tcp/1")}, begin.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := s.Remembered(1); got[0].ID != old || got[0].Addrs[0].String() != "/ip4/192.0.2.9/tcp/1" {
		t.Error("a peer seen again is not the newest:", got)
	}
	if err := s.ForgetPeer(old); err != nil {
		t.Fatal(err)
	}
	if got := s.Remembered(1); got[0].ID == old {
		t.Error("not forgotten")
	}
	if err := s.Remember(peer.AddrInfo{ID: old}, begin.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := s.Remembered(1); got[0].ID == old {
		t.Error("kept a peer without addresses")
	}
}

func TestManyAtOnce(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	s.db.NoSync = true
	tokens, boots := sync.Map{}, sync.Map{}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			token, err := s.APIToken()
			boot, err2 := s.Boot(5)
			err3 := s.SaveRoom(Room{ID: protocol.RoomID{byte(i)}})
			_, err4 := s.Rooms()
			if err := errors.Join(err, err2, err3, err4); err != nil {
				t.Error(err)
			}
			tokens.Store(token, true)
			if _, twice := boots.LoadOrStore(boot, true); twice {
				t.Error("boot given twice:", boot)
			}
		})
	}
	wg.Wait()
	n := 0
	tokens.Range(func(any, any) bool { n++; return true })
	if rooms, _ := s.Rooms(); n != 1 || len(rooms) != 16 {
		t.Errorf("%d tokens, %d rooms", n, len(rooms))
	}
}

func TestClosedStoreFails(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	s.Close()
	if err := s.SaveTerm(protocol.RoomID{}, 1, protocol.Key{}); err == nil {
		t.Error("stored into a closed database")
	}
	if _, err := s.Identity(); err == nil {
		t.Error("an identity that is not stored")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestDiskFull needs the right to mount; elsewhere it is skipped.
func TestDiskFull(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs root on Linux")
	}
	home := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=256k", "none", home).CombinedOutput(); err != nil {
		t.Skipf("no tmpfs: %s", out)
	}
	defer exec.Command("umount", home).Run()
	s := mustOpen(t, home)
	defer s.Close()
	key, err := s.Identity()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "ballast"), make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	for i := 0; err == nil && i < 1000; i++ {
		err = s.SaveRoom(Room{ID: protocol.RoomID{byte(i)}, Title: strings.Repeat("x", 2000)})
	}
	wantProblem(t, err, protocol.CodeHomeUnwritable)
	if !strings.Contains(err.Error(), "no space left") {
		t.Error("does not say why:", err)
	}
	os.Remove(filepath.Join(home, "ballast"))
	if err := s.SetName("Ada"); err != nil {
		t.Error("with space again:", err)
	}
	s.Close()
	s = mustOpen(t, home)
	defer s.Close()
	if again, err := s.Identity(); err != nil || !again.Equals(key) {
		t.Error("identity lost", err)
	}
}

// BenchmarkSaveTerm measures what a claim waits for: two writes and their syncs.
func BenchmarkSaveTerm(b *testing.B) {
	s := mustOpen(b, b.TempDir())
	p := newPeer(b)
	for i := 0; b.Loop(); i++ {
		if err := s.SaveTerm(protocol.RoomID{1}, 1, protocol.Key{Term: uint64(i), Relay: p}); err != nil {
			b.Fatal(err)
		}
	}
}
