// Package gossip carries announcements and the words of a room over GossipSub,
// and tells a neighbour that joins what is live. It alone knows
// go-libp2p-pubsub.
//
// What travels proves itself: an announcement by its envelope, a room's message
// by its own signature. So pubsub's signatures are off (StrictNoSign), which
// spares each hop one verification and names no publisher; a message is known
// by the hash of its topic and content. The topic belongs in there: else
// whoever repeats a room's message in another topic, where it is ignored, would
// have it taken for a duplicate in its own.
package gossip

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/protocol"
)

// Implementation: ours to tune.
const (
	// maxRPC bounds what a neighbour sends at once; pubsub splits what is larger.
	maxRPC = 64 << 10
	// sendQueue is how many RPCs wait for a neighbour (pubsub's default is 32).
	sendQueue = 256
	// outbox is how many of our own messages wait to be published.
	outbox = 256
	// grafts is how many new edges of the directory's mesh wait to be looked at.
	grafts = 32
	// validations is how many messages wait for a validator. Those that don't
	// fit are dropped before they count as seen, so a neighbour's IHAVE brings
	// them back.
	validations = 1024
	// seenSpan is how long a message counts as a duplicate here. The directory
	// and the rooms tell replays by their sequences.
	seenSpan = time.Minute
	// patience bounds one publication's wait for pubsub's loop.
	patience = 2 * time.Second
)

// heartbeat is that of Ethereum's consensus layer: meshes form, and a message
// missed is asked for, within 0.7 s.
const heartbeat = 700 * time.Millisecond

// Errors of Announce, Join and Publish.
var (
	ErrRefused = errors.New("the announcement does not hold: see what signed it")
	ErrJoined  = errors.New("the room's topic is joined already")
	ErrEnded   = errors.New("gossip has ended")
	ErrBusy    = errors.New("too much waits to be published; try again")
)

// Directory is what gossip needs of discovery.Directory.
type Directory interface {
	Offer(envelope []byte, remaining time.Duration) discovery.Verdict
	Entries(most int) []discovery.DirectoryEntry
}

// Config says what a Gossip needs.
type Config struct {
	Host      host.Host
	Network   string // "": the common one
	Directory Directory
	Found     func(peer.AddrInfo) // a peer that a neighbour tells of; it must not wait; nil: nobody cares
	Log       *slog.Logger        // nil: nothing is logged
}

// Gossip is a node's part in the directory topic, in the topics of rooms and in
// directory sync.
type Gossip struct {
	host      host.Host
	directory Directory
	found     func(peer.AddrInfo)
	log       *slog.Logger
	pubsub    *pubsub.PubSub
	rooms     *pubsub.Topic // the directory's
	arrivals  *pubsub.TopicEventHandler
	outbox    chan message
	own       chan announcement
	requests  chan network.Stream
	grafts    chan peer.ID // that entered the directory topic's mesh
	outbound  *outbound
	counts    counts

	whereabouts *whereabouts
	announced   *announced

	ctx    context.Context // of pubsub and of all that Run started
	cancel context.CancelFunc

	mu      sync.Mutex // guards ended and adding to readers
	ended   bool
	readers sync.WaitGroup // of rooms' subscriptions
}

// message is one to be published.
type message struct {
	topic *pubsub.Topic
	data  []byte
}

