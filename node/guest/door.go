package guest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/node/server"
	"github.com/earshot-audio/earshot/protocol"
)

// MaxGuests is how many listen at once unless the person says otherwise.
const MaxGuests = 50

// Limits of the door.
const (
	maxConns       = 1024    // open at once
	maxHeaderBytes = 8 << 10 // the request line with it
	maxSDPBytes    = 32 << 10
	maxNegotiating = 8 // offers answered at once

	answerPatience = 20 * time.Second // until a client has its answer, unless it streams
	writePatience  = 10 * time.Second // until a client takes an event
	idlePatience   = 30 * time.Second
)

// Config is what a Door is made of.
type Config struct {
	Listener net.Listener // open already; Run closes it
	TLS      *tls.Config  // nil: plain HTTP
	Name     string       // a host name for links; "": the machine's address
	Max      int          // guests at once; 0: MaxGuests
	Backend  Backend
	Changed  func()       // guests came or went, or the door did something; may be nil
	Log      *slog.Logger // nil: silent
}

// Door is one node's guest door. Its methods may be called from any goroutine.
type Door struct {
	cfg    Config
	log    *slog.Logger
	guests *guests
	census *census
	feed   *feed[[]byte] // rooms, encoded
	talks  *feed[Talk]
	mux    *http.ServeMux
	turn   chan struct{} // holds one value for each offer that is being answered
}

// Listen opens the door's socket. An error is one that a person can mend.
func Listen(addr string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &protocol.Problem{Code: protocol.CodeAPITaken, Message: fmt.Sprintf("the guest door can't open at %s", addr),
			Hint: "another program may have the port, or it is not this machine's address: give --guests HOST:PORT", Cause: err}
	}
	return listener, nil
}

// New makes an open door; Run lets people in.
func New(cfg Config) *Door {
	if cfg.Max <= 0 {
		cfg.Max = MaxGuests
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	d := &Door{cfg: cfg, log: cfg.Log, census: newCensus(), turn: make(chan struct{}, maxNegotiating)}
	d.guests = newGuests(cfg.Max, cfg.Changed)
	d.feed = newFeed(d.lookEncoded, bytes.Equal, cfg.Backend.Changes, d.log)
	d.talks = newFeed(d.lookAtTalk, sameTalk, cfg.Backend.Changes, d.log)
	d.mux = d.routed()
	return d
}

// Addr gives the socket's address.
func (d *Door) Addr() net.Addr { return d.cfg.Listener.Addr() }

// Address gives the door's URL, under which others on the network find it.
func (d *Door) Address() string {
	scheme, usual := "http", 80
	if d.cfg.TLS != nil {
		scheme, usual = "https", 443
	}
	at := addrPortOf(d.Addr())
	name := d.cfg.Name
	if name == "" {
		name = at.Addr().String()
		if at.Addr().IsUnspecified() {
			name = outward().String()
		}
	}
	if int(at.Port()) != usual {
		return scheme + "://" + net.JoinHostPort(name, strconv.Itoa(int(at.Port())))
	}
	if ip, err := netip.ParseAddr(name); err == nil && ip.Is6() {
		name = "[" + name + "]"
	}
	return scheme + "://" + name
}

// Link gives the address at which guests hear a room, of its link: what follows the
// # reaches no server.
func (d *Door) Link(link string) string {
	_, tail, _ := strings.Cut(link, ":")
	return d.Address() + "/r#" + tail
}

// outward gives the address of this machine that leads to others. Nothing is sent.
func outward() netip.Addr {
	for _, far := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} { // RFC 5737, RFC 3849: nobody's
		conn, err := net.Dial("udp", far)
		if err != nil {
			continue
		}
		at := addrPortOf(conn.LocalAddr()).Addr()
		_ = conn.Close()
		return at
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// addrPortOf gives an address as such, IPv4 not mapped into IPv6.
func addrPortOf(addr net.Addr) netip.AddrPort {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// Run lets people in until ctx ends, and returns when no connection is left. The
// guests' sessions are the node's to end.
func (d *Door) Run(ctx context.Context) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // one is enough for strangers
	err := server.Run(ctx, &counted{d.cfg.Listener, d.census}, server.Config{Handler: http.HandlerFunc(d.serve), TLS: d.cfg.TLS, Protocols: protocols,
		Conns: maxConns, HeadBytes: maxHeaderBytes, Patience: answerPatience, Idle: idlePatience, Log: d.log}, d.feed.run, d.talks.run, d.guests.usher)
	if err != nil {
		return fmt.Errorf("serve guests: %w", err)
	}
	return nil
}

// Close closes the socket of a door that was never run.
func (d *Door) Close() error { return d.cfg.Listener.Close() }

// Guests gives who listens, first come first.
func (d *Door) Guests() []Guest { return d.guests.list() }

// Max is how many may.
func (d *Door) Max() int { return d.cfg.Max }

// Count gives how many listen to a room.
func (d *Door) Count(room protocol.RoomID) int { return d.guests.count(room) }

// Has says whether somebody listens to a room here, and has said who they are.
func (d *Door) Has(room protocol.RoomID, who protocol.PeerID) bool { return d.guests.has(room, who) }

// IsOpen says whether guests may come in.
func (d *Door) IsOpen() bool { return d.guests.isOpen() }

// Open lets guests in, those too who were removed.
func (d *Door) Open() {
	d.guests.open()
	d.cfg.Changed()
}

// Shut sends all guests away and lets nobody in.
func (d *Door) Shut() {
	d.guests.shut()
	d.cfg.Changed()
}

// Remove sends a guest away, by the ID that Guests gives; its household stays out
// for removedFor. False: there is none.
func (d *Door) Remove(id string) bool { return d.guests.remove(id) }
