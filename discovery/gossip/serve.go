package gossip

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-msgio/pbio"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// Implementation: how directory sync answers.
const (
	servers = 3  // requests served at once
	waiting = 16 // that wait for one of them
	// requestPatience bounds the wait for a request's few bytes.
	requestPatience = 2 * time.Second

	askInterval     = 10 * time.Second // a neighbour's
	asksAtOnce      = 6                // it asks twice when it starts: who starts three times is answered
	requestsASecond = 5                // all neighbours' together
	requestsAtOnce  = 50
	askersKept      = 512
)

// request is the stream handler: it posts to serve's inbox.
func (g *Gossip) request(s network.Stream) {
	select {
	case g.requests <- s:
	default:
		g.refuse(s)
	}
}

func (g *Gossip) refuse(s network.Stream) {
	g.counts.refused.Add(1)
	_ = s.ResetWithError(network.StreamRateLimited) // it may be gone already
}

// serve answers requests, as many as its limits allow.
func (g *Gossip) serve(ctx context.Context) error {
	var answers errgroup.Group
	answers.SetLimit(servers)
	all := rate.NewLimiter(requestsASecond, requestsAtOnce)
	askers := make(map[peer.ID]*rate.Limiter)
	for {
		select {
		case <-ctx.Done():
			return answers.Wait()
		case s := <-g.requests:
			if !mayAsk(askers, s.Conn().RemotePeer()) || !all.Allow() {
				g.refuse(s)
				continue
			}
			answers.Go(func() error { g.answer(ctx, s); return nil }) // waits for a place
		}
	}
}

// mayAsk says whether p has not asked too often, and notes that it asked.
func mayAsk(askers map[peer.ID]*rate.Limiter, p peer.ID) bool {
	if len(askers) >= askersKept {
		for q, l := range askers {
			if l.Tokens() >= asksAtOnce {
				delete(askers, q)
			}
		}
	}
	l := askers[p]
	if l == nil {
		if len(askers) >= askersKept {
			return false
		}
		l = rate.NewLimiter(rate.Every(askInterval), asksAtOnce)
		askers[p] = l
	}
	return l.Allow()
}

// answer serves one request.
func (g *Gossip) answer(ctx context.Context, s network.Stream) {
	whole := false
	defer func() {
		if !whole { // on QUIC a reset overtakes what a Close before it has yet to deliver
			s.Reset()
		}
	}()
	stop := context.AfterFunc(ctx, func() { s.Reset() })
	defer stop()
	if s.SetReadDeadline(time.Now().Add(requestPatience)) != nil ||
		s.SetWriteDeadline(time.Now().Add(syncPatience)) != nil {
		return
	}
	var request pb.DirectoryRequest
	if pbio.NewDelimitedReader(s, maxRequestBytes).ReadMsg(&request) != nil || !g.speakFor(s.Conn().RemotePeer(), request.Own) {
		g.counts.refused.Add(1)
		return
	}
	room := maxResponseBytes
	if s.Conn().Stat().Limited {
		room = limitedBytes
	}
	response := g.response(&request, room)
	response.Neighbours = g.acquaintances(s.Conn().RemotePeer(), s.Conn().RemoteMultiaddr())
	if pbio.NewDelimitedWriter(s).WriteMsg(response) != nil {
		return
	}
	if whole = s.Close() == nil; whole {
		g.counts.served.Add(1)
	}
}

// response gives the live announcements that a request is for, within what
// acquaintances leave of so many bytes.
func (g *Gossip) response(request *pb.DirectoryRequest, bytes int) *pb.DirectoryResponse {
	most := int(min(request.Most, protocol.MaxDirectoryEntries))
	if most == 0 {
		most = protocol.MaxDirectoryEntries
	}
	m := &pb.DirectoryResponse{}
	size := 0
	for _, e := range g.entries(most, time.Duration(request.NewestMs)*time.Millisecond) {
		entry := &pb.DirectoryEntry{RemainingMs: uint32(e.Remaining / time.Millisecond), Envelope: e.Envelope}
		if size += proto.Size(entry) + entryOverhead; size > bytes-acquaintancesBytes {
			break
		}
		m.Entries = append(m.Entries, entry)
	}
	return m
}

// entries gives up to most live announcements: those heard within newest, if it
// is not 0.
func (g *Gossip) entries(most int, newest time.Duration) []discovery.DirectoryEntry {
	if newest == 0 {
		return g.directory.Entries(most)
	}
	all := g.directory.Entries(protocol.MaxDirectoryRooms)
	all = slices.DeleteFunc(all, func(e discovery.DirectoryEntry) bool { return e.Age > newest })
	return all[:min(most, len(all))]
}

// speakFor takes in an asker's own announcements, and publishes those that are
// new: gossip does not reach it. False if one does not hold or is not its own.
func (g *Gossip) speakFor(asker peer.ID, own [][]byte) bool {
	if len(own) > maxOwn {
		return false
	}
	for _, envelope := range own {
		if !announces(asker, envelope) {
			g.counts.rejected.Add(1)
			return false
		}
		switch g.directory.Offer(envelope, 0) {
		case discovery.Reject:
			g.counts.rejected.Add(1)
			return false
		case discovery.Accept:
			g.passOn(envelope)
		}
	}
	return true
}

// announces says whether an announcement is p's own.
func announces(p peer.ID, envelope []byte) bool {
	_, announcer, _, err := protocol.PeekAnnouncement(envelope)
	return err == nil && announcer == p
}

// passOn publishes another's announcement.
func (g *Gossip) passOn(envelope []byte) {
	g.counts.passedOn.Add(1)
	_ = g.post(message{g.rooms, envelope}) // what does not fit, its next refresh makes good
}
