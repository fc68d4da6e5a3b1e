package gossip

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-msgio/pbio"
	"golang.org/x/time/rate"

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
	syncRetry = 5 * time.Second

	// returnInterval is how long a neighbour that came back is not asked again.
	returnInterval = 30 * time.Second
	// Of questions to neighbours that came back, when enough others have told
	// us: all of them come back at once when our own connection does.
	returnPause   = 5 * time.Second
	returnsAtOnce = 4
	// tellersKept are known, with those that are gone.
	tellersKept = 512

	// maxOwn of its own announcements travel with a request.
	maxOwn           = 8
	maxRequestBytes  = 64 + maxOwn*(protocol.MaxAnnouncementBytes+8)
	maxResponseBytes = 640 << 10
	// entryOverhead is what an entry takes besides its envelope, at most.
	entryOverhead = 16
	// newsPassedOn of an answer are published; with more rooms than that, a
	// neighbour's refreshes make good what is missed.
	newsPassedOn = 64
)

// Why an answer was not taken to its end.
var (
	errTooMany = errors.New("more entries than asked for")
	errUntrue  = errors.New("an announcement that does not hold")
)

// answer is how asking a neighbour ended.
type answer struct {
	from  peer.ID
	found []peer.AddrInfo
	err   error
}

// asker knows which neighbours told us what is live; sync's goroutine owns it.
type asker struct {
	gossip  *Gossip
	tellers map[peer.ID]*teller
	answers chan answer
	asking  int
	returns *rate.Limiter
}

// teller is a neighbour that speaks directory sync, or one that is gone.
type teller struct {
	met, left time.Time // met is zero once it has left
	asked     time.Time
	heard     time.Time // when it was asked what it told last
	asking    bool
	failed    bool // to answer; the next retry forgives it
	told      bool // since it was met
	again     bool // to be asked once more when it has answered
	back      bool // it had left, and has not told since: its side may know what ours does not
	heeded    *rate.Limiter
	rounds    *rate.Limiter // see round
}

// sync asks the first neighbours for what is live, and later ones for as long
// as fewer than enough of those connected have told us; those that come back
// are asked however many have. Each is asked again once it and we are in one
// another's mesh: what passed it between its answer and that moment, GossipSub
// neither forwards to us nor offers by IHAVE. Those that gossip does not reach
// are asked in rounds.
func (g *Gossip) sync(ctx context.Context) error {
	events, err := g.host.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated), new(event.EvtPeerConnectednessChanged),
	}, eventbus.BufSize(256))
	if err != nil {
		return err
	}
	defer events.Close()
	a := &asker{gossip: g, tellers: make(map[peer.ID]*teller), answers: make(chan answer, 2*enough),
		returns: rate.NewLimiter(rate.Every(returnPause), returnsAtOnce)}
	retry := time.NewTicker(syncRetry)
	defer retry.Stop()
	round := time.NewTicker(roundInterval)
	defer round.Stop()
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
		case <-g.announced.news:
			a.tell(ctx)
		case <-round.C:
			a.round(ctx)
		case <-retry.C:
			for _, t := range a.tellers {
				t.failed = false
			}
			a.askConnected(ctx)
			a.seek(ctx)
		}
	}
}

// met takes in what libp2p says of a neighbour.
func (a *asker) met(ctx context.Context, e any) {
	switch e := e.(type) {
	case event.EvtPeerIdentificationCompleted:
		if len(e.ListenAddrs) > 0 && a.gossip.host.Network().Connectedness(e.Peer) != network.NotConnected {
			a.gossip.whereabouts.note(e.Peer, e.ListenAddrs)
		}
		a.consider(ctx, e.Peer)
	case event.EvtPeerProtocolsUpdated:
		a.consider(ctx, e.Peer)
	case event.EvtPeerConnectednessChanged:
		if e.Connectedness == network.NotConnected {
			a.lost(e.Peer)
			a.askConnected(ctx)
		}
	}
}

