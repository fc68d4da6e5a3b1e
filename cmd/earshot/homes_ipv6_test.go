//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestIPv6 has homes hear each other by UDP whose routers change IPv4 ports:
// IPv6 leads around those, though the routers let nothing in unasked there
// either.
func TestIPv6(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	public := w.host().up("public", "--no-lend")
	homes := []*household{w.home(symmetric), w.home(symmetric)}
	for _, h := range homes {
		h.routesIPv6()
	}
	relay := homes[0].host().up("relay", through(public)...)
	listener := homes[1].host().up("listener", append(through(public), "--no-lend")...)
	nodes := []*liveNode{relay, listener}
	w.connected(nodes...)
	room, _ := relay.open("Room six", "--stage", "open")
	w.until(soundWithin, "the room is listed", listedBy(room.Room, nodes))
	talk := relay.speak(room.Room, w.numbered("relay"))
	e := listener.recording(room.Room)
	e.says(soundWithin, "event", "first_frame", nil)
	w.until(upgradedWithin, "both ends show UDP", between(room.Room, relay, listener, "udp"))
	w.until(attachedWithin, "the speaker is heard by UDP", w.heardOn(50, []*ear{e}, []*talker{talk}))
	e.whole(talk.script)
}

// routesIPv6 gives the home's hosts to come addresses in IPv6 too. Its router
// translates none of them, and lets in only what answers.
func (h *household) routesIPv6() {
	h.Helper()
	outside := fmt.Sprintf("2a01:11:%x:", h.number)
	h.net6 = outside + "1:"
	for _, router := range []string{middle, h.gateway} {
		h.inside(router, strings.NewReader("1"), "tee", "/proc/sys/net/ipv6/conf/all/forwarding")
	}
	h.ip(middle, fmt.Sprintf(`addr add %[1]s:1/64 dev w%[2]d nodad
route add %[3]s:/64 via %[1]s:2`, outside, h.number, h.net6))
	h.ip(h.gateway, fmt.Sprintf(`addr add %[1]s:2/64 dev wan nodad
addr add %[2]s:1/64 dev lan nodad
route add default via %[1]s:1`, outside, h.net6))
	h.nft(h.gateway, `table ip6 home {
	chain pass {
		type filter hook forward priority 0; policy drop;
		ct state established,related accept
		iifname lan accept
	}
}
`)
}
