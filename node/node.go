// Package node is one running Earshot node: New makes it of its parts and joins
// them, Run runs them. Which part does what, docs/architecture.md follows.
//
//	host.go       the libp2p host and its addresses
//	reached.go    how it can be reached, and helps others to be
//	circuits.go   how it comes to others through a third one
//	capacity.go   how many children its upload bears
//	rates.go      what links carry, in kbit/s
//	doctor.go     what keeps nodes apart
//	meet.go       first neighbours, when a person asks for them
//	pairs.go      link and rtc of each other node, as one
//	rooms.go      the rooms that this node is in
//	kept.go       what is kept of them over restarts
//	lives.go      and of the lives of bans and grants
//	opening.go    its own rooms, opened and closed
//	calendar.go   those that are to come
//	shelf.go      and those that are closed
//	locate.go     rooms of which only the ID is known
//	forwarder.go  a room's forwarder, as the room sees it
//	listen.go     programs on this machine that listen
//	speak.go      programs on this machine that speak
//	people.go     what its person keeps about others
//	follow.go     the rooms that they follow
//	met.go        whose rooms it has heard of
//	profile.go    what its person says of themselves
//	backend.go    what the HTTP API asks for
//	lines.go      and of all rooms
package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/discovery/bootstrap"
	"github.com/earshot-audio/earshot/discovery/dht"
	"github.com/earshot-audio/earshot/discovery/gossip"
	"github.com/earshot-audio/earshot/node/guest"
	"github.com/earshot-audio/earshot/node/link"
	"github.com/earshot-audio/earshot/node/people"
	"github.com/earshot-audio/earshot/node/reach"
	"github.com/earshot-audio/earshot/node/rtc"
	"github.com/earshot-audio/earshot/node/store"
	"github.com/earshot-audio/earshot/node/upload"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// Config is what a person decides about a node.
type Config struct {
	Home      string                // where it keeps its identity; made if missing
	Name      protocol.Name         // "": the one it had, or one made of its key
	Network   string                // "": the common one
	Listen    []multiaddr.Multiaddr // none: all interfaces, the usual port if it is free
	Bootstrap []multiaddr.Multiaddr
	API       string // HOST:PORT
	APIGiven  bool   // the person chose it, so no other port will do
	MDNS      bool   // look for neighbours on this network
	DHT       bool   // find rooms by their IDs alone, and have those that this node relays found
	Lend      bool   // carry rooms that this node is in
	RelayOnly bool   // nobody but a room's relay learns this node's address; it carries no rooms
	Circuits  string // whose connections it passes on: "all" (or ""), "rooms" it is in, or "off"
	PortMap   bool   // ask the router to open ports
	MaxUpload int64  // bits a second to other nodes; 0: no limit
	MediaPort int    // UDP, for sound; another one is taken where it is in use. 0: any
	Guests    Guests // how people without a node listen
	Page      fs.FS  // the page's files, for who works on them; nil: those in the program
	Version   string
	Log       *slog.Logger

	// Wall is the clock on the wall; nil: the machine's. It is shown, and begins the
	// numbers of what this node says; nothing else.
	Wall func() time.Time
	// Cut switches off who carries the sound of a demo, when its page asks;
	// false: not now. nil: this is no demo.
	Cut func() bool
}

// Node is one node. Its methods may be called from any goroutine once Run has
// begun.
type Node struct {
	cfg     Config
	log     *slog.Logger
	started time.Time
	key     crypto.PrivKey
	self    protocol.PeerID

	store     *store.Store
	people    *people.Book  // of its person
	followed  *people.Rooms // by them
	met       *people.Met   // by this node
	ledger    *ledger
	calendar  *calendar
	host      host.Host
	gate      gate    // of host
	sockets   sockets // of host
	capacity  *capacity
	rates     rates
	media     *rtc.Engine
	reach     *reach.Reach
	links     *link.Links
	pairs     *pairs
	directory *discovery.Directory
	gossip    *gossip.Gossip
	bootstrap *bootstrap.Bootstrap
	dht       *dht.DHT // nil: switched off
	api       net.Listener
	token     string
	web       *web.Server
	door      *guest.Door // nil: none
	changes   *fanout[struct{}]

	ready  chan struct{} // closed once other programs can use the node
	killed chan struct{} // closed by Kill
	kill   sync.Once
	ctx    context.Context // of Run, for rooms
	tasks  *errgroup.Group

	listeners atomic.Uint64 // so far; numbers their sinks
	listed    atomic.Int64  // rooms in the directory

	desk       sync.Mutex // held while a room of this node's own opens, or changes while it is closed; before mu
	describing sync.Mutex // held while the person's profile changes

	mu       sync.Mutex
	name     protocol.Name
	profile  protocol.Profile
	rooms    map[protocol.RoomID]*carried
	removed  map[protocol.RoomID]time.Duration // when this node was, just now
	sessions map[string]func()
	warnings []string
}

