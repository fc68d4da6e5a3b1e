package web

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	feedPace     = 200 * time.Millisecond // between two looks at the backend
	feedPatience = 5 * time.Second        // for one look
	maxFollowers = 32
	maxBehind    = 64      // events that wait for a slow follower
	maxKept      = 256     // events kept for those who resume
	maxKeptBytes = 1 << 20 // of their data
)

// RoomsChange is the data of a `rooms` event: the live rooms that are new or
// changed, and the IDs of those that are gone. So it is of a `coming` event, for
// the rooms to come; one that opens is gone there.
type RoomsChange struct {
	Changed []RoomLine `json:"changed"`
	Gone    []string   `json:"gone"`
}

// event is one server-sent event.
type event struct {
	number uint64 // 0: nobody can resume after it
	kind   string // reset, node, rooms, coming, room, chat or reports
	data   []byte // JSON
}

// feed tells followers what changes: it looks at the backend when something
// may have changed, and tells the difference to what it saw before. A look
// that nobody waits for can so be left out.
type feed struct {
	backend Backend
	log     *slog.Logger
	boot    string // begins the IDs of events: those of another start mean nothing
	follow  chan followRequest
	leave   chan *follower
	ended   chan struct{}

	// What follows is run's own.
	seen      view
	newest    uint64 // the number of the newest event
	kept      []event
	keptBytes int
	followers []*follower
}

// follower is one client. Its channel is closed when it falls behind.
type follower struct{ events chan event }

type followRequest struct {
	after string // ID of the last event that the client has; "": none
	reply chan followReply
}

type followReply struct {
	follower *follower // nil: there are too many
	first    []event   // to be sent before what comes
}

func newFeed(backend Backend, log *slog.Logger) *feed {
	return &feed{
		backend: backend, log: log, boot: rand.Text()[:8],
		follow: make(chan followRequest), leave: make(chan *follower), ended: make(chan struct{}),
	}
}

// run looks and tells until ctx ends.
func (f *feed) run(ctx context.Context) {
	defer close(f.ended)
	changed, stop := f.backend.Changes()
	defer stop()
	pace := time.NewTimer(feedPace)
	defer pace.Stop()
	stale, paced := true, false
	look := func() {
		stale, paced = !f.look(ctx), true
		pace.Reset(feedPace)
	}
	for {
		if stale && !paced && len(f.followers) > 0 {
			look()
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
			if stale && len(f.followers) == 0 {
				look() // nobody did for a while
			}
			request.reply <- f.welcome(request.after)
		case gone := <-f.leave:
			f.drop(gone)
		}
	}
}

// join begins to follow, after the event with the given ID if it is kept. The
// reply has no follower if there are too many or the feed has ended.
func (f *feed) join(ctx context.Context, after string) followReply {
	request := followRequest{after, make(chan followReply, 1)}
	select {
	case f.follow <- request:
		return <-request.reply
	case <-ctx.Done():
	case <-f.ended:
	}
	return followReply{}
}

// part ends what join began.
func (f *feed) part(fo *follower) {
	select {
	case f.leave <- fo:
	case <-f.ended:
	}
}

func (f *feed) welcome(after string) followReply {
	if len(f.followers) >= maxFollowers {
		return followReply{}
	}
	fo := &follower{make(chan event, maxBehind)}
	f.followers = append(f.followers, fo)
	first, ok := f.since(after)
	if !ok {
		first = f.seen.events(f.newest)
	}
	return followReply{fo, first}
}

// since gives the events after the one with this ID; false if they are not
// all kept.
func (f *feed) since(id string) ([]event, bool) {
	boot, word, _ := strings.Cut(id, "-")
	number, err := strconv.ParseUint(word, 10, 64)
	oldest := f.newest - uint64(len(f.kept)) // the newest that is not kept
	if err != nil || boot != f.boot || number < oldest || number > f.newest {
		return nil, false
	}
	return slices.Clone(f.kept[number-oldest:]), true
}

func (f *feed) drop(fo *follower) {
	f.followers = slices.DeleteFunc(f.followers, func(other *follower) bool { return other == fo })
}

// look tells what changed since the last look; false if the backend failed.
func (f *feed) look(ctx context.Context) bool {
	now, err := look(ctx, f.backend)
	if err != nil {
		f.log.Debug("the events lack a look at the node", "err", err)
		return false
	}
	for _, e := range now.since(f.seen) {
		f.newest++
		e.number = f.newest
		f.keep(e)
		for _, fo := range slices.Clone(f.followers) {
			select {
			case fo.events <- e:
			default:
				close(fo.events)
				f.drop(fo)
			}
		}
	}
	f.seen = now
	return true
}

func (f *feed) keep(e event) {
	f.kept = append(f.kept, e)
	f.keptBytes += len(e.data)
	for len(f.kept) > maxKept || f.keptBytes > maxKeptBytes {
		f.keptBytes -= len(f.kept[0].data)
		f.kept = f.kept[1:]
	}
}
