package demo

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/node"
	"github.com/earshot-audio/earshot/protocol"
)

// stopPatience bounds how long the nodes may take to say goodbye.
const stopPatience = 15 * time.Second

// federation is several nodes on this machine, each a whole one: a home, an
// identity, sockets of its own. They share nothing but the process.
type federation struct {
	homes   string
	members []*member
}

// member is one of the nodes.
type member struct {
	name  string
	id    string
	cfg   node.Config
	node  *node.Node
	stop  context.CancelFunc
	ended chan struct{} // closed when it has, and then
	err   error         // why
}

// found starts a node for each name. The first knows nobody, each other one the
// address of the one before it. cut is for the page of the person's own.
func found(names []string, version string, log *slog.Logger, cut func() bool) (f *federation, err error) {
	f = &federation{}
	if f.homes, err = os.MkdirTemp("", "earshot-demo-homes-"); err != nil {
		return nil, err
	}
	for _, name := range names {
		cfg := node.Config{
			Home: filepath.Join(f.homes, name), Name: protocol.Name(name), API: "127.0.0.1:0", APIGiven: true, Lend: true, Version: version, Log: log.With("node", name),
			Listen: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/udp/0/quic-v1"), multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")},
		}
		if name == own {
			cfg.Lend, cfg.Cut = false, cut
		}
		if len(f.members) > 0 {
			cfg.Bootstrap = f.members[len(f.members)-1].node.Addresses()
		}
		m := &member{name: name, cfg: cfg}
		if err := m.start(); err != nil {
			return nil, errors.Join(err, f.end())
		}
		f.members = append(f.members, m)
	}
	return f, nil
}

// start makes the node and runs it.
func (m *member) start() error {
	n, err := node.New(m.cfg)
	if err != nil {
		return err
	}
	_, id := n.Peer()
	ctx, stop := context.WithCancel(context.Background())
	m.id, m.node, m.stop, m.ended = id.String(), n, stop, make(chan struct{})
	go func() {
		defer close(m.ended)
		m.err = n.Run(ctx)
	}()
	return nil
}

// restart starts a node again that was killed: the same one, by its home.
func (f *federation) restart(m *member) error {
	<-m.ended
	if m.err != nil {
		return m.err
	}
	m.stop()
	next := f.members[(slices.Index(f.members, m)+1)%len(f.members)] // runs: only one is down at a time
	m.cfg.Bootstrap = next.node.Addresses()
	return m.start()
}

// member gives the node of a name.
func (f *federation) member(name string) *member {
	return f.members[slices.IndexFunc(f.members, func(m *member) bool { return m.name == name })]
}

// nameOf gives the name of a peer ID; "" if it is nobody's.
func (f *federation) nameOf(id string) string {
	for _, m := range f.members {
		if m.id == id {
			return m.name
		}
	}
	return ""
}

// end stops all nodes at once, and takes their homes away.
func (f *federation) end() error {
	for _, m := range f.members {
		m.stop()
	}
	late := time.NewTimer(stopPatience)
	defer late.Stop()
	var err error
	for _, m := range f.members {
		select {
		case <-m.ended:
			err = errors.Join(err, m.err)
		case <-late.C:
			return errors.Join(err, errors.New(m.name+"'s node does not end"), os.RemoveAll(f.homes))
		}
	}
	return errors.Join(err, os.RemoveAll(f.homes))
}
