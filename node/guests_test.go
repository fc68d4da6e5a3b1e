package node

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	document "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
	"github.com/pion/webrtc/v4"
	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/node/guest"
)

// startWithDoor runs a node on loopback whose guest door is at an address.
func startWithDoor(t *testing.T, name, at string, from ...*running) *running {
	t.Helper()
	return startWith(t, name, func(c *Config) { c.Guests.Listen = at }, from...)
}

// visitor is a guest without a browser: an address of 127.0.0.0/8, and pion.
type visitor struct {
	pc     *webrtc.PeerConnection
	http   *http.Client
	heard  chan struct{} // closed with the first packet
	status int
	code   string
}

// visit asks the door to play.
func visit(ctx context.Context, door, room string, home int) (*visitor, error) {
	s := webrtc.SettingEngine{}
	s.SetIncludeLoopbackCandidate(true)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+home))}}
	v := &visitor{pc: pc, http: &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}, heard: make(chan struct{})}
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		if _, _, err := track.ReadRTP(); err == nil {
			close(v.heard)
		}
	})
	if _, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		return v, err
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return v, err
	}
	if err = pc.SetLocalDescription(offer); err != nil {
		return v, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, door+"/api/rooms/"+room+"/whep", strings.NewReader(offer.SDP))
	if err != nil {
		return v, err
	}
	q.Header.Set("Content-Type", "application/sdp")
	a, err := v.http.Do(q)
	if err != nil {
		return v, err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if v.status = a.StatusCode; err != nil || v.status != http.StatusCreated {
		var f guest.Failure
		_ = json.Unmarshal(text, &f)
		v.code = f.Code
		return v, err
	}
	return v, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(text)})
}

// TestFiftyGuests has fifty hear a room at once, through WebRTC; the 51st is told.
func TestFiftyGuests(t *testing.T) {
	ana := startWithDoor(t, "ana", "127.0.0.1:0")
	budi := start(t, "budi", ana)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	o := ana.open(ctx, "Heard by guests", "open")
	if !strings.HasPrefix(o.GuestLink, ana.Door()+"/r#room/"+o.Room+"/") {
		t.Errorf("the guests' link is %q", o.GuestLink)
	}
	budi.eventually("budi lists the room", budi.sees(o.Room))
	stay := budi.listen(ctx, o.Room)
	defer stay.stop(t)
	talking, hush := context.WithCancel(ctx)
	defer hush()
	talk := make(chan error, 1)
	go func() { talk <- ana.talk(talking, o.Room, 1, 100_000) }()

	visitors := make([]*visitor, guest.MaxGuests)
	var all errgroup.Group
	for i := range visitors {
		all.Go(func() (err error) {
			visitors[i], err = visit(ctx, ana.Door(), o.Room, i/4)
			if err == nil && visitors[i].status != http.StatusCreated {
				err = fmt.Errorf("guest %d: %d %s", i+1, visitors[i].status, visitors[i].code)
			}
			return err
		})
	}
	must(t, all.Wait())
	for i, v := range visitors {
		select {
		case <-v.heard:
		case <-ctx.Done():
			t.Fatalf("guest %d hears nothing", i+1)
		}
	}
	s, err := ana.Status(ctx)
	must(t, err)
	if s.Guests != guest.MaxGuests || ana.view(o.Room).Guests != guest.MaxGuests {
		t.Errorf("%d guests, %d in the room", s.Guests, ana.view(o.Room).Guests)
	}
	others := func() (n int, listens bool) {
		for _, m := range budi.view(o.Room).Members {
			if m.Peer == ana.self.String() {
				return m.Guests, m.Listening
			}
		}
		return -1, false
	}
	budi.eventually("budi is told of ana's guests", func() bool { n, listens := others(); return n == guest.MaxGuests && !listens })
	last, err := visit(ctx, ana.Door(), o.Room, 100)
	must(t, err)
	if last.status != http.StatusServiceUnavailable || last.code != "full_room" {
		t.Errorf("the 51st was told %d %s", last.status, last.code)
	}
	must(t, ana.ShutDoor(ctx))
	ana.eventually("all guests are gone", func() bool { return ana.view(o.Room).Guests == 0 })
	budi.eventually("budi is told that they went", func() bool { n, _ := others(); return n == 0 })
	hush()
	<-talk
	for _, v := range append(visitors, last) {
		all.Go(v.pc.GracefulClose)
	}
	must(t, all.Wait())
}

