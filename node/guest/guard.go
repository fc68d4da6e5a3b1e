package guest

import (
	"net"
	"net/http"
	"net/netip"

	"github.com/earshot-audio/earshot/node/server"
)

// The guard stands before every route. The door is public, so any Host will do; but
// what another site's page sends through a visitor's browser is refused (Origin,
// Sec-Fetch-Site), but for following a link to the page. There are no cookies and no
// CORS: a browser has nothing here that another site could use.

func (d *Door) guard(r *http.Request) error {
	if !d.census.request(fromOf(r)) {
		return errRate
	}
	own := "http://" + r.Host
	if r.TLS != nil {
		own = "https://" + r.Host
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	followed := reads && r.URL.Path == pagePath && len(r.Header["Origin"]) == 0
	if server.Foreign(r, own) && !followed {
		return refuse(http.StatusForbidden, codeRequest, "another site's page may not use this door")
	}
	if !server.Straight(r) {
		return errNothing
	}
	return nil
}

// fromOf gives where a request comes from, and atOf where it came in. What a proxy
// says of it is not believed.
func fromOf(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

func atOf(r *http.Request) netip.Addr {
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return addrPortOf(addr).Addr()
	}
	return netip.Addr{}
}

// shield sets what a browser may do with what the door says.
func shield(h http.Header, secure bool) {
	server.Shield(h, secure)
	if secure { // browsers complain of it elsewhere
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
}
