//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// TestRelayOnly has a node listen that lets nobody but the relay know where it
// is: of all who are in the room, its home exchanges packets with the relay
// alone.
func TestRelayOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	meeting, relays := w.host(), w.host()
	public := meeting.up("public", "--no-lend")
	relay := relays.up("relay", through(public)...)
	voice := w.host().up("speaker", through(public)...)
	others := []*liveNode{w.home(cone).host().up("budi", through(public)...), w.host().up("citra", through(public)...)}
	home := w.home(cone)
	home.watch()
	hidden := home.host().up("hidden", append(through(public), "--relay-only")...)
	nodes := append(others, relay, voice, hidden)
	w.connected(nodes...)

	room, _ := relay.open("Masks", "--stage", "open")
	w.until(soundWithin, "the room is listed", listedBy(room.Room, nodes))
	talk := voice.speak(room.Room, w.numbered("speaker"))
	ears := []*ear{hidden.recording(room.Room), others[0].recording(room.Room), others[1].recording(room.Room)}
	w.until(attachedWithin, "all hear", w.heardOn(100, ears, []*talker{talk}))
	w.until(attachedWithin, "the room has a standby", func() bool { return relay.views[room.Room].Standby != "" })
	w.until(attachedWithin, "all hear on", w.heardOn(100, ears, []*talker{talk}))
	if v := relay.shows(room.Room); v.Standby == hidden.PeerID {
		t.Error("who hides stands by")
	}
	for _, e := range ears {
		e.whole(talk.script)
	}
	met := home.met()
	t.Logf("the home exchanged packets with %v", met)
	for _, a := range met {
		if a.String() != meeting.address && a.String() != relays.address {
			t.Errorf("%s, which is neither the relay's nor the public node's", a)
		}
	}
	if !slices.Contains(met, netip.MustParseAddr(relays.address)) {
		t.Error("the relay's packets were not seen: nothing is shown by this")
	}
}

// watch notes at the home's router whom its hosts exchange packets with.
func (h *household) watch() {
	h.Helper()
	h.nft(h.gateway, `table ip watch {
	set met { type ipv4_addr; flags dynamic; size 1024; counter; }
	chain pass {
		type filter hook forward priority -20;
		iifname wan update @met { ip saddr }
		oifname wan update @met { ip daddr }
	}
}
`)
}

// met gives them.
func (h *household) met() (all []netip.Addr) {
	h.Helper()
	said := h.inside(h.gateway, nil, "nft", "-j", "list", "set", "ip", "watch", "met")
	var list struct {
		Nftables []struct {
			Set *struct {
				Elem []struct{ Elem struct{ Val netip.Addr } }
			}
		}
	}
	h.must(json.Unmarshal([]byte(said), &list))
	for _, one := range list.Nftables {
		if one.Set == nil {
			continue
		}
		for _, e := range one.Set.Elem {
			all = append(all, e.Elem.Val)
		}
	}
	if len(all) == 0 {
		h.Fatal(fmt.Errorf("nothing passed the router: %s", said))
	}
	return all
}
