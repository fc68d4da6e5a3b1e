package room

import (
	"testing"

	"github.com/earshot-audio/earshot/protocol"
)

// Who has been here for a while, or is known to this node's person, is heard however
// many new keys ask at once.
func TestNewcomersLeaveRoomForOthers(t *testing.T) {
	s := still(t, protocol.StageHost, 3, 0)
	regular, friend := s.nodes[1].id, s.nodes[2].id
	s.cfg.Noted = func(p protocol.PeerID) bool { return p == friend }
	s.says(1, 1, 1, presence("regular"))
	if !s.isNew(regular, s.clock) || s.isNew(friend, s.clock) {
		t.Error("who has just come is no newcomer, or a friend is one")
	}
	s.clock += newFor
	s.says(1, 1, 2, presence("regular"))
	if s.isNew(regular, s.clock) {
		t.Error("who has been here for long is new")
	}
	var stranger int
	for i := range 40 {
		if s.mayAsk(newNode(s.nodes[0].w, 10+i).id, s.clock) {
			stranger++
		}
	}
	if stranger != newHandsASecond || !s.mayAsk(regular, s.clock) || !s.mayAsk(friend, s.clock) {
		t.Errorf("%d newcomers asked in a second", stranger)
	}
}
