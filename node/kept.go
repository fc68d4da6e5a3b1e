package node

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/node/store"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// kept is what a room goes on from.
type kept struct {
	boot     uint64
	sequence *numbers
	era      uint32
	term     protocol.Key
	actions  []*pb.SignedAction
	genesis  *protocol.Genesis // of one that has a log; nil: not kept
	lives    roster.Lives
	livesAgo time.Duration
}

// recall gives what is kept of a room, with a boot of its own.
func (n *Node) recall(id protocol.RoomID) (k kept, err error) {
	if k.boot, err = n.store.Boot(uint64(n.cfg.Wall().UnixMilli())); err != nil {
		return k, err
	}
	if k.sequence, err = newNumbers(n, id); err != nil {
		return k, err
	}
	k.era, k.term, _ = n.store.Term(id)
	actions, err := n.store.Actions(id)
	for _, raw := range actions {
		var a pb.SignedAction
		if err := proto.Unmarshal(raw, &a); err != nil {
			return k, err
		}
		k.actions = append(k.actions, &a)
	}
	if err != nil {
		return k, err
	}
	if k.genesis, err = n.keptGenesis(id); err != nil {
		return k, err
	}
	raw, err := n.store.Lives(id)
	if err != nil {
		return k, err
	}
	k.lives, k.livesAgo, err = decodeLives(raw, n.cfg.Wall())
	return k, err
}

func (n *Node) saveActions(id protocol.RoomID, actions []*pb.SignedAction) {
	raw := make([][]byte, 0, len(actions))
	for _, a := range actions {
		b, err := proto.Marshal(a)
		if err != nil {
			continue // it was read from such bytes
		}
		raw = append(raw, b)
	}
	if err := n.store.SaveActions(id, raw); err != nil {
		n.log.Error("store a room's log", "err", err)
	}
}

func (n *Node) saveGenesis(g *protocol.Genesis) {
	raw, err := proto.Marshal(g.Signed())
	if err == nil {
		err = n.store.SaveGenesis(g.Room, raw)
	}
	if err != nil {
		n.log.Error("store a room's genesis", "err", err)
	}
}

// forgetGenesis leaves a room's log without what it takes to wake the room alone: its
// founder closed it, and only its founder opens it.
func (n *Node) forgetGenesis(id protocol.RoomID) {
	if err := n.store.SaveGenesis(id, nil); err != nil {
		n.log.Error("forget a room's genesis", "err", err)
	}
}

// keptGenesis gives what saveGenesis stored; nil: nothing.
func (n *Node) keptGenesis(id protocol.RoomID) (*protocol.Genesis, error) {
	raw, err := n.store.Genesis(id)
	if raw == nil || err != nil {
		return nil, err
	}
	return openGenesis(raw)
}

// keepFounded stores a room of this node's own, so that it is there again after
// a restart, and those whom its founder lets speak there.
func (n *Node) keepFounded(g *protocol.Genesis, speakers []protocol.PeerID, next time.Time) (r store.Room, err error) {
	signed, err := proto.Marshal(g.Signed())
	if err == nil {
		r = store.Room{ID: g.Room, Mine: true, Genesis: signed, Title: g.Title, Speakers: speakers, Closed: !next.IsZero(), Next: next}
		err = n.store.SaveRoom(r)
	}
	if err != nil {
		n.log.Error("store a room", "err", err)
	}
	return r, err
}

// stored gives what the store has of a room; false: nothing.
func (n *Node) stored(id protocol.RoomID) (store.Room, bool) {
	rooms, err := n.store.Rooms()
	if err != nil {
		n.log.Error("read the rooms", "err", err)
	}
	for _, r := range rooms {
		if r.ID == id {
			return r, true
		}
	}
	return store.Room{}, false
}

// openGenesis reads a genesis as the home keeps it.
func openGenesis(raw []byte) (*protocol.Genesis, error) {
	var s pb.SignedGenesis
	if err := proto.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	return protocol.OpenGenesis(&s)
}
