package node

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// TestClosedRoomsOfOnesOwn: who has closed a room finds it again, also after a restart,
// and reads what was done in it.
func TestClosedRoomsOfOnesOwn(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	o, err := ana.Open(ctx, web.OpenRequest{Title: "Book club"})
	must(t, err)
	must(t, ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActTitle, Text: "Book club, the second"}))
	if rooms, err := ana.ClosedRooms(ctx); err != nil || len(rooms) != 0 {
		t.Errorf("while it is live: %v, %v", rooms, err)
	}
	must(t, ana.Close(ctx, o.Room, time.Time{}))
	ana.eventually("the room is over", func() bool { return ana.room(roomID(t, o.Room)) == nil })
	must(t, ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActLanguage, Text: "id"}))

	rooms, err := ana.ClosedRooms(ctx)
	if err != nil || len(rooms) != 1 || rooms[0].State != web.StateClosed || rooms[0].Title != "Book club, the second" || rooms[0].Language != "id" {
		t.Errorf("closed: %+v, %v", rooms, err)
	}
	log, err := ana.Log(ctx, o.Room)
	must(t, err)
	if acts := slices.Collect(func(yield func(string) bool) {
		for _, a := range log.Actions {
			yield(a.Act + " by " + a.Name)
		}
	}); !slices.Equal(acts, []string{"title by ana", "language by ana"}) || !log.Closed || log.Opened.IsZero() {
		t.Errorf("its log: %q, %+v", acts, log.Standing)
	}
	text, err := ana.ExportLog(ctx, o.Room)
	must(t, err)
	if l, err := roster.Verify(text); err != nil || l.Len() != 2 {
		t.Errorf("the exported log: %v", err)
	}
	if _, err := budi.Log(ctx, o.Room); err == nil {
		t.Error("who was never in it reads its log")
	}
	next := time.Now().Add(time.Hour)
	must(t, ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActNext, At: &next}))
	if rooms, err := ana.ClosedRooms(ctx); err != nil || len(rooms) != 0 {
		t.Errorf("one that is to come: %v, %v", rooms, err)
	}
}

// TestRoomsTakenForPeople: who gives a room's title for its host is told what to type.
func TestRoomsTakenForPeople(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	o, err := ana.Open(ctx, web.OpenRequest{Title: "Book club"})
	must(t, err)
	budi.lists(o.Room, web.StateLive)
	for word, hinted := range map[string]bool{"book club": true, o.Room[:8]: true, "ana": false, "": false} {
		_, err := budi.Note(ctx, web.NoteRequest{Who: word, Follow: new(true)})
		if codeOf(err) != protocol.CodeUnknownPeer {
			t.Errorf("%q: %v", word, err)
			continue
		}
		if problem, _ := errors.AsType[*protocol.Problem](err); strings.Contains(problem.Hint, ana.self.String()) != hinted {
			t.Errorf("%q: whether its hint names the host should be %v: %v", word, hinted, err)
		}
	}
}

// TestTimesThatAreNone: a room that is live says no next time that is over, or that
// can't be said.
func TestTimesThatAreNone(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ana := start(t, "ana")
	o, err := ana.Open(ctx, web.OpenRequest{Title: "Book club"})
	must(t, err)
	for at, want := range map[time.Time]string{
		time.Now().Add(-time.Hour):                    "that time is over",
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC): "that time is too far ahead",
	} {
		if err := ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActNext, At: &at}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v: %v, want %q", at, err, want)
		}
	}
	next := time.Now().Add(time.Hour)
	must(t, ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActNext, At: &next}))
	must(t, ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActNext}))
}
