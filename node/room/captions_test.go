package room

import (
	"errors"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

func captioned(utterance uint32) protocol.Message {
	return protocol.Message{Caption: &protocol.Caption{Utterance: utterance, Language: "en", Text: "as text", Final: true}}
}

// Whose voice is silenced says the same no more as text: others take no captions of
// theirs, and their own node says none.
func TestTheSilencedAreNotCaptioned(t *testing.T) {
	for name, deed := range map[string]func(speaker protocol.PeerID) protocol.Deed{
		"mute":        func(p protocol.PeerID) protocol.Deed { return protocol.Mute{Peer: p} },
		"mute of all": func(protocol.PeerID) protocol.Deed { return protocol.Mute{} },
		"pause":       func(protocol.PeerID) protocol.Deed { return protocol.Pause(true) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, self := range []int{1, 2} {
				s := still(t, protocol.StageHost, 3, self)
				s.acts(0, protocol.Grant{Peer: s.nodes[1].id, Role: protocol.RoleSpeaker})
				said := func(utterance uint32) error {
					if self == 1 {
						return s.caption("en", "as text", true, s.clock)
					}
					s.says(1, 1, uint64(utterance), captioned(utterance))
					return nil
				}
				s.pathTo(s.nodes[1].id).child = true
				if err := said(1); err != nil || len(s.captions.said) != 1 {
					t.Fatalf("%d captions of who may speak, %v", len(s.captions.said), err)
				}
				s.acts(0, deed(s.nodes[1].id))
				if err := said(2); self == 1 && !errors.Is(err, ErrMuted) || len(s.captions.said) != 1 {
					t.Errorf("node %d has %d captions of who is silenced, %v", self, len(s.captions.said), err)
				}
			}
		})
	}
}

// On an open stage a crowd of fresh keys leaves place for who has a duty, and is
// passed on no faster than a room takes it.
func TestCaptionsOfACrowd(t *testing.T) {
	s := still(t, protocol.StageOpen, maxNodes, 0)
	taken := 0
	for sequence := range uint64(8) {
		for i := 2; i < maxNodes; i++ {
			before := s.sent
			s.pathTo(s.nodes[1].id).child = true // who is passed what is taken
			s.says(i, 1, sequence+1, captioned(uint32(sequence+1)))
			taken += s.sent - before
		}
	}
	if most := s.captions.all.loose.Burst(); taken != most {
		t.Errorf("%d of a crowd's captions pass, want %d", taken, most)
	}
	s.acts(0, protocol.Grant{Peer: s.nodes[1].id, Role: protocol.RoleSpeaker})
	s.says(1, 1, 1, captioned(1))
	if last := s.captions.said[len(s.captions.said)-1]; last.From != s.nodes[1].id {
		t.Error("a speaker is not captioned")
	}
	s.clock += time.Second
	before := s.sent
	s.says(2, 1, 9, captioned(9))
	if s.sent == before {
		t.Error("the crowd is never captioned again")
	}
}
