package reach

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/libp2p/go-netroute"
)

// NAT-PMP (RFC 6886), as a client.
const (
	pmpPort = 5351

	pmpAskAddress = 0 // opcodes; answers have pmpAnswer added
	pmpMapUDP     = 1
	pmpMapTCP     = 2
	pmpAnswer     = 128

	pmpLife = 10 * time.Minute // of a mapping: what a node that is killed leaves behind
	// The first wait for an answer; it doubles (section 3.1 has nine tries, but a
	// router that speaks it answers the first).
	pmpWait  = 250 * time.Millisecond
	pmpTries = 3
)

var errPMP = errors.New("reach: not an answer of NAT-PMP")

// defaultGateway gives the router through which the Internet is reached by IPv4.
func defaultGateway() (netip.Addr, error) {
	routes, err := netroute.New()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("reach: ask the system for its routes: %w", err)
	}
	_, gateway, _, err := routes.Route(net.IPv4(192, 0, 2, 1)) // RFC 5737: anywhere
	if err != nil {
		return netip.Addr{}, fmt.Errorf("reach: no way to the Internet by IPv4: %w", err)
	}
	addr, ok := netip.AddrFromSlice(gateway)
	if !ok {
		return netip.Addr{}, errors.New("reach: there is no router in front of this machine")
	}
	return addr.Unmap(), nil
}

// pmp is a router that speaks NAT-PMP. One goroutine uses it.
type pmp struct {
	conn    net.Conn // connected: nobody else's answers arrive
	address netip.Addr
	epoch   uint32    // of the router, seconds
	at      time.Time // when it said so
	mapped  map[port]mapping
}

type mapping struct {
	outside uint16
	renew   time.Time
}

// askPMP asks whether there is NAT-PMP at a router.
func askPMP(ctx context.Context, at netip.AddrPort) (*pmp, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "udp", at.String())
	if err != nil {
		return nil, err
	}
	r := &pmp{conn: conn, mapped: make(map[port]mapping)}
	if err := r.look(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return r, nil
}

// look asks for the outside address. A router that has forgotten its mappings
// shows it by its epoch (section 3.6).
func (r *pmp) look(ctx context.Context) error {
	answer, err := r.call(ctx, []byte{0, pmpAskAddress})
	if err != nil {
		return err
	}
	ip, ok := netip.AddrFromSlice(answer[8:12])
	if !ok {
		return errPMP
	}
	epoch, now := binary.BigEndian.Uint32(answer[4:]), time.Now()
	if least := float64(r.epoch) + now.Sub(r.at).Seconds()*7/8 - 2; !r.at.IsZero() && float64(epoch) < least {
		for p, m := range r.mapped {
			m.renew = time.Time{}
			r.mapped[p] = m
		}
	}
	r.address, r.epoch, r.at = ip, epoch, now
	return nil
}

// AddMapping asks for a port, if it can be the same outside.
func (r *pmp) AddMapping(ctx context.Context, protocol string, number int) error {
	p := port{protocol, uint16(number)}
	outside, life, err := r.request(ctx, p, p.number, pmpLife)
	if err != nil {
		return err
	}
	r.mapped[p] = mapping{outside, time.Now().Add(life / 2)}
	return nil
}

// GetMapping gives where a port is outside, renewed if need be.
func (r *pmp) GetMapping(protocol string, number int) (netip.AddrPort, bool) {
	p := port{protocol, uint16(number)}
	m, ok := r.mapped[p]
	if !ok {
		return netip.AddrPort{}, false
	}
	ctx := context.Background() // a call is short
	if time.Since(r.at) >= routerLook && r.look(ctx) != nil {
		return netip.AddrPort{}, false
	}
	if m = r.mapped[p]; time.Now().After(m.renew) {
		outside, life, err := r.request(ctx, p, m.outside, pmpLife)
		if err != nil {
			return netip.AddrPort{}, false
		}
		m = mapping{outside, time.Now().Add(life / 2)}
		r.mapped[p] = m
	}
	return netip.AddrPortFrom(r.address, m.outside), true
}

// Close takes the mappings back.
func (r *pmp) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), pmpWait)
	defer cancel()
	for p := range r.mapped {
		_, _, _ = r.request(ctx, p, 0, 0) // or it ends by itself
	}
	return r.conn.Close()
}

// request asks for a mapping; life 0: for its end (section 3.3 and 3.4).
func (r *pmp) request(ctx context.Context, p port, outside uint16, life time.Duration) (uint16, time.Duration, error) {
	ask := []byte{0, pmpMapUDP, 0, 0}
	if p.protocol == "tcp" {
		ask[1] = pmpMapTCP
	}
	ask = binary.BigEndian.AppendUint16(ask, p.number)
	ask = binary.BigEndian.AppendUint16(ask, outside)
	ask = binary.BigEndian.AppendUint32(ask, uint32(life/time.Second))
	answer, err := r.call(ctx, ask)
	if err != nil {
		return 0, 0, err
	}
	outside, got := binary.BigEndian.Uint16(answer[10:]), time.Duration(binary.BigEndian.Uint32(answer[12:]))*time.Second
	if binary.BigEndian.Uint16(answer[8:]) != p.number || life > 0 && (outside == 0 || got == 0) {
		return 0, 0, errPMP
	}
	return outside, min(got, life), nil
}

// call asks until there is an answer to what was asked.
func (r *pmp) call(ctx context.Context, ask []byte) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { _ = r.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	wait := pmpWait
	err := errPMP
	for range pmpTries {
		if _, err = r.conn.Write(ask); err != nil {
			return nil, err
		}
		if err = r.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return nil, err
		}
		var answer []byte
		if answer, err = r.answer(ask[1]); err == nil || ctx.Err() != nil {
			return answer, err
		}
		wait *= 2
	}
	return nil, err
}

// answer reads until the answer to an opcode comes.
func (r *pmp) answer(opcode byte) ([]byte, error) {
	var buffer [64]byte
	for {
		n, err := r.conn.Read(buffer[:])
		if err != nil {
			return nil, err
		}
		answer, err := readPMP(buffer[:n], opcode)
		if !errors.Is(err, errPMP) {
			return answer, err
		}
	}
}

// readPMP checks an answer: its opcode, its length, its result (sections 3.2, 3.3
// and 3.5).
func readPMP(b []byte, opcode byte) ([]byte, error) {
	length := 16
	if opcode == pmpAskAddress {
		length = 12
	}
	if len(b) < 4 || b[0] != 0 || b[1] != pmpAnswer+opcode {
		return nil, errPMP
	}
	if result := binary.BigEndian.Uint16(b[2:]); result != 0 {
		return nil, fmt.Errorf("reach: the router refuses to open ports (NAT-PMP result %d)", result)
	}
	if len(b) < length {
		return nil, errPMP
	}
	return b[:length], nil
}

func netAddr(protocol string, at netip.AddrPort) net.Addr {
	if protocol == "tcp" {
		return net.TCPAddrFromAddrPort(at)
	}
	return net.UDPAddrFromAddrPort(at)
}
