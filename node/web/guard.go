package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/earshot-audio/earshot/node/server"
)

// The guard stands before every route. A web page that somebody opens on this
// machine can send requests here too, under its own name (Origin,
// Sec-Fetch-Site), or under a name of its own that it lets point here (DNS
// rebinding: Host). So all three are checked, then the token or the cookie.

// hostsOf gives the Hosts that mean the listener, and nothing else.
func hostsOf(addr net.Addr) []string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return nil
	}
	port := strconv.Itoa(tcp.Port)
	names := []string{tcp.IP.String(), "localhost"}
	var hosts []string
	for _, name := range names {
		hosts = append(hosts, net.JoinHostPort(name, port))
		if tcp.Port == 80 { // browsers leave it out
			hosts = append(hosts, strings.TrimSuffix(net.JoinHostPort(name, ""), ":"))
		}
	}
	return hosts
}

// guard refuses what does not come from this machine's own programs or from
// the node's own page.
func (s *Server) guard(r *http.Request) error {
	if !slices.Contains(s.hosts, r.Host) {
		return refuse(http.StatusMisdirectedRequest, "this node does not answer to that host name", "use "+s.Address())
	}
	if server.Foreign(r, "http://"+r.Host) {
		return refuse(http.StatusForbidden, "another site's page may not use this node", "")
	}
	if !server.Straight(r) {
		return refuse(http.StatusNotFound, "there is nothing at this path", "see /api/v1/openapi.json")
	}
	if public(r) {
		return nil
	}
	return s.known(r)
}

// known checks the token (RFC 6750 section 2.1) or the page's cookie.
func (s *Server) known(r *http.Request) error {
	if words := r.Header["Authorization"]; len(words) > 0 {
		scheme, token, _ := strings.Cut(words[0], " ")
		sum := sha256.Sum256([]byte(token))
		if len(words) == 1 && strings.EqualFold(scheme, "Bearer") && s.bearer != nil &&
			subtle.ConstantTimeCompare(sum[:], s.bearer[:]) == 1 {
			return nil
		}
		return badToken("the token does not fit this node")
	}
	if !s.door.knows(r) {
		return badToken("no token came with the request")
	}
	// A cookie goes along with requests that other programs of this machine
	// make a browser send; what changes something, or becomes a socket, must
	// say that it is ours.
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	safe := reads && len(r.Header["Upgrade"]) == 0
	if !safe && len(r.Header["Origin"]) == 0 {
		return refuse(http.StatusForbidden, "with the page's cookie this needs an Origin", "")
	}
	return nil
}

// shield sets what a browser may do with what the node says.
func shield(h http.Header) {
	server.Shield(h, true)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}
