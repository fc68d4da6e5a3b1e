package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// reach says in honest words where a node listens. Whether others can come in
// from outside is not tried, so it is not claimed.
func reach(addrs []string) string {
	var ports []string
	widest := 0 // 0 this machine, 1 the local network, 2 an address of the Internet
	for _, text := range addrs {
		a, err := multiaddr.NewMultiaddr(text)
		if err != nil {
			continue
		}
		if port := portWord(a); port != "" && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
		widest = max(widest, width(a))
	}
	if len(ports) == 0 {
		return "nowhere: this node reaches others, and none can come to it"
	}
	return fmt.Sprintf([...]string{
		"this machine alone (%s)",
		"%s on this network; from outside only if your router lets it in (not tried)",
		"%s on an Internet address; whether a firewall is in the way is not tried",
	}[widest], strings.Join(ports, ", "))
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
	ip, err := manet.ToIP(a)
	if err != nil {
		return 0
	}
	addr, ok := netip.AddrFromSlice(ip)
	addr = addr.Unmap()
	switch {
	case !ok || addr.IsLoopback():
		return 0
	case manet.IsPublicAddr(a):
		return 2
	}
	return 1
}
