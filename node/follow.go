package node

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/earshot-audio/earshot/node/people"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// FollowRoom notes that this node's person follows a room, or no longer does.
func (n *Node) FollowRoom(ctx context.Context, name string, on bool) error {
	id, err := n.roomToFollow(name)
	if err != nil {
		return err
	}
	defer n.changed()
	if !on {
		return n.followed.Unfollow(id)
	}
	title := "" // nobody may have told of it yet
	if v, err := n.Room(ctx, id.String()); err == nil {
		title = v.Title
	}
	err = n.followed.Follow(id, title)
	if errors.Is(err, people.ErrFull) {
		return &protocol.Problem{Code: protocol.CodeBadRequest, Message: fmt.Sprintf("you follow %d rooms, and more don't fit", people.MaxFollowedRooms),
			Hint: "let some go: earshot unfollow --room", Cause: err}
	}
	return err
}

// roomToFollow finds the room that a person means: also one of which nothing is heard,
// by its whole ID, or if they follow it already.
func (n *Node) roomToFollow(name string) (protocol.RoomID, error) {
	e, err := n.find(name)
	if err == nil {
		return e.id, nil
	}
	if id, whole := protocol.ParseRoomID(name); whole == nil {
		return id, nil
	}
	var found []protocol.RoomID
	for _, f := range n.followed.All() {
		if name != "" && strings.HasPrefix(f.Room.String(), strings.ToLower(name)) {
			found = append(found, f.Room)
		}
	}
	if len(found) != 1 {
		return e.id, err
	}
	return found[0], nil
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
		if err := n.followed.Retitle(id, e.Listing.Title); err != nil {
			n.log.Warn("note a room's title", "err", err)
		}
	}
}
