package protocol

import (
	"errors"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// TestClaimLeavesOutWhatDoesNotFit: with the longest names for its addresses,
// and the standby's, a relay can still claim.
func TestClaimLeavesOutWhatDoesNotFit(t *testing.T) {
	k, room := someone(1), RoomID{7}
	long := "/dns4/" + strings.Repeat("a", 95) + "/tcp/1"
	four := addresses([]string{long, long, long, long})
	for _, c := range []struct {
		name           string
		claim          RelayClaim
		relay, standby int
	}{
		{"both have many", RelayClaim{RelayAddresses: four, StandbyAddresses: four}, 3, 2},
		{"only the relay has", RelayClaim{RelayAddresses: four}, 4, 0},
		{"the standby has more", RelayClaim{RelayAddresses: four[:2], StandbyAddresses: four}, 2, 3},
		{"all fit", RelayClaim{RelayAddresses: four[:2], StandbyAddresses: four[:2]}, 2, 2},
	} {
		c.claim.Term, c.claim.Era, c.claim.Standby = 1<<63-1, 1<<32-1, someone(2).id
		m := &Message{Boot: 1<<64 - 1, Sequence: 1<<64 - 1, Claim: &c.claim}
		must(t, m.Seal(room, k.key))
		got, err := parseAndVerify(room, m.Raw)
		if err != nil || len(got.Claim.RelayAddresses) != c.relay || len(got.Claim.StandbyAddresses) != c.standby {
			t.Errorf("%s: %+v %v", c.name, got.Claim, err)
		}
	}
}

func TestSealRefusesWhatIsNoMessage(t *testing.T) {
	k := someone(1)
	other, _, err := crypto.GenerateKeyPair(crypto.Secp256k1, 0)
	must(t, err)
	yes := true
	for _, c := range []struct {
		name string
		m    Message
		key  crypto.PrivKey
		want error
	}{
		{"of no kind", Message{}, k.key, ErrMalformed},
		{"other kind of key", Message{Closed: &yes}, other, ErrPeer},
		{"too large", Message{Certificate: &pb.Certificate{Signature: make([]byte, MaxMessageBytes)}}, k.key, ErrLarge},
		{"standby that is no peer", Message{Claim: &RelayClaim{Claim: Claim{Key: Key{Term: 1}, Standby: "x"}}}, k.key, ErrPeer},
		{"max of no peer", Message{Pulse: &Pulse{Max: Key{Term: 1}}}, k.key, ErrPeer},
	} {
		if err := c.m.Seal(RoomID{}, c.key); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestEveryBitOfAMessageCounts: none can be changed and the message still be
// taken.
func TestEveryBitOfAMessageCounts(t *testing.T) {
	c := people()
	room := RoomID(c.tea().Room)
	for _, a := range c.goodMessages(room[:]) {
		for i := range a.Bytes {
			for bit := range 8 {
				bad := append([]byte(nil), a.Bytes...)
				bad[i] ^= 1 << bit
				if m, err := ParseMessage(bad); err == nil && i%8 == bit && m.Verify(room) == nil {
					t.Fatalf("%s: bit %d of byte %d can be changed", a.Name, bit, i)
				}
			}
		}
	}
}
