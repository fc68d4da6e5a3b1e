package node

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// line gives a room as a node lists it, nil if it does not.
func (r *running) line(room string) *web.RoomLine {
	lines, err := r.Rooms(context.Background())
	must(r.t, err)
	for i := range lines {
		if lines[i].Room == room {
			return &lines[i]
		}
	}
	return nil
}

// lists waits until a node lists a room in a state, and gives it; "": not at all.
func (r *running) lists(room, state string) (l *web.RoomLine) {
	r.t.Helper()
	r.eventually("the room is listed as "+state, func() bool {
		l = r.line(room)
		return l == nil && state == "" || l != nil && l.State == state
	})
	return l
}

// TestRoomToCome has a room opened that is to come, changed while it is, opened by
// itself, and closed until another time, as another node sees all of it.
func TestRoomToCome(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var ahead atomic.Int64 // of the machine's clock
	wall := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	clock := func(c *Config) { c.Wall = wall }
	ana := startWith(t, "ana", clock)
	budi := startWith(t, "budi", clock, ana)
	at := wall().Add(time.Hour)
	o, err := ana.Open(ctx, web.OpenRequest{Title: "Tomorow", Stage: "open", Topics: []string{"time"}, At: &at})
	must(t, err)
	if o.Next == nil || !o.Next.Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("it opens at %v, should at %v", o.Next, at)
	}
	if l := budi.lists(o.Room, web.StateComing); l.Title != "Tomorow" || !l.Closed || l.Joined || !l.Next.Equal(*o.Next) {
		t.Errorf("%+v", l)
	}
	must(t, ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActTitle, Text: "Tomorrow"}))
	must(t, ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActLock}))
	budi.eventually("the changed title", func() bool { l := budi.line(o.Room); return l != nil && l.Title == "Tomorrow" && l.Locked })
	if err := ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActPause}); codeOf(err) != protocol.CodeOpensLater {
		t.Errorf("a pause of nobody: %v", err)
	}
	must(t, budi.FollowRoom(ctx, o.Room[:10], true))
	for _, name := range []string{o.Room, o.Link} {
		_, err = budi.Listen(ctx, name, false)
		if codeOf(err) != protocol.CodeOpensLater || !strings.Contains(err.Error(), shownTime(at)) {
			t.Errorf("before its time: %v", err)
		}
	}
	if v := budi.view(o.Room); v.State != web.StateComing || !v.Closed || !v.Next.Equal(*o.Next) || v.Title != "Tomorrow" || !v.Following || len(v.YouMay) > 0 {
		t.Errorf("%+v", v)
	}

	ahead.Store(int64(time.Hour - 2*time.Second))
	must(t, ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActUnlock})) // after which ana's node looks at the clock
	if l := budi.lists(o.Room, web.StateLive); wall().Before(at) || l.Title != "Tomorrow" || l.Closed || !l.Following {
		t.Errorf("%v: %+v", wall(), l)
	}
	budi.listen(ctx, o.Room)
	next := wall().Add(time.Hour).Truncate(time.Millisecond)
	must(t, ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActNext, At: &next}))
	budi.eventually("its next time is shown", func() bool {
		l := budi.line(o.Room)
		return l != nil && l.Next != nil && l.Next.Equal(next) && l.State == web.StateLive
	})
	id, err := protocol.ParseRoomID(o.Room)
	must(t, err)
	keeps := func() bool {
		g, err := budi.keptGenesis(id)
		must(t, err)
		return g != nil
	}
	budi.eventually("budi could wake the room", keeps)
	must(t, ana.Close(ctx, o.Room, time.Time{}))
	budi.eventually("budi could not: its founder has closed it", not(keeps))
	if l := budi.lists(o.Room, web.StateComing); !l.Next.Equal(next) {
		t.Errorf("closed, it opens at %v, should at %v", l.Next, next)
	}
	must(t, ana.Act(ctx, o.Room, web.ActRequest{Act: web.ActNext}))
	budi.lists(o.Room, "")
	if v := budi.view(o.Room[:10]); v.State != web.StateClosed || v.Title != "Tomorrow" {
		t.Errorf("closed lately, it is %+v", v)
	}
	if f, err := budi.Following(ctx); err != nil || len(f) != 1 || f[0].State != web.StateClosed || f[0].Title != "Tomorrow" {
		t.Errorf("%+v, %v", f, err)
	}
	must(t, budi.FollowRoom(ctx, o.Room[:10], false))
	if f, err := budi.Following(ctx); err != nil || len(f) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	must(t, ana.Close(ctx, o.Room, next))
	budi.lists(o.Room, web.StateComing)
	_, err = ana.Reopen(ctx, o.Room)
	must(t, err)
	if l := budi.lists(o.Room, web.StateLive); l.Next != nil {
		t.Errorf("opened early, it is still to open at %v", l.Next)
	}
}

