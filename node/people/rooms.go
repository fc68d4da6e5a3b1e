package people

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/earshot-audio/earshot/protocol"
)

// MaxFollowedRooms bounds the rooms that one person follows.
const MaxFollowedRooms = 1024

// FollowedRoom is a room that a person has pointed out to them.
type FollowedRoom struct {
	Room  protocol.RoomID `json:"-"`
	Title string          `json:"title"` // as it was last heard
}

// RoomShelf keeps what is noted of rooms as bytes.
type RoomShelf interface {
	SaveFollowed(room protocol.RoomID, note []byte) error // nil: forgets it
	Followed() (map[protocol.RoomID][]byte, error)
}

// Rooms are those that a person follows. Its methods may be called from any
// goroutine; those that read take no lock.
type Rooms struct {
	shelf RoomShelf

	writing sync.Mutex
	rooms   atomic.Pointer[map[protocol.RoomID]FollowedRoom]
}

// OpenRooms reads them from their shelf. What does not read is left there.
func OpenRooms(shelf RoomShelf) (*Rooms, error) {
	kept, err := shelf.Followed()
	if err != nil {
		return nil, err
	}
	rooms := make(map[protocol.RoomID]FollowedRoom, len(kept))
	for id, raw := range kept {
		f := FollowedRoom{Room: id}
		if json.Unmarshal(raw, &f) != nil || len(rooms) >= MaxFollowedRooms {
			continue
		}
		if f.Title, err = protocol.CleanTitle(f.Title); err == nil {
			rooms[id] = f
		}
	}
	r := &Rooms{shelf: shelf}
	r.rooms.Store(&rooms)
	return r, nil
}

// Follows says whether a room is followed.
func (r *Rooms) Follows(id protocol.RoomID) bool {
	_, ok := (*r.rooms.Load())[id]
	return ok
}

// Title gives a followed room's, as it was last heard; false: it is not followed.
func (r *Rooms) Title(id protocol.RoomID) (string, bool) {
	f, ok := (*r.rooms.Load())[id]
	return f.Title, ok
}

// All gives the followed rooms, by title.
func (r *Rooms) All() []FollowedRoom {
	return slices.SortedFunc(maps.Values(*r.rooms.Load()), func(a, b FollowedRoom) int {
		return strings.Compare(a.Title+"\x00"+a.Room.String(), b.Title+"\x00"+b.Room.String())
	})
}

// Follow notes a room, or its newer title; it is on the disk when it returns. The
// error is ErrFull, or the shelf's.
func (r *Rooms) Follow(id protocol.RoomID, title string) error {
	return r.change(id, func(rooms map[protocol.RoomID]FollowedRoom) ([]byte, error) {
		if _, known := rooms[id]; !known && len(rooms) >= MaxFollowedRooms {
			return nil, ErrFull
		}
		rooms[id] = FollowedRoom{id, title}
		return json.Marshal(rooms[id])
	})
}

// Retitle notes the newer title of a room, if it is followed still.
func (r *Rooms) Retitle(id protocol.RoomID, title string) error {
	return r.change(id, func(rooms map[protocol.RoomID]FollowedRoom) ([]byte, error) {
		if _, follows := rooms[id]; !follows {
			return nil, nil
		}
		rooms[id] = FollowedRoom{id, title}
		return json.Marshal(rooms[id])
	})
}

// Unfollow forgets a room.
func (r *Rooms) Unfollow(id protocol.RoomID) error {
	return r.change(id, func(rooms map[protocol.RoomID]FollowedRoom) ([]byte, error) {
		delete(rooms, id)
		return nil, nil
	})
}

// change has a room's note written as alter gives it for what is followed then.
func (r *Rooms) change(id protocol.RoomID, alter func(map[protocol.RoomID]FollowedRoom) ([]byte, error)) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	rooms := maps.Clone(*r.rooms.Load())
	note, err := alter(rooms)
	if err == nil {
		err = r.shelf.SaveFollowed(id, note)
	}
	if err == nil {
		r.rooms.Store(&rooms)
	}
	return err
}