// New opens the node's home and its sockets. Errors that a person can mend are
// *protocol.Problem. After an error nothing is left open.
func New(cfg Config) (n *Node, err error) {
	if cfg.Wall == nil {
		cfg.Wall = time.Now
	}
	n = &Node{cfg: cfg, log: cfg.Log, started: time.Now(), ready: make(chan struct{}), killed: make(chan struct{}), rooms: map[protocol.RoomID]*carried{}, removed: map[protocol.RoomID]time.Duration{},
		sessions: map[string]func(){}, changes: newFanout[struct{}](1), ledger: newLedger()}
	n.calendar = newCalendar(n)
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	made := n // a return that gives an error sets n to nil
	defer func() {
		if err != nil {
			made.release()
		}
	}()
	if n.store, err = store.Open(cfg.Home); err != nil {
		return nil, err
	}
	if err = n.identify(); err != nil {
		return nil, err
	}
	if n.people, err = people.Open(n.store, cfg.Wall); err != nil {
		return nil, err
	}
	if n.followed, err = people.OpenRooms(n.store); err != nil {
		return nil, err
	}
	if n.met, err = people.OpenMet(n.store); err != nil {
		return nil, err
	}
	if n.api, err = web.Listen(cfg.API, cfg.APIGiven); err != nil {
		return nil, err
	}
	if err = n.newDoor(); err != nil {
		return nil, err
	}
	if n.token, err = n.store.APIToken(); err != nil {
		return nil, err
	}
	n.web = web.New(web.Config{Listener: n.api, Token: n.token, Backend: n, Metrics: n.metrics(), Page: cfg.Page, Cut: cfg.Cut, Version: cfg.Version, Log: n.log})
	return n, n.open()
}

// identify takes the node's key and name from the store.
func (n *Node) identify() (err error) {
	if n.key, err = n.store.Identity(); err != nil {
		return err
	}
	if n.self, err = peer.IDFromPrivateKey(n.key); err != nil {
		return err
	}
	if n.profile, err = n.storedProfile(); err != nil {
		return err
	}
	if n.name = n.cfg.Name; n.name != "" {
		return n.store.SetName(n.name)
	}
	if n.name, err = n.store.Name(); err == nil && n.name == "" {
		n.name = defaultName(n.self)
	}
	return err
}

// open makes the parts that talk to other nodes.
func (n *Node) open() (err error) {
	if n.cfg.MaxUpload > 0 {
		n.sockets.meter = upload.New(upload.Config{Limit: n.cfg.MaxUpload})
	}
	n.capacity = newCapacity(n)
	dialBacks := reach.NewDialBacks()
	if n.host, err = newHost(n.cfg, n.key, &n.sockets, &n.gate, dialBacks); err != nil {
		return err
	}
	if err = n.openMedia(); err != nil {
		return fmt.Errorf("open the port for sound: %w", err)
	}
	n.reach = n.newReach(dialBacks)
	n.pairs = newPairs(n)
	n.links = link.New(link.Config{Host: n.host, Network: n.cfg.Network, Agent: "earshot/" + n.cfg.Version, Log: n.log, Events: n.pairs, Media: n.pairs.received, Frame: n.pairs.Frame,
		Aloof: n.cfg.RelayOnly})
	n.directory = discovery.New(discovery.Config{Network: n.cfg.Network, Log: n.log})
	if n.gossip, err = gossip.New(gossip.Config{Host: n.host, Network: n.cfg.Network, Directory: n.directory,
		Found: n.told, Log: n.log}); err != nil {
		return err
	}
	n.bootstrap = bootstrap.New(bootstrap.Config{Host: n.host, Addrs: n.cfg.Bootstrap, Hidden: n.cfg.RelayOnly,
		MDNS: n.cfg.MDNS, Network: n.cfg.Network,
		Remembered: func() []peer.AddrInfo { return n.store.Remembered(rememberedPeers) },
		Remember: func(info peer.AddrInfo) {
			if err := n.store.Remember(info, time.Now()); err != nil {
				n.log.Warn("remember a peer", "err", err)
			}
		},
		Log: n.log, Warn: n.warn})
	if n.cfg.DHT && !n.cfg.RelayOnly { // whoever is asked in it learns who asks
		n.dht = dht.New(dht.Config{Host: n.host, Network: n.cfg.Network, Log: n.log})
	}
	return nil
}

const rememberedPeers = 32

