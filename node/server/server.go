// Package server is HTTP as a node serves it to browsers, in which pages of strangers
// run beside its own: what its page and API (node/web) and its guest door (node/guest)
// have in common. What each of them serves, and to whom, is theirs.
//
//	server.go   connections, until the node ends
//	guard.go    what another site's page would send, and what it may not do
//	routes.go   paths, methods and bodies
//	files.go    a page's files, compressed
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

const (
	headPatience = 5 * time.Second  // until a request's head is whole
	bodyPatience = 10 * time.Second // until its body is, unless it streams
	// goodbye is what open streams get for their last words.
	goodbye = 400 * time.Millisecond
)

// Config is how connections are served.
type Config struct {
	Handler   http.Handler
	TLS       *tls.Config     // nil: plain HTTP
	Protocols *http.Protocols // nil: Go's own choice
	Conns     int             // open at once
	HeadBytes int             // of a request, its line with it
	Patience  time.Duration   // until a client has its answer, unless it streams
	Idle      time.Duration   // until a connection without a request ends
	Log       *slog.Logger
}

// Run serves until ctx ends, and children with it. Open streams are told by the
// request's context to end; Run returns when no connection and no child is left.
func Run(ctx context.Context, l net.Listener, cfg Config, children ...func(context.Context)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running, conns sync.WaitGroup
	s := &http.Server{
		Handler:                      cfg.Handler,
		BaseContext:                  func(net.Listener) context.Context { return ctx },
		ConnState:                    counting(&conns),
		ReadHeaderTimeout:            headPatience,
		WriteTimeout:                 cfg.Patience,
		IdleTimeout:                  cfg.Idle,
		MaxHeaderBytes:               cfg.HeadBytes,
		DisableGeneralOptionsHandler: true, // OPTIONS * must pass the guard too
		ErrorLog:                     slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
		TLSConfig:                    cfg.TLS,
		Protocols:                    cfg.Protocols,
	}
	for _, child := range children {
		running.Go(func() { child(ctx) })
	}
	running.Go(func() {
		<-ctx.Done()
		patience, done := context.WithTimeout(context.Background(), goodbye)
		defer done()
		if s.Shutdown(patience) != nil {
			s.Close()
		}
	})
	l = netutil.LimitListener(l, cfg.Conns)
	var err error
	if cfg.TLS != nil {
		err = s.ServeTLS(l, "", "")
	} else {
		err = s.Serve(l)
	}
	cancel()
	running.Wait()
	conns.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// counting keeps count of the connections that are served. Those that a handler took
// over are its own.
func counting(conns *sync.WaitGroup) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			conns.Add(1)
		case http.StateClosed, http.StateHijacked:
			conns.Done()
		}
	}
}
