package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/earshot-audio/earshot/node/guest"
	"github.com/earshot-audio/earshot/protocol"
)

// guestsWord names somebody in a room for its guests, without their key.
func guestsWord(room protocol.RoomID, peer string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "earshot-guests-word %s %s", room, peer))
	return hex.EncodeToString(sum[:8])
}

// Report tells who moderates a room what this node knows of somebody there, for a
// guest. Not for one who means this node's own person: that would be no secret.
func (r reception) Report(ctx context.Context, id protocol.RoomID, by protocol.PeerID, report guest.Report) (guest.Told, error) {
	c, err := r.heard(id)
	if err != nil {
		return guest.Told{}, err
	}
	of, err := c.meantByGuests(ctx, report.Who)
	if err != nil {
		return guest.Told{}, err
	}
	changed, stop := r.n.changes.watch()
	defer stop()
	sent, err := c.room.GuestReport(ctx, by, of, report.Why, r.n.cfg.Wall())
	if err != nil {
		return guest.Told{}, reportProblem(guestProblem(err))
	}
	last, err := c.awaitReport(ctx, sent, changed)
	return guest.Told{Told: len(last.Told), Waiting: len(last.Waiting)}, err
}

// meantByGuests finds whom their word names: somebody who is in the room, or was.
func (c *carried) meantByGuests(ctx context.Context, word string) (protocol.PeerID, error) {
	v, err := c.room.View(ctx)
	if err != nil {
		return "", err
	}
	for p := range v.Names {
		if guestsWord(c.id, p.String()) == word {
			return p, nil
		}
	}
	return "", badRequest("guests know nobody by that word", nil)
}
