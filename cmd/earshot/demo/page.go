package demo

import (
	"context"
	"sync/atomic"
)

// own is the person's node: one more, with the page. It carries nothing, so that
// what the person listens by is never what is switched off.
const own = "hadi"

// names are those whose nodes take part.
func (d *demo) names() []string {
	if d.Page == nil {
		return everybody()
	}
	return append(everybody(), own)
}

// invite opens the page, at the room.
func (d *demo) invite(context.Context) error {
	if d.Page == nil {
		return nil
	}
	d.button.arm()
	page := d.nodes.member(own).node.Page() + "&room/" + d.room
	return d.screen.tell(invited{"page", d.since(d.began), own, page, len(d.nodes.members), d.Page(page), d.Stay})
}

// switchOff is what the page asks for: whoever carries the sound is switched off, once
// the story comes to see it. False: the story is not at a point where it can be.
func (d *demo) switchOff() bool {
	taken := d.button.press()
	if taken {
		d.ring()
	}
	return taken
}

// button is pressed once each time that it was armed.
type button struct{ state atomic.Int32 }

const (
	off int32 = iota
	armed
	pressed
)

func (b *button) arm()          { b.state.Store(armed) }
func (b *button) disarm()       { b.state.Store(off) }
func (b *button) press() bool   { return b.state.CompareAndSwap(armed, pressed) }
func (b *button) pressed() bool { return b.state.Load() == pressed }
