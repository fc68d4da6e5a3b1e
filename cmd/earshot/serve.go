package main

import (
	"context"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/node"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// nodeConfig is what the settings say of the node. They were checked before.
func (p *program) nodeConfig() (node.Config, error) {
	s := p.settings
	var name protocol.Name
	var err error
	if typed := s.text("name"); typed != "" {
		if name, err = protocol.ParseName(typed); err != nil {
			return node.Config{}, err
		}
	}
	listen, err := multiaddrs(s.list("listen"))
	if err != nil {
		return node.Config{}, err
	}
	bootstrap, err := multiaddrs(s.list("bootstrap"))
	if err != nil {
		return node.Config{}, err
	}
	maxUpload, err := parseRate(s.text("max-upload"))
	if err != nil {
		return node.Config{}, err
	}
	mediaPort, err := strconv.Atoi(s.text("media-port"))
	if err != nil {
		return node.Config{}, err
	}
	guests, err := s.doorConfig()
	if err != nil {
		return node.Config{}, err
	}
	return node.Config{
		Home:      s.home(),
		Name:      name,
		Network:   s.text("network"),
		Listen:    listen,
		Bootstrap: bootstrap,
		API:       s.text("api"),
		APIGiven:  s.value("api").set(),
		MDNS:      !s.on("no-mdns"),
		DHT:       !s.on("no-dht"),
		Lend:      !s.on("no-lend"),
		RelayOnly: s.on("relay-only"),
		Circuits:  s.text("circuits"),
		PortMap:   !s.on("no-portmap"),
		MaxUpload: maxUpload,
		MediaPort: mediaPort,
		Guests:    guests,
		Page:      p.page(),
		Version:   version,
		Log:       p.log,
	}, nil
}

// page is the page's files where EARSHOT_PAGE names a directory of them, for who
// works on the page; nil: those in the program.
func (p *program) page() fs.FS {
	if dir, _ := p.env("EARSHOT_PAGE"); dir != "" {
		return os.DirFS(dir)
	}
	return nil
}

func multiaddrs(words []string) ([]multiaddr.Multiaddr, error) {
	var addrs []multiaddr.Multiaddr
	for _, w := range words {
		a, err := multiaddr.NewMultiaddr(w)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}

// serve runs the node until ctx ends, and calls ready once other commands find
// it, and alone if nobody is known after it had time to look around.
func (p *program) serve(ctx context.Context, ready func(readyLine) error, alone func() error) error {
	cfg, err := p.nodeConfig()
	if err != nil {
		return err
	}
	n, err := node.New(cfg)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		defer stop()
		ended <- n.Run(ctx)
	}()
	select {
	case <-n.Ready():
		err = ready(readyOf(n))
	case <-ctx.Done():
	}
	if err == nil {
		err = lookAround(ctx, n, firstContact, alone)
	}
	if err != nil {
		stop()
		<-ended
		return err
	}
	return <-ended
}

// firstContact is what a node gets to find others before it is called alone:
// mDNS and remembered peers answer within a second or two, or not at all.
const firstContact = 5 * time.Second

// lookAround calls alone if the node has nobody after a while.
func lookAround(ctx context.Context, n interface {
	Status(context.Context) (web.Status, error)
}, after time.Duration, alone func() error) error {
	wait := time.NewTimer(after)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return nil
	}
	s, err := n.Status(ctx)
	if err != nil || !s.Alone {
		return nil // the node tells by itself if it fails
	}
	return alone()
}

// readyOf is what the ready line says of a node.
func readyOf(n *node.Node) readyLine {
	name, id := n.Peer()
	addrs := []string{}
	for _, a := range n.Addresses() {
		addrs = append(addrs, a.String())
	}
	return readyLine{"ready", string(name), id.String(), addrs, n.API(), n.Page(), n.Door()}
}