// TestRoomOpensAfterRestart: a room opens at its time though its founder's node was
// started again since; at its start, if that is not too late; and else stays closed.
func TestRoomOpensAfterRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for _, c := range []struct {
		name  string
		after time.Duration
		state string
	}{
		{"before its time", 59 * time.Minute, web.StateComing},
		{"half an hour late", 90 * time.Minute, web.StateLive},
		{"more than an hour late", 121 * time.Minute, web.StateClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			ana := start(t, "ana")
			at := time.Now().Add(time.Hour)
			o, err := ana.Open(ctx, web.OpenRequest{Title: "Later", Stage: "open", At: &at})
			must(t, err)
			ana.stop()
			again := startWith(t, "ana", func(cfg *Config) {
				cfg.Home, cfg.Wall = ana.home, func() time.Time { return time.Now().Add(c.after) }
			})
			again.eventually(c.state, func() bool { return again.view(o.Room).State == c.state })
			s, err := again.Status(ctx)
			if warned := strings.Contains(strings.Join(s.Warnings, "\n"), "stays closed"); err != nil || warned != (c.state == web.StateClosed) {
				t.Errorf("warned of %q, %v", s.Warnings, err)
			}
		})
	}
}

// TestUnlistedRoomToCome: who has its link, and nothing else, is told by its founder's
// node when it opens. A moderator can't open it, nor a stranger say that it is to come.
func TestUnlistedRoomToCome(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	for _, at := range []time.Time{{}, time.Now().Add(-time.Second), time.UnixMilli(1 << 48)} {
		if _, err := ana.Open(ctx, web.OpenRequest{Title: "Never", At: &at}); codeOf(err) != protocol.CodeBadRequest {
			t.Errorf("at %v: %v", at, err)
		}
	}
	at := time.Now().Add(time.Hour)
	o, err := ana.Open(ctx, web.OpenRequest{Title: "Just us", Unlisted: true, At: &at})
	must(t, err)
	_, err = budi.Listen(ctx, o.Link, false)
	if codeOf(err) != protocol.CodeOpensLater || !strings.Contains(err.Error(), shownTime(at)) {
		t.Errorf("by its link: %v", err)
	}
	if l := budi.line(o.Room); l != nil {
		t.Errorf("it is listed: %+v", l)
	}
	if l := ana.line(o.Room); l == nil || l.State != web.StateComing || l.Listed {
		t.Errorf("its founder sees %+v", l)
	}
	if _, err := budi.Reopen(ctx, o.Link); codeOf(err) != protocol.CodeNotHost {
		t.Errorf("another opens it: %v", err)
	}
	budi.eventually("budi has given up", func() bool { return len(budi.carriedRooms()) == 0 })
	if err := budi.Act(ctx, o.Link, web.ActRequest{Act: web.ActNext, At: &at}); codeOf(err) != protocol.CodeNotInRoom {
		t.Errorf("another gives it a time: %v", err)
	}
	if err := ana.Close(ctx, o.Room, time.Time{}); codeOf(err) != protocol.CodeOpensLater {
		t.Errorf("closed again: %v", err)
	}
}

// TestClocksOfOthersOpenNothing: by its own clock a room should be live long since, and
// so does a node say; it is to come until its founder's node opens it.
func TestClocksOfOthersOpenNothing(t *testing.T) {
	ana := start(t, "ana")
	ahead := startWith(t, "ahead", func(c *Config) { c.Wall = func() time.Time { return time.Now().Add(48 * time.Hour) } }, ana)
	at := time.Now().Add(time.Hour)
	o, err := ana.Open(t.Context(), web.OpenRequest{Title: "Later", At: &at})
	must(t, err)
	if l := ahead.lists(o.Room, web.StateComing); !l.Next.Equal(*o.Next) {
		t.Errorf("it opens at %v, should at %v", l.Next, o.Next)
	}
	if _, err := ahead.Listen(t.Context(), o.Room, false); codeOf(err) != protocol.CodeOpensLater || !strings.Contains(err.Error(), "has not opened it yet") {
		t.Errorf("after the time by its own clock: %v", err)
	}
}
