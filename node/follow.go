package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/earshot-audio/earshot/node/people"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// FollowRoom notes that this node's person follows a room, or no longer does.
func (n *Node) FollowRoom(ctx context.Context, name string, on bool) error {
	e, err := n.find(name)
	if err != nil {
		return err
	}
	defer n.changed()
	if !on {
		return n.followed.Unfollow(e.id)
	}
	title := "" // a link leads there that nobody told of yet
	if v, err := n.Room(ctx, e.id.String()); err == nil {
		title = v.Title
	}
	err = n.followed.Follow(e.id, title)
	if errors.Is(err, people.ErrFull) {
		return &protocol.Problem{Code: protocol.CodeBadRequest, Message: fmt.Sprintf("you follow %d rooms, and more don't fit", people.MaxFollowedRooms),
			Hint: "let some go: earshot unfollow --room", Cause: err}
	}
	return err
}

// Following gives the rooms that this node's person follows.
func (n *Node) Following(ctx context.Context) ([]web.FollowedRoom, error) {
	lines, err := n.Rooms(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]web.RoomLine{}
	for _, l := range lines {
		known[l.Room] = l
	}
	out := []web.FollowedRoom{}
	for _, f := range n.followed.All() {
		shown := web.FollowedRoom{Room: f.Room.String(), Title: f.Title, State: web.StateClosed}
		if l, ok := known[shown.Room]; ok {
			shown.Title, shown.State, shown.Next = l.Title, l.State, l.Next
		}
		out = append(out, shown)
	}
	return out, nil
}

// noteTitle notes a followed room's title as the directory has it now, for when the
// directory has the room no more.
func (n *Node) noteTitle(id protocol.RoomID) {
	title, follows := n.followed.Title(id)
	if !follows {
		return
	}
	if e, ok := n.directory.Room(id); ok && e.Listing.Title != title {
		if err := n.followed.Follow(id, e.Listing.Title); err != nil {
			n.log.Warn("note a room's title", "err", err)
		}
	}
}
