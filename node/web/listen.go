package web

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/earshot-audio/earshot/protocol"
)

// portsTried is how many ports Listen tries after the one it was asked for.
const portsTried = 64

// Listen opens the API's listener at hostport. An empty host is loopback, and
// nothing but loopback is taken. A port that another program has is a
// CodeAPITaken problem if the person gave it, else the next free one is used.
func Listen(hostport string, given bool) (net.Listener, error) {
	at, err := loopback(hostport)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", at.String())
	if err == nil {
		return listener, nil
	}
	if given {
		return nil, notListening(at, err)
	}
	for port := int(at.Port()) + 1; port <= min(int(at.Port())+portsTried, 65535); port++ {
		next := netip.AddrPortFrom(at.Addr(), uint16(port))
		if listener, err := net.Listen("tcp", next.String()); err == nil {
			return listener, nil
		}
	}
	return nil, notListening(at, err)
}

// loopback reads HOST:PORT. Names other than localhost are not looked up:
// what a resolver says may change, and must not open the API to a network.
func loopback(hostport string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(hostport)
	number, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil {
		return netip.AddrPort{}, &protocol.Problem{
			Code:    protocol.CodeUsage,
			Message: fmt.Sprintf("%q is not an address for the API", hostport),
			Hint:    "give HOST:PORT, such as --api 127.0.0.1:8733",
		}
	}
	if host == "" || host == "localhost" {
		host = "127.0.0.1"
	}
	addr, err := netip.ParseAddr(host)
	if addr = addr.Unmap(); err != nil || !addr.IsLoopback() || addr.Zone() != "" {
		return netip.AddrPort{}, &protocol.Problem{
			Code:    protocol.CodeUsage,
			Message: fmt.Sprintf("the API does not listen on %s: it is for this machine alone", host),
			Hint:    fmt.Sprintf("use --api 127.0.0.1:%d, and from elsewhere: ssh -L %d:127.0.0.1:%d you@host", number, number, number),
		}
	}
	return netip.AddrPortFrom(addr, uint16(number)), nil
}

func notListening(at netip.AddrPort, err error) error {
	const windowsInUse = syscall.Errno(10048) // WSAEADDRINUSE
	var errno syscall.Errno
	if errors.As(err, &errno) && (errno == syscall.EADDRINUSE || errno == windowsInUse) {
		return &protocol.Problem{
			Code:    protocol.CodeAPITaken,
			Message: fmt.Sprintf("%s is taken by another program", at),
			Hint:    "choose another with --api HOST:PORT",
			Cause:   err,
		}
	}
	reason := err
	if errno != 0 {
		reason = errno
	}
	return &protocol.Problem{
		Code:    protocol.CodeUsage,
		Message: fmt.Sprintf("the API can't listen on %s: %v", at, reason),
		Hint:    "choose another with --api HOST:PORT",
		Cause:   err,
	}
}
