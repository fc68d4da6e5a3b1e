package demo

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// ring says that something happened that the story may wait for.
func (d *demo) ring() {
	select {
	case d.bell <- struct{}{}:
	default: // it has yet to look at what happened before
	}
}

func (d *demo) until(ctx context.Context, what string, ok func() bool) error {
	return d.within(ctx, patience, what, ok)
}

// within waits for something, and shows what flows in the meantime. Limit 0: for
// as long as it takes.
func (d *demo) within(ctx context.Context, limit time.Duration, what string, ok func() bool) error {
	var late <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		late = t.C
	}
	look := time.NewTicker(pace)
	defer look.Stop()
	for !ok() {
		select {
		case <-d.bell:
		case <-look.C:
			if err := d.show(ctx); err != nil {
				return err
			}
		case <-late:
			return stuck(what)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// stuck is a step of the story that did not come about.
func stuck(what string) error {
	return &protocol.Problem{Code: protocol.CodeInternal, Message: "the demo got stuck before " + what,
		Hint: "is this machine very busy? try again, or see why with --log-level debug"}
}

// show draws what flows once there is something to flow.
func (d *demo) show(ctx context.Context) error {
	for _, e := range d.ears {
		if err := e.broke(); err != nil {
			return &protocol.Problem{Code: protocol.CodeOutput, Message: "the recording to " + e.path + " ended early: " + reason(err), Cause: err}
		}
	}
	if d.talks[host] == nil || len(d.ears) == 0 {
		return nil
	}
	return d.screen.flow(d.flow(ctx))
}

// flow looks at who hears whom.
func (d *demo) flow(ctx context.Context) flow {
	f := flow{Event: "flow", At: d.since(d.began), Live: map[string][]string{}, Warm: map[string][]string{}, gone: d.gone}
	for i, e := range d.ears {
		v := d.view(ctx, e.name)
		if i == 0 {
			f.Term, f.Relay, f.Standby = v.Term, d.nodes.nameOf(v.Relay), d.nodes.nameOf(v.Standby)
		}
		for _, l := range v.Links {
			from := d.nodes.nameOf(l.Peer)
			switch {
			case from == d.gone:
			case l.Direction == "up":
				f.Live[from] = append(f.Live[from], e.name)
			case l.Direction == "standby" && (l.Peer == v.Relay || l.Peer == v.Standby):
				f.Warm[from] = append(f.Warm[from], e.name)
			}
		}
		h := e.heard()
		f.Frames, f.Lost, f.Resumed = f.Frames+h.frames, f.Lost+h.lost, f.Resumed+h.resumed
		f.heard = append(f.heard, e.name+" "+number(h.frames))
	}
	for _, who := range []string{host, second} {
		if t := d.talks[who]; t != nil && who != d.gone && t.handed.Load() > 0 && !t.done.Load() {
			f.talking = append(f.talking, who)
		}
	}
	return f
}

// view gives the room as a node sees it; nothing if it does not.
func (d *demo) view(ctx context.Context, name string) web.RoomView {
	v, err := d.nodes.member(name).node.Room(ctx, d.room)
	if err != nil {
		d.Log.Debug("look at the room", "node", name, "err", strings.TrimSpace(err.Error()))
	}
	return v
}

// since gives the time since then in ms.
func (d *demo) since(then time.Time) int64 { return time.Since(then).Milliseconds() }

// every says whether something holds at all these nodes.
func (d *demo) every(members []*member, ok func(*member) bool) func() bool {
	return func() bool { return !slices.ContainsFunc(members, func(m *member) bool { return !ok(m) }) }
}

// all says whether something holds for all ears.
func (d *demo) all(ok func(*ear) bool) func() bool {
	return func() bool { return !slices.ContainsFunc(d.ears, func(e *ear) bool { return !ok(e) }) }
}
