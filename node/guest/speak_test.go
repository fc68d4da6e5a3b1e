package guest_test

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/earshot-audio/earshot/node/guest"
	"github.com/earshot-audio/earshot/protocol"
)

// person is a guest with a key, at a door with TLS.
type person struct {
	t        *testing.T
	d        *guest.Door
	client   *http.Client
	key      crypto.PrivKey
	sequence uint64
	session  string // the path of what it hears
}

// secure opens a door with TLS, and gives what makes guests of it.
func secure(t *testing.T, b *backend) (*guest.Door, func(home int) *person) {
	t.Helper()
	cert, key, pool := certificate(t)
	config, name, err := guest.Certificate(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	d := run(t, b, func(c *guest.Config) { c.TLS, c.Name = config, name })
	return d, func(home int) *person {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+home))}
		transport := &http.Transport{DialContext: (&net.Dialer{LocalAddr: local, Timeout: 3 * time.Second}).DialContext,
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: name}}
		t.Cleanup(transport.CloseIdleConnections)
		return &person{t: t, d: d, client: &http.Client{Transport: transport}, key: key}
	}
}

func (p *person) ask(method, path string, header http.Header, body string) *http.Response {
	p.t.Helper()
	q, err := http.NewRequest(method, "https://"+p.d.Addr().String()+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	q.Header = header
	r, err := p.client.Do(q)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { r.Body.Close() })
	return r
}

var typeSDP, typeMessage = http.Header{"Content-Type": {"application/sdp"}}, http.Header{"Content-Type": {"application/x-earshot"}}

func (p *person) listens() {
	p.t.Helper()
	r := p.ask("POST", "/api/rooms/"+sky.String()+"/whep", typeSDP, "v=0\r\n")
	if p.session = r.Header.Get("Location"); r.StatusCode != http.StatusCreated {
		p.t.Fatal(r.Status)
	}
}

func (p *person) word(m protocol.Message) string {
	p.t.Helper()
	p.sequence++
	m.Boot, m.Sequence = 1, p.sequence
	if err := m.Seal(sky, p.key); err != nil {
		p.t.Fatal(err)
	}
	return string(m.Raw)
}

func (p *person) here() string {
	return p.word(protocol.Message{Presence: &protocol.Presence{Name: "gita"}})
}

func (p *person) says(word string) *http.Response {
	p.t.Helper()
	return p.ask("POST", p.session+"/say", typeMessage, word)
}

func (p *person) speaks() *http.Response {
	p.t.Helper()
	voice := p.word(protocol.Message{Voice: &protocol.Voice{}})
	return p.ask("POST", p.session+"/whip", http.Header{"Content-Type": {"application/sdp"}, "Earshot-Voice": {base64.RawURLEncoding.EncodeToString([]byte(voice))}}, "v=0\r\n")
}

func (b *backend) told() (said, known, went, speaking int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.said), len(b.known), len(b.went), b.speaking
}

func wants(t *testing.T, what string, r *http.Response, status int) {
	t.Helper()
	if r.StatusCode != status {
		t.Errorf("%s: %s, want %d", what, r.Status, status)
	}
}

func TestSpeaking(t *testing.T) {
	b := newBackend()
	d, comes := secure(t, b)
	gita, hadi := comes(1), comes(2)
	gita.listens()
	wants(t, "gita says who she is", gita.says(gita.here()), http.StatusNoContent)
	wants(t, "another in her seat", gita.says(hadi.here()), http.StatusForbidden)
	wants(t, "gita speaks", gita.speaks(), http.StatusCreated)
	wants(t, "and anew", gita.speaks(), http.StatusCreated)
	if said, known, went, speaking := b.told(); said != 3 || known != 1 || went != 0 || speaking != 1 {
		t.Errorf("%d said, %d known, %d went, %d speak", said, known, went, speaking)
	}
	if all := d.Guests(); len(all) != 1 || all[0].Who == "" {
		t.Errorf("the door has %+v", all)
	}
	wants(t, "gita is quiet", gita.ask("DELETE", gita.session+"/whip", nil, ""), http.StatusOK)
	if _, _, _, speaking := b.told(); speaking != 0 {
		t.Error("she is still heard")
	}
	wants(t, "and speaks", gita.speaks(), http.StatusCreated)
	wants(t, "gita leaves", gita.ask("DELETE", gita.session, nil, ""), http.StatusOK)
	if _, _, went, speaking := b.told(); went != 1 || speaking != 0 {
		t.Errorf("%d went, %d speak", went, speaking)
	}
	wants(t, "a word from outside", gita.says(gita.here()), http.StatusNotFound)
	wants(t, "a voice from outside", gita.speaks(), http.StatusNotFound)
}

