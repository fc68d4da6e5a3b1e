package people

import (
	"encoding/binary"
	"errors"
	"maps"
	"testing"

	"github.com/earshot-audio/earshot/protocol"
)

// roomShelf keeps notes in memory, as long as it has no fault.
type roomShelf struct {
	notes map[protocol.RoomID][]byte
	fault error
}

func (s *roomShelf) SaveFollowed(id protocol.RoomID, note []byte) error {
	if s.fault != nil {
		return s.fault
	}
	if s.notes[id] = note; note == nil {
		delete(s.notes, id)
	}
	return nil
}

func (s *roomShelf) Followed() (map[protocol.RoomID][]byte, error) {
	return maps.Clone(s.notes), s.fault
}

func openRooms(t testing.TB, s *roomShelf) *Rooms {
	t.Helper()
	r, err := OpenRooms(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFollowedRoomsAreRemembered(t *testing.T) {
	s := &roomShelf{notes: map[protocol.RoomID][]byte{}}
	r := openRooms(t, s)
	tea, sky := protocol.RoomID{1}, protocol.RoomID{2}
	if err := errors.Join(r.Follow(tea, "Tea"), r.Follow(sky, "Sky"), r.Follow(sky, "Blue sky"), r.Follow(protocol.RoomID{3}, "Gone"), r.Unfollow(protocol.RoomID{3}), r.Retitle(tea, "Black tea"), r.Retitle(protocol.RoomID{3}, "Back")); err != nil {
		t.Fatal(err)
	}
	s.notes[protocol.RoomID{4}] = []byte("{")
	s.notes[protocol.RoomID{5}] = []byte(`{"title":"\u202e"}`)
	for _, r := range []*Rooms{r, openRooms(t, s)} {
		all := r.All()
		if len(all) != 2 || all[0] != (FollowedRoom{tea, "Black tea"}) || all[1] != (FollowedRoom{sky, "Blue sky"}) || !r.Follows(tea) || r.Follows(protocol.RoomID{3}) {
			t.Errorf("%+v", all)
		}
	}
}

func TestFollowedRoomsAreBounded(t *testing.T) {
	s := &roomShelf{notes: map[protocol.RoomID][]byte{}}
	r := openRooms(t, s)
	var id protocol.RoomID
	for n := range MaxFollowedRooms {
		binary.BigEndian.PutUint32(id[:], uint32(n))
		if err := r.Follow(id, "T"); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Follow(protocol.RoomID{0xff}, "T"); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if err := r.Follow(id, "Another title"); err != nil {
		t.Error(err)
	}
	s.fault = errors.New("the disk is full")
	if err := r.Unfollow(id); !errors.Is(err, s.fault) || !r.Follows(id) {
		t.Error("a room is forgotten that is on the disk", err)
	}
}
