package web_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

// pipes is a listener whose connections are in memory, for a bubble's clock.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	ended chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.ended) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8733} }

// dial serves b inside a synctest bubble, and gives a connection to it.
func dial(t *testing.T, b *backend) net.Conn {
	t.Helper()
	listener := &pipes{conns: make(chan net.Conn), ended: make(chan struct{})}
	server := web.New(web.Config{Listener: listener, Token: token, Backend: b})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	near, far := net.Pipe()
	listener.conns <- far
	t.Cleanup(func() {
		cancel()
		near.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return near
}

// get asks for a path inside a bubble, and gives the body that the test reads
// as it comes.
func get(t *testing.T, b *backend, path string) *bufio.Reader {
	t.Helper()
	conn := dial(t, b)
	go fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:8733\r\nAuthorization: Bearer %s\r\n\r\n", path, token)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	return bufio.NewReader(response.Body)
}

// A node may take its time: who asked waits for it.
func TestSlowAnswersArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		b.slow = time.Minute
		get(t, b, "/api/v1/node")
	})
}

// A connection that sends a body's beginning and no more is ended, whether
// its request was one to be refused or not.
func TestUnfinishedBodiesEnd(t *testing.T) {
	for name, authorization := range map[string]string{"a stranger's": "", "a program's": "Authorization: Bearer " + token + "\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBackend()
			conn := dial(t, b)
			began := time.Now()
			go fmt.Fprintf(conn, "POST /api/v1/rooms HTTP/1.1\r\nHost: 127.0.0.1:8733\r\n%sContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{", authorization)
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || response.StatusCode < 400 || response.StatusCode > 499 {
				t.Errorf("%s: got %v, %v", name, response, err)
			}
			io.Copy(io.Discard, conn)
			if took := time.Since(began); took > 25*time.Second || b.acts.Load() != 0 {
				t.Errorf("%s: ended after %v, did %q", name, took, b.did)
			}
		})
	}
}

// A head that does not end is not waited for either.
func TestUnfinishedHeadsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := dial(t, newBackend())
		go io.Copy(io.Discard, conn)
		began := time.Now()
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\n")
		for n := 0; err == nil && n < 60; n++ {
			time.Sleep(time.Second) // of the bubble
			_, err = fmt.Fprintf(conn, "X-%d: x\r\n", n)
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}