// TestGuestsHearNoOtherRoom: the door never makes its node join a room, nor tells of
// one that it is not in; and nothing of the node's own API is there.
func TestGuestsHearNoOtherRoom(t *testing.T) {
	ana := start(t, "ana")
	budi := startWithDoor(t, "budi", "127.0.0.1:0", ana)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	o := ana.open(ctx, "Not budi's", "open")
	budi.eventually("budi lists the room", func() bool { _, err := budi.Room(ctx, o.Room); return err == nil })
	v, err := visit(ctx, budi.Door(), o.Room, 1)
	must(t, err)
	if v.status != http.StatusNotFound || v.code != "unknown_room" {
		t.Errorf("a room that budi is not in: %d %s", v.status, v.code)
	}
	if budi.Node.room(roomID(t, o.Room)) != nil {
		t.Error("the door joined a room")
	}
	must(t, v.pc.GracefulClose())
	token := http.Header{"Authorization": {"Bearer " + budi.token}, "Content-Type": {"application/json"}}
	for _, path := range []string{"/", "/metrics", "/door", "/api/v1/node", "/api/v1/rooms", "/api/v1/rooms/" + o.Room, "/api/v1/rooms/" + o.Room + "/leave", "/api/v1/page", "/api/v1/guests", "/api/v1/openapi.json"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			q, err := http.NewRequestWithContext(ctx, method, budi.Door()+path, nil)
			must(t, err)
			q.Header, q.Close = token, true
			a, err := http.DefaultClient.Do(q)
			must(t, err)
			a.Body.Close()
			if a.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s at the door: %s", method, path, a.Status)
			}
		}
	}
}

func TestNoDoor(t *testing.T) {
	ana := start(t, "ana")
	if _, err := ana.Guests(t.Context()); err == nil {
		t.Error("a door that nobody asked for")
	}
	_, err := New(Config{Home: t.TempDir(), API: "127.0.0.1:0", APIGiven: true, RelayOnly: true, Guests: Guests{Listen: "127.0.0.1:0"}})
	if err == nil || !strings.Contains(err.Error(), "hides") {
		t.Errorf("a door of a node that hides: %v", err)
	}
}

// lanAddress is this machine's address that is not loopback.
func lanAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no IPv4 address but loopback")
	return ""
}

// TestPhoneListens has a phone-sized browser without a node hear a room.
func TestPhoneListens(t *testing.T) {
	t.Parallel()
	over := doorOverTLS(t)
	b := launch(t)
	for name, door := range map[string]Guests{
		"over plain HTTP by a LAN address": {Listen: over.Listen},
		"over TLS":                         over,
	} {
		t.Run(name, func(t *testing.T) {
			ana := startWith(t, "ana", func(c *Config) { c.Guests = door })
			testPhone(t, b, ana, door.Cert != "")
		})
	}
}

func testPhone(t *testing.T, b *browser, ana *running, secure bool) {
	p := b.visit(t, "about:blank")
	o := ana.open(p.ctx, "Heard on a phone", "open")
	if secure != strings.HasPrefix(o.GuestLink, "https://") {
		t.Errorf("the link is %s", o.GuestLink)
	}
	talking, hush := context.WithCancel(p.ctx)
	talk := make(chan error, 1)
	go func() { talk <- ana.talk(talking, o.Room, 1, 100_000) }()
	defer func() { hush(); <-talk }()
	p.phone(o.GuestLink)
	p.shows(`h1`, "Heard on a phone")
	p.shows(`#stage`, "ana")
	want := "not encrypted"
	if secure {
		want = "raise your hand"
	}
	p.shows(`#note`, want)
	if p.is(`document.documentElement.scrollWidth > innerWidth`) {
		t.Error("the page is wider than the phone")
	}
	if ana.view(o.Room).Guests != 0 {
		t.Error("a link plays by itself")
	}
	must(t, chromedp.Run(p.ctx, chromedp.Click(`#listen`)))
	p.shows(`#state`, "You are listening")
	ana.eventually("the guest is counted", func() bool { return ana.view(o.Room).Guests == 1 })
	p.shows(`#facts`, "1 as guests")
	p.shoots("guest.png")
	p.eventually("the speaker's ring is lit", `document.querySelector('.heard')?.textContent.includes('ana')`)
	g, err := ana.Guests(p.ctx)
	must(t, err)
	must(t, ana.RemoveGuest(p.ctx, g.Guests[0].ID))
	p.shows(`#state`, "asked to leave")
	must(t, ana.ShutDoor(p.ctx))
	must(t, chromedp.Run(p.ctx, chromedp.Reload()))
	p.shows(`#state`, "shut for now")
	p.mayComplain("403", "503")
}

// shoots leaves a picture of the page where the environment says.
func (p *page) shoots(name string) {
	p.t.Helper()
	if dir := os.Getenv("EARSHOT_SCREENSHOTS"); dir != "" {
		var png []byte
		// A tab that is not in front may not be painted.
		must(p.t, chromedp.Run(p.ctx, document.BringToFront(), chromedp.CaptureScreenshot(&png)))
		must(p.t, os.WriteFile(filepath.Join(dir, name), png, 0o600))
	}
}

// doorOverTLS is a guest door by TLS at this machine's address that is not loopback.
func doorOverTLS(t *testing.T) Guests {
	t.Helper()
	lan := lanAddress(t)
	cert, key := doorCertificate(t, lan)
	return Guests{Listen: lan + ":0", Cert: cert, Key: key}
}

// phone has a page of a phone's size go to a guest door's link.
func (p *page) phone(link string) {
	p.t.Helper()
	must(p.t, chromedp.Run(p.ctx, security.SetIgnoreCertificateErrors(true), emulation.SetDeviceMetricsOverride(390, 844, 2, true), chromedp.Navigate(link)))
}

// doorCertificate makes a certificate of an address and its key, as files.
func doorCertificate(t *testing.T, address string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(address)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return cert, key
}