func (a *asker) lost(p peer.ID) {
	a.gossip.whereabouts.forget(p)
	t := a.tellers[p]
	if t == nil {
		return
	}
	t.met, t.left, t.told, t.again = time.Time{}, time.Now(), false, false
	if len(a.tellers) > tellersKept {
		a.forgetOldest()
	}
}

// forgetOldest forgets who left first.
func (a *asker) forgetOldest() {
	var oldest peer.ID
	for p, t := range a.tellers {
		if t.met.IsZero() && !t.asking && (oldest == "" || t.left.Before(a.tellers[oldest].left)) {
			oldest = p
		}
	}
	delete(a.tellers, oldest)
}

func (a *asker) askConnected(ctx context.Context) {
	for _, p := range a.gossip.host.Network().Peers() {
		a.consider(ctx, p)
	}
}

// meet gives the teller that p is, if it is connected and speaks directory sync.
func (a *asker) meet(p peer.ID) *teller {
	if !a.gossip.neighbour(p) {
		return nil
	}
	t, now := a.tellers[p], time.Now()
	switch {
	case t == nil:
		t = &teller{met: now, heeded: rate.NewLimiter(rate.Every(heedInterval), heeded), rounds: rate.NewLimiter(rate.Every(roundPace), asksAtOnce)}
		a.tellers[p] = t
	case t.met.IsZero():
		t.met, t.back, t.failed = now, true, false
	}
	if w := a.gossip.whereabouts; !w.has(p) { // identified before we listened
		w.note(p, a.gossip.host.Peerstore().Addrs(p))
	}
	return t
}

// consider asks p if that is of use: it was not asked yet, and too few others
// told us or are about to; or it was away.
func (a *asker) consider(ctx context.Context, p peer.ID) {
	t := a.meet(p)
	switch {
	case t == nil, t.asking, t.failed:
	case !t.told && a.useful(p) < enough,
		t.back && time.Since(t.asked) >= returnInterval && a.returns.Allow():
		a.ask(ctx, p, t, protocol.MaxDirectoryEntries)
	}
}

// useful counts the neighbours that told us or are about to; where gossip reaches
// p, only such as it reaches too: what the others told ages.
func (a *asker) useful(p peer.ID) (n int) {
	reached := a.gossip.reaches(p)
	for q, t := range a.tellers {
		if !t.met.IsZero() && (t.asking || t.told) && (!reached || a.gossip.reaches(q)) {
			n++
		}
	}
	return n
}

// ask asks p for up to most announcements and for some of its neighbours.
func (a *asker) ask(ctx context.Context, p peer.ID, t *teller, most uint32) {
	request := &pb.DirectoryRequest{Most: most}
	if !a.gossip.reaches(p) {
		a.limit(request, t)
	}
	t.asking, t.asked = true, time.Now()
	a.asking++
	a.gossip.counts.asked.Add(1)
	go func() {
		found, err := a.gossip.askNeighbour(ctx, p, request)
		a.answers <- answer{p, found, err}
	}()
}

// grafted asks p again, now that nothing more is missed.
func (a *asker) grafted(ctx context.Context, p peer.ID) {
	switch t := a.tellers[p]; {
	case t == nil:
	case t.asking:
		t.again = true
	case t.told, t.failed:
		a.ask(ctx, p, t, protocol.MaxDirectoryEntries)
	}
}

// seek asks a neighbour whom else it knows, while we have few. When it was asked
// first, it may have known nobody yet.
func (a *asker) seek(ctx context.Context) {
	var told []peer.ID
	met := 0
	for p, t := range a.tellers {
		if !t.met.IsZero() {
			met++
		}
		if t.told && !t.asking {
			told = append(told, p)
		}
	}
	if len(told) == 0 || met >= few {
		return
	}
	p := told[rand.IntN(len(told))]
	if t := a.tellers[p]; time.Since(t.asked) >= seekInterval {
		a.ask(ctx, p, t, 1)
	}
}

