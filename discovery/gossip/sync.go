package gossip

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-msgio/pbio"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// Implementation: how directory sync asks.
const (
	// enough neighbours have told us what is live.
	enough = 2
	// syncPatience bounds one exchange, asking or answering.
	syncPatience = 10 * time.Second
	// syncRetry is the pause before neighbours that did not answer are asked again.
	syncRetry = 15 * time.Second

	maxRequestBytes  = 64
	maxResponseBytes = 640 << 10
	// entryOverhead is what an entry takes besides its envelope, at most.
	entryOverhead = 16
)

// Why an answer was not taken to its end.
var (
	errTooMany = errors.New("more entries than asked for")
	errUntrue  = errors.New("an announcement that does not hold")
)

// answer is how asking a neighbour ended.
type answer struct {
	from peer.ID
	err  error
}

// asker knows which neighbours told us what is live; sync's goroutine owns it.
type asker struct {
	gossip     *Gossip
	neighbours map[peer.ID]*told // connected ones that were asked
	answers    chan answer
	asking     int
}

// told is how far asking a neighbour got.
type told struct {
	asking, ever, again bool
}

// sync asks the first neighbours for what is live, and later ones for as long
// as fewer than enough of those connected have told us. Each is asked again
// once it and we are in one another's mesh: what passed it between its answer
// and that moment, GossipSub neither forwards to us nor offers by IHAVE.
func (g *Gossip) sync(ctx context.Context) error {
	events, err := g.host.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated), new(event.EvtPeerConnectednessChanged),
	}, eventbus.BufSize(256))
	if err != nil {
		return err
	}
	defer events.Close()
	a := &asker{gossip: g, neighbours: make(map[peer.ID]*told), answers: make(chan answer, 2*enough)}
	retry := time.NewTicker(syncRetry)
	defer retry.Stop()
	a.askConnected(ctx)
	for {
		select {
		case <-ctx.Done():
			for ; a.asking > 0; a.asking-- {
				<-a.answers
			}
			return nil
		case e := <-events.Out():
			a.met(ctx, e)
		case p := <-g.grafts:
			a.grafted(ctx, p)
		case answer := <-a.answers:
			a.heard(ctx, answer)
		case <-retry.C:
			for p, n := range a.neighbours {
				if !n.asking && !n.ever {
					delete(a.neighbours, p) // it may be asked anew
				}
			}
			a.askConnected(ctx)
		}
	}
}

// met takes in what libp2p says of a neighbour.
func (a *asker) met(ctx context.Context, e any) {
	switch e := e.(type) {
	case event.EvtPeerIdentificationCompleted:
		a.consider(ctx, e.Peer)
	case event.EvtPeerProtocolsUpdated:
		a.consider(ctx, e.Peer)
	case event.EvtPeerConnectednessChanged:
		if e.Connectedness == network.NotConnected {
			delete(a.neighbours, e.Peer)
			a.askConnected(ctx)
		}
	}
}

func (a *asker) askConnected(ctx context.Context) {
	for _, p := range a.gossip.host.Network().Peers() {
		a.consider(ctx, p)
	}
}

// consider asks p if that is of use: it speaks directory sync, was not asked
// yet, and too few others told us or are about to.
func (a *asker) consider(ctx context.Context, p peer.ID) {
	h := a.gossip.host
	if a.neighbours[p] != nil || a.useful() >= enough || h.Network().Connectedness(p) != network.Connected {
		return
	}
	if speaks, err := h.Peerstore().SupportsProtocols(p, protocol.DirectoryStream); err != nil || len(speaks) == 0 {
		return
	}
	a.neighbours[p] = &told{}
	a.ask(ctx, p)
}

func (a *asker) ask(ctx context.Context, p peer.ID) {
	a.neighbours[p].asking = true
	a.asking++
	a.gossip.counts.asked.Add(1)
	go func() { a.answers <- answer{p, a.gossip.askNeighbour(ctx, p)} }()
}

// useful counts the neighbours that told us or are about to.
func (a *asker) useful() (n int) {
	for _, t := range a.neighbours {
		if t.asking || t.ever {
			n++
		}
	}
	return n
}

// grafted asks p again, now that nothing more is missed.
func (a *asker) grafted(ctx context.Context, p peer.ID) {
	switch n := a.neighbours[p]; {
	case n == nil:
	case n.asking:
		n.again = true
	case n.ever:
		a.ask(ctx, p)
	}
}

func (a *asker) heard(ctx context.Context, r answer) {
	a.asking--
	n := a.neighbours[r.from]
	if n != nil {
		n.asking = false
	}
	if r.err != nil {
		a.gossip.log.Debug("no directory from a neighbour", "peer", r.from, "error", r.err)
		a.askConnected(ctx) // another one
		return
	}
	a.gossip.counts.answered.Add(1)
	if n == nil {
		return
	}
	n.ever = true
	if n.again {
		n.again = false
		a.ask(ctx, r.from)
	}
}

// askNeighbour takes in what a neighbour says is live.
func (g *Gossip) askNeighbour(ctx context.Context, p peer.ID) error {
	ctx, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	s, err := g.host.NewStream(ctx, p, protocol.DirectoryStream)
	if err != nil {
		return err
	}
	defer s.Reset() // nothing after a clean Close
	// Ends reads and writes with ctx.
	stop := context.AfterFunc(ctx, func() { s.Reset() })
	defer stop()
	if err := pbio.NewDelimitedWriter(s).WriteMsg(&pb.DirectoryRequest{Most: protocol.MaxDirectoryEntries}); err != nil {
		return err
	}
	if err := s.CloseWrite(); err != nil {
		return err
	}
	if err := g.takeResponse(ctx, s); err != nil {
		return err
	}
	return s.Close()
}

// takeResponse reads a DirectoryResponse and offers its entries. One that is
// provably bad ends it: a neighbour serves only what it has verified.
func (g *Gossip) takeResponse(ctx context.Context, r io.Reader) error {
	var m pb.DirectoryResponse
	if err := pbio.NewDelimitedReader(r, maxResponseBytes).ReadMsg(&m); err != nil {
		return err
	}
	if len(m.Entries) > protocol.MaxDirectoryEntries {
		return errTooMany
	}
	for _, e := range m.Entries {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		remaining := time.Duration(e.GetRemainingMs()) * time.Millisecond
		if remaining == 0 {
			continue // dead already
		}
		if g.directory.Offer(e.GetEnvelope(), remaining) == discovery.Reject {
			g.counts.rejected.Add(1)
			return errUntrue
		}
	}
	return nil
}
