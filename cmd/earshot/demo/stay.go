package demo

import (
	"context"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

// stay keeps the federation until ctx ends: one voice goes on, the person listens
// by the page, and switches off who carries the sound as often as they like. Who
// was switched off comes back a little later.
func (d *demo) stay(ctx context.Context) error {
	d.ears, d.talks = nil, map[string]*talk{}
	for _, m := range d.nodes.members {
		d.watch(m)
		if m.name != own && m.name != d.gone {
			if err := d.attendUnrecorded(ctx, m); err != nil {
				return err
			}
		}
	}
	if err := d.screen.tell(staying{"staying", d.since(d.began), []string{host, second}}); err != nil {
		return err
	}
	for {
		if err := d.comeBack(ctx); err != nil {
			return err
		}
		d.button.arm()
		if err := d.talking(ctx, 0, "", d.button.pressed); err != nil {
			return err
		}
		if err := d.killAgain(ctx); err != nil {
			return err
		}
	}
}

// attendUnrecorded lets a node listen, for nothing but to be there.
func (d *demo) attendUnrecorded(ctx context.Context, m *member) error {
	hears, err := m.node.Listen(ctx, d.room, false)
	if err != nil {
		return err
	}
	d.tasks.Go(func() {
		defer hears.Close()
		for {
			if _, err := hears.Next(d.work); err != nil {
				return // also if its node was switched off
			}
		}
	})
	return nil
}

// comeBack starts the node again that was switched off.
func (d *demo) comeBack(ctx context.Context) error {
	back := time.Now().Add(d.away)
	if err := d.talking(ctx, d.away+patience, "a node comes back", func() bool { return !time.Now().Before(back) }); err != nil {
		return err
	}
	m := d.nodes.member(d.gone)
	if err := d.nodes.restart(m); err != nil {
		return err
	}
	d.watch(m)
	if err := d.talking(ctx, patience, "a node that is back finds the room", func() bool { return d.lists(ctx, m) }); err != nil {
		return err
	}
	if err := d.attendUnrecorded(ctx, m); err != nil {
		return err
	}
	var relay string
	known := func() bool {
		relay = d.view(ctx, d.here()[0].name).Relay
		return relay != "" && d.view(ctx, m.name).Relay == relay
	}
	if err := d.talking(ctx, patience, "a node is back in the room", known); err != nil {
		return err
	}
	d.gone = ""
	return d.screen.tell(returned{"back", d.since(d.began), m.name, d.nodes.nameOf(relay)})
}

// killAgain cuts the sockets of whoever relays now, and waits until everybody
// knows who relays instead.
func (d *demo) killAgain(ctx context.Context) error {
	d.button.disarm()
	d.gone = d.nodes.nameOf(d.view(ctx, d.here()[0].name).Relay)
	if !slices.Contains(everybody(), d.gone) {
		return stuck("it is known who relays")
	}
	m := d.nodes.member(d.gone)
	d.cutAt = time.Now()
	m.node.Kill()
	if err := d.screen.tell(killed{"killed", d.since(d.began), d.gone}); err != nil {
		return err
	}
	var v web.RoomView
	err := d.talking(ctx, patience, "a new relay is elected", d.every(d.here(), func(o *member) bool {
		v = d.view(ctx, o.name)
		return v.Relay != "" && v.Relay != m.id && v.Standby != "" && v.Standby != m.id
	}))
	if err != nil {
		return err
	}
	return d.screen.tell(elected{Event: "elected", At: d.since(d.began), Term: v.Term, Relay: d.nodes.nameOf(v.Relay), Standby: d.nodes.nameOf(v.Standby),
		MS: d.since(d.cutAt), again: true, asked: true})
}

// here are those whose nodes run, the person's own left out: it is in the room
// only while the person listens.
func (d *demo) here() []*member {
	return slices.DeleteFunc(slices.Clone(d.nodes.members), func(m *member) bool { return m.name == own || m.name == d.gone })
}

// talking waits for something while a voice goes on; limit 0: for as long as it
// takes.
func (d *demo) talking(ctx context.Context, limit time.Duration, what string, ok func() bool) error {
	return d.within(ctx, limit, what, func() bool {
		d.talkOn(ctx)
		return ok()
	})
}

// talkOn lets one of the two speakers begin once nobody speaks: rather not the
// one who carries the sound, who would break off when switched off.
func (d *demo) talkOn(ctx context.Context) {
	if d.talk != nil && !d.talk.ended.Load() {
		return
	}
	relay := d.nodes.nameOf(d.view(ctx, d.here()[0].name).Relay)
	who := host
	if d.gone == host || relay == host && d.gone != second {
		who = second
	}
	if d.takeStage(ctx, who) { // else its node has just come back: it is tried again
		t := d.talks[who]
		d.talk = t
		d.tasks.Go(func() { t.run(d.work) })
	}
}