// told takes a node that a neighbour tells of. Who hides meets none by itself.
func (n *Node) told(info peer.AddrInfo) {
	if !n.cfg.RelayOnly {
		n.bootstrap.Suggest(info)
	}
}

// openMedia opens the socket for sound: on the port that the person chose, which
// a router may have been told of, or on any if something else has that one.
func (n *Node) openMedia() (err error) {
	at := netip.IPv4Unspecified() // and IPv6, where there is any
	if loopbackOnly(n.host.Addrs()) {
		at = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	cfg := rtc.Config{Self: n.self, Listen: netip.AddrPortFrom(at, uint16(n.cfg.MediaPort)), Guests: n.doorway(), Wrap: n.sockets.media, Log: n.log}
	if n.media, err = rtc.New(cfg); errors.Is(err, syscall.EADDRINUSE) && n.cfg.MediaPort != 0 {
		n.log.Info("the port for sound is taken", "port", n.cfg.MediaPort)
		cfg.Listen = netip.AddrPortFrom(at, 0)
		n.media, err = rtc.New(cfg)
	}
	return err
}

// release closes what New opened before it failed.
func (n *Node) release() {
	if n.api != nil {
		n.api.Close()
	}
	if n.door != nil {
		n.door.Close()
	}
	if n.gossip != nil {
		stopped, stop := context.WithCancel(context.Background())
		stop()
		_ = n.gossip.Run(stopped)
	}
	if n.media != nil {
		stopped, stop := context.WithCancel(context.Background())
		stop()
		_ = n.media.Run(stopped)
	}
	if n.host != nil {
		n.host.Close()
	}
	_ = n.sockets.close()
	if n.store != nil {
		n.store.Close()
	}
}

// Run runs the node until ctx ends: then rooms say goodbye, links close, and
// all that it started has ended when it returns.
func (n *Node) Run(ctx context.Context) error {
	// Rooms end first, while the links that carry their goodbyes are up; then
	// links, while the host is; then the media paths: a node to which one is down
	// has nothing more to say to others' rooms.
	rest, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	sound, hush := context.WithCancel(context.WithoutCancel(ctx))
	defer hush()
	links := func(ctx context.Context) error { defer hush(); return n.links.Run(ctx) }
	media := func(context.Context) error { return n.media.Run(sound) }
	parts, rest := errgroup.WithContext(rest)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n.tasks, n.ctx = errgroup.WithContext(ctx)
	n.tasks.Go(func() error { return n.calendar.Run(n.ctx) }) // until it ends others may begin
	for _, run := range []func(context.Context) error{n.directory.Run, n.reach.Run, n.gossip.Run, links, media, n.bootstrap.Run, n.locatable, n.web.Run, n.watchDirectory, n.capacity.Run, n.receive, n.ledger.Run, n.meetHosts} {
		parts.Go(func() error {
			err := run(rest)
			if err != nil && rest.Err() == nil {
				cancel() // a part that fails ends the node
			}
			return err
		})
	}
	written := store.WriteAPIFile(n.cfg.Home, n.web.Address(), n.token)
	if written == nil {
		n.resume()
		close(n.ready)
	} else {
		cancel()
	}
	select {
	case <-ctx.Done():
	case <-n.killed:
		n.gate.shut.Store(true)
		n.media.Cut()
		n.sockets.cut()
		n.host.Close()
		cancel()
	}
	n.gate.shut.Store(true)
	_ = n.tasks.Wait() // rooms say goodbye; they have no error to give
	stop()
	err := parts.Wait()
	n.host.Close()
	_ = n.sockets.close()
	_ = store.RemoveAPIFile(n.cfg.Home, n.web.Address(), n.token)
	n.store.Close()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(written, err)
}

// Ready is closed once Run serves: other programs find the node in its home.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// Kill ends Run the way a power cut would: sockets close, nobody is told. The
// home is left in order.
func (n *Node) Kill() { n.kill.Do(func() { close(n.killed) }) }

func (n *Node) now() time.Duration { return time.Since(n.started) }

// warn keeps a line for `earshot status`, and logs it.
func (n *Node) warn(line string) {
	n.log.Warn(line)
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.warnings) < 16 {
		n.warnings = append(n.warnings, line)
	}
}

// Peer gives the node's name and identity.
func (n *Node) Peer() (protocol.Name, protocol.PeerID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.name, n.self
}

// Addresses gives where others reach it, with its identity.
func (n *Node) Addresses() []multiaddr.Multiaddr {
	addrs, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: n.self, Addrs: n.addresses()})
	if err != nil {
		return nil
	}
	return addrs
}

// API gives the address of the HTTP API, and Page one with a token that opens
// the page once.
func (n *Node) API() string  { return n.web.Address() }
func (n *Node) Page() string { return n.web.PageURL() }