// New joins the directory topic. Run must follow, and ends all of it.
func New(c Config) (*Gossip, error) {
	g := &Gossip{host: c.Host, directory: c.Directory, found: c.Found, log: c.Log,
		outbox: make(chan message, outbox), own: make(chan announcement), requests: make(chan network.Stream, waiting), grafts: make(chan peer.ID, grafts),
		outbound: newOutbound(), whereabouts: newWhereabouts(), announced: newAnnounced()}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.found == nil {
		g.found = func(peer.AddrInfo) {}
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	if err := g.start(directoryTopic(c.Network)); err != nil {
		g.cancel()
		return nil, err
	}
	g.host.SetStreamHandler(protocol.DirectoryStream, g.request)
	return g, nil
}

func directoryTopic(network string) string {
	if network == "" {
		return protocol.RoomsTopic
	}
	return protocol.RoomsTopic + "/" + network
}

func (g *Gossip) start(topic string) (err error) {
	n := newNeighbours(topic, g.host, &g.counts)
	params := pubsub.DefaultGossipSubParams()
	params.HeartbeatInterval = heartbeat
	g.pubsub, err = pubsub.NewGossipSub(g.ctx, staying{g.host},
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithGossipSubParams(params),
		// Our own messages go to every neighbour in the topic, in the mesh or
		// not: a pulse is there in one hop, and none waits for a GRAFT.
		pubsub.WithFloodPublish(true),
		pubsub.WithPeerScore(scores()),
		pubsub.WithMaxMessageSize(maxRPC),
		pubsub.WithMaxControlMessageSize(maxRPC),
		pubsub.WithPeerOutboundQueueSize(sendQueue),
		pubsub.WithSeenMessagesTTL(seenSpan),
		pubsub.WithValidateQueueSize(validations),
		pubsub.WithValidateWorkers(max(2, runtime.NumCPU())),
		pubsub.WithSubscriptionFilter(n),
		pubsub.WithAppSpecificRpcInspector(n.inspect),
		pubsub.WithRawTracer(tracer{topic, g.grafts, g.outbound}),
	)
	if err != nil {
		return err
	}
	g.rooms, err = g.join(topic, g.validateAnnouncement)
	if err != nil {
		return err
	}
	// The directory is fed by the validator; subscribing makes pubsub listen.
	if _, err = g.rooms.Relay(); err != nil {
		return err
	}
	g.arrivals, err = g.rooms.EventHandler()
	return err
}

// messageID names a message by its topic and content, for pubsub.
func messageID(m *pb.Message) string {
	h := sha256.New()
	h.Write([]byte(m.GetTopic()))
	h.Write([]byte{0})
	h.Write(m.GetData())
	var sum [sha256.Size]byte
	return string(h.Sum(sum[:0])[:20])
}

// Run gossips until ctx ends, and returns after all that it started. It is
// called once.
func (g *Gossip) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return g.publish(ctx) })
	group.Go(func() error { return g.announce(ctx) })
	group.Go(func() error { return g.sync(ctx) })
	group.Go(func() error { return g.serve(ctx) })
	err := group.Wait()

	g.mu.Lock()
	g.ended = true
	g.mu.Unlock()
	g.host.RemoveStreamHandler(protocol.DirectoryStream)
	g.cancel()
	g.readers.Wait()
	return err
}

// post puts a message into the outbox; it never waits.
func (g *Gossip) post(m message) error {
	if g.ctx.Err() != nil {
		return ErrEnded
	}
	select {
	case g.outbox <- m:
		return nil
	default:
		g.counts.unsent.Add(1)
		return ErrBusy
	}
}

// publish hands what waits in the outbox to pubsub.
func (g *Gossip) publish(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-g.outbox:
			short, cancel := context.WithTimeout(ctx, patience)
			err := m.topic.Publish(short, m.data)
			cancel()
			if err != nil && ctx.Err() == nil && !errors.Is(err, pubsub.ErrTopicClosed) {
				g.counts.unsent.Add(1)
				g.log.Warn("not published", "topic", m.topic.String(), "error", err)
			}
		}
	}
}

// join joins a topic with its validator. Validators run inline, on pubsub's few
// workers: that bounds them, without a goroutine a message.
func (g *Gossip) join(topic string, validate pubsub.ValidatorEx) (*pubsub.Topic, error) {
	if err := g.pubsub.RegisterTopicValidator(topic, validate, pubsub.WithValidatorInline(true)); err != nil {
		return nil, ErrJoined
	}
	t, err := g.pubsub.Join(topic)
	if err == nil {
		err = t.SetScoreParams(topicScore())
	}
	if err != nil {
		return nil, errors.Join(err, g.pubsub.UnregisterTopicValidator(topic))
	}
	return t, nil
}

// result counts a verdict and puts it into pubsub's words.
func (g *Gossip) result(v discovery.Verdict) pubsub.ValidationResult {
	switch v {
	case discovery.Accept:
		g.counts.accepted.Add(1)
		return pubsub.ValidationAccept
	case discovery.Reject:
		g.counts.rejected.Add(1)
		return pubsub.ValidationReject
	}
	g.counts.ignored.Add(1)
	return pubsub.ValidationIgnore
}
