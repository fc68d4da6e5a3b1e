// Package dht finds a room's nodes by the room's ID alone: a Kademlia table
// (Maymounkov and Mazières 2002; libp2p's kad-dht spec) of Earshot's nodes,
// joined through whoever is connected and takes part. It alone knows
// go-libp2p-kad-dht.
//
// A node that carries a listed room stores under the room's key that it does (a
// provider record), with the few nodes whose IDs are closest to the key. The key
// is a hash of the room's ID: whoever is asked for a room that they do not know
// learns nothing by which they could enter it. Unlisted rooms are not provided at
// all.
package dht

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	kad "github.com/libp2p/go-libp2p-kad-dht"
	providers "github.com/libp2p/go-libp2p-kad-dht/records"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2p "github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multihash"

	"github.com/earshot-audio/earshot/protocol"
)

// Implementation: ours to tune. The public IPFS network has some 10,000 servers
// that stay for hours; a federation has some ten, on machines that people close.
const (
	// bucketSize is Kademlia's k: as many hold a record, and a refresh asks as
	// many. Records are renewed each reprovide, within which not all of eight
	// vanish; a network of up to eight is asked whole, whatever the key.
	bucketSize = 8
	// concurrency is Kademlia's alpha: with k of 8 more would ask nodes that the
	// first answers make needless.
	concurrency = 3
	// refresh is how often parts of the table that nothing was looked up in are
	// looked at anew; each costs about bucketSize requests of 1 KB.
	refresh = 20 * time.Minute
	// lookupPatience bounds one lookup for a refresh.
	lookupPatience = 10 * time.Second
	// newcomersAtOnce are asked whether they answer before they are in the table.
	newcomersAtOnce = 16

	// A record is renewed each reprovide, and dropped after validity: whoever
	// relayed a room half an hour ago and fell silent is no use.
	reprovide = 10 * time.Minute
	validity  = 30 * time.Minute
	// sweep is how often dead records are dropped.
	sweep = 10 * time.Minute
	// wanted is after how many of a room's nodes a search ends.
	wanted = 8
)

// Config says what a DHT needs.
type Config struct {
	Host    host.Host
	Network string       // "": the common one
	Log     *slog.Logger // nil: nothing is logged
}

// DHT is a node's part in the table.
type DHT struct {
	host   host.Host
	prefix libp2p.ID
	log    *slog.Logger
	offers chan offer
	kad    *kad.IpfsDHT // from ready on
	ready  chan struct{}

	ctx    context.Context // of Run and all searches
	cancel context.CancelFunc

	mu       sync.Mutex // guards ended and adding to searches
	ended    bool
	searches sync.WaitGroup
}

// New makes a DHT; Run takes part.
func New(c Config) *DHT {
	d := &DHT{host: c.Host, prefix: protocol.DHTPrefix, log: c.Log, offers: make(chan offer, 2*provided), ready: make(chan struct{})}
	if c.Network != "" {
		d.prefix += libp2p.ID("/" + c.Network)
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Run takes part until ctx ends, and returns after all that it started. It is
// called once.
func (d *DHT) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, d.cancel)
	defer stop()
	defer d.end()
	gate := newGate(d.host)
	table, err := kad.New(gate, d.options()...)
	if err != nil {
		return err
	}
	d.kad = table
	close(d.ready)
	err = d.attend(d.ctx, gate)
	gate.set(false)
	if closed := table.Close(); err == nil {
		err = closed
	}
	return err
}

// end waits for the searches, and lets no other begin.
func (d *DHT) end() {
	d.cancel()
	d.mu.Lock()
	d.ended = true
	d.mu.Unlock()
	d.searches.Wait()
}

func (d *DHT) options() []kad.Option {
	return []kad.Option{
		kad.ProtocolPrefix(d.prefix),
		kad.Mode(kad.ModeServer), // who may ask is for gate to say
		kad.BucketSize(bucketSize),
		kad.Concurrency(concurrency),
		kad.RoutingTableRefreshPeriod(refresh),
		kad.RoutingTableRefreshQueryTimeout(lookupPatience),
		kad.LookupCheckConcurrency(newcomersAtOnce),
		kad.DisableValues(),
		kad.Datastore(newRecords()),
		kad.ProviderManagerOpts(providers.ProvideValidity(validity), providers.ProviderAddrTTL(validity), providers.CleanupInterval(sweep)),
		kad.AddressFilter(filter(d.host)),
		kad.QueryFilter(func(_ any, p peer.AddrInfo) bool {
			return d.host.Network().Connectedness(p.ID) == network.Connected || len(filter(d.host)(p.Addrs)) > 0
		}),
	}
}

// speaks says whether p answers questions of this table.
func (d *DHT) speaks(p peer.ID) bool {
	s, err := d.host.Peerstore().SupportsProtocols(p, d.prefix+"/kad/1.0.0")
	return err == nil && len(s) > 0
}

// Find gives nodes that carry a room, as they are found, until ctx or the search
// ends; the channel is closed then.
func (d *DHT) Find(ctx context.Context, room protocol.RoomID) <-chan peer.AddrInfo {
	found := make(chan peer.AddrInfo)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		close(found)
		return found
	}
	d.searches.Go(func() {
		defer close(found)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stop := context.AfterFunc(d.ctx, cancel)
		defer stop()
		select {
		case <-d.ready:
			pass(ctx, d.host, d.kad.FindProvidersAsync(ctx, key(room[:]), wanted), func(info peer.AddrInfo) {
				select {
				case found <- info:
				case <-ctx.Done():
				}
			})
		case <-ctx.Done():
		}
	})
	return found
}

// pass hands on whoever of those found is somebody else and can be dialled.
func pass(ctx context.Context, h host.Host, found <-chan peer.AddrInfo, to func(peer.AddrInfo)) {
	for info := range found {
		if len(info.Addrs) == 0 {
			info = h.Peerstore().PeerInfo(info.ID)
		}
		info.Addrs = filter(h)(info.Addrs)
		if info.ID != h.ID() && len(info.Addrs) > 0 && ctx.Err() == nil {
			to(info)
		}
	}
}

// key is the place of something in the table: its SHA-256, as a CID of raw bytes.
func key(of []byte) cid.Cid {
	sum, err := multihash.Sum(of, multihash.SHA2_256, -1)
	if err != nil {
		panic(err) // SHA2_256 is always there
	}
	return cid.NewCidV1(cid.Raw, sum)
}
