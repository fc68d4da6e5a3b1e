package roster

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/earshot-audio/earshot/protocol"
)

// key gives the key of somebody.
func key(t testing.TB, n byte) (crypto.PrivKey, protocol.PeerID) {
	t.Helper()
	k, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := k.GetPublic().Raw()
	if err != nil {
		t.Fatal(err)
	}
	p, err := protocol.PeerOf(raw)
	if err != nil {
		t.Fatal(err)
	}
	return k, p
}

// signed gives a log with signatures, and its export.
func signed(t testing.TB) (*Log, string) {
	t.Helper()
	host, _ := key(t, 1)
	mod, m := key(t, 2)
	_, other := key(t, 3)
	g := &protocol.Genesis{Title: "Tea", Created: time.UnixMilli(1)}
	if err := g.Seal(host); err != nil {
		t.Fatal(err)
	}
	l := New(g)
	do := func(k crypto.PrivKey, p protocol.PeerID, deed protocol.Deed) {
		a, err := l.Draft(p)
		if err != nil {
			t.Fatal(err)
		}
		a.Deed, a.At = deed, time.UnixMilli(2)
		if err := a.Seal(k); err != nil {
			t.Fatal(err)
		}
		if added, _, err := l.Add(a); len(added) != 1 || err != nil {
			t.Fatalf("%d added, %v", len(added), err)
		}
	}
	do(host, g.Founder, protocol.Grant{Peer: m, Role: protocol.RoleModerator, Share: protocol.ModeratorShare})
	do(mod, m, protocol.Ban{Peer: other})
	do(mod, m, protocol.Title("Milk"))
	return l, string(l.Export())
}

// A log that holds much that does not count, since somebody built on it, is exported
// and read as it is.
func TestVerifyForks(t *testing.T) {
	host, founder := key(t, 1)
	rogue, p := key(t, 2)
	g := &protocol.Genesis{Title: "Tea", Created: time.UnixMilli(1)}
	if err := g.Seal(host); err != nil {
		t.Fatal(err)
	}
	l := New(g)
	var last []protocol.ActionHash
	do := func(k crypto.PrivKey, by protocol.PeerID, sequence int, deed protocol.Deed) {
		a := &protocol.Action{Room: g.Room, Actor: by, Sequence: uint32(sequence), Parents: last, At: time.UnixMilli(2), Deed: deed}
		if err := a.Seal(k); err != nil {
			t.Fatal(err)
		}
		if added, _, err := l.Add(a); len(added) != 1 || err != nil {
			t.Fatalf("%d added, %v", len(added), err)
		}
		last = []protocol.ActionHash{a.Hash}
	}
	const chain = 2 * slack
	l.Together(func() {
		do(host, founder, 1, protocol.Grant{Peer: p, Role: protocol.RoleModerator, Share: 1})
		for i := range chain {
			do(rogue, p, i+1, protocol.Lock(true))
		}
		do(host, founder, 2, protocol.Title("Milk"))
	})
	if got := l.Len(); got != chain+2 {
		t.Fatalf("%d actions", got)
	}
	again, err := Verify(l.Export())
	if err != nil || again.Hash() != l.Hash() || again.Roster().Title() != "Milk" {
		t.Errorf("read: %v", err)
	}
}

