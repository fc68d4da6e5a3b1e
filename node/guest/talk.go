package guest

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// maxLines is how many lines guests read, the newest of a room.
const maxLines = 100

// Talk is what is written and shown in a room, for guests to read along.
type Talk struct {
	Revision  uint64 // grows with each change of a line
	Next      uint64 // the order of what is written next
	Lines     []Line // the newest, in order
	Reactions map[string]int
	Captions  []Caption
}

// Line is what somebody wrote.
type Line struct {
	ID     string        `json:"id"`    // unlike another's
	Order  uint64        `json:"order"` // where it stands
	Who    string        `json:"who"`   // by whom, as of a Speaker
	Name   protocol.Name `json:"name"`
	Text   string        `json:"text"`
	Said   time.Time     `json:"said"`          // by their clock
	Hidden bool          `json:"hidden"`        // by who moderates; it has no text
	Guest  bool          `json:"guest"`         // a node's
	Key    string        `json:"key,omitempty"` // of a guest of this door, in hexadecimal
	// Revision is the Talk's with which it came, was hidden, or shown again.
	Revision uint64 `json:"-"`
}

// Caption is what a speaker says, as text.
type Caption struct {
	ID       string        `json:"id"`
	Name     protocol.Name `json:"name"`
	Language string        `json:"language"` // BCP 47; "" if not said
	Text     string        `json:"text"`
}

// news is what a guest has not read yet.
type news struct {
	Whole     bool           `json:"whole"` // nothing of before counts
	Next      uint64         `json:"next"`  // the order of what this guest writes next
	Lines     []Line         `json:"lines"` // new or changed
	Reactions map[string]int `json:"reactions"`
	Captions  []Caption      `json:"captions"` // new or changed
}

// lookAtTalk gives what guests read of a room.
func (d *Door) lookAtTalk(ctx context.Context, id protocol.RoomID) (Talk, error) {
	if !d.IsOpen() {
		return Talk{}, errShut
	}
	t, err := d.cfg.Backend.Talk(ctx, id)
	t.Lines = t.Lines[max(0, len(t.Lines)-maxLines):]
	return t, err
}

func sameTalk(a, b Talk) bool {
	return a.Revision == b.Revision && maps.Equal(a.Reactions, b.Reactions) && slices.Equal(a.Captions, b.Captions)
}

// since gives what is new after what was read; whole: all of it. Captions of others are
// not said again with each word of one who speaks: to many guests that is much.
func (t Talk) since(read Talk, whole bool) news {
	n := news{Whole: whole, Next: t.Next, Lines: []Line{}, Reactions: t.Reactions, Captions: []Caption{}}
	for _, l := range t.Lines {
		if whole || l.Revision > read.Revision {
			n.Lines = append(n.Lines, l)
		}
	}
	for _, c := range t.Captions {
		if whole || !slices.Contains(read.Captions, c) {
			n.Captions = append(n.Captions, c)
		}
	}
	if n.Reactions == nil {
		n.Reactions = map[string]int{}
	}
	return n
}

// talk streams what is written to one who listens, for as long as they do: `talk`,
// whole at first, then what is new.
func (d *Door) talk(w http.ResponseWriter, r *http.Request) error {
	s, err := d.sitting(r)
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", typeEvents)
		return nil
	}
	read, whole := Talk{}, true
	return stream(d, d.talks, s.Room, w, r, s.over, func(t Talk) []byte {
		text, err := json.Marshal(t.since(read, whole || t.Revision < read.Revision)) // less: the node has left the room and come back
		if err != nil {
			return nil // it is all text
		}
		read, whole = t, false
		return event("talk", text)
	})
}
