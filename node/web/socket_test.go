package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

const socketPath = "/api/v1/rooms/7k2m/socket"

// dialSocket opens a socket, with the token; it is closed with the test.
func dialSocket(t *testing.T, server *web.Server, path, protocol string) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), strings.Replace(server.Address(), "http", "ws", 1)+path, &websocket.DialOptions{
		Subprotocols: []string{protocol}, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}, "Origin": {server.Address()}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	return conn
}

// told reads one event; nil once the socket is closed, and with which code.
func told(t *testing.T, conn *websocket.Conn) (*pb.LocalEvent, websocket.StatusCode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, b, err := conn.Read(ctx)
	if err != nil {
		return nil, websocket.CloseStatus(err)
	}
	var e pb.LocalEvent
	if err := proto.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	return &e, 0
}

// failed reads what went wrong.
func failed(t *testing.T, conn *websocket.Conn) (code string, status websocket.StatusCode) {
	t.Helper()
	e, status := told(t, conn)
	var failure web.Failure
	if e == nil || json.Unmarshal([]byte(e.GetEvent()), &failure) != nil || failure.Event != "error" {
		t.Fatalf("told %v, closed with %d", e, status)
	}
	_, status = told(t, conn)
	return failure.Code, status
}

func speak(t *testing.T, conn *websocket.Conn, packet []byte) {
	t.Helper()
	b, err := proto.Marshal(&pb.LocalFrame{Packet: packet})
	if err == nil {
		err = conn.Write(t.Context(), websocket.MessageBinary, b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSocketIsHeard(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	conn := dialSocket(t, server, socketPath, "earshot-listen")
	if e, _ := told(t, conn); e.GetEvent() != `{"event":"joined"}` {
		t.Fatalf("told %v", e)
	}
	for _, packet := range []string{"one", "two"} {
		b.listening.events <- frame(packet)
		if e, _ := told(t, conn); string(e.GetFrame().GetPacket()) != packet || e.GetFrame().GetSource() != 9 {
			t.Fatalf("heard %v", e)
		}
	}
	close(b.listening.events)
	if e, code := told(t, conn); e != nil || code != websocket.StatusNormalClosure {
		t.Errorf("after the room's end: %v, %d", e, code)
	}
	await(t, b.listening.closed)
}

func TestSocketSpeaks(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	conn := dialSocket(t, server, socketPath, "earshot-speak")
	if e, _ := told(t, conn); e.GetEvent() != `{"event":"speaking"}` {
		t.Fatalf("told %v", e)
	}
	speak(t, conn, []byte("one"))
	speak(t, conn, []byte("two"))
	conn.Close(websocket.StatusNormalClosure, "")
	await(t, b.speaking.closed)
	if !slices.Equal(b.speaking.packets, []string{"one", "two"}) {
		t.Errorf("spoke %q", b.speaking.packets)
	}
}

// A page that goes away without a word is left at once.
func TestSocketLeavesWhoIsGone(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	dialSocket(t, server, socketPath, "earshot-listen").CloseNow()
	await(t, b.listening.closed)
	mouth := dialSocket(t, server, socketPath, "earshot-speak")
	told(t, mouth)
	mouth.CloseNow()
	await(t, b.speaking.closed)
}

func TestSocketTellsWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		path, protocol string
		send           []byte // a message
		refuse         int    // which packet
		code           string
		status         websocket.StatusCode
	}{
		"no room to hear":    {"/api/v1/rooms/none/socket", "earshot-listen", nil, 0, protocol.CodeUnknownRoom, 4404},
		"no room to speak":   {"/api/v1/rooms/none/socket", "earshot-speak", nil, 0, protocol.CodeUnknownRoom, 4404},
		"off the stage":      {socketPath, "earshot-speak", frameOf([]byte("one")), 1, protocol.CodeNotOnStage, 4403},
		"no frame":           {socketPath, "earshot-speak", []byte("\xff\xff"), 0, protocol.CodeBadRequest, 4400},
		"an empty packet":    {socketPath, "earshot-speak", frameOf(nil), 0, protocol.CodeBadRequest, 4400},
		"too large a packet": {socketPath, "earshot-speak", frameOf(make([]byte, protocol.MaxPacketBytes+1)), 0, protocol.CodeBadRequest, 4400},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend()
			b.speaking.refuse = c.refuse
			server, _ := up(t, b)
			conn := dialSocket(t, server, c.path, c.protocol)
			if c.send != nil {
				told(t, conn) // that it may begin
				if err := conn.Write(t.Context(), websocket.MessageBinary, c.send); err != nil {
					t.Fatal(err)
				}
			}
			if code, status := failed(t, conn); code != c.code || status != c.status {
				t.Errorf("told %s, closed with %d", code, status)
			}
		})
	}
}

func frameOf(packet []byte) []byte {
	b, _ := proto.Marshal(&pb.LocalFrame{Packet: packet})
	return b
}