// Who comes back by another connection has moved, and is not gone when the old one
// ends.
func TestComingBack(t *testing.T) {
	b := newBackend()
	_, comes := secure(t, b)
	gita := comes(1)
	gita.listens()
	before := gita.session
	wants(t, "gita says who she is", gita.says(gita.here()), http.StatusNoContent)
	wants(t, "gita speaks", gita.speaks(), http.StatusCreated)
	gita.listens()
	wants(t, "and again", gita.says(gita.here()), http.StatusNoContent)
	if _, known, _, speaking := b.told(); known != 2 || speaking != 0 {
		t.Errorf("%d known, %d speak", known, speaking)
	}
	wants(t, "the old one ends", gita.ask("DELETE", before, nil, ""), http.StatusOK)
	if _, _, went, _ := b.told(); went != 0 {
		t.Error("she is gone")
	}
	wants(t, "the new one ends", gita.ask("DELETE", gita.session, nil, ""), http.StatusOK)
	if _, _, went, _ := b.told(); went != 1 {
		t.Error("she is not gone")
	}
}

func TestSayingRefused(t *testing.T) {
	b := newBackend()
	d, comes := secure(t, b)
	gita := comes(1)
	gita.listens()
	sdp := func(voice string) http.Header {
		return http.Header{"Content-Type": {"application/sdp"}, "Earshot-Voice": {voice}}
	}
	wants(t, "nothing", gita.says(""), http.StatusBadRequest)
	wants(t, "noise", gita.says("noise"), http.StatusBadRequest)
	wants(t, "too much", gita.says(strings.Repeat("x", protocol.MaxMessageBytes+1)), http.StatusRequestEntityTooLarge)
	wants(t, "another type", gita.ask("POST", gita.session+"/say", typeSDP, gita.here()), http.StatusUnsupportedMediaType)
	wants(t, "a voice that is none", gita.ask("POST", gita.session+"/whip", sdp("!"), "v=0"), http.StatusBadRequest)
	wants(t, "no voice", gita.ask("POST", gita.session+"/whip", sdp(""), "v=0"), http.StatusBadRequest)
	word := []byte(gita.here())
	word[len(word)-1] ^= 1
	wants(t, "a signature that does not fit", gita.says(string(word)), http.StatusBadRequest)
	for fault, status := range map[error]int{
		guest.ErrHurry: http.StatusTooManyRequests,
		&protocol.Problem{Code: protocol.CodeNotOnStage}: http.StatusForbidden,
		&protocol.Problem{Code: protocol.CodeFullRoom}:   http.StatusServiceUnavailable,
	} {
		b.fault = fault
		wants(t, fault.Error(), gita.says(gita.here()), status)
	}
	b.fault = nil
	if _, known, _, _ := b.told(); known != 0 || len(b.said) != 0 {
		t.Error("what was refused was taken")
	}
	wants(t, "gita says who she is", gita.says(gita.here()), http.StatusNoContent)
	if id := d.Guests()[0].ID; !d.Remove(id) {
		t.Error("she can't be removed")
	}
	wants(t, "who was removed", gita.says(gita.here()), http.StatusNotFound)
	if _, _, went, _ := b.told(); went != 1 {
		t.Error("the room was not told")
	}
}

// Without TLS nobody speaks, and is told why.
func TestPlainIsForListening(t *testing.T) {
	d := run(t, newBackend(), nil)
	client := from(t, 1)
	session := offer(t, d, client).Header.Get("Location")
	for path, kind := range map[string]http.Header{"/say": typeMessage, "/whip": typeSDP} {
		r := send(t, d, client, "POST", session+path, kind, "v=0")
		if r.StatusCode != http.StatusForbidden || code(t, r) != "plain" {
			t.Errorf("%s: %s", path, r.Status)
		}
		if allowed := r.Header.Get("Permissions-Policy"); !strings.Contains(allowed, "microphone=(),") {
			t.Errorf("the page may have %s", allowed)
		}
	}
}
