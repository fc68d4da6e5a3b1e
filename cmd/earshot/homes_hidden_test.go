package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// With --relay-only a home exchanges packets with the public node that it came in
// by and with its room's relay, also the next one; with nobody else in the room.
// It does not stand by.
func TestRelayOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	meeting, founders, speakers := w.host(), w.host(), w.host()
	public := meeting.up("public", "--no-lend")
	founder := founders.up("founder", through(public)...)
	voice := speakers.up("speaker", through(public)...)
	budis, citras := w.home(cone), w.host()
	budi, citra := budis.host().up("budi", through(public)...), citras.up("citra", through(public)...)
	home := w.home(cone)
	home.watch()
	hidden := home.host().up("hidden", append(through(public), "--relay-only")...)
	nodes := []*liveNode{public, budi, citra, founder, voice, hidden}
	w.connected(nodes...)

	room, _ := founder.open("Masks", "--stage", "open")
	w.until(soundWithin, "the room is listed", listedBy(room.Room, nodes))
	talk := voice.speak(room.Room, w.numbered("speaker"))
	ears := []*ear{hidden.recording(room.Room), budi.recording(room.Room), citra.recording(room.Room)}
	w.until(attachedWithin, "all hear", w.heardOn(100, ears, []*talker{talk}))
	w.until(attachedWithin, "the room has a standby", func() bool { return founder.views[room.Room].Standby != "" })
	w.until(attachedWithin, "all hear on", w.heardOn(100, ears, []*talker{talk}))
	if v := founder.shows(room.Room); v.Standby == hidden.PeerID {
		t.Error("who hides stands by")
	}
	addresses := map[string]string{
		founder.PeerID: founders.address, voice.PeerID: speakers.address, budi.PeerID: budis.address(), citra.PeerID: citras.address,
	}
	allowed := func() []string {
		all := []string{meeting.address}
		for _, peer := range w.relaysSoFar(nodes) {
			all = append(all, addresses[peer])
		}
		return all
	}
	if len(allowed()) == 2 { // on a machine that stands still a room may change its relay
		ears[0].whole(talk.script)
	}
	home.metOnly(allowed())
	if !slices.Contains(home.met(), netip.MustParseAddr(founders.address)) {
		t.Error("the home exchanged nothing with its relay: nothing is shown by this")
	}

	again := hidden.recording(room.Room)
	founder.kill()
	// It has no second parent: three seconds of silence, then the directory.
	w.until(2*attachedWithin, "the hidden one hears by the next relay", w.heardOn(100, []*ear{again}, []*talker{talk}))
	if len(allowed()) < 3 {
		t.Errorf("nobody came after the founder: %v", allowed())
	}
	home.metOnly(allowed())
}

// relaysSoFar gives whoever these nodes' views have named as relay.
func (w *world) relaysSoFar(nodes []*liveNode) (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range nodes {
		all = append(all, n.relayed...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// metOnly fails the test if the home exchanged packets with anybody else.
func (h *household) metOnly(allowed []string) {
	h.Helper()
	met := h.met()
	h.Logf("the home exchanged packets with %v, allowed: %v", met, allowed)
	for _, a := range met {
		if !slices.Contains(allowed, a.String()) {
			h.Errorf("%s, which is neither a relay's nor the public node's", a)
		}
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

// address is the router's in the world.
func (h *household) address() string { return fmt.Sprintf("11.%d.0.2", h.number) }
