package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// reach says in a person's words how others come to a node: what was tried, and
// while nothing is known of that, where it listens.
func reach(r web.Reach, addrs []string) string {
	var words string
	switch r.Reach {
	case "public":
		words = "others come here directly" + bracketed(ports(r.Addresses))
		if !r.Confirmed {
			words = "on an Internet address" + bracketed(ports(addrs)) + "; nobody has tried it yet"
		}
	case "mapped":
		words = "through your router" + bracketed(open(r))
	case "private":
		words = privately(r)
	default:
		words = listening(addrs)
	}
	if r.UDP == "blocked" {
		words += "; UDP is blocked, so sound goes by a stream"
	}
	return words
}

// privately says how others come to a node that they can't reach by themselves.
func privately(r web.Reach) string {
	words := "behind a router or firewall"
	var ways []string
	switch r.NAT {
	case "endpoint-independent":
		words = "behind a home router"
		ways = append(ways, "by hole punching")
	case "dependent":
		words = "behind a router that changes ports"
	}
	switch n := len(r.Circuits); {
	case n == 1:
		ways = append(ways, "through "+shortPeer(r.Circuits[0]))
	case n > 1:
		ways = append(ways, fmt.Sprintf("through %s and %d more", shortPeer(r.Circuits[0]), n-1))
	}
	if len(ways) == 0 {
		return words + "; others can't come here: nobody known passes them on"
	}
	return words + "; others come here " + strings.Join(ways, " or ")
}

// serving says what a node passes on for others; "" if nothing.
func serving(s web.Serves) string {
	var parts []string
	if s.Circuits > 0 {
		parts = append(parts, count(s.Circuits, "connection")+" of others")
	}
	if s.Reservations > 0 {
		parts = append(parts, count(s.Reservations, "node")+" may be reached through this one")
	}
	if s.Refused > 0 {
		parts = append(parts, number(s.Refused)+" refused")
	}
	if s.Bytes > 0 {
		parts = append(parts, amount(s.Bytes)+" so far")
	}
	return strings.Join(parts, ", ")
}

// listening says where a node listens. Whether others can come in from outside
// is not known, so it is not claimed.
func listening(addrs []string) string {
	widest := 0 // 0 this machine, 1 the local network, 2 an address of the Internet
	for _, a := range parsed(addrs) {
		widest = max(widest, width(a))
	}
	at := ports(addrs)
	if len(at) == 0 {
		return "nowhere: this node reaches others, and none can come to it"
	}
	return fmt.Sprintf([...]string{
		"this machine alone (%s)",
		"%s on this network; whether others come in from outside: earshot doctor",
		"%s on an Internet address; whether a firewall is in the way: earshot doctor",
	}[widest], strings.Join(at, ", "))
}

// parsed gives the addresses that lead here themselves, not by way of others.
func parsed(addrs []string) (direct []multiaddr.Multiaddr) {
	for _, text := range addrs {
		if a, err := multiaddr.NewMultiaddr(text); err == nil && !protocol.IsCircuit(a) {
			direct = append(direct, a)
		}
	}
	return direct
}

// ports lists the ports of a node's own addresses.
func ports(addrs []string) (words []string) {
	for _, a := range parsed(addrs) {
		if port := portWord(a); port != "" && !slices.Contains(words, port) {
			words = append(words, port)
		}
	}
	return words
}

// open lists the ports at which a router lets others in: those where somebody
// came, and that for sound.
func open(r web.Reach) []string {
	words := ports(r.Addresses)
	for _, m := range r.Mapped {
		at, err := netip.ParseAddrPort(m)
		if word := fmt.Sprintf("UDP %d", at.Port()); err == nil && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

func bracketed(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, ", ") + ")"
}

// portWord is "UDP 41641" or "TCP 41641".
func portWord(a multiaddr.Multiaddr) string {
	if port, err := a.ValueForProtocol(multiaddr.P_UDP); err == nil {
		return "UDP " + port
	}
	if port, err := a.ValueForProtocol(multiaddr.P_TCP); err == nil {
		return "TCP " + port
	}
	return ""
}

func width(a multiaddr.Multiaddr) int {
	ip, ok := protocol.IPOf(a)
	switch {
	case !ok || ip.IsLoopback():
		return 0
	case manet.IsPublicAddr(a):
		return 2
	}
	return 1
}
