package rtc

import "github.com/earshot-audio/earshot/protocol"

// inboxFrames is what may wait for a player: a second of three speakers and
// more. It is filled by a forwarder, which must not wait.
const inboxFrames = 256

// inbox hands frames from a forwarder to a player's goroutine. What was read is
// given back, so that buffers are used again.
type inbox struct {
	full chan *waiting
	free chan *waiting
}

// waiting is a frame with its own buffer.
type waiting struct{ protocol.Frame }

func newInbox() *inbox {
	return &inbox{full: make(chan *waiting, inboxFrames), free: make(chan *waiting, inboxFrames)}
}

// put copies a frame in; false if there is no room.
func (i *inbox) put(f *protocol.Frame) bool {
	var w *waiting
	select {
	case w = <-i.free:
	default:
		w = new(waiting)
	}
	buf := append(w.Packet[:0], f.Packet...)
	w.Frame = *f
	w.Packet = buf
	select {
	case i.full <- w:
		return true
	default:
		i.release(w)
		return false
	}
}

func (i *inbox) release(w *waiting) {
	select {
	case i.free <- w:
	default:
	}
}
