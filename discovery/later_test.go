package discovery

import (
	"bytes"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/record"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// payloadOnly is a RoomAnnouncement as a later version may make it.
type payloadOnly struct{ payload []byte }

func (payloadOnly) Domain() string                   { return protocol.EnvelopeDomain }
func (payloadOnly) Codec() []byte                    { return []byte(protocol.AnnouncementType) }
func (l payloadOnly) MarshalRecord() ([]byte, error) { return l.payload, nil }
func (payloadOnly) UnmarshalRecord([]byte) error     { return nil }

// TestAnnouncementsOfLaterVersions: what they add is passed on; rooms whose stage
// nobody here understands, or of which more is said than this version bounds, are not
// shown, and held against nobody.
func TestAnnouncementsOfLaterVersions(t *testing.T) {
	for _, c := range []struct {
		name  string
		stage pb.Stage
		title string
		field bool
		spoil bool
		want  Verdict
	}{
		{"a stage of a later version", 3, "", false, false, Ignore},
		{"the same, wrongly signed by its founder", 3, "", false, true, Reject},
		{"a field of a later version", pb.Stage_STAGE_OPEN, "", true, false, Accept},
		{"a title longer than this version's", pb.Stage_STAGE_OPEN, strings.Repeat("x", protocol.MaxTitleBytes+1), false, false, Ignore},
		{"the same, wrongly signed by its founder", pb.Stage_STAGE_OPEN, strings.Repeat("x", protocol.MaxTitleBytes+1), false, true, Reject},
		{"a title that no version writes", pb.Stage_STAGE_OPEN, "\u202e" + strings.Repeat("x", protocol.MaxTitleBytes), false, false, Reject},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := newPerson(t)
			raw, err := host.key.GetPublic().Raw()
			must(t, err)
			genesis, err := proto.Marshal(&pb.Genesis{Founder: raw, Salt: make([]byte, 16), Title: "T", Stage: c.stage})
			must(t, err)
			signature, err := host.key.Sign(bytes.Join([][]byte{[]byte("earshot-genesis"), genesis}, []byte{0}))
			must(t, err)
			if c.spoil {
				signature[0] ^= 1
			}
			payload, err := proto.Marshal(&pb.RoomAnnouncement{Genesis: &pb.SignedGenesis{Genesis: genesis, Signature: signature}, Sequence: 1, LifeS: 60,
				Listing: &pb.Listing{Title: c.title}})
			must(t, err)
			if c.field {
				payload = append(payload, 0xfa, 0x01, 0x01, 'x') // field 31, one byte
			}
			e, err := record.Seal(payloadOnly{payload}, host.key)
			must(t, err)
			envelope, err := e.Marshal()
			must(t, err)
			d := running(t)
			offer(t, d, envelope, c.want)
			if n := len(d.Rooms()); n != map[Verdict]int{Accept: 1}[c.want] {
				t.Errorf("%d rooms are shown", n)
			}
		})
	}
}
