package node

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// TestAskingToAttachIsNoWayToBeSentMuch has a stranger ask again and again: each
// answer has the room's rights in it, and what else a child needs.
func TestAskingToAttachIsNoWayToBeSentMuch(t *testing.T) {
	t.Parallel()
	s := newStage(t, "host")
	for _, v := range s.nodes {
		h := newEnemy(t)
		h.at(v)
		began, bytes := time.Now(), 0
		for range 300 { // as fast as a link's messages may come
			h.attach(v, s.id, pb.Attach_WARM)
			time.Sleep(3 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		answers := told(h, v, func(m *pb.LinkMessage) *pb.LinkMessage {
			if m.GetAccept() != nil || m.GetRedirect() != nil {
				bytes += proto.Size(m)
				return m
			}
			return nil
		})
		took := max(time.Since(began), time.Second) // a busy machine takes longer
		if n := len(answers); n == 0 || time.Duration(n)*time.Second > 16*took {
			t.Errorf("%s answers %d times in %v, %d bytes", v.name, n, took, bytes)
		}
	}
	s.unhurt()
}
