package web_test

import (
	"net"
	"strings"
	"testing"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

func TestListenAddress(t *testing.T) {
	for hostport, want := range map[string]string{
		":0": "127.0.0.1", "127.0.0.1:0": "127.0.0.1", "localhost:0": "127.0.0.1", "127.0.0.9:0": "127.0.0.9",
		"[::ffff:127.0.0.1]:0": "127.0.0.1", "[::1]:0": "::1",
	} {
		listener, err := web.Listen(hostport, true)
		if err != nil {
			if strings.Contains(hostport, "::1]") && codeOf(err) == protocol.CodeUsage {
				continue // a machine without IPv6
			}
			t.Errorf("%s: %v", hostport, err)
			continue
		}
		if host, _, _ := net.SplitHostPort(listener.Addr().String()); host != want {
			t.Errorf("%s listens on %s", hostport, listener.Addr())
		}
		listener.Close()
	}
	for _, hostport := range []string{
		"0.0.0.0:0", "[::]:0", "192.168.1.2:0", "example.com:0", "localhost.example.com:0", "[::ffff:0.0.0.0]:0", "[::1%lo]:0", "*:0",
		"", "8733", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1:", "127.1:0", "[fe80::1%lo]:0",
	} {
		if listener, err := web.Listen(hostport, true); codeOf(err) != protocol.CodeUsage {
			t.Errorf("%q: %v", hostport, err)
			if err == nil {
				listener.Close()
			}
		}
	}
}

func TestListenOnATakenPort(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	at := other.Addr().String()
	_, err = web.Listen(at, true)
	if want := at + " is taken by another program; choose another with --api HOST:PORT"; codeOf(err) != protocol.CodeAPITaken || err.Error() != want {
		t.Errorf("asked for: %v", err)
	}
	next, err := web.Listen(at, false)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if got, taken := next.Addr().(*net.TCPAddr), other.Addr().(*net.TCPAddr); !got.IP.IsLoopback() || got.Port <= taken.Port {
		t.Errorf("found %s after %s", got, taken)
	}
}
