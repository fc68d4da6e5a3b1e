package guest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
	"golang.org/x/crypto/acme"

	"github.com/earshot-audio/earshot/node/guest"
)

// authority is Let's Encrypt in small: their own server for trying clients.
type authority struct {
	*httptest.Server
	roots  *x509.CertPool
	issues atomic.Int32 // certificates that it was asked for
}

// newAuthority starts one, which looks for all domains at one port of 127.0.0.1.
func newAuthority(t *testing.T, port int) *authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")      // it dawdles, to find clients that don't wait
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0") // and refuses nonces, to find such that don't try again
	quiet, store := log.New(io.Discard, "", 0), db.NewMemoryStore()
	issuer := ca.New(quiet, store, "", 0, 1, map[string]ca.Profile{"default": {Description: "the usual"}})
	validator := va.New(quiet, 0, port, true, names(t), store)
	front := wfe.New(quiet, store, validator, issuer, true, false, 1, 1)
	a := &authority{roots: x509.NewCertPool()}
	handler := front.Handler()
	a.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/finalize-order/") {
			a.issues.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(a.Close)
	a.roots.AddCert(issuer.GetRootCert(0).Cert)
	return a
}

// names is a name server that sends everybody to 127.0.0.1.
func names(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		if len(q.Question) == 1 && q.Question[0].Qtype == dns.TypeA {
			a.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)}}
		}
		_ = w.WriteMsg(a) // whoever asked asks again
	})}
	done := make(chan error, 1)
	go func() { done <- server.ActivateAndServe() }()
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-done
	})
	return conn.LocalAddr().String()
}

// visitor shakes hands with a door as a browser does that was given its domain.
func (a *authority) visitor(t *testing.T, d *guest.Door) *http.Client {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, d.Addr().String())
	}
	transport := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: a.roots}, DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// A door with a domain gets itself a certificate when its first guest comes, keeps it
// for its next life, and gets none for other names.
func TestDomain(t *testing.T) {
	const domain = "guests.example"
	listener, err := guest.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := newAuthority(t, listener.Addr().(*net.TCPAddr).Port)
	client := &acme.Client{DirectoryURL: a.URL + wfe.DirectoryPath, HTTPClient: a.Client()}
	kept := filepath.Join(t.TempDir(), "certificates")
	secure := func(c *guest.Config) {
		c.Listener.Close()
		c.Listener, c.Name, c.TLS = listener, domain, guest.Domain(domain, kept, client)
	}
	d := run(t, newBackend(), secure)
	for range 2 {
		r, err := a.visitor(t, d).Get("https://" + domain + "/r")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("the page: %s", r.Status)
		}
	}
	if _, err := a.visitor(t, d).Get("https://other.example/r"); err == nil {
		t.Error("it has a certificate for another's name")
	}
	if n := a.issues.Load(); n != 1 {
		t.Errorf("%d certificates were asked for", n)
	}
	if saved, err := os.ReadFile(filepath.Join(kept, domain)); err != nil || len(saved) == 0 {
		t.Errorf("it is not kept: %v", err)
	}
	again := run(t, newBackend(), func(c *guest.Config) { c.Name, c.TLS = domain, guest.Domain(domain, kept, client) })
	r, err := a.visitor(t, again).Get("https://" + domain + "/r")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if n := a.issues.Load(); n != 1 {
		t.Errorf("the next life asked for a certificate again: %d in all", n)
	}
}
