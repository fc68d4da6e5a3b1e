package room

import (
	"testing"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// blank is a way that remembers what it lets in.
type blank map[protocol.Handle]protocol.Source

func (b *blank) Handle() protocol.Handle                     { return 1 }
func (b *blank) Accept(h protocol.Handle, s protocol.Source) { (*b)[h] = s }
func (b *blank) Forget(h protocol.Handle)                    { delete(*b, h) }
func (b *blank) Outlet(protocol.Handle) Outlet               { return nil }

// A voice may be bound before it is known that its speaker was let on stage: it
// is let in when that comes.
func TestBindWaitsForItsRight(t *testing.T) {
	s := still(t, protocol.StageHost, 3, 2)
	way, speaker := &blank{}, s.nodes[1]
	p := s.pathTo(speaker.id)
	p.way, p.child = way, true
	m := &protocol.Message{Boot: 1, Sequence: 1, Voice: &protocol.Voice{}}
	if err := m.Seal(s.cfg.Room, speaker.key); err != nil {
		t.Fatal(err)
	}
	bind := &pb.Bind{Room: s.cfg.Room[:], Handle: 7, Voice: m.Raw}
	for range 3 { // it is repeated
		s.takeBind(speaker.id, bind, s.clock)
	}
	if len(*way) > 0 || len(p.later) != 1 {
		t.Fatalf("let in %v, %d wait", *way, len(p.later))
	}
	s.acts(0, protocol.Grant{Peer: speaker.id, Role: protocol.RoleSpeaker})
	if source := protocol.SourceOf(s.cfg.Room, speaker.id, protocol.Session{}); (*way)[7] != source || !s.opened[source] || len(p.later) > 0 {
		t.Errorf("let in %v, %d wait", *way, len(p.later))
	}
}

// What nobody may bring is refused, and counted.
func TestBindRefused(t *testing.T) {
	for _, test := range []struct {
		name  string
		by    int
		child bool
		of    int
		h     uint32
	}{
		{"no child, no parent", 1, false, 1, 7},
		{"a child, another's voice", 1, true, 3, 7},
		{"no handle", 1, true, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := still(t, protocol.StageOpen, 4, 2)
			way := &blank{}
			p := s.pathTo(s.nodes[test.by].id)
			p.way, p.child = way, test.child
			m := &protocol.Message{Boot: 1, Sequence: 1, Voice: &protocol.Voice{}}
			if err := m.Seal(s.cfg.Room, s.nodes[test.of].key); err != nil {
				t.Fatal(err)
			}
			s.takeBind(s.nodes[test.by].id, &pb.Bind{Room: s.cfg.Room[:], Handle: test.h, Voice: m.Raw}, s.clock)
			if len(*way) > 0 || len(s.opened) > 0 || s.dropped["brought by a stranger"] != 1 {
				t.Errorf("let in %v, dropped %v", *way, s.dropped)
			}
		})
	}
}

// Who relayed once brings others' voices no more, but its own.
func TestFormerRelayBringsNobody(t *testing.T) {
	s := still(t, protocol.StageOpen, 4, 2)
	way, former := &blank{}, s.nodes[1]
	p := s.pathTo(former.id)
	p.way, p.child, s.relay = way, true, former.id
	for h, by := range map[uint32]*node{7: s.nodes[3], 8: former} {
		m := &protocol.Message{Boot: 1, Sequence: 1, Voice: &protocol.Voice{}}
		if err := m.Seal(s.cfg.Room, by.key); err != nil {
			t.Fatal(err)
		}
		s.takeBind(former.id, &pb.Bind{Room: s.cfg.Room[:], Handle: h, Voice: m.Raw}, s.clock)
	}
	if len(*way) != 2 {
		t.Fatalf("the relay brings %v", *way)
	}
	s.relay = s.nodes[3].id
	s.aim(former.id)
	if _, own := (*way)[8]; len(*way) != 1 || !own {
		t.Errorf("the former relay brings %v", *way)
	}
}
