package reach

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	pbv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/multiformats/go-multiaddr"
)

// Policy says for which others a node carries circuits.
type Policy string

const (
	All   Policy = "all"   // all Earshot nodes
	Rooms Policy = "rooms" // to or from nodes in a room that this node is in
	Off   Policy = "off"
)

// Implementation: ours to tune. libp2p's own limits keep a relay from carrying
// anything but the beginning of a connection, 128 KiB in two minutes; a room
// lasts for hours. What all circuits together may take is for --max-upload.
const (
	// reservationLife is short, since it is renewed over a connection that is
	// there in any case.
	reservationLife = 12 * time.Minute
	reservations    = 512
	// A home has few nodes; a dormitory, a conference or a carrier's NAT has many
	// behind one address, and one of libp2p's IPv6 allotments is a whole provider.
	// As many as host.go lets connect.
	reservationsOfAddress = 64
	reservationsOfNetwork = reservations
	// circuitsOfNode has room for the relay of a room whose children all come by
	// circuits (protocol.MaxChildren), and its other neighbours.
	circuitsOfNode = 128
	// circuitBuffer takes two of the largest packets of sound.
	circuitBuffer = 4 << 10
	// introduction is how long an asker may take to say what it is.
	introduction = 2 * time.Second
)

// Serves is what a node does for others.
type Serves struct {
	Policy       Policy
	Running      bool
	Reservations int    // now
	Circuits     int    // now
	Refused      uint64 // reservations and circuits
	Bytes        uint64 // carried, in both directions
}

// service is libp2p's circuit relay, on and off.
type service struct {
	cfg *Config
	on  atomic.Bool
	hop *relay.Relay // circuit v2's hop protocol; nil: off

	reservations atomic.Int64
	circuits     atomic.Int64
	refused      atomic.Uint64
	bytes        atomic.Uint64
}

func newService(cfg *Config) *service { return &service{cfg: cfg} }

func (s *service) running() bool { return s.on.Load() }

// open begins to serve. It and close are called by one goroutine.
func (s *service) open() {
	if s.hop != nil {
		return
	}
	resources := relay.DefaultResources()
	resources.ReservationTTL = reservationLife
	resources.MaxReservations = reservations
	resources.MaxReservationsPerIP = reservationsOfAddress
	resources.MaxReservationsPerASN = reservationsOfNetwork
	resources.MaxCircuits = circuitsOfNode
	resources.BufferSize = circuitBuffer
	s.on.Store(true) // before others can see it
	hop, err := relay.New(s.cfg.Host, relay.WithResources(resources), relay.WithInfiniteLimits(), relay.WithACL(s),
		relay.WithMetricsTracer(s), relay.WithReservationAddressFilter(s.cfg.Public))
	if err != nil {
		s.on.Store(false)
		s.cfg.Log.Warn("carry no circuits", "err", err)
		return
	}
	s.hop = hop
}

// close refuses all that is new. Circuits that are open stay until either end or
// the host closes them.
func (s *service) close() {
	if s.hop != nil {
		s.on.Store(false)
		_ = s.hop.Close() // gives no error
		s.hop = nil
	}
}

func (s *service) serves() Serves {
	return Serves{Policy: s.cfg.Policy, Running: s.running(), Reservations: int(s.reservations.Load()), Circuits: int(s.circuits.Load()),
		Refused: s.refused.Load(), Bytes: s.bytes.Load()}
}

// AllowReserve lets Earshot nodes reserve and nobody else: strangers that look
// for any relay at all in libp2p's public network would take what is meant for
// rooms. Who may then come to them is for AllowConnect.
func (s *service) AllowReserve(p peer.ID, _ multiaddr.Multiaddr) bool { return s.earshot(p) }

// AllowConnect lets a circuit be made to dest, which holds a reservation.
func (s *service) AllowConnect(src peer.ID, _ multiaddr.Multiaddr, dest peer.ID) bool {
	return s.cfg.Policy != Rooms || s.cfg.InRoom(src) || s.cfg.InRoom(dest)
}

// earshot says whether p is an Earshot node. It waits for a node's introduction,
// on the goroutine of the node's own stream.
func (s *service) earshot(p peer.ID) bool {
	within, cancel := context.WithTimeout(context.Background(), introduction)
	defer cancel()
	h, ok := s.cfg.Host.(interface{ IDService() identify.IDService })
	if !ok {
		return s.cfg.Neighbour(p)
	}
	for _, c := range s.cfg.Host.Network().ConnsToPeer(p) {
		if s.cfg.Neighbour(p) {
			return true
		}
		select {
		case <-h.IDService().IdentifyWait(c):
		case <-within.Done():
		}
	}
	return s.cfg.Neighbour(p)
}

// The rest counts, as libp2p's relay tells it.

// RelayStatus is told when the service begins and ends.
func (s *service) RelayStatus(bool) {}

// ConnectionOpened counts a circuit.
func (s *service) ConnectionOpened() { s.circuits.Add(1) }

// ConnectionClosed counts its end.
func (s *service) ConnectionClosed(time.Duration) { s.circuits.Add(-1) }

// ConnectionRequestHandled counts refusals.
func (s *service) ConnectionRequestHandled(status pbv2.Status) { s.refuse(status) }

// ReservationAllowed counts a reservation.
func (s *service) ReservationAllowed(renewed bool) {
	if !renewed {
		s.reservations.Add(1)
	}
}

// ReservationClosed counts the end of some.
func (s *service) ReservationClosed(n int) { s.reservations.Add(-int64(n)) }

// ReservationRequestHandled counts refusals.
func (s *service) ReservationRequestHandled(status pbv2.Status) { s.refuse(status) }

// BytesTransferred counts what was carried.
func (s *service) BytesTransferred(n int) { s.bytes.Add(uint64(n)) }

func (s *service) refuse(status pbv2.Status) {
	switch status {
	case pbv2.Status_PERMISSION_DENIED, pbv2.Status_RESERVATION_REFUSED, pbv2.Status_RESOURCE_LIMIT_EXCEEDED:
		s.refused.Add(1)
	}
}
