package node

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/earshot-audio/earshot/protocol"
)

// usualPort is tried first, so that addresses in old links stay true.
const usualPort = 41641

// newHost opens the host, on UDP sockets that are closed after it.
func newHost(cfg Config, key crypto.PrivKey, sockets *sockets) (host.Host, error) {
	listen := cfg.Listen
	if len(listen) == 0 {
		listen = usualAddresses()
	}
	h, err := libp2p.New(
		libp2p.Identity(key),
		libp2p.ListenAddrs(listen...),
		libp2p.UserAgent("earshot/"+cfg.Version),
		// Sharing a TCP port with another node of this machine would hand each
		// the other's visitors.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.QUICReuse(sockets.manager),
		libp2p.DisableRelay(),
	)
	if err != nil {
		return nil, &protocol.Problem{Code: protocol.CodeBadAddress, Message: "can't listen on " + join(listen),
			Hint: "choose another address with --listen", Cause: err}
	}
	return h, nil
}

func join(addrs []multiaddr.Multiaddr) string {
	var s []string
	for _, a := range addrs {
		s = append(s, a.String())
	}
	return strings.Join(s, ", ")
}

// usualAddresses are all interfaces, on the usual port if nothing else has it.
func usualAddresses() []multiaddr.Multiaddr {
	port := usualPort
	if !free(port) {
		port = 0
	}
	var out []multiaddr.Multiaddr
	for _, ip := range []string{"/ip4/0.0.0.0", "/ip6/::"} {
		out = append(out, multiaddr.StringCast(fmt.Sprintf("%s/udp/%d/quic-v1", ip, port)), multiaddr.StringCast(fmt.Sprintf("%s/tcp/%d", ip, port)))
	}
	return out
}

func free(port int) bool {
	t, err := net.ListenTCP("tcp", &net.TCPAddr{Port: port})
	if err != nil {
		return false
	}
	t.Close()
	u, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
	if err != nil {
		return false
	}
	u.Close()
	return true
}

// addresses gives where others reach this node: those of loopback only if there
// are no others.
func (n *Node) addresses() []multiaddr.Multiaddr {
	all := n.host.Addrs()
	out := slices.DeleteFunc(slices.Clone(all), manet.IsIPLoopback)
	if len(out) == 0 {
		return all
	}
	return out
}

func loopbackOnly(addrs []multiaddr.Multiaddr) bool {
	return len(addrs) > 0 && !slices.ContainsFunc(addrs, func(a multiaddr.Multiaddr) bool { return !manet.IsIPLoopback(a) })
}
