package server

import (
	"net/http"
	"path"
	"strings"
)

// Foreign says whether another site's page has a browser send a request: own is the
// origin of the page that may (Origin, RFC 6454; Sec-Fetch-Site, W3C Fetch Metadata).
func Foreign(r *http.Request, own string) bool {
	for _, origin := range r.Header["Origin"] {
		if !strings.EqualFold(origin, own) {
			return true
		}
	}
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "same-origin" && site != "none" {
			return true
		}
	}
	return false
}

// Straight says whether a path leads where it says: no other server is asked for
// (CONNECT), and nothing is to be cleaned out of it.
func Straight(r *http.Request) bool {
	way := r.URL.EscapedPath()
	return way == path.Clean(way) && r.Method != http.MethodConnect
}

// Shield sets what keeps a browser from framing, sniffing, storing or sharing what is
// said, and a page from anything but its own files, this server and, if it speaks, the
// microphone.
func Shield(h http.Header, speaks bool) {
	microphone := "()"
	if speaks {
		microphone = "(self)"
	}
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
	h.Set("Permissions-Policy", "microphone="+microphone+", camera=(), geolocation=(), display-capture=()")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
}
