package guest

import (
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"
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
	for _, origin := range r.Header["Origin"] {
		if !strings.EqualFold(origin, own) {
			return refuse(http.StatusForbidden, codeRequest, "another site's page may not use this door")
		}
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "same-origin" && site != "none" && !(reads && r.URL.Path == pagePath) {
			return refuse(http.StatusForbidden, codeRequest, "another site's page may not use this door")
		}
	}
	if way := r.URL.EscapedPath(); way != path.Clean(way) || r.Method == http.MethodConnect {
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

// shield sets what keeps a browser from framing, sniffing, storing or sharing what
// the door says, and the page from anything but playing sound and, over TLS, speaking.
func shield(h http.Header, secure bool) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
	microphone := "()"
	if secure {
		microphone = "(self)"
		h.Set("Cross-Origin-Opener-Policy", "same-origin") // browsers complain of it elsewhere
	}
	h.Set("Permissions-Policy", "microphone="+microphone+", camera=(), geolocation=(), display-capture=()")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
}
