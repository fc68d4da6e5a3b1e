package protocol

import (
	"crypto/rand"
	"encoding/hex"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
)

func TestGuestSession(t *testing.T) {
	s := GuestSession([32]byte{1, 2, 3})
	// printf 'earshot-guest-voice\1\2\3' and 29 zero bytes | sha256sum
	if got := hex.EncodeToString(s[:]); got != "edb6ce1d18887a4b545a0be2cf28499b" {
		t.Errorf("the session is %s", got)
	}
	if GuestSession([32]byte{}) == s {
		t.Error("another certificate has the same session")
	}
}

func TestGuestsAreBounded(t *testing.T) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	must(t, err)
	m := &Message{Presence: &Presence{Name: "ana", Guests: Guests{Count: 5000}}}
	must(t, m.Seal(RoomID{}, key))
	back, err := ParseMessage(m.Raw)
	must(t, err)
	if back.Presence.Guests.Count != MaxGuests {
		t.Errorf("%d guests are told", back.Presence.Guests.Count)
	}
}
