package guest

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	feedPace     = 300 * time.Millisecond // between two looks
	feedPatience = 3 * time.Second        // for one
	maxFollowers = 256
)

// feed tells followers how what they follow of a room looks. It looks when something
// may have changed, once for all who follow it in a room.
type feed[V any] struct {
	look    func(context.Context, protocol.RoomID) (V, error)
	same    func(a, b V) bool
	changes func() (<-chan struct{}, func())
	log     *slog.Logger
	follow  chan followRequest[V]
	leave   chan *follower[V]
	ended   chan struct{}

	// What follows is run's own.
	rooms map[protocol.RoomID]*circle[V]
	count int
}

// circle is those who follow one room.
type circle[V any] struct {
	seen      V
	followers map[*follower[V]]bool
}

// follower is one guest's page. Its channel holds the newest view alone, and is
// closed when the room can't be heard any more.
type follower[V any] struct {
	room  protocol.RoomID
	views chan V
}

type followRequest[V any] struct {
	room  protocol.RoomID
	reply chan followReply[V]
}

type followReply[V any] struct {
	follower *follower[V]
	err      error
}

func newFeed[V any](look func(context.Context, protocol.RoomID) (V, error), same func(a, b V) bool, changes func() (<-chan struct{}, func()), log *slog.Logger) *feed[V] {
	return &feed[V]{look: look, same: same, changes: changes, log: log, follow: make(chan followRequest[V]), leave: make(chan *follower[V]),
		ended: make(chan struct{}), rooms: map[protocol.RoomID]*circle[V]{}}
}

// run looks and tells until ctx ends.
func (f *feed[V]) run(ctx context.Context) {
	defer close(f.ended)
	changed, stop := f.changes()
	defer stop()
	pace := time.NewTimer(feedPace)
	defer pace.Stop()
	stale, paced := false, false
	for {
		if stale && !paced {
			f.lookAll(ctx)
			stale, paced = false, true
			pace.Reset(feedPace)
		}
		select {
		case <-ctx.Done():
			return
		case _, open := <-changed:
			stale = true
			if !open {
				changed = nil
			}
		case <-pace.C:
			paced = false
		case request := <-f.follow:
			follower, err := f.welcome(ctx, request.room)
			request.reply <- followReply[V]{follower, err}
		case gone := <-f.leave:
			f.drop(gone)
		}
	}
}

// join begins to follow a room; what it looks like now comes first.
func (f *feed[V]) join(ctx context.Context, room protocol.RoomID) (*follower[V], error) {
	request := followRequest[V]{room, make(chan followReply[V], 1)}
	select {
	case f.follow <- request:
		reply := <-request.reply
		return reply.follower, reply.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.ended:
		return nil, errShut
	}
}

// part ends what join began.
func (f *feed[V]) part(fo *follower[V]) {
	select {
	case f.leave <- fo:
	case <-f.ended:
	}
}

func (f *feed[V]) welcome(ctx context.Context, room protocol.RoomID) (*follower[V], error) {
	if f.count >= maxFollowers {
		return nil, refuse(http.StatusServiceUnavailable, codeFull, "too many follow what happens here")
	}
	c := f.rooms[room]
	if c == nil {
		seen, err := f.view(ctx, room)
		if err != nil {
			return nil, err
		}
		c = &circle[V]{seen, map[*follower[V]]bool{}}
		f.rooms[room] = c
	}
	fo := &follower[V]{room, make(chan V, 1)}
	fo.views <- c.seen
	c.followers[fo] = true
	f.count++
	return fo, nil
}

func (f *feed[V]) drop(fo *follower[V]) {
	c := f.rooms[fo.room]
	if c == nil || !c.followers[fo] {
		return // its room went before it
	}
	delete(c.followers, fo)
	f.count--
	if len(c.followers) == 0 {
		delete(f.rooms, fo.room)
	}
}

func (f *feed[V]) view(ctx context.Context, room protocol.RoomID) (V, error) {
	ctx, cancel := context.WithTimeout(ctx, feedPatience)
	defer cancel()
	return f.look(ctx, room)
}

// lookAll tells what changed in each room that somebody follows.
func (f *feed[V]) lookAll(ctx context.Context) {
	for room, c := range f.rooms {
		seen, err := f.view(ctx, room)
		switch {
		case ctx.Err() != nil:
			return
		case err == errShut, err != nil && refusalOf(err).code == codeUnknown:
			for fo := range c.followers {
				close(fo.views)
			}
			f.count -= len(c.followers)
			delete(f.rooms, room)
		case err != nil:
			f.log.Debug("guests lack a look at their room", "err", err)
		case !f.same(seen, c.seen):
			c.seen = seen
			for fo := range c.followers {
				fo.tell(seen)
			}
		}
	}
}

// tell leaves the view for the follower, in place of one that was not taken yet.
func (fo *follower[V]) tell(view V) {
	select {
	case <-fo.views:
	default:
	}
	fo.views <- view // only the feed's goroutine puts anything there
}
