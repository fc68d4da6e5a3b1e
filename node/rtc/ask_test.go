package rtc

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// Each server, asked at either family, says from where it was asked.
func TestAsk(t *testing.T) {
	requireIPv6(t)
	any := Config{Listen: netip.MustParseAddrPort("0.0.0.0:0")}
	a, c := newSide(t, "one", any).engine, newSide(t, "two", any).engine
	var servers, want []netip.AddrPort
	for _, loopback := range []netip.Addr{netip.IPv6Loopback(), netip.MustParseAddr("127.0.0.1")} {
		for _, port := range c.STUNPorts() {
			servers = append(servers, netip.AddrPortFrom(loopback, port))
			want = append(want, netip.AddrPortFrom(loopback, a.Addr().Port()))
		}
	}
	for i, answer := range a.Ask(t.Context(), servers) {
		if answer.Err != nil || answer.Server != servers[i] || answer.Seen != want[i] || answer.RTT <= 0 {
			t.Errorf("%v: %+v", servers[i], answer)
		}
	}
}

func TestAskManyAndInVain(t *testing.T) {
	a, c := newSide(t, "one", Config{}).engine, newSide(t, "two", Config{}).engine
	mute := listenAt(t, "127.0.0.1:0")
	servers := []netip.AddrPort{netip.MustParseAddrPort("[::1]:9"), localAddr(mute), {}}
	for len(servers) < serversAtOnce+1 {
		servers = append(servers, c.Addr())
	}
	for i, answer := range a.Ask(t.Context(), servers) {
		var want error
		switch i {
		case 0, 2:
			want = ErrFamily
		case 1:
			want = ErrNoAnswer
		case serversAtOnce:
			want = errTooMany
		}
		if !errors.Is(answer.Err, want) || answer.Server != servers[i] || (want == nil) != (answer.Seen == a.Addr()) {
			t.Errorf("%d: %+v", i, answer)
		}
	}
	first, _ := read(t, mute)
	for range 2 {
		if again, _ := read(t, mute); string(again) != string(first) {
			t.Errorf("%x was repeated as %x", first, again)
		}
	}
	if n := len(a.sockets.each[0].pending); n != 0 {
		t.Errorf("%d requests left behind", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := a.Ask(ctx, servers[1:2])[0].Err; !errors.Is(got, context.Canceled) {
		t.Errorf("cancelled: %v", got)
	}
}

func TestOnlyWhoWasAskedAnswers(t *testing.T) {
	a := newSide(t, "one", Config{}).engine
	server, stranger := listenAt(t, "127.0.0.1:0"), listenAt(t, "127.0.0.1:0")
	said := make(chan Answer, 1)
	go func() { said <- a.Ask(t.Context(), []netip.AddrPort{localAddr(server)})[0] }()
	request, from := read(t, server)
	var id transaction
	copy(id[:], request[8:])
	answer := func(by *net.UDPConn, id transaction, seen string) {
		addr := netip.MustParseAddrPort(seen)
		packet := build(t, stun.NewTransactionIDSetter(id), stun.BindingSuccess,
			&stun.XORMappedAddress{IP: addr.Addr().AsSlice(), Port: int(addr.Port())})
		if _, err := by.WriteToUDPAddrPort(packet, from); err != nil {
			t.Fatal(err)
		}
	}
	answer(stranger, id, "192.0.2.1:1")
	answer(server, transaction{1}, "192.0.2.2:2") // goes on to pion
	answer(server, id, "224.0.0.1:3")
	answer(server, id, "192.0.2.4:0")
	answer(server, id, "[2001:db8::1]:5")
	if _, err := server.WriteToUDPAddrPort(build(t, stun.NewTransactionIDSetter(id), stun.BindingSuccess), from); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return a.SocketStats().Strange == 5 })
	answer(server, id, "192.0.2.7:7")
	answer(server, id, "192.0.2.8:8")
	got := receiveFrom(t, "answer", said)
	if got.Err != nil || got.Seen != netip.MustParseAddrPort("192.0.2.7:7") || got.RTT > patience {
		t.Errorf("%+v", got)
	}
}

func TestAnswersAreUsedAgain(t *testing.T) {
	a, c := newSide(t, "one", Config{}).engine, newSide(t, "two", Config{}).engine
	mute := listenAt(t, "127.0.0.1:0")
	if got := a.seen(t.Context()); len(got) != 0 {
		t.Errorf("seen at %v by nobody", got)
	}
	servers := []netip.AddrPort{localAddr(mute), c.Addr()}
	a.SetServers(func() []netip.AddrPort { return servers })
	mapped := netip.MustParseAddrPort("192.0.2.1:7")
	a.SetMapped(func() []netip.AddrPort { return []netip.AddrPort{mapped} })
	for range 3 {
		got := a.seen(t.Context())
		if len(got) != 2 || got[0] != mapped || got[1] != a.Addr() {
			t.Errorf("seen at %v", got)
		}
		if stale := a.outside.stale(servers); len(stale) != 0 {
			t.Errorf("%v would be asked again", stale)
		}
	}
	await(t, func() bool { return c.SocketStats().Answered == 1 })
	// What is old is asked again: one in vain, one not.
	a.outside.mu.Lock()
	for server, l := range a.outside.known {
		l.at = l.at.Add(-answerLife)
		a.outside.known[server] = l
	}
	a.outside.mu.Unlock()
	a.seen(t.Context())
	await(t, func() bool { return c.SocketStats().Answered == 2 })
	began := time.Now()
	a.outside.turn <- struct{}{} // another asks and does not come back
	a.outside.known = map[netip.AddrPort]learnt{}
	if got := a.seen(t.Context()); len(got) != 1 || time.Since(began) < askTimeout {
		t.Errorf("seen at %v", got)
	}
	<-a.outside.turn
}

// Each server is asked once, three at the most, of both families where there are both.
func TestChoose(t *testing.T) {
	for _, c := range []struct{ servers, want []string }{
		{nil, nil},
		{[]string{"192.0.2.1:1", "192.0.2.1:1", "192.0.2.2:1"}, []string{"192.0.2.1:1", "192.0.2.2:1"}},
		{[]string{"[::ffff:192.0.2.1]:1", "192.0.2.1:1"}, []string{"192.0.2.1:1"}},
		{[]string{"192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1", "192.0.2.4:1"}, []string{"192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"}},
		{[]string{"192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1", "[2001:db8::1]:1"}, []string{"192.0.2.1:1", "192.0.2.2:1", "[2001:db8::1]:1"}},
		{[]string{"[2001:db8::1]:1", "[2001:db8::2]:1", "192.0.2.1:1"}, []string{"192.0.2.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1"}},
		{[]string{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "[2001:db8::4]:1"}, []string{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1"}},
	} {
		var servers []netip.AddrPort
		for _, s := range c.servers {
			servers = append(servers, netip.MustParseAddrPort(s))
		}
		got := choose(append(servers, netip.AddrPort{}))
		if len(got) != len(c.want) {
			t.Errorf("%v: %v", c.servers, got)
			continue
		}
		for i, s := range c.want {
			if got[i] != netip.MustParseAddrPort(s) {
				t.Errorf("%v: %v", c.servers, got)
			}
		}
	}
}
