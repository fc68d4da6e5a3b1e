package web_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

// request is a good one, for an attack to spoil.
type request struct {
	method, path string
	kind, body   string
}

func requests() []request {
	const room = "/api/v1/rooms/7k2m"
	return []request{
		{"GET", "/metrics", "", ""},
		{"GET", "/api/v1/openapi.json", "", ""},
		{"GET", "/api/v1/node", "", ""},
		{"HEAD", "/api/v1/node", "", ""},
		{"GET", "/api/v1/doctor", "", ""},
		{"GET", "/api/v1/doctor?of=7k2m", "", ""},
		{"POST", "/api/v1/meet", "application/json", `{"local":true}`},
		{"POST", "/api/v1/page", "", ""},
		{"POST", "/api/v1/demo/cut", "", ""},
		{"GET", "/api/v1/guests", "", ""},
		{"POST", "/api/v1/guests/open", "", ""},
		{"POST", "/api/v1/guests/close", "", ""},
		{"POST", "/api/v1/guests/abc/remove", "", ""},
		{"GET", "/api/v1/events", "", ""},
		{"GET", "/api/v1/rooms", "", ""},
		{"POST", "/api/v1/rooms", "application/json", `{"title":"x"}`},
		{"GET", room, "", ""},
		{"POST", room + "/leave", "", ""},
		{"POST", room + "/reopen", "", ""},
		{"POST", room + "/hand", "application/json", `{"up":true}`},
		{"POST", room + "/mute", "application/json", `{"muted":true}`},
		{"POST", room + "/follow", "application/json", `{"on":true}`},
		{"POST", room + "/close", "application/json", `{"at":"2026-12-01T19:00:00Z"}`},
		{"POST", room + "/members/ana", "application/json", `{"role":"speaker"}`},
		{"GET", room + "/reports", "", ""},
		{"POST", room + "/reports", "application/json", `{"peer":"ana"}`},
		{"POST", room + "/reports/1/dismiss", "", ""},
		{"POST", room + "/listen", "", ""},
		{"POST", room + "/listen?recording=1", "application/x-earshot", " "},
		{"POST", room + "/speak", "application/x-earshot", " "},
		{"POST", room + "/whip", "application/sdp", "v=0"},
		{"GET", room + "/socket", "", ""},
		{"OPTIONS", room + "/whip", "", ""},
		{"POST", room + "/whep", "application/sdp", "v=0"},
		{"DELETE", "/api/v1/sessions/in%2F1", "", ""},
		{"GET", "/nothing/here", "", ""},
	}
}

// spoiled sends every request with each of these headers, and wants each
// answered by a refusal, and nothing done.
func spoiled(t *testing.T, server *web.Server, b *backend, attacks map[string]http.Header, requests []request) {
	t.Helper()
	count := 0
	for name, header := range attacks {
		for _, r := range requests {
			all := http.Header{}
			if r.kind != "" {
				all.Set("Content-Type", r.kind)
			}
			for k, v := range header {
				all[k] = v
			}
			response := send(t, server, r.method, r.path, all, r.body)
			response.Body.Close() // there are more than the server has connections for
			if response.StatusCode < 400 || response.StatusCode > 499 {
				t.Errorf("%s: %s %s was answered %s", name, r.method, r.path, response.Status)
			}
			count++
		}
	}
	if acts := b.acts.Load(); acts != 0 {
		t.Errorf("%d acts were done: %q", acts, b.did)
	}
	t.Logf("%d hostile requests", count)
}