func TestVerify(t *testing.T) {
	l, export := signed(t)
	lines := strings.SplitAfter(export, "\n")
	swapped := func(i, k int) string {
		s := append([]string{}, lines...)
		s[i], s[k] = s[k], s[i]
		return strings.Join(s, "")
	}
	forged := []byte(lines[3])
	forged[len(forged)-4] ^= 1 // in the signature
	for _, c := range []struct {
		name, text string
		line       string // in the error
		want       error
	}{
		{"as exported", export, "", nil},
		{"from Windows", strings.ReplaceAll(export, "\n", "\r\n"), "", nil},
		{"without the last end of line", strings.TrimRight(export, "\n"), "", nil},
		{"nothing", "", "", ErrExport},
		{"something else", "hello\n" + export, "", ErrExport},
		{"the head alone", lines[0], "", ErrCut},
		{"cut after the genesis", lines[0] + lines[1], "", ErrCut},
		{"without its last action", strings.Join(lines[:4], "") + lines[5], "", ErrCut},
		{"without its hash", strings.Join(lines[:5], ""), "", ErrCut},
		{"no genesis", lines[0] + lines[2], "line 2: ", protocol.ErrMalformed},
		{"a genesis twice", strings.Join(lines[:2], "") + lines[1], "line 3: ", protocol.ErrMalformed},
		{"not base64", strings.Replace(export, "action ", "action *", 1), "line 3: ", protocol.ErrMalformed},
		{"a line too long", strings.Replace(export, "action ", "action "+strings.Repeat("A", maxLine), 1), "line 3: ", protocol.ErrLarge},
		{"of nobody with a right", strings.Join(lines[:2], "") + lines[3], "line 3: ", protocol.ErrNoRight},
		{"forged", strings.Join(lines[:3], "") + string(forged), "line 4: ", protocol.ErrSignature},
		{"out of order", swapped(3, 4), "line 4: it names ", nil},
		{"an action twice", strings.Join(lines[:4], "") + lines[3], "line 5: it is there twice", nil},
	} {
		got, err := Verify([]byte(c.text))
		if c.want == nil && c.line == "" {
			if err != nil || got.Hash() != l.Hash() || got.Roster().Title() != "Milk" {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.line) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// FuzzVerify: what is taken is exported again as the same.
func FuzzVerify(f *testing.F) {
	_, export := signed(f)
	f.Add([]byte(export))
	f.Add([]byte(strings.ReplaceAll(export, "\n", "\r\n")))
	f.Add([]byte(exportHead + "\nhash 00\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := Verify(text)
		if err != nil {
			return
		}
		again, err := Verify(l.Export())
		if err != nil || again.Hash() != l.Hash() || !again.Roster().same(l.Roster()) {
			t.Errorf("exported again: %v", err)
		}
	})
}

// FuzzLog gives two logs the same actions, which a fuzzer makes, one of them
// backwards: they never panic, stay within bounds and agree.
func FuzzLog(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x01\x00\x01\x01\x05\x02\x00\x02\x07\x03\x01\x02\x01\x03\x00\x00"))
	f.Add(bytes.Repeat([]byte{0, 1, 2, 3, 4, 5, 6, 7}, 20))
	f.Fuzz(func(t *testing.T, in []byte) {
		one, two := New(room()), New(room())
		var taken []*protocol.Action
		for len(in) >= 6 && len(taken) < 60 {
			a := &protocol.Action{Room: room().Room, Actor: [...]protocol.PeerID{founder, alice, bob, stranger}[in[0]%4],
				Sequence: uint32(in[1] % 8), Hash: protocol.ActionHash{in[2], byte(len(taken))}, Deed: fuzzed(in[3], in[4])}
			for i := range in[5] % 3 {
				if back := int(i) + int(in[5]>>4); back < len(taken) {
					a.Parents = append(a.Parents, taken[len(taken)-1-back].Hash)
				}
			}
			in = in[6:]
			added, _, err := one.Add(a)
			if err == nil && len(added) > 0 {
				taken = append(taken, a)
			}
		}
		for i := range taken {
			two.Add(taken[len(taken)-1-i])
		}
		if len(two.waiting) > 0 && one.Len() == len(taken) {
			t.Errorf("%d wait for what is there", len(two.waiting))
		}
		if one.Len() == len(taken) && (one.Hash() != two.Hash() || !one.Roster().same(two.Roster())) {
			t.Error("two orders, two logs")
		}
	})
}

// fuzzed gives a deed.
func fuzzed(kind, arg byte) protocol.Deed {
	p := [...]protocol.PeerID{founder, alice, bob, carol}[arg%4]
	return [...]protocol.Deed{
		protocol.Grant{Peer: p, Role: protocol.RoleModerator, Share: uint32(1 + arg>>4)}, protocol.Grant{Peer: p, Role: protocol.RoleSpeaker},
		protocol.Revoke{Peer: p, Role: protocol.RoleModerator}, protocol.Revoke{Peer: p, Role: protocol.RoleSpeaker},
		protocol.Remove{Peer: p}, protocol.Ban{Peer: p}, protocol.Unban{Peer: p}, protocol.Mute{Peer: p}, protocol.Unmute{},
		protocol.Mute{}, protocol.Lock(arg&1 > 0), protocol.Close(arg&1 > 0), protocol.Stage(arg % 3), nil,
	}[kind%14]
}
