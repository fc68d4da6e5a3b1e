package main

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
)

// problem words a check's finding; withPlace says of what.
func problem(message, hint string) error {
	return &protocol.Problem{Message: message, Hint: hint}
}

func oneOf(words ...string) func(string) error {
	return func(v string) error {
		if slices.Contains(words, v) {
			return nil
		}
		return problem(fmt.Sprintf("%q is not one of %s", v, strings.Join(words, ", ")), "")
	}
}

func checkName(v string) error {
	_, err := protocol.ParseName(v)
	return err
}

func checkHostPort(v string) error {
	_, port, err := net.SplitHostPort(v)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return problem(fmt.Sprintf("%q is not HOST:PORT", v), "for example 127.0.0.1:8733")
	}
	return nil
}

func checkPort(v string) error {
	if _, err := strconv.ParseUint(v, 10, 16); err != nil {
		return problem(fmt.Sprintf("%q is not a port", v), "give a number from 0 to 65535")
	}
	return nil
}

func checkNetwork(v string) error {
	if len(v) > protocol.MaxNetworkBytes {
		return problem("the network's name is too long", fmt.Sprintf("take at most %d letters", protocol.MaxNetworkBytes))
	}
	for _, r := range v {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return problem(fmt.Sprintf("%q is not a network's name", v), "use small letters, digits and dashes")
		}
	}
	return nil
}

func checkListen(v string) error {
	if _, err := multiaddr.NewMultiaddr(v); err != nil {
		return badAddress(v, "it looks like /ip4/0.0.0.0/udp/41641/quic-v1")
	}
	return nil
}

func checkBootstrap(v string) error {
	if _, err := peer.AddrInfoFromString(v); err != nil {
		return badAddress(v, "it looks like /ip4/192.0.2.7/udp/41641/quic-v1/p2p/12D3Koo…; the other node's `earshot status` shows its own")
	}
	return nil
}

func badAddress(v, hint string) error {
	return &protocol.Problem{Code: protocol.CodeBadAddress, Message: fmt.Sprintf("%q is not a node's address", v), Hint: hint}
}
