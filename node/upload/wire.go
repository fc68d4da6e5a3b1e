package upload

import (
	"net"
	"net/netip"
)

// Bytes that go along with what a program sends. An interface's counters show the
// frame's, too.
const (
	frameHeader = 14 // Ethernet II
	ip4Header   = 20 // RFC 791 section 3.1, without options
	ip6Header   = 40 // RFC 8200 section 3
	ip6Fragment = 8  // RFC 8200 section 4.5
	udpHeader   = 8  // RFC 768
	tcpHeader   = 32 // RFC 9293 section 3.1, with timestamps (RFC 7323 section 3.2)
	sackBlocks  = 28 // three in an acknowledgement beside timestamps (RFC 2018 section 3)

	mtu = 1500 // of a packet; longer datagrams go in fragments
)

// datagramBytes is what a UDP datagram with n bytes of payload takes on the wire.
func datagramBytes(n int, ip6 bool) int {
	header, fragment := ip4Header, ip4Header
	if ip6 {
		header, fragment = ip6Header, ip6Header+ip6Fragment
	}
	n += udpHeader
	if n+header <= mtu {
		return frameHeader + header + n
	}
	room := (mtu - fragment) &^ 7 // fragments begin at multiples of 8
	fragments := (n + room - 1) / room
	return fragments*(frameHeader+fragment) + n
}

// segmentBytes is what a TCP segment with n bytes of payload takes; none: an
// acknowledgement.
func segmentBytes(n int, ip6 bool) int {
	header := frameHeader + ip4Header + tcpHeader
	if ip6 {
		header = frameHeader + ip6Header + tcpHeader
	}
	return header + n
}

// place is where an address is: on this machine, and whether behind IPv6.
type place struct{ loopback, ip6 bool }

func placeOf(ip netip.Addr) place {
	ip = ip.Unmap()
	return place{ip.IsLoopback(), ip.Is6()}
}

func far(a net.Addr) place {
	var ip netip.Addr
	switch a := a.(type) {
	case *net.UDPAddr:
		ip, _ = netip.AddrFromSlice(a.IP)
	case *net.TCPAddr:
		ip, _ = netip.AddrFromSlice(a.IP)
	}
	return placeOf(ip)
}

// urgent says whether a datagram of the media socket keeps paths alive rather than
// carrying sound: STUN, DTLS, RTCP (RFC 7983 section 7, RFC 5761 section 4).
func urgent(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	return b[0] < 128 || b[0] < 192 && b[1] >= 192 && b[1] <= 223
}
