package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/earshot-audio/earshot/node/guest"
	"github.com/earshot-audio/earshot/protocol"
)

// Talk gives what is written in a room as guests read it: with what its moderators
// hide left out, and nothing of whom this node's person has blocked or calls otherwise,
// which is theirs alone.
func (r reception) Talk(ctx context.Context, id protocol.RoomID) (guest.Talk, error) {
	c, err := r.heard(id)
	if err != nil {
		return guest.Talk{}, err
	}
	t, err := c.room.Talk(ctx, 0)
	if err != nil {
		return guest.Talk{}, err
	}
	out := guest.Talk{Revision: t.Revision, Next: t.Next, Reactions: t.Reactions}
	for _, m := range t.Remarks {
		l := guest.Line{ID: lineID(m.ID), Order: m.Order, Who: guestsWord(id, m.ID.From.String()), Name: m.Name, Text: m.Text, Said: m.Said.UTC(), Hidden: m.Hidden, Guest: m.Guest, Revision: m.Revision}
		if r.n.door.Has(id, m.ID.From) {
			l.Key = keyText(m.ID.From)
		}
		out.Lines = append(out.Lines, l)
	}
	for _, p := range t.Captions {
		piece := protocol.MessageID{From: p.From, Boot: p.Boot, Sequence: uint64(p.Utterance)}
		out.Captions = append(out.Captions, guest.Caption{ID: lineID(piece), Name: p.Name, Language: p.Language, Text: p.Text})
	}
	return out, nil
}

// lineID names what somebody said without their key.
func lineID(id protocol.MessageID) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "earshot-line %s %d %d", id.From, id.Boot, id.Sequence))
	return hex.EncodeToString(sum[:8])
}
