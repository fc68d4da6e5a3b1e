package gossip

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// GossipSub keeps off limited connections: circuits through a relay that counts
// their bytes and minutes (libp2p's circuit v2). A node that has no others takes
// part by directory sync: it asks again and again, and what it announces itself
// travels with its questions. Circuits without limits are like any connection.

// Implementation: by libp2p's defaults a relay ends a circuit after 128 KiB.
const (
	// roundInterval is how often neighbours that gossip does not reach are asked
	// for what is new, while there are no others.
	roundInterval = 10 * time.Second
	// roundPace is that of one neighbour: a little slower than it answers.
	roundPace = askInterval + time.Second
	// newestSlack is by how much a question for what is new overlaps the last.
	newestSlack = 2 * time.Second
	// limitedEntries are asked for, and limitedBytes given, over such a connection.
	limitedEntries = 32
	limitedBytes   = 32 << 10
)

// reaches says whether gossip reaches a connected peer.
func (g *Gossip) reaches(p peer.ID) bool {
	return g.host.Network().Connectedness(p) == network.Connected
}

// tell has what we announce now travel with a question, if gossip reaches nobody:
// those under way left without it.
func (a *asker) tell(ctx context.Context) {
	if !a.cutOff() {
		return
	}
	for _, t := range a.tellers {
		t.again = t.again || t.asking
	}
	a.round(ctx)
}

// round asks a few neighbours again while gossip reaches none of them.
func (a *asker) round(ctx context.Context) {
	if !a.cutOff() {
		return
	}
	asked := 0
	for p, t := range a.tellers { // in random order
		if !t.met.IsZero() && !t.asking && !t.failed && asked < enough && t.rounds.Tokens() >= 1 {
			a.ask(ctx, p, t, limitedEntries)
			asked++
		}
	}
}

// cutOff says whether there are neighbours and gossip reaches none of them.
func (a *asker) cutOff() bool {
	here := false
	for p, t := range a.tellers {
		if t.met.IsZero() {
			continue
		}
		if a.gossip.reaches(p) {
			return false
		}
		here = true
	}
	return here
}

// limit makes a request one for a neighbour that gossip does not reach: for
// little, for what is new if it has told before, and with what we announce.
func (a *asker) limit(request *pb.DirectoryRequest, t *teller) {
	request.Most = min(request.Most, limitedEntries)
	request.Own = a.gossip.announced.live()
	if t.told {
		request.NewestMs = uint32((time.Since(t.heard) + newestSlack) / time.Millisecond)
	}
	t.rounds.Allow()
}

// announced holds what this node announces while it lives.
type announced struct {
	mu   sync.Mutex
	said []said        // newest last, one a room
	news chan struct{} // told, and never waited for, when there is one more
}

// said is an announcement of this node's own.
type said struct {
	room     protocol.RoomID
	envelope []byte
	dies     time.Time
}

func newAnnounced() *announced { return &announced{news: make(chan struct{}, 1)} }

// put takes one in, in place of its room's last; of too many, the oldest go.
func (a *announced) put(room protocol.RoomID, envelope []byte, life time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	kept := a.said[:0]
	for _, s := range a.said {
		if s.room != room && s.dies.After(now) {
			kept = append(kept, s)
		}
	}
	a.said = append(kept, said{room, envelope, now.Add(life)})
	if over := len(a.said) - maxOwn; over > 0 {
		a.said = append([]said(nil), a.said[over:]...)
	}
	select {
	case a.news <- struct{}{}:
	default: // one is enough
	}
}

// live gives those that live, newest first.
func (a *announced) live() (envelopes [][]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	for i := len(a.said) - 1; i >= 0; i-- {
		if s := a.said[i]; s.dies.After(now) {
			envelopes = append(envelopes, s.envelope)
		}
	}
	return envelopes
}