func TestStrangersGetNowhere(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	host := strings.TrimPrefix(server.Address(), "http://")
	_, port, _ := net.SplitHostPort(host)
	attacks := map[string]http.Header{
		"no token":           {"Authorization": nil},
		"empty token":        {"Authorization": {"Bearer "}},
		"no scheme":          {"Authorization": {token}},
		"another scheme":     {"Authorization": {"Basic " + token}},
		"wrong token":        {"Authorization": {"Bearer " + token + "x"}},
		"cut token":          {"Authorization": {"Bearer " + token[:len(token)-1]}},
		"two tokens":         {"Authorization": {"Bearer " + token, "Bearer x"}},
		"empty cookie":       {"Authorization": nil, "Cookie": {"earshot-" + port + "="}},
		"wrong cookie":       {"Authorization": nil, "Cookie": {"earshot-" + port + "=x"}},
		"token as cookie":    {"Authorization": nil, "Cookie": {"earshot-" + port + "=" + token}},
		"wrong beside right": {"Authorization": {"Bearer x"}, "Cookie": {cookieOf(t, server)}},
		"cookie's value under another name": {"Authorization": nil, "Cookie": {
			"earshot=" + strings.SplitN(cookieOf(t, server), "=", 2)[1]}},
	}
	for name, host := range map[string]string{
		"foreign": "evil.example", "foreign with the port": "evil.example:" + port, "no port": "127.0.0.1",
		"another port": "127.0.0.1:1", "any": "0.0.0.0:" + port, "name below": "localhost.evil.example:" + port,
		"final dot": "localhost.:" + port, "another loopback": "127.0.0.2:" + port, "six": "[::1]:" + port,
		"mapped": "[::ffff:127.0.0.1]:" + port, "decimal": "2130706433:" + port, "user": "evil@127.0.0.1:" + port,
	} {
		attacks["host "+name] = http.Header{"Host": {host}}
	}
	for name, origin := range map[string]string{
		"null": "null", "foreign": "https://evil.example", "another port": "http://127.0.0.1:1", "empty": "",
		"tls": "https://" + host, "alias": "http://localhost:" + port, "begins alike": "http://" + host + ".evil.example",
		"path": "http://" + host + "/", "extension": "chrome-extension://abcdef", "file": "file://",
	} {
		attacks["origin "+name] = http.Header{"Origin": {origin}}
		attacks["page of origin "+name] = http.Header{"Origin": {origin}, "Authorization": nil, "Cookie": {cookieOf(t, server)}}
	}
	for _, site := range []string{"cross-site", "same-site", "", "same-origin, none"} {
		attacks["site "+site] = http.Header{"Sec-Fetch-Site": {site}}
		attacks["page of site "+site] = http.Header{"Sec-Fetch-Site": {site}, "Authorization": nil, "Cookie": {cookieOf(t, server)}}
	}
	attacks["two origins"] = http.Header{"Origin": {server.Address(), "https://evil.example"}}
	attacks["two sites"] = http.Header{"Sec-Fetch-Site": {"none", "cross-site"}}
	spoiled(t, server, b, attacks, requests())
}

func TestCookieAloneChangesNothing(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	reads := func(r request) bool { return r.method == "GET" || r.method == "HEAD" }
	spoiled(t, server, b, map[string]http.Header{
		"no origin": {"Authorization": nil, "Cookie": {cookieOf(t, server)}},
	}, slices.DeleteFunc(requests(), reads))
}

