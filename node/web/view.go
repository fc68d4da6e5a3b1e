package web

import (
	"bytes"
	"context"
)

// view is what one look at the backend saw.
type view struct {
	node  sight
	lines []RoomLine
	line  map[string]string  // by room: its line as JSON
	rooms map[string]sight   // by room: those this node is in
	chats map[string]Chat    // the same
	told  map[string]telling // the same
}

// telling is a room's reports as JSON.
type telling struct {
	text string
	some bool // there are any
}

// sight is something seen, as JSON.
type sight struct {
	shown   []byte
	essence []byte // without what time alone changes
}

// look asks the backend for all that events tell of.
func look(ctx context.Context, backend Backend) (view, error) {
	ctx, cancel := context.WithTimeout(ctx, feedPatience)
	defer cancel()
	v := view{line: map[string]string{}, rooms: map[string]sight{}, chats: map[string]Chat{}, told: map[string]telling{}}
	status, err := backend.Status(ctx)
	if err != nil {
		return v, err
	}
	timeless := status.whole()
	timeless.UptimeMS = 0
	if v.node, err = see(status.whole(), timeless); err != nil {
		return v, err
	}
	lines, err := backend.Rooms(ctx)
	if err != nil {
		return v, err
	}
	v.lines = wholeRooms(lines)
	for _, l := range v.lines {
		text, err := data(l)
		if err != nil {
			return v, err
		}
		v.line[l.Room] = string(text)
		if !l.Joined {
			continue
		}
		room, err := backend.Room(ctx, l.Room)
		if err != nil {
			continue // left since
		}
		timeless := room.whole()
		timeless.TermSinceMS = 0
		if v.rooms[l.Room], err = see(room.whole(), timeless); err != nil {
			return v, err
		}
		if chat, err := backend.Chat(ctx, l.Room, 0); err == nil {
			v.chats[l.Room] = chat
		}
		if reports, err := backend.Reports(ctx, l.Room); err == nil {
			text, _ := data(reports.whole()) // plain fields encode
			v.told[l.Room] = telling{string(text), len(reports.Reports)+len(reports.Sent) > 0}
		}
	}
	return v, nil
}

// since gives the events that lead from an older view to this one.
func (v view) since(old view) []event {
	var events []event
	if !bytes.Equal(v.node.essence, old.node.essence) {
		events = append(events, event{kind: "node", data: v.node.shown})
	}
	for _, of := range []struct{ kind, state string }{{"rooms", StateLive}, {"coming", StateComing}} {
		if change := v.roomsSince(old, of.state); len(change.Changed)+len(change.Gone) > 0 {
			events = append(events, event{kind: of.kind, data: change.data()})
		}
	}
	for _, l := range v.lines {
		if now, in := v.rooms[l.Room]; in && !bytes.Equal(now.essence, old.rooms[l.Room].essence) {
			events = append(events, event{kind: "room", data: now.shown})
		}
	}
	for _, l := range v.lines {
		if news, is := v.chats[l.Room].since(old.chats[l.Room]); is {
			text, _ := data(news.whole()) // plain fields encode
			events = append(events, event{kind: "chat", data: text})
		}
	}
	for _, l := range v.lines {
		now, was := v.told[l.Room], old.told[l.Room]
		if now.text != "" && now.text != was.text && (now.some || was.some) {
			events = append(events, event{kind: "reports", data: []byte(now.text)})
		}
	}
	return events
}

// roomsSince gives what has become of the rooms of one state.
func (v view) roomsSince(old view, state string) (change RoomsChange) {
	is := map[string]bool{}
	for _, l := range v.lines {
		if l.State != state {
			continue
		}
		is[l.Room] = true
		if v.line[l.Room] != old.line[l.Room] {
			change.Changed = append(change.Changed, l)
		}
	}
	for _, l := range old.lines {
		if l.State == state && !is[l.Room] {
			change.Gone = append(change.Gone, l.Room)
		}
	}
	return change
}

// events tells the whole view to one who has nothing. Only its last event has
// a number, so that nobody resumes in the middle.
func (v view) events(number uint64) []event {
	events := append([]event{{kind: "reset", data: []byte("{}")}}, v.since(view{})...)
	events[len(events)-1].number = number
	return events
}

func (c RoomsChange) data() []byte {
	c.Changed, c.Gone = list(c.Changed), list(c.Gone)
	text, _ := data(c) // its lines were encoded before
	return text
}

func see(whole, timeless any) (sight, error) {
	shown, err := data(whole)
	if err != nil {
		return sight{}, err
	}
	essence, err := data(timeless)
	return sight{shown, essence}, err
}

// data gives v as JSON without an end of line.
func data(v any) ([]byte, error) {
	text, err := line(v)
	return bytes.TrimSpace(text), err
}
