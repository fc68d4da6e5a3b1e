package guest

import (
	"bytes"
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

// feed tells followers how the room looks that they follow. It looks when something
// may have changed, once for all who follow a room.
type feed struct {
	look    func(context.Context, protocol.RoomID) (Room, error)
	changes func() (<-chan struct{}, func())
	log     *slog.Logger
	follow  chan followRequest
	leave   chan *follower
	ended   chan struct{}

	// What follows is run's own.
	rooms map[protocol.RoomID]*circle
	count int
}

// circle is those who follow one room.
type circle struct {
	seen      []byte
	followers map[*follower]bool
}

// follower is one guest's page. Its channel holds the newest view alone, and is
// closed when the room can't be heard any more.
type follower struct {
	room  protocol.RoomID
	views chan []byte
}

type followRequest struct {
	room  protocol.RoomID
	reply chan followReply
}

type followReply struct {
	follower *follower
	err      error
}

func newFeed(look func(context.Context, protocol.RoomID) (Room, error), changes func() (<-chan struct{}, func()), log *slog.Logger) *feed {
	return &feed{look: look, changes: changes, log: log, follow: make(chan followRequest), leave: make(chan *follower),
		ended: make(chan struct{}), rooms: map[protocol.RoomID]*circle{}}
}

// run looks and tells until ctx ends.
func (f *feed) run(ctx context.Context) {
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
			request.reply <- followReply{follower, err}
		case gone := <-f.leave:
			f.drop(gone)
		}
	}
}

// join begins to follow a room; what it looks like now comes first.
func (f *feed) join(ctx context.Context, room protocol.RoomID) (*follower, error) {
	request := followRequest{room, make(chan followReply, 1)}
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
func (f *feed) part(fo *follower) {
	select {
	case f.leave <- fo:
	case <-f.ended:
	}
}

func (f *feed) welcome(ctx context.Context, room protocol.RoomID) (*follower, error) {
	if f.count >= maxFollowers {
		return nil, refuse(http.StatusServiceUnavailable, codeFull, "too many follow what happens here")
	}
	c := f.rooms[room]
	if c == nil {
		seen, err := f.view(ctx, room)
		if err != nil {
			return nil, err
		}
		c = &circle{seen, map[*follower]bool{}}
		f.rooms[room] = c
	}
	fo := &follower{room, make(chan []byte, 1)}
	fo.views <- c.seen
	c.followers[fo] = true
	f.count++
	return fo, nil
}

func (f *feed) drop(fo *follower) {
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

func (f *feed) view(ctx context.Context, room protocol.RoomID) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, feedPatience)
	defer cancel()
	seen, err := f.look(ctx, room)
	if err != nil {
		return nil, err
	}
	return viewOf(seen)
}

// lookAll tells what changed in each room that somebody follows.
func (f *feed) lookAll(ctx context.Context) {
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
		case !bytes.Equal(seen, c.seen):
			c.seen = seen
			for fo := range c.followers {
				fo.tell(seen)
			}
		}
	}
}

// tell leaves the view for the follower, in place of one that was not taken yet.
func (fo *follower) tell(view []byte) {
	select {
	case <-fo.views:
	default:
	}
	fo.views <- view // only the feed's goroutine puts anything there
}