func TestOddFormsAreRefused(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	const room = "/api/v1/rooms/7k2m"
	const jsonType, sdpType, streamType = "application/json", "application/sdp", "application/x-earshot"
	type odd struct {
		name string
		request
		status int
	}
	var table []odd
	for _, r := range requests() {
		for _, method := range []string{"PUT", "PATCH", "TRACE", "PROPFIND"} {
			status := http.StatusMethodNotAllowed
			if r.path == "/nothing/here" {
				status = http.StatusNotFound
			}
			table = append(table, odd{"method", request{method, r.path, r.kind, ""}, status})
		}
		if r.kind == "" && r.method != "HEAD" && r.path != "/nothing/here" {
			table = append(table, odd{"a body", request{r.method, r.path, jsonType, "{}"}, 0})
		}
		if r.kind != "" {
			for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", "*/*", ";"} {
				table = append(table, odd{"type " + kind, request{r.method, r.path, kind, r.body}, http.StatusUnsupportedMediaType})
			}
		}
		if !strings.Contains(r.path, "?") && r.path != "/nothing/here" {
			for _, query := range []string{"?token=" + token, "?recording=1&recording=1", "?a;b", "?%zz"} {
				table = append(table, odd{"query", request{r.method, r.path + query, r.kind, r.body}, http.StatusBadRequest})
			}
		}
	}
	for _, text := range []string{
		"", " ", "null1", "[]", "1", `"x"`, "{", `{"title":1}`, `{"title":"x"`, `{"title":"x"}{}`, `{"title":"x"} x`, `{"title":"x","private":true}`,
		`{"topics":{}}`, "{\"title\":\"x\"}\x00", `{"title":"` + strings.Repeat("x", 20<<10) + `"}`, strings.Repeat("[", 10<<10), "\xff\xfe",
	} {
		status := http.StatusBadRequest
		if len(text) > 16<<10 {
			status = http.StatusRequestEntityTooLarge
		}
		table = append(table, odd{"json", request{"POST", "/api/v1/rooms", jsonType, text}, status})
	}
	for _, text := range []string{
		"", "{}", `{"local":false}`, `{"local":1}`, `{"local":true,"public":true}`, `{"link":"x","address":"y"}`, `{"public":"yes"}`, `{"strangers":true}`,
		`{"link":"a\u0000b"}`, `{"address":"` + strings.Repeat("x", 5<<10) + `"}`, `{"public":true}{"public":true}`,
	} {
		table = append(table, odd{"meet", request{"POST", "/api/v1/meet", jsonType, text}, http.StatusBadRequest})
	}
	for _, of := range []string{"%00", "%0a", "%ff", strings.Repeat("a", 5<<10), "a&of=b"} {
		table = append(table, odd{"doctor", request{"GET", "/api/v1/doctor?of=" + of, "", ""}, http.StatusBadRequest})
	}
	for _, text := range []string{"", "offer", "v=1", " v=0", "{}"} {
		table = append(table, odd{"sdp", request{"POST", room + "/whip", sdpType, text}, http.StatusBadRequest})
	}
	table = append(table,
		odd{"sdp", request{"POST", room + "/whep", sdpType, "v=0" + strings.Repeat("a", 70<<10)}, http.StatusRequestEntityTooLarge},
		odd{"flag", request{"POST", room + "/listen?recording=maybe", "", ""}, http.StatusBadRequest},
		odd{"session", request{"DELETE", "/api/v1/sessions/none", "", ""}, http.StatusNotFound},
		odd{"session", request{"PATCH", "/api/v1/sessions/in%2F1", "application/trickle-ice-sdpfrag", "a=ice-ufrag:x"}, http.StatusMethodNotAllowed},
	)
	for _, path := range []string{
		"/api/v1/rooms/7k2m/", "/api/v1/rooms//close", "//api/v1/rooms/7k2m/close", "/api/v1/rooms/./close", "/api/v1/rooms/../rooms/7k2m/close",
		"/api/v1/rooms/7k2m/close/", "/api/v1/rooms/7k2m//close", "/api/v1/rooms/%2e%2e/close", "/api/v1/rooms/%2E/close", "/api/v1/rooms/%00/close",
		"/api/v1/rooms/7k2m%0A/close", "/api/v1/rooms/%ff/close", "/api/v1/rooms/7k2m%2Fclose", "/API/v1/rooms/7k2m/close", "/static/../api/v1/rooms/7k2m/close",
		"/static/%2e%2e/api/v1/rooms/7k2m/close", "/api/v1/rooms/" + strings.Repeat("a", 5<<10) + "/close", "/api/v1/rooms/7k2m/close;x", "/api/v1\\rooms/7k2m/close",
	} {
		table = append(table, odd{"path", request{"POST", path, "", ""}, 0})
	}
	for _, o := range table {
		header := http.Header{}
		if o.kind != "" {
			header.Set("Content-Type", o.kind)
		}
		response := send(t, server, o.method, o.path, header, o.body)
		switch {
		case response.StatusCode < 400 || response.StatusCode > 499, o.status != 0 && response.StatusCode != o.status:
			t.Errorf("%s: %s %.60s %.40q was answered %s, not %d", o.name, o.method, o.path, o.body, response.Status, o.status)
		case response.StatusCode == http.StatusMethodNotAllowed && response.Header.Get("Allow") == "":
			t.Errorf("%s %s: a 405 without Allow", o.method, o.path)
		}
		if o.method == "HEAD" {
			continue // without a body
		}
		var failure web.Failure
		if err := json.NewDecoder(response.Body).Decode(&failure); err != nil || failure.Event != "error" || failure.Code == "" || failure.Message == "" {
			t.Errorf("%s: %s %.60s was told %+v, %v", o.name, o.method, o.path, failure, err)
		}
	}
	if acts := b.acts.Load(); acts != 0 {
		t.Errorf("%d acts were done: %q", acts, b.did)
	}
	t.Logf("%d odd requests", len(table))
}

// What no HTTP client of ours would send, straight into the socket.
func TestRawRequests(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	host := strings.TrimPrefix(server.Address(), "http://")
	const act = "POST /api/v1/rooms/7k2m/close HTTP/1.1\r\n"
	auth := "Authorization: Bearer " + token + "\r\n"
	for name, text := range map[string]string{
		"no host":           act + auth + "\r\n",
		"two hosts":         act + auth + "Host: " + host + "\r\nHost: evil.example\r\n\r\n",
		"absolute form":     "POST http://evil.example/api/v1/rooms/7k2m/close HTTP/1.1\r\nHost: " + host + "\r\n" + auth + "\r\n",
		"old version":       "POST /api/v1/rooms/7k2m/close HTTP/1.0\r\n" + auth + "\r\n",
		"length and chunks": act + auth + "Host: " + host + "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths":       act + auth + "Host: " + host + "\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
		"all of it":         "OPTIONS * HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
		"tunnel":            "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n" + auth + "\r\n",
		"tunnel here":       "CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n" + auth + "\r\n",
		"long head":         act + auth + "Host: " + host + "\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n",
		"no HTTP":           "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
		"folded":            act + "Host: " + host + "\r\nAuthorization:\r\n Bearer " + token + "\r\n\r\n",
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
		} else if name != "folded" && (response.StatusCode < 400 || response.StatusCode > 499) {
			t.Errorf("%s was answered %s", name, response.Status)
		}
		conn.Close()
	}
	for _, did := range b.did {
		if did != "close 7k2m" { // a folded header is old, not hostile
			t.Errorf("did %q", did)
		}
	}
}

func TestAnswersAreShielded(t *testing.T) {
	server, _ := up(t, newBackend())
	for path, caching := range map[string]string{"/": "no-store", "/api/v1/node": "no-store", "/nothing": "no-store", "/static/none.js": "no-store", "/static/app.js": "no-cache"} {
		header := send(t, server, "GET", path, nil, "").Header
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "Cache-Control": caching, "X-Content-Type-Options": "nosniff",
			"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if !strings.Contains(header.Get(name), want) {
				t.Errorf("%s: %s is %q", path, name, header.Get(name))
			}
		}
		for name := range header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: %s", path, name)
			}
		}
	}
}

// A request whose body never comes is refused before it is waited for.
func TestRefusalsDoNotWaitForBodies(t *testing.T) {
	server, _ := up(t, newBackend())
	host := strings.TrimPrefix(server.Address(), "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	fmt.Fprintf(conn, "POST /api/v1/rooms/7k2m/speak HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n", host)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		t.Fatalf("got %v, %v", response, err)
	}
}

// FuzzStranger sends what may be a request, without the token: nothing is
// ever done for it, and nothing told.
func FuzzStranger(f *testing.F) {
	b := newBackend()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	defer listener.Close()
	server := web.New(web.Config{Listener: listener, Token: token, Backend: b})
	host := strings.TrimPrefix(server.Address(), "http://")
	for _, r := range requests() {
		f.Add(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: HERE\r\nContent-Length: %d\r\n\r\n%s", r.method, r.path, len(r.body), r.body))
	}
	f.Add("POST http://HERE/api/v1/rooms/7k2m/close HTTP/1.1\r\n\r\n")
	f.Add("POST /static/../api/v1/rooms/7k2m/close HTTP/1.1\r\nHost: HERE\r\n\r\n")
	f.Add("GET /static/x HTTP/1.1\r\nHost: HERE\r\nAuthorization: Bearer\r\nCookie: earshot-1=\r\n\r\n")
	f.Add("CONNECT HERE HTTP/1.1\r\nHost: HERE\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(text, "HERE", host))))
		if err != nil {
			return
		}
		recorder := httptest.NewRecorder()
		server.Handler().ServeHTTP(recorder, r)
		file := recorder.Code == http.StatusOK && (r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/static/")) // anybody's
		if code := recorder.Code; !file && (code < 400 || code > 499) {
			t.Errorf("answered %d", code)
		}
		if strings.Contains(recorder.Body.String(), "heron") || b.acts.Load() != 0 {
			t.Errorf("told %q, did %q", recorder.Body, b.did)
		}
	})
}