// What a page may not send ends its socket, and nothing of it is spoken.
func TestSocketIsBounded(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	ear := dialSocket(t, server, socketPath, "earshot-listen")
	told(t, ear) // that it has joined
	if err := ear.Write(t.Context(), websocket.MessageBinary, frameOf([]byte("one"))); err != nil {
		t.Fatal(err)
	}
	if code, status := failed(t, ear); code != protocol.CodeBadRequest || status != 4400 {
		t.Errorf("who talks while listening is told %s, closed with %d", code, status)
	}
	for _, message := range [][]byte{make([]byte, 4<<10), bytes.Repeat([]byte{0x32, 0x00}, 8<<10)} {
		mouth := dialSocket(t, server, socketPath, "earshot-speak")
		told(t, mouth)
		mouth.Write(t.Context(), websocket.MessageBinary, message) // it may be closed in the middle
		if _, code := told(t, mouth); code != websocket.StatusMessageTooBig {
			t.Errorf("%d bytes are closed with %d", len(message), code)
		}
		await(t, b.speaking.closed)
		b.speaking = &speaking{closed: make(chan struct{})}
	}
	if len(b.speaking.packets) != 0 {
		t.Errorf("spoke %q", b.speaking.packets)
	}
}

// The server's end ends its sockets.
func TestSocketEndsWithTheServer(t *testing.T) {
	b := newBackend()
	server, stop := alone(t, b)
	ear, mouth := dialSocket(t, server, socketPath, "earshot-listen"), dialSocket(t, server, socketPath, "earshot-speak")
	told(t, ear)
	told(t, mouth)
	began := time.Now()
	stop()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	await(t, b.listening.closed)
	await(t, b.speaking.closed)
	for _, conn := range []*websocket.Conn{ear, mouth} {
		if e, _ := told(t, conn); e != nil {
			t.Errorf("told %v", e)
		}
	}
}

// upgrade asks for a socket as a browser does.
func upgrade(protocol string) http.Header {
	return http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {protocol}}
}

func TestStrangersGetNoSocket(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	host := strings.TrimPrefix(server.Address(), "http://")
	_, port, _ := strings.Cut(host, ":")
	attacks := map[string]http.Header{
		"no token":         {"Authorization": nil},
		"wrong token":      {"Authorization": {"Bearer x"}},
		"no origin":        {"Authorization": nil, "Cookie": {cookieOf(t, server)}},
		"no subprotocol":   {"Sec-Websocket-Protocol": nil},
		"two of them":      {"Sec-Websocket-Protocol": {"earshot-listen, earshot-speak"}},
		"old version":      {"Sec-Websocket-Version": {"8"}},
		"another upgrade":  {"Upgrade": {"h2c"}},
		"no upgrade":       {"Upgrade": nil},
		"no connection":    {"Connection": {"keep-alive"}},
		"no key":           {"Sec-Websocket-Key": nil},
		"short key":        {"Sec-Websocket-Key": {"eA=="}},
		"two keys":         {"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="}},
		"mapped":           {"Host": {"[::ffff:127.0.0.1]:" + port}},
		"rebound":          {"Host": {"evil.example:" + port}, "Origin": {"http://evil.example:" + port}},
		"origin and token": {"Origin": {"https://evil.example"}},
	}
	for _, protocol := range []string{"", "earshot", "earshot-listen-2", "EARSHOT-LISTEN", "chat", "earshot-listen;x", strings.Repeat("a", 8<<10)} {
		attacks["subprotocol "+protocol] = http.Header{"Sec-Websocket-Protocol": {protocol}}
	}
	for _, origin := range []string{"null", "", "https://evil.example", "http://evil.example:" + port, "https://" + host, "ws://" + host,
		"http://localhost:" + port, "http://127.0.0.1:1", "http://" + host + ".evil.example", "http://" + host + "/", "file://"} {
		attacks["page of origin "+origin] = http.Header{"Origin": {origin}, "Authorization": nil, "Cookie": {cookieOf(t, server)}}
		for _, site := range []string{"cross-site", "same-site"} {
			attacks[fmt.Sprintf("page of origin %s, %s", origin, site)] = http.Header{"Origin": {server.Address()}, "Sec-Fetch-Site": {site}, "Authorization": nil, "Cookie": {cookieOf(t, server)}}
		}
	}
	var sockets []request
	for _, path := range []string{socketPath, socketPath + "?recording=1", "/api/v1/rooms/none/socket", socketPath + "/", "/api/v1//rooms/7k2m/socket"} {
		sockets = append(sockets, request{method: "GET", path: path})
	}
	for _, protocol := range []string{"earshot-listen", "earshot-speak"} {
		asked := map[string]http.Header{}
		for name, header := range attacks {
			asked[name] = upgrade(protocol)
			maps.Copy(asked[name], header)
		}
		spoiled(t, server, b, asked, sockets)
	}
}

// The attacks above fail for what they spoil: without it, a browser's request
// becomes a socket.
func TestPageGetsASocket(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	header := upgrade("earshot-listen")
	maps.Copy(header, http.Header{"Origin": {server.Address()}, "Sec-Fetch-Site": {"same-origin"}, "Authorization": nil, "Cookie": {cookieOf(t, server)}})
	response := send(t, server, "GET", socketPath, header, "")
	if response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("Sec-Websocket-Protocol") != "earshot-listen" {
		t.Errorf("answered %s with %v", response.Status, response.Header)
	}
	response.Body.Close()
	await(t, b.listening.closed)
}
