package room

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// What others post to the room. None of these blocks; false means that the
// inbox is full.

// PathUp says that messages and frames can be sent to p.
func (r *Room) PathUp(p protocol.PeerID) bool {
	return r.post(func(r *Room) { r.pathUp(p, r.cfg.Now()) })
}

// PathDown says that they can't any more.
func (r *Room) PathDown(p protocol.PeerID) bool {
	return r.post(func(r *Room) { r.pathDown(p, r.cfg.Now()) })
}

// LinkMessage hands over a message about this room from p's link.
func (r *Room) LinkMessage(p protocol.PeerID, m *pb.LinkMessage) bool {
	return r.post(func(r *Room) { r.linkMessage(p, m, r.cfg.Now()) })
}

// Check judges a message of the room's topic, from any goroutine: ErrNoRight
// for one whose signer is not known to have a right to it (the other half of a
// healed partition may know better) and protocol.ErrLater for one that somebody did
// sign, in a later version: both are to be ignored, and not held against whom they
// came from; another error for one that nobody could take.
func (r *Room) Check(raw []byte) (*protocol.Message, error) {
	m, err := protocol.ParseMessage(raw)
	if errors.Is(err, protocol.ErrLater) {
		return nil, cmp.Or(m.Verify(r.cfg.Room), err)
	}
	if err != nil {
		return nil, err
	}
	if m.Claim != nil || m.Pulse != nil || m.Queue != nil {
		if c := r.carriers.Load(); c == nil || !slices.Contains(*c, m.From) {
			if m.Claim != nil {
				r.stranger.Store(true)
			}
			return nil, protocol.ErrNoRight
		}
	}
	if f := r.founder.Load(); m.Closed != nil && (f == nil || *f != m.From) {
		return nil, protocol.ErrNoRight
	}
	if l := r.moderators.Load(); m.Lowered != nil && (l == nil || !l.MayModerate(m.From)) {
		return nil, protocol.ErrNoRight
	}
	return m, m.Verify(r.cfg.Room)
}

// Gossip hands over what Check passed.
func (r *Room) Gossip(m *protocol.Message) bool {
	return r.post(func(r *Room) { r.hear(m, "", r.cfg.Now()) })
}

// Silent says that nothing came from parent for too long while somebody spoke.
func (r *Room) Silent(parent protocol.PeerID, have []*pb.Position) bool {
	return r.post(func(r *Room) { r.silent(parent, have, r.cfg.Now()) })
}

// Hot says that somebody began to speak here, or that the last one stopped.
func (r *Room) Hot(hot bool) bool {
	return r.post(func(r *Room) { r.setHot(hot) })
}

// Seed adds a node that may know the room.
func (r *Room) Seed(info peer.AddrInfo) bool {
	return r.post(func(r *Room) { r.addSeed(info) })
}

// ClosedByHost says that the directory has its founder's word that the room is
// closed: not everyone hears it in the room.
func (r *Room) ClosedByHost() bool {
	return r.post(func(r *Room) { r.end = ErrClosed })
}

// Learn gives the room its genesis, found in the directory or a link.
func (r *Room) Learn(g *protocol.Genesis) bool {
	return r.post(func(r *Room) { r.learn(g, r.cfg.Now()) })
}

// Used says what programs on this machine do with the room now.
func (r *Room) Used(u Use) bool {
	return r.post(func(r *Room) {
		if r.use != u {
			r.use = u
			r.steer(r.cfg.Now())
		}
	})
}

// Joined waits until the room and its log are known, and somebody relays it.
func (r *Room) Joined(ctx context.Context) error {
	ready := make(chan error, 1)
	if err := r.ask(ctx, func(r *Room) {
		r.waiting = append(r.waiting, ready)
		r.settle()
	}); err != nil {
		return err
	}
	select {
	case err := <-ready:
		return err
	case <-r.done:
		return r.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle answers those who wait in Joined.
func (r *Room) settle() {
	if len(r.waiting) == 0 || r.genesis == nil || r.relay == "" {
		return
	}
	if p := r.parents[r.live]; r.relay != r.cfg.Self && (p == nil || !p.accepted || !r.knowsLog(r.live)) {
		return
	}
	for _, w := range r.waiting {
		w <- nil
	}
	r.waiting = nil
}

// OpenVoice opens a source of this node, if it may speak here.
func (r *Room) OpenVoice(ctx context.Context, session protocol.Session) (s protocol.Source, err error) {
	if e := r.ask(ctx, func(r *Room) { s, err = r.openVoice(session, r.cfg.Now()) }); e != nil {
		return 0, e
	}
	return s, err
}

// CloseVoice ends a source of this node.
func (r *Room) CloseVoice(s protocol.Source) {
	r.post(func(r *Room) { r.endVoice(s, r.cfg.Now()) })
}

// Leave ends the room on this node, with a goodbye.
func (r *Room) Leave() {
	r.post(func(r *Room) { r.end = ErrLeft })
}

// Close closes the room for everyone, until next if that is not zero; only its
// founder may.
func (r *Room) Close(ctx context.Context, next time.Time) (err error) {
	if e := r.ask(ctx, func(r *Room) {
		if !r.hosting() {
			err = protocol.ErrNoRight
			return
		}
		r.close(next)
	}); e != nil {
		return e
	}
	return err
}
