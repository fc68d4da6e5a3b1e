package rtc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/sdp/v3"
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

func (t *threshold) api(reports bool) (*webrtc.API, error) {
	return browserAPI(reports, t.log, func(s *webrtc.SettingEngine) {
		s.SetLite(true)
		s.SetICEUDPMux(t)
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
		s.SetIncludeLoopbackCandidate(t.at.Addr().IsLoopback())
		s.SetICETimeouts(guestSilence, guestGone, time.Second)
	})
}

// Entry is how a guest's browser came.
type Entry struct {
	Offer string
	At    netip.Addr // this machine's, where it came in
	From  netip.Addr // its own, as it was seen there
}

// PlayGuest is Play for a browser of another machine. Without Config.Guests the error
// is ErrNoGuests.
func (e *Engine) PlayGuest(ctx context.Context, g Entry, p Playing) (*Session, string, error) {
	return e.letIn(ctx, g, false, func(api *webrtc.API) (*Session, string, error) { return e.play(ctx, api, g.Offer, p) })
}

// PublishGuest is Publish for such a browser.
func (e *Engine) PublishGuest(ctx context.Context, g Entry, p Publication) (*Session, string, error) {
	return e.letIn(ctx, g, true, func(api *webrtc.API) (*Session, string, error) { return e.publish(ctx, api, g.Offer, p) })
}

func (e *Engine) letIn(ctx context.Context, g Entry, reports bool, answer func(*webrtc.API) (*Session, string, error)) (*Session, string, error) {
	if e.guests == nil {
		return nil, "", ErrNoGuests
	}
	// Two lite agents make no check at all before they send (RFC 8445 section 6.1.1).
	if strings.Contains(g.Offer, "ice-lite") {
		return nil, "", fmt.Errorf("%w: it is of an ICE-lite agent", ErrOffer)
	}
	t, err := e.guests.at(g.At)
	if err != nil {
		return nil, "", err
	}
	api, err := t.api(reports)
	if err != nil {
		return nil, "", err
	}
	outside := e.outdoors(ctx, g, t.at.Port())
	s, text, err := answer(api)
	if err != nil {
		return nil, "", err
	}
	if more, err := addCandidates(text, outside, false); err == nil {
		return s, more, nil
	}
	return s, text, nil
}

// outdoors gives where a guest from the Internet reaches a door that is behind a
// router: at the addresses at which this node is seen, and the door's own port, which
// the router was told to pass on. The page came in by it.
func (e *Engine) outdoors(ctx context.Context, g Entry, port uint16) (out []netip.AddrPort) {
	if indoors(g.From) || !indoors(g.At) {
		return nil
	}
	for _, seen := range e.seen(ctx) {
		if seen.Addr().Unmap().Is4() == g.At.Unmap().Is4() {
			out = append(out, netip.AddrPortFrom(seen.Addr().Unmap(), port))
		}
	}
	return out
}

// indoors says whether an address is behind a router, or of this machine.
func indoors(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || !a.IsValid()
}

// Fingerprint gives the SHA-256 of the one DTLS certificate that an offer names (RFC
// 8122 section 5): whoever answers its handshake has that certificate's key.
func Fingerprint(offer string) (print [sha256.Size]byte, err error) {
	if len(offer) > maxOfferBytes {
		return print, fmt.Errorf("%w: more than %d bytes", ErrOffer, maxOfferBytes)
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(offer); err != nil {
		return print, fmt.Errorf("%w: %w", ErrOffer, err)
	}
	var found []string
	for _, attributes := range append([][]sdp.Attribute{d.Attributes}, attributesOf(&d)...) {
		for _, a := range attributes {
			if a.Key == "fingerprint" && !slices.Contains(found, a.Value) {
				found = append(found, a.Value)
			}
		}
	}
	if len(found) != 1 {
		return print, fmt.Errorf("%w: it names %d certificates, name one", ErrOffer, len(found))
	}
	kind, digits, _ := strings.Cut(found[0], " ")
	sum, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if !strings.EqualFold(kind, "sha-256") || err != nil || len(sum) != len(print) {
		return print, fmt.Errorf("%w: its certificate is not named by a SHA-256", ErrOffer)
	}
	return [sha256.Size]byte(sum), nil
}

func attributesOf(d *sdp.SessionDescription) (all [][]sdp.Attribute) {
	for _, m := range d.MediaDescriptions {
		all = append(all, m.Attributes)
	}
	return all
}
