package bootstrap

import (
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
)

// example is shown with whatever is wrong with an address.
const example = "/ip4/192.0.2.7/udp/41641/quic-v1/p2p/12D3Koo…"

// Parse reads a node's address as people type it: a multiaddress of one host
// and port, over QUIC or TCP, or of a circuit through a relay there, that ends in
// /p2p and the node's peer ID. Its errors are *protocol.Problem.
func Parse(s string) (peer.AddrInfo, error) {
	a, err := multiaddr.NewMultiaddr(strings.TrimSpace(s))
	if err != nil {
		return peer.AddrInfo{}, problem(s, "is not a multiaddress", "it looks like "+example, err)
	}
	return check(a)
}

// check says of a whole multiaddress whether it can be dialled.
func check(a multiaddr.Multiaddr) (peer.AddrInfo, error) {
	info, err := peer.AddrInfoFromP2pAddr(a)
	if err != nil {
		return peer.AddrInfo{}, problem(a.String(), "does not say which node is there",
			"add /p2p/ and its peer ID; `earshot status` there shows the whole address", err)
	}
	if _, err := protocol.PeerKey(info.ID); err != nil {
		return peer.AddrInfo{}, problem(a.String(), "names a peer that is not an Earshot node",
			"`earshot status` there shows the right address", err)
	}
	if len(info.Addrs) != 1 || !dialled(info.Addrs[0]) {
		return peer.AddrInfo{}, problem(a.String(), "is not an address over QUIC or TCP", "it looks like "+example, nil)
	}
	return *info, nil
}

// dialled says whether a node dials such addresses: HOST/tcp/PORT or
// HOST/udp/PORT/quic-v1, or a name that stands for some (dnsaddr); or a circuit,
// /p2p/RELAY/p2p-circuit, through a relay at one of them.
func dialled(a multiaddr.Multiaddr) bool {
	if n := len(a); n > 2 && a[n-1].Code() == multiaddr.P_CIRCUIT && a[n-2].Code() == multiaddr.P_P2P {
		a = a[:n-2]
	}
	if len(a) == 0 {
		return false
	}
	switch a[0].Code() {
	case multiaddr.P_DNSADDR:
		return len(a) == 1
	case multiaddr.P_IP6ZONE:
		a = a[1:]
	}
	var words []string
	for _, c := range a {
		words = append(words, c.Protocol().Name)
	}
	host, rest, _ := strings.Cut(strings.Join(words, "/"), "/")
	switch host {
	case "ip4", "ip6", "dns", "dns4", "dns6":
		return rest == "tcp" || rest == "udp/quic-v1"
	}
	return false
}

func problem(address, what, hint string, cause error) error {
	return &protocol.Problem{Code: protocol.CodeBadAddress, Message: fmt.Sprintf("%q %s", address, what), Hint: hint, Cause: cause}
}
