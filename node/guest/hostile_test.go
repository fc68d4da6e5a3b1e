package guest_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/guest"
)

// hostile is one request that nothing may come of.
type hostile struct {
	method, path string
	header       http.Header
	body         string
}

// good are requests that are served, for an attack to spoil.
func good() []hostile {
	room := "/api/rooms/" + sky.String()
	return []hostile{
		{"GET", room, nil, ""},
		{"HEAD", room, nil, ""},
		{"GET", room + "/events", nil, ""},
		{"POST", room + "/whep", http.Header{"Content-Type": {"application/sdp"}}, "v=0"},
		{"DELETE", "/api/sessions/session-1", nil, ""},
		{"GET", "/api/sessions/session-1/talk", nil, ""},
		{"POST", "/api/sessions/session-1/say", http.Header{"Content-Type": {"application/x-earshot"}}, "x"},
		{"POST", "/api/sessions/session-1/reports", http.Header{"Content-Type": {"application/json"}}, `{"who":"ana"}`},
		{"POST", "/api/sessions/session-1/whip", http.Header{"Content-Type": {"application/sdp"}}, "v=0"},
		{"DELETE", "/api/sessions/session-1/whip", nil, ""},
		{"GET", "/static/app.js", nil, ""},
	}
}

// control is what a node's own page can do, and its neighbours on the same machine.
func control() (all []hostile) {
	const room = "/api/v1/rooms/{id}"
	json, sdp := http.Header{"Content-Type": {"application/json"}}, http.Header{"Content-Type": {"application/sdp"}}
	for _, h := range []hostile{
		{"GET", "/", nil, ""}, {"GET", "/metrics", nil, ""}, {"POST", "/door", json, `{"key":"x"}`},
		{"GET", "/api/v1/openapi.json", nil, ""}, {"GET", "/api/v1/node", nil, ""}, {"GET", "/api/v1/doctor", nil, ""},
		{"POST", "/api/v1/meet", json, `{"local":true}`}, {"POST", "/api/v1/page", nil, ""}, {"GET", "/api/v1/events", nil, ""},
		{"GET", "/api/v1/guests", nil, ""}, {"POST", "/api/v1/guests/open", nil, ""}, {"POST", "/api/v1/guests/close", nil, ""}, {"POST", "/api/v1/guests/abc/remove", nil, ""},
		{"GET", "/api/v1/rooms", nil, ""}, {"POST", "/api/v1/rooms", json, `{"title":"x"}`}, {"GET", room, nil, ""}, {"GET", room + "/qr.svg", nil, ""},
		{"POST", room + "/leave", nil, ""}, {"POST", room + "/close", nil, ""}, {"POST", room + "/reopen", nil, ""}, {"POST", room + "/listen", nil, ""},
		{"POST", room + "/speak", nil, ""}, {"POST", room + "/whip", sdp, "v=0"}, {"POST", room + "/whep", sdp, "v=0"}, {"POST", room + "/hand", json, `{"up":true}`},
		{"DELETE", "/api/v1/sessions/x", nil, ""}, {"GET", "/debug/pprof/", nil, ""}, {"GET", "/api.json", nil, ""}, {"GET", "/earshot.db", nil, ""},
		{"GET", "/api/rooms", nil, ""}, {"POST", "/api/rooms", json, `{"title":"x"}`}, {"POST", "/api/rooms/{id}/whip", sdp, "v=0"},
		{"POST", "/api/rooms/{id}/leave", nil, ""}, {"POST", "/api/rooms/{id}/speak", nil, ""}, {"POST", "/api/rooms/{id}/close", nil, ""},
	} {
		h.path = strings.ReplaceAll(h.path, "{id}", sky.String())
		all = append(all, h)
	}
	return all
}

// spoilt are good requests with a header that another site's page, or a proxy that
// is none, would send.
func spoilt(host string) (all []hostile) {
	headers := []http.Header{}
	for _, origin := range []string{"null", "https://evil.example", "http://127.0.0.1:1", "", "https://" + host, "http://" + host + ".evil.example", "http://" + host + "/", "file://", "http://localhost"} {
		headers = append(headers, http.Header{"Origin": {origin}}, http.Header{"Origin": {"http://" + host, origin}})
	}
	for _, site := range []string{"cross-site", "same-site", "", "same-origin, none", "SAME-ORIGIN"} {
		headers = append(headers, http.Header{"Sec-Fetch-Site": {site}}, http.Header{"Sec-Fetch-Site": {"none", site}})
	}
	for _, more := range headers {
		for _, h := range good() {
			all = append(all, h.with(more))
		}
	}
	return all
}

func (h hostile) with(more http.Header) hostile {
	all := http.Header{}
	for _, header := range []http.Header{h.header, more} {
		for name, values := range header {
			all[name] = values
		}
	}
	h.header = all
	return h
}

