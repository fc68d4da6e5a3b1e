package guest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/earshot-audio/earshot/protocol"
)

// freshFor is how long a certificate is used before its file is looked at again:
// those who renew it replace the file.
const freshFor = time.Minute

// Certificate serves TLS by a certificate and its key in PEM files, and takes up what
// replaces them. It gives the name that the certificate is for, "" if it is for many.
func Certificate(cert, key string) (*tls.Config, string, error) {
	p := &pair{cert: cert, key: key}
	current, err := p.load()
	if err != nil {
		return nil, "", &protocol.Problem{Code: protocol.CodeConfig, Message: fmt.Sprintf("the guest door's certificate does not read: %v", err),
			Hint: "--guests-cert and --guests-key name PEM files that belong together", Cause: err}
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.get}, nameOf(current.Leaf), nil
}

// nameOf gives the one name or address that a certificate is for.
func nameOf(cert *x509.Certificate) string {
	for _, name := range cert.DNSNames {
		if !strings.HasPrefix(name, "*") {
			return name
		}
	}
	if len(cert.IPAddresses) > 0 {
		return cert.IPAddresses[0].String()
	}
	return ""
}

// pair is a certificate and its key as files.
type pair struct {
	cert, key string

	mu      sync.Mutex
	current *tls.Certificate
	looked  time.Time
	changed time.Time // of the file that current is from
}

func (p *pair) load() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looked = time.Now()
	info, err := os.Stat(p.cert)
	if err != nil {
		return p.current, err
	}
	if p.current != nil && info.ModTime().Equal(p.changed) {
		return p.current, nil
	}
	loaded, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return p.current, err
	}
	p.current, p.changed = &loaded, info.ModTime()
	return p.current, nil
}

// get gives the certificate for a handshake. One whose successor does not read yet
// goes on.
func (p *pair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	current, fresh := p.current, time.Since(p.looked) < freshFor
	p.mu.Unlock()
	if fresh {
		return current, nil
	}
	if next, _ := p.load(); next != nil {
		return next, nil
	}
	return current, nil
}

// Domain serves TLS for a domain by certificates of an ACME server (nil: Let's
// Encrypt), which asks for them at port 443 of the domain (RFC 8737), and keeps them in
// a directory.
func Domain(name, dir string, from *acme.Client) *tls.Config {
	m := &autocert.Manager{Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(dir), HostPolicy: autocert.HostWhitelist(name), Client: from}
	c := m.TLSConfig()
	c.MinVersion = tls.VersionTLS12
	// HTTP/2 is not spoken at the door.
	c.NextProtos = []string{"http/1.1", "acme-tls/1"}
	return c
}
