package room

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// What somebody says of themselves is known to all soon, the newest of it, and to
// who comes later.
func TestProfilesAreTold(t *testing.T) {
	inWorld(t, 1, protocol.StageHost, 4, func(w *world) {
		w.party()
		who := w.nodes[2]
		all := func(want Member) {
			t.Helper()
			for late := w.now() + 2*time.Second; ; w.sleep(50 * ms) {
				other := ""
				for _, n := range w.nodes {
					if m := n.view().of(who.id); m.Profile != want.Profile || m.Presence.Name != want.Presence.Name {
						other += n.String()
					}
				}
				if other == "" {
					return
				}
				if w.now() > late {
					t.Fatalf("of %+v %s does not know: %+v", want, other, w.nodes[0].view().of(who.id))
				}
			}
		}
		for _, text := range []string{"first", "second", "third"} {
			who.room.Describe("Citra", protocol.Profile{Text: text, Colour: 7})
			w.sleep(20 * ms)
		}
		all(Member{Profile: protocol.Profile{Text: "third", Colour: 7}, Presence: protocol.Presence{Name: "Citra"}})
		who.room.Describe("Citra", protocol.Profile{})
		all(Member{Presence: protocol.Presence{Name: "Citra"}})
	})
}

// Of who is not here nothing is kept.
func TestProfilesOfNobody(t *testing.T) {
	s := still(t, protocol.StageOpen, 3, 0)
	m := &protocol.Message{Profile: &protocol.Profile{Text: "here I am"}}
	m.From = s.nodes[1].id
	if s.takeProfile(m) || s.members[m.From] != nil {
		t.Error("a profile alone brought somebody in")
	}
}