// odd are requests of forms that the door does not take.
func odd() (all []hostile) {
	room, sdp := "/api/rooms/"+sky.String(), http.Header{"Content-Type": {"application/sdp"}}
	for _, h := range good() {
		for _, method := range []string{"PUT", "PATCH", "TRACE", "PROPFIND", "OPTIONS", "EARSHOT"} {
			all = append(all, hostile{method, h.path, h.header, ""})
		}
		for _, query := range []string{"?x=1", "?token=x", "?a;b", "?%zz"} {
			all = append(all, hostile{h.method, h.path + query, h.header, h.body})
		}
		if h.body == "" && h.method != "HEAD" {
			all = append(all, hostile{h.method, h.path, http.Header{"Content-Type": {"application/json"}}, "{}"})
		}
	}
	for _, kind := range []string{"", "text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "*/*", ";", "application/sdpx"} {
		all = append(all, hostile{"POST", room + "/whep", http.Header{"Content-Type": {kind}}, "v=0"})
	}
	all = append(all, hostile{"POST", room + "/whep", http.Header{"Content-Type": {"application/sdp", "application/sdp"}}, "v=0"})
	for _, text := range []string{"", "offer", "v=1", " v=0", "{}", "\x00", "V=0", "v=0" + strings.Repeat("a", 40<<10)} {
		all = append(all, hostile{"POST", room + "/whep", sdp, text})
	}
	for _, id := range []string{
		"", "x", "7k2m", sky.String()[:8], sky.String()[:51], sky.String() + "a", sky.String()[:51] + "1", strings.Repeat("a", 52), strings.Repeat("a", 5<<10),
		".", "..", "%2e%2e", "%00", "%0a", "%ff", "*", "earshot:room", "%2F", sky.String() + "%2Fwhep", sky.String() + "%00", "-1", "null", "__proto__",
	} {
		for _, tail := range []string{"", "/events", "/whep"} {
			all = append(all, hostile{"GET", "/api/rooms/" + id + tail, nil, ""}, hostile{"POST", "/api/rooms/" + id + tail, sdp, "v=0"})
		}
	}
	for _, path := range []string{
		"/r/", "//r", "/r/../r", "/R", "/%72/", "/static/", "/static", "/static/../r", "/static/%2e%2e/door.go", "/static/..%2fdoor.go", "/static//app.js", "/static/app.js/",
		"/static/app.js%00.svg", "/static/APP.JS", "/static/.", "/static/app", "/static/nothing.js", "/static/index.html;x", "/static\\app.js", "/favicon.ico", "/robots.txt",
		"/api", "/api/", "/api/sessions", "/api/sessions/", "/api/sessions/x", "/.well-known/acme-challenge/x", "/.git/config", "/server-status", "/cgi-bin/x",
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			all = append(all, hostile{method, path, nil, ""})
		}
	}
	return all
}

func TestHostileRequests(t *testing.T) {
	b := newBackend()
	d := run(t, b, nil)
	host := d.Addr().String()
	var all []hostile
	all = append(all, control()...)
	for _, h := range control() { // whoever knows a token gets no further
		all = append(all, h.with(http.Header{"Authorization": {"Bearer the-token"}, "Cookie": {"earshot-8733=x"}, "X-Forwarded-For": {"127.0.0.1"}, "Host": {"127.0.0.1:8733"}}))
	}
	all = append(all, spoilt(host)...)
	all = append(all, odd()...)
	if len(all) < 500 {
		t.Errorf("only %d requests", len(all))
	}
	for n, h := range all {
		response := send(t, d, from(t, 100+n/20), h.method, h.path, h.header, h.body)
		if response.StatusCode < 400 || response.StatusCode > 499 || response.StatusCode == http.StatusTooManyRequests {
			t.Errorf("%s %.60s %v %.20q was answered %s", h.method, h.path, h.header, h.body, response.Status)
		}
		for name := range response.Header {
			if strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" || name == "Server" {
				t.Errorf("%s %.60s: %s", h.method, h.path, name)
			}
		}
		var f guest.Failure
		if err := json.NewDecoder(response.Body).Decode(&f); h.method != "HEAD" && (err != nil || f.Event != "error" || f.Code == "") {
			t.Errorf("%s %.60s was told %+v, %v", h.method, h.path, f, err)
		}
	}
	if acts := b.acts.Load(); acts != 0 || len(d.Guests()) != 0 {
		t.Errorf("%d offers were answered", acts)
	}
	t.Logf("%d hostile requests", len(all))
}

// What no HTTP client of ours would send, straight into the socket.
func TestRawRequests(t *testing.T) {
	b := newBackend()
	d := run(t, b, nil)
	host := d.Addr().String()
	act := "POST /api/rooms/" + sky.String() + "/whep HTTP/1.1\r\nContent-Type: application/sdp\r\n"
	for name, text := range map[string]string{
		"no host":           act + "\r\n",
		"two hosts":         act + "Host: " + host + "\r\nHost: evil.example\r\n\r\n",
		"length and chunks": act + "Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths":       act + "Host: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
		"all of it":         "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"tunnel":            "CONNECT 127.0.0.1:8733 HTTP/1.1\r\nHost: 127.0.0.1:8733\r\n\r\n",
		"proxy":             "GET http://127.0.0.1:8733/api/v1/node HTTP/1.1\r\nHost: 127.0.0.1:8733\r\n\r\n",
		"upgrade":           "GET /api/rooms/" + sky.String() + "/socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
		"long head":         act + "Host: x\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n",
		"TLS":               "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
		"HTTP/2":            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		go io.WriteString(conn, text)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if (response.StatusCode < 400 || response.StatusCode > 499) && response.StatusCode != http.StatusHTTPVersionNotSupported {
			t.Errorf("%s was answered %s", name, response.Status)
		}
		conn.Close()
	}
	if acts := b.acts.Load(); acts != 0 {
		t.Errorf("%d offers were answered", acts)
	}
}

func TestAnswersAreShielded(t *testing.T) {
	d := run(t, newBackend(), nil)
	for _, path := range []string{"/r", "/r?from=chat", "/static/app.js", "/nothing", "/api/rooms/" + sky.String()} {
		header := send(t, d, from(t, 1), "GET", path, http.Header{"Sec-Fetch-Site": {"none"}, "Host": {"any.example"}}, "").Header
		kept := "no-store"
		if path == "/static/app.js" {
			kept = "no-cache"
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": "frame-ancestors 'none'", "Cache-Control": kept, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin", "Permissions-Policy": "microphone=()",
		} {
			if !strings.Contains(header.Get(name), want) {
				t.Errorf("%s: %s is %q", path, name, header.Get(name))
			}
		}
	}
	if r := send(t, d, from(t, 1), "GET", "/r", http.Header{"Sec-Fetch-Site": {"cross-site"}}, ""); r.StatusCode != http.StatusOK {
		t.Errorf("a link followed from another site: %s", r.Status)
	}
}

// One household can't keep others out.
func TestFloodOfOneHousehold(t *testing.T) {
	d := run(t, newBackend(), nil)
	flood := from(t, 1)
	refused := 0
	for range 200 {
		if r := send(t, d, flood, "GET", "/api/rooms/"+sky.String(), nil, ""); r.StatusCode == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Error("200 requests at once were all served")
	}
	var held []net.Conn
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}}
	for range 40 {
		conn, err := dialer.Dial("tcp", d.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	if r := send(t, d, from(t, 9), "GET", "/r", nil, ""); r.StatusCode != http.StatusOK {
		t.Errorf("another household: %s", r.Status)
	}
	closed := 0
	for _, conn := range held {
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); err == io.EOF {
			closed++
		}
		conn.Close()
	}
	if closed != 16 {
		t.Errorf("%d of 40 connections were closed at once, want 16", closed)
	}
}

// FuzzStranger sends what may be a request: no offer is answered but a good one.
func FuzzStranger(f *testing.F) {
	b := newBackend()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	defer listener.Close()
	d := guest.New(guest.Config{Listener: listener, Backend: b})
	for _, h := range append(good(), control()...) {
		if !strings.HasSuffix(h.path, "/events") {
			f.Add(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: HERE\r\nContent-Length: %d\r\n\r\n%s", h.method, h.path, len(h.body), h.body))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil || strings.HasSuffix(r.URL.Path, "/events") {
			return
		}
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", len(text)%250, len(r.URL.Path)%250, time.Now().UnixNano()%250)
		recorder := httptest.NewRecorder()
		d.Handler().ServeHTTP(recorder, r)
		if recorder.Code >= 500 {
			t.Errorf("%q was answered %d", text, recorder.Code)
		}
	})
}

func TestTLSAlone(t *testing.T) {
	cert, key, pool := certificate(t)
	config, name, err := guest.Certificate(cert, key)
	if err != nil || name != "guests.example" {
		t.Fatal(name, err)
	}
	b := newBackend()
	d := run(t, b, func(c *guest.Config) { c.TLS, c.Name = config, name })
	if !strings.HasPrefix(d.Address(), "https://guests.example:") {
		t.Error(d.Address())
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: name}}}
	r, err := client.Get("https://" + d.Addr().String() + "/r")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK || r.TLS.Version < tls.VersionTLS12 {
		t.Errorf("%s, %x", r.Status, r.TLS.Version)
	}
	if plain := send(t, d, from(t, 1), "GET", "/r", nil, ""); plain.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP: %s", plain.Status)
	}
	if _, _, err := guest.Certificate(cert, cert); err == nil {
		t.Error("a certificate for its own key")
	}
}
