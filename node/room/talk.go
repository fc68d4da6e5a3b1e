package room

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Talk is what people in a room wrote, in its order, and what else they show.
type Talk struct {
	Revision  uint64
	Next      uint64   // the order of what is written now
	Remarks   []Remark // new or changed after the revision that was asked for
	Reactions map[string]int
	Captions  []Caption
	MayHide   bool // this node, of what others wrote
}

// Remark is one chat message. What is hidden has no text.
type Remark struct {
	ID     protocol.MessageID
	Order  uint64
	Name   protocol.Name
	Text   string
	Said   time.Time // by its sender's clock
	Hidden bool
	Guest  bool // its sender is here, as a node's guest
	// Revision is that of the Talk with which it came, or was hidden or shown.
	Revision uint64
}

// Talk gives what people wrote that is new or changed after a revision.
func (r *Room) Talk(ctx context.Context, after uint64) (t Talk, err error) {
	err = r.ask(ctx, func(r *Room) { t = r.talk(after) })
	return t, err
}

// ShowAgain has Talk give what somebody wrote as if it had changed: this node's
// person is to see it otherwise.
func (r *Room) ShowAgain(p protocol.PeerID) {
	r.post(func(r *Room) {
		r.chat.revision++
		for _, w := range r.chat.said {
			if w.From == p {
				w.revision = r.chat.revision
			}
		}
		r.changed()
	})
}

func (r *Room) talk(after uint64) Talk {
	t := Talk{MayHide: r.genesis != nil && r.chatRights().MayHide(r.cfg.Self, ""), Revision: r.chat.revision, Next: r.chat.next(r.cfg.Now()), Reactions: maps.Clone(r.reactions.counts), Captions: slices.Clone(r.captions.said)}
	if after > t.Revision {
		after = 0 // of an earlier stay in the room
	}
	for _, w := range r.chat.said {
		if w.revision <= after {
			continue
		}
		m := Remark{ID: w.ID(), Order: w.Chat.Order, Name: w.Chat.Name, Text: w.Chat.Text, Said: w.Chat.Said, Hidden: r.chat.hidden(w), Guest: r.doorOf(w.From) != "", Revision: w.revision}
		if m.Hidden {
			m.Text = ""
		}
		t.Remarks = append(t.Remarks, m)
	}
	return t
}
