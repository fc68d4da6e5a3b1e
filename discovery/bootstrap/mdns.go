package bootstrap

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
)

// ServiceTag names the mDNS service (RFC 6763) of a network's nodes. A name
// that people gave a network is hashed: it may hold what DNS labels can't.
func ServiceTag(network string) string {
	if network == "" {
		return "_earshot._udp"
	}
	sum := sha256.Sum256([]byte(network))
	return "_earshot-" + hex.EncodeToString(sum[:3]) + "._udp"
}

// neighbours finds peers on the local network, as long as there is one.
type neighbours struct {
	host    host.Host
	tag     string
	log     *slog.Logger
	found   func(peer.AddrInfo, source)
	service mdns.Service // nil while there is none
	listens string       // the addresses that service tells
	failed  string       // what was logged last
}

func newNeighbours(h host.Host, tag string, log *slog.Logger, found func(peer.AddrInfo, source)) *neighbours {
	return &neighbours{host: h, tag: tag, log: log, found: found}
}

// refresh starts the service, or starts it anew where the machine's addresses
// changed: it binds what is there at its start. Where there is no multicast it
// stays off, and is tried again.
func (n *neighbours) refresh() {
	listens := n.addresses()
	if n.service != nil && listens == n.listens {
		return
	}
	n.close()
	if !multicast() {
		n.fail(errNoMulticast) // zeroconf would write to standard error
		return
	}
	s := mdns.NewMdnsService(n.host, n.tag, n)
	if err := s.Start(); err != nil {
		_ = s.Close() // what it did start
		n.fail(err)
		return
	}
	n.service, n.listens, n.failed = s, listens, ""
}

var errNoMulticast = errors.New("no network interface has multicast")

// multicast says whether mDNS would have an interface to work on.
func multicast() bool {
	interfaces, err := net.Interfaces()
	return err == nil && slices.ContainsFunc(interfaces, func(i net.Interface) bool {
		return i.Flags&net.FlagUp != 0 && i.Flags&net.FlagMulticast != 0
	})
}

// fail logs what keeps mDNS off, once.
func (n *neighbours) fail(err error) {
	if err.Error() != n.failed {
		n.failed = err.Error()
		n.log.Info("no mDNS here", "error", err)
	}
}

func (n *neighbours) addresses() string {
	addrs, err := n.host.Network().InterfaceListenAddresses()
	if err != nil {
		return ""
	}
	words := make([]string, len(addrs))
	for i, a := range addrs {
		words[i] = a.String()
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// HandlePeerFound is mDNS's callback.
func (n *neighbours) HandlePeerFound(info peer.AddrInfo) { n.found(info, near) }

func (n *neighbours) close() {
	if n.service != nil {
		_ = n.service.Close() // it never fails
		n.service = nil
	}
}
