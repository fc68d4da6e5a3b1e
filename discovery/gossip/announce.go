package gossip

import (
	"bytes"
	"context"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/protocol"
)

// maxWaiting rooms' announcements are kept while there is nobody to tell.
const maxWaiting = 64

// announcement is one of ours, to be published.
type announcement struct {
	room     protocol.RoomID
	envelope []byte
}

// Announce takes one of this node's own announcements into its directory and
// publishes it. While there is no neighbour to send it to, the newest of each
// room waits and goes to the first who comes: what pubsub publishes to nobody
// is lost for good. It returns once the announcement is on its way or waits.
func (g *Gossip) Announce(ctx context.Context, envelope []byte) error {
	a, err := protocol.OpenAnnouncement(envelope)
	if err != nil {
		return err
	}
	// What our own full directory ignores may interest others.
	if g.directory.Offer(envelope, 0) == discovery.Reject {
		return ErrRefused
	}
	envelope = bytes.Clone(envelope)
	g.announced.put(a.Room, envelope, a.Life)
	select {
	case g.own <- announcement{a.Room, envelope}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-g.ctx.Done():
		return ErrEnded
	}
}

// announce publishes our announcements, at once or to the first neighbour.
func (g *Gossip) announce(ctx context.Context) error {
	arrived := make(chan struct{}, 1)
	go g.watchArrivals(ctx, arrived)
	defer func() {
		for range arrived { // until watchArrivals has closed it
		}
	}()
	waiting := make(map[protocol.RoomID][]byte)
	for {
		select {
		case <-ctx.Done():
			return nil
		case a := <-g.own:
			if _, ok := waiting[a.room]; ok || len(waiting) < maxWaiting {
				waiting[a.room] = a.envelope
			}
		case <-arrived:
		case <-g.outbound.more:
		}
		if len(waiting) == 0 || len(g.outbound.among(g.rooms.ListPeers())) == 0 {
			continue
		}
		for room, envelope := range waiting {
			if g.post(message{g.rooms, envelope}) == nil {
				delete(waiting, room)
			}
		}
	}
}

// watchArrivals says when a neighbour came into the directory topic.
func (g *Gossip) watchArrivals(ctx context.Context, arrived chan<- struct{}) {
	defer close(arrived)
	defer g.arrivals.Cancel()
	for {
		event, err := g.arrivals.NextPeerEvent(ctx)
		if err != nil {
			return
		}
		if event.Type == pubsub.PeerJoin {
			select {
			case arrived <- struct{}{}:
			default: // one is enough
			}
		}
	}
}

// validateAnnouncement feeds the directory, which says what becomes of it.
func (g *Gossip) validateAnnouncement(_ context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	if from == g.host.ID() {
		return pubsub.ValidationAccept // Announce offered it
	}
	return g.result(g.directory.Offer(m.GetData(), 0))
}
