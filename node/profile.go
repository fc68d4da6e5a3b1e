package node

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// keptProfile is a profile as the store has it.
type keptProfile struct {
	Text   string `json:"text"`
	Colour string `json:"colour"`
}

// storedProfile gives what this node's person said of themselves last. What does not
// read says nothing.
func (n *Node) storedProfile() (p protocol.Profile, err error) {
	raw, err := n.store.Profile()
	if err != nil || raw == nil {
		return p, err
	}
	var kept keptProfile
	if json.Unmarshal(raw, &kept) != nil {
		return p, nil
	}
	p.Text = kept.Text
	if p.Colour, err = protocol.ParseColour(kept.Colour); err != nil || p.Clean() != nil {
		return protocol.Profile{}, nil
	}
	return p, nil
}

// Profile gives what somebody in a room here says of themselves; of "", this node's
// person.
func (n *Node) Profile(ctx context.Context, who string) (web.Profile, error) {
	if who == "" {
		return n.ownProfile(), nil
	}
	names := n.namesHere(ctx)
	p, err := n.who(who, names)
	if err != nil {
		return web.Profile{}, err
	}
	if p == n.self {
		return n.ownProfile(), nil
	}
	out := web.Profile{Peer: p.String(), Name: names[p], Petname: n.people.Of(p).Petname}
	for _, c := range n.carriedRooms() {
		v, err := c.room.View(ctx)
		if err != nil {
			continue // it has ended
		}
		for _, m := range v.Members {
			if m.Peer == p && m.Profile != (protocol.Profile{}) {
				out.Text, out.Colour = m.Profile.Text, m.Profile.Colour.String()
			}
		}
	}
	return out, nil
}

func (n *Node) ownProfile() web.Profile {
	n.mu.Lock()
	defer n.mu.Unlock()
	return web.Profile{Peer: n.self.String(), Name: n.name, Text: n.profile.Text, Colour: n.profile.Colour.String()}
}

// Describe changes what this node's person says of themselves, in all rooms.
func (n *Node) Describe(_ context.Context, r web.ProfileRequest) (web.Profile, error) {
	n.describing.Lock()
	defer n.describing.Unlock()
	now := n.ownProfile()
	name, p := now.Name, protocol.Profile{Text: now.Text}
	p.Colour, _ = protocol.ParseColour(now.Colour) // it was written by its String
	var err error
	if r.Name != nil {
		if name, err = protocol.ParseName(*r.Name); err != nil {
			return web.Profile{}, badRequest(fmt.Sprintf("a name has 1 to %d bytes of printable text", protocol.MaxNameBytes), err)
		}
	}
	if r.Colour != nil {
		if p.Colour, err = protocol.ParseColour(*r.Colour); err != nil {
			return web.Profile{}, &protocol.Problem{Code: protocol.CodeBadRequest, Message: fmt.Sprintf("there is no colour %q", *r.Colour),
				Hint: "there are " + strings.Join(protocol.Colours(), ", "), Cause: err}
		}
	}
	if r.Text != nil {
		p.Text = *r.Text
	}
	if err := p.Clean(); err != nil {
		return web.Profile{}, badRequest(fmt.Sprintf("what you say of yourself has at most %d bytes of printable text", protocol.MaxProfileBytes), err)
	}
	if err := n.keepProfile(name, p); err != nil {
		return web.Profile{}, err
	}
	for _, c := range n.carriedRooms() {
		c.room.Describe(name, p)
	}
	n.changed()
	return n.ownProfile(), nil
}

// keepProfile stores it, and gives it to the rooms that are entered from now on.
func (n *Node) keepProfile(name protocol.Name, p protocol.Profile) error {
	raw, err := json.Marshal(keptProfile{p.Text, p.Colour.String()})
	if err != nil {
		return err
	}
	if err := n.store.SaveProfile(raw); err != nil {
		return err
	}
	if err := n.store.SetName(name); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.name, n.profile = name, p
	return nil
}
