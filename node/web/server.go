package web

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/node/server"
)

// Limits of the API.
const (
	maxConns       = 512      // open at once
	maxStreams     = 128      // of listening, speaking and events, open at once
	maxHeaderBytes = 16 << 10 // the request line with it
	maxJSONBytes   = 16 << 10 // of a request's body
	maxSDPBytes    = 64 << 10
	maxRoomBytes   = 4 << 10 // of the words that name a room

	answerPatience = 2 * time.Minute  // until a client has its answer, unless it streams
	searchPatience = 3 * time.Minute  // the same, while the node looks for others
	writePatience  = 10 * time.Second // until a client takes a stream's event
	idlePatience   = time.Minute
)

// Config is what a Server is made of.
type Config struct {
	// Listener is on loopback and open already; Listen makes one. Run closes it.
	Listener net.Listener
	// Token lets programs in that can read it in the node's home. Without
	// one only the page gets in.
	Token   string
	Backend Backend
	Metrics http.Handler // Prometheus, at /metrics; nil: none
	Page    fs.FS        // the page's files, for who works on them; nil: those in the program
	Version string
	Log     *slog.Logger // nil: silent

	// Cut switches off who carries the sound of a demo; false: not now.
	// nil: this is no demo.
	Cut func() bool
}

// Server is the API of one node.
type Server struct {
	backend Backend
	metrics http.Handler
	files   files
	cut     func() bool
	version string
	log     *slog.Logger

	listener net.Listener
	hosts    []string // that a request may name, as in its Host
	bearer   *[sha256.Size]byte
	door     *door
	feed     *feed
	mux      *http.ServeMux
	streams  chan struct{} // holds one value for each open stream
	sockets  sync.WaitGroup
}

// New makes a server; Run serves.
func New(cfg Config) *Server {
	s := &Server{
		backend:  cfg.Backend,
		metrics:  cfg.Metrics,
		files:    filesOf(cfg.Page),
		cut:      cfg.Cut,
		version:  cfg.Version,
		log:      cfg.Log,
		listener: cfg.Listener,
		hosts:    hostsOf(cfg.Listener.Addr()),
		streams:  make(chan struct{}, maxStreams),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.metrics == nil {
		s.metrics = http.NotFoundHandler()
	}
	if cfg.Token != "" {
		sum := sha256.Sum256([]byte(cfg.Token))
		s.bearer = &sum
	}
	s.door = newDoor(cfg.Listener.Addr(), cfg.Token)
	s.feed = newFeed(cfg.Backend, s.log)
	s.mux = s.routed()
	return s
}

// Address gives the API's URL, such as http://127.0.0.1:8733.
func (s *Server) Address() string { return "http://" + s.listener.Addr().String() }

// PageURL gives an address that opens the page once, within ten minutes: the page
// trades the one-use key in it for a cookie.
func (s *Server) PageURL() string { return s.Address() + "/#key=" + s.door.issue(time.Now()) }

// Run serves until ctx ends, tells open streams to end, and returns when no
// connection is left.
func (s *Server) Run(ctx context.Context) error {
	err := server.Run(ctx, s.listener, server.Config{Handler: http.HandlerFunc(s.serve), Conns: maxConns, HeadBytes: maxHeaderBytes,
		Patience: answerPatience, Idle: idlePatience, Log: s.log}, s.feed.run)
	s.sockets.Wait() // whose connections were no longer HTTP's
	if err != nil {
		return fmt.Errorf("serve the API: %w", err)
	}
	return nil
}
