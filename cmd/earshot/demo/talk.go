package demo

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

// talk is a voice on its way into the room.
type talk struct {
	voice
	to     web.Speaking
	moved  func()       // called after each packet
	handed atomic.Int64 // packets
	done   atomic.Bool  // all were handed over and sent
	ended  atomic.Bool  // that, or it broke off
}

// said says whether it has come to a time of its voice.
func (t *talk) said(at time.Duration) bool { return t.handed.Load() >= int64(t.at(at)) }

// run hands the voice's packets over at their own pace, until the last, the end
// of ctx or that of the node.
func (t *talk) run(ctx context.Context) {
	defer t.moved()
	for _, p := range t.packets {
		if t.to.Packet(ctx, p.Data, p.Gap) != nil {
			break
		}
		t.handed.Add(1)
		t.moved()
	}
	_, err := t.to.Close(ctx)
	t.done.Store(err == nil && ctx.Err() == nil)
	t.ended.Store(true)
}