func (a *asker) heard(ctx context.Context, r answer) {
	a.asking--
	t := a.tellers[r.from] // not forgotten while it is asked
	t.asking = false
	if r.err != nil {
		t.failed = t.met.Before(t.asked) // or else it is here anew
		a.gossip.log.Debug("no directory from a neighbour", "peer", r.from, "error", r.err)
		a.askConnected(ctx) // another one
	} else {
		a.gossip.counts.answered.Add(1)
		a.heed(t, r.found)
		if !t.met.IsZero() {
			t.told, t.back, t.heard = true, false, t.asked
		}
	}
	if t.again && !t.asking && !t.met.IsZero() {
		t.again = false
		a.ask(ctx, r.from, t, protocol.MaxDirectoryEntries)
	}
}

// heed hands on those whom a neighbour told of, within its share.
func (a *asker) heed(t *teller, found []peer.AddrInfo) {
	for _, info := range found {
		switch h := a.gossip.host; {
		case info.ID == h.ID(), h.Network().Connectedness(info.ID) == network.Connected:
		case t.heeded.Allow():
			a.gossip.counts.found.Add(1)
			a.gossip.found(info)
		default:
			a.gossip.counts.unheeded.Add(1)
		}
	}
}

// askNeighbour takes in what a neighbour says is live, and gives whom it knows.
func (g *Gossip) askNeighbour(ctx context.Context, p peer.ID, request *pb.DirectoryRequest) ([]peer.AddrInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	const why = "directory sync" // asks who is here, and dials nobody
	s, err := g.host.NewStream(network.WithNoDial(network.WithAllowLimitedConn(ctx, why), why), p, protocol.DirectoryStream)
	if err != nil {
		return nil, err
	}
	defer s.Reset() // nothing after a clean Close
	// Ends reads and writes with ctx.
	stop := context.AfterFunc(ctx, func() { s.Reset() })
	defer stop()
	if err := pbio.NewDelimitedWriter(s).WriteMsg(request); err != nil {
		return nil, err
	}
	if err := s.CloseWrite(); err != nil {
		return nil, err
	}
	var cutOff peer.ID
	if s.Conn().Stat().Limited {
		cutOff = p
	}
	neighbours, err := g.takeResponse(ctx, s, cutOff)
	if err != nil {
		return nil, err
	}
	return believed(neighbours, s.Conn().RemoteMultiaddr()), s.Close()
}

// takeResponse reads a DirectoryResponse, offers its entries and gives its
// neighbours. An entry that is provably bad ends it: a neighbour serves only what
// it has verified. What is news is published: those behind us may have asked us
// before, and gossip brings them only what it brings us. All of it if it is from
// one whom gossip does not reach (cutOff) of itself.
func (g *Gossip) takeResponse(ctx context.Context, r io.Reader, cutOff peer.ID) ([]*pb.Address, error) {
	var m pb.DirectoryResponse
	if err := pbio.NewDelimitedReader(r, maxResponseBytes).ReadMsg(&m); err != nil {
		return nil, err
	}
	if len(m.Entries) > protocol.MaxDirectoryEntries || len(m.Neighbours) > acquaintancesTold {
		return nil, errTooMany
	}
	news := 0
	for _, e := range m.Entries {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		remaining := time.Duration(e.GetRemainingMs()) * time.Millisecond
		if remaining == 0 {
			continue // dead already
		}
		switch g.directory.Offer(e.GetEnvelope(), remaining) {
		case discovery.Reject:
			g.counts.rejected.Add(1)
			return nil, errUntrue
		case discovery.Accept:
			if news++; news <= newsPassedOn || announces(cutOff, e.GetEnvelope()) {
				g.passOn(e.GetEnvelope())
			}
		}
	}
	return m.Neighbours, nil
}
