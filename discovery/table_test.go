package discovery

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// unsigned gives an announcement as it is after verification: the table does
// not look at signatures.
func unsigned(founder, announcer protocol.PeerID, room string, sequence uint64) *protocol.Announcement {
	id := protocol.RoomID(sha256.Sum256([]byte(room)))
	return &protocol.Announcement{Room: id, Genesis: &protocol.Genesis{Room: id, Founder: founder},
		Announcer: announcer, Sequence: sequence, Life: time.Minute}
}

// takes expects an end.
func takes(t *testing.T, table *table, a *protocol.Announcement, now time.Duration, want outcome) {
	t.Helper()
	if got := table.admit(a, nil, 0, now); got != want {
		t.Fatalf("the outcome for %v is %d, should be %d", a.Announcer, got, want)
	}
}

func TestOneKeysFloodTakesItsShare(t *testing.T) {
	table := newTable("")
	for i := range 1000 {
		want := accepted
		if i >= roomsOfAFounder {
			want = full
		}
		takes(t, table, unsigned("flood", "flood", fmt.Sprint("flood", i), 1), 0, want)
	}
	takes(t, table, unsigned("honest", "honest", "tea", 1), 0, accepted)
	table.sweep(time.Minute)
	if len(table.rooms)+len(table.founded) != 0 {
		t.Fatal("the dead stay")
	}
}

func TestFullDirectoryIsShared(t *testing.T) {
	table := newTable("")
	for i := 0; len(table.rooms) < protocol.MaxDirectoryRooms; i++ {
		rich := protocol.PeerID(fmt.Sprint("rich", i/8))
		takes(t, table, unsigned(rich, rich, fmt.Sprint("rich", i), 1), time.Duration(i), accepted)
	}
	first := unsigned("rich0", "rich0", "rich0", 1).Room
	for i := range 100 {
		poor := protocol.PeerID(fmt.Sprint("poor", i))
		takes(t, table, unsigned(poor, poor, string(poor), 1), time.Second, accepted)
		if len(table.rooms) != protocol.MaxDirectoryRooms {
			t.Fatalf("%d rooms in a directory of %d", len(table.rooms), protocol.MaxDirectoryRooms)
		}
	}
	// Who has as much as anybody gets no more at others' expense.
	takes(t, table, unsigned("rich0", "rich0", "one more", 1), time.Second, full)
	if table.rooms[first] != nil && table.founded["rich0"] < 8 {
		t.Fatal("it is not the room heard longest ago that went")
	}
	for i := range 100 {
		if table.founded[protocol.PeerID(fmt.Sprint("poor", i))] != 1 {
			t.Fatal("a newcomer was evicted for a newcomer")
		}
	}
}

func TestRoomsOfOneEachAreSafe(t *testing.T) {
	table := newTable("")
	for i := range protocol.MaxDirectoryRooms {
		p := protocol.PeerID(fmt.Sprint("honest", i))
		takes(t, table, unsigned(p, p, string(p), 1), 0, accepted)
	}
	takes(t, table, unsigned("late", "late", "late", 1), 0, full)
	// It was not held against it: it comes in when there is room.
	table.sweep(time.Minute)
	takes(t, table, unsigned("late", "late", "late", 1), time.Minute, accepted)
}

func TestAnnouncersOfARoom(t *testing.T) {
	table := newTable("")
	for i := range protocol.MaxAnnouncersOfARoom {
		takes(t, table, unsigned("host", protocol.PeerID(fmt.Sprint("carrier", i)), "tea", 1), time.Duration(i), accepted)
	}
	takes(t, table, unsigned("host", "carrier9", "tea", 1), time.Second, full)
	takes(t, table, unsigned("host", "host", "tea", 1), time.Second, accepted) // the founder always fits
	r := table.rooms[unsigned("host", "host", "tea", 1).Room]
	if len(r.live) != protocol.MaxAnnouncersOfARoom || r.live[0].Announcer != "host" {
		t.Fatalf("announcers: %v", r.live)
	}
	// One that missed a refresh makes way, the founder never.
	later := protocol.RefreshFloor + 2*time.Second
	for i := range 10 {
		takes(t, table, unsigned("host", protocol.PeerID(fmt.Sprint("later", i)), "tea", 1), later, []outcome{accepted, full}[min(i/3, 1)])
	}
	if r.live[len(r.live)-1].Announcer != "host" {
		t.Fatalf("the founder made way")
	}
}

func TestHastyAnnouncer(t *testing.T) {
	table := newTable("")
	var sequence uint64
	say := func(now time.Duration, closed bool, want outcome) {
		t.Helper()
		sequence++
		a := unsigned("host", "host", "tea", sequence)
		a.Closed = closed
		takes(t, table, a, now, want)
	}
	for range announcerBurst {
		say(0, false, accepted)
	}
	say(0, false, hasty)
	say(announcerInterval, false, accepted) // its pace
	say(announcerInterval, false, hasty)
	// Closing and reopening are heard however busy the room was, but not for ever.
	for i := range closingBurst {
		say(announcerInterval, i%2 == 0, accepted)
	}
	say(announcerInterval, true, hasty)
}

func TestClosedOutlivesEviction(t *testing.T) {
	table := newTable("")
	closed := unsigned("host", "host", "tea", 1)
	closed.Closed = true
	takes(t, table, closed, 0, accepted)
	table.sweep(time.Hour)
	takes(t, table, unsigned("host", "carrier", "tea", 1), time.Hour, silenced)
	table.sweep(25 * time.Hour)
	takes(t, table, unsigned("host", "carrier", "tea", 1), 25*time.Hour, accepted)
}

func TestMemoryIsBoundedAndFair(t *testing.T) {
	m := newMemory[string, int](time.Hour, 100, 10)
	m.put("honest", "honest", 1, 0)
	for i := range 1000 {
		m.put(fmt.Sprint(i), "flood", i, time.Duration(i))
	}
	if v, ok := m.get("honest"); !ok || v != 1 || len(m.memos) != 11 {
		t.Fatalf("one key's flood cost another its memory: %d memos", len(m.memos))
	}
	if v, ok := m.get("999"); !ok || v != 999 {
		t.Fatal("it is not the oldest that went")
	}
	for i := range 1000 {
		owner := protocol.PeerID(fmt.Sprint(i))
		m.put("of "+string(owner), owner, i, 2*time.Second)
		if len(m.memos) > 100 || len(m.owners) > 100 || m.all.Len() != len(m.memos) {
			t.Fatalf("%d memos of %d owners", len(m.memos), len(m.owners))
		}
	}
	m.put("of 950", "950", 7, 30*time.Minute)
	m.expire(time.Hour + 2*time.Second)
	if v, ok := m.get("of 950"); !ok || v != 7 || len(m.memos) != 1 || len(m.owners) != 1 {
		t.Fatalf("after its span %d are remembered", len(m.memos))
	}
}

func TestAnnouncementsCoverRoomsFirst(t *testing.T) {
	table := newTable("")
	for i := range 10 {
		host := protocol.PeerID(fmt.Sprint("host", i))
		takes(t, table, unsigned(host, host, string(host), 1), 0, accepted)
		takes(t, table, unsigned(host, "carrier", string(host), 1), 0, accepted)
	}
	for most, want := range map[int]int{0: 0, 4: 4, 10: 10, 13: 13, 20: 20, 100: 20} {
		if got := len(table.announcements(most, 0)); got != want {
			t.Fatalf("%d of at most %d", got, most)
		}
	}
	if got := len(table.announcements(100, time.Minute)); got != 0 {
		t.Fatalf("%d dead ones are passed on", got)
	}
}
