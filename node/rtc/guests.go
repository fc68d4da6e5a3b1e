package rtc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// A guest's browser is a stranger's, and somewhere in the network. It is served
// from sockets of its own, as an ICE-lite agent (RFC 8445 section 2.5): such a one
// answers checks and makes none, so that no offer can have this node send packets
// to where its guest is not.

const (
	// guestSilence without a packet, a guest's path is shaky: browsers check their
	// consent every five seconds (RFC 7675 section 5.1), or more often.
	guestSilence = 12 * time.Second
	guestGone    = 12 * time.Second // and after this long more, dead
)

// ErrNoGuests is what PlayGuest gives if Config.Guests was not set.
var ErrNoGuests = errors.New("rtc: no socket is open for guests")

// doorway is the sockets for guests, at most one of an address family.
type doorway struct {
	muxes []*ice.UDPMuxDefault
	addrs []netip.AddrPort // of each
	log   *slog.Logger
}

// listenGuests opens the sockets; wrap stands between as in Config.
func listenGuests(addr netip.AddrPort, wrap func(net.PacketConn) net.PacketConn, log *slog.Logger) (*doorway, error) {
	conns, err := listen(addr)
	if err != nil {
		return nil, err
	}
	d := &doorway{log: log}
	for _, conn := range conns {
		d.addrs = append(d.addrs, localAddr(conn))
		var wrapped net.PacketConn = conn
		if wrap != nil {
			wrapped = wrap(wrapped)
		}
		d.muxes = append(d.muxes, ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: wrapped, Logger: pionLogs{log}.NewLogger("ice")}))
	}
	return d, nil
}

func (d *doorway) close() {
	for _, mux := range d.muxes {
		if err := mux.Close(); err != nil {
			d.log.Debug("closing the guests' sockets", "error", err)
		}
	}
}

// threshold is a doorway as one session sees it, an ice.UDPMux: its one host
// candidate is the address of this machine at which its guest came in.
type threshold struct {
	*doorway
	mux *ice.UDPMuxDefault
	at  netip.AddrPort
}

// at gives the doorway as it stands at one of this machine's addresses.
func (d *doorway) at(addr netip.Addr) (*threshold, error) {
	addr = addr.Unmap().WithZone("")
	for i, socket := range d.addrs {
		if own := socket.Addr(); own == addr || own.IsUnspecified() && own.Is4() == addr.Is4() {
			return &threshold{d, d.muxes[i], netip.AddrPortFrom(addr, socket.Port())}, nil
		}
	}
	return nil, fmt.Errorf("rtc: no socket for guests at %s", addr)
}

// GetConn gives the agent its share of the socket.
func (t *threshold) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	return t.mux.GetConn(ufrag, addr)
}

// RemoveConnByUfrag takes GetConn back.
func (t *threshold) RemoveConnByUfrag(ufrag string) { t.mux.RemoveConnByUfrag(ufrag) }

// GetListenAddresses gives the host candidate.
func (t *threshold) GetListenAddresses() []net.Addr {
	return []net.Addr{net.UDPAddrFromAddrPort(t.at)}
}

// Close is for others: the sockets outlive an agent.
func (t *threshold) Close() error { return nil }

func (t *threshold) api() (*webrtc.API, error) {
	return browserAPI(false, t.log, func(s *webrtc.SettingEngine) {
		s.SetLite(true)
		s.SetICEUDPMux(t)
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
		s.SetIncludeLoopbackCandidate(t.at.Addr().IsLoopback())
		s.SetICETimeouts(guestSilence, guestGone, time.Second)
	})
}

// PlayGuest is Play for a browser of another machine, which came in at one of this
// machine's addresses. Without Config.Guests the error is ErrNoGuests.
func (e *Engine) PlayGuest(ctx context.Context, at netip.Addr, offer string, p Playing) (*Session, string, error) {
	if e.guests == nil {
		return nil, "", ErrNoGuests
	}
	// Two lite agents make no check at all before they send (RFC 8445 section 6.1.1).
	if strings.Contains(offer, "ice-lite") {
		return nil, "", fmt.Errorf("%w: it is of an ICE-lite agent", ErrOffer)
	}
	t, err := e.guests.at(at)
	if err != nil {
		return nil, "", err
	}
	api, err := t.api()
	if err != nil {
		return nil, "", err
	}
	return e.play(ctx, api, offer, p)
}
