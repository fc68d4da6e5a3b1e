package discovery

import "github.com/earshot-audio/earshot/protocol"

// Kind says how a room changed.
type Kind uint8

const (
	_       Kind = iota
	Opened       // heard of for the first time, or again
	Changed      // its announcers, addresses, counts or listing
	Closed       // by its founder
	Gone         // its last announcement ended
	Several      // more happened than the watcher took: read Rooms again
)

// String gives the kind's word.
func (k Kind) String() string {
	return [...]string{"", "opened", "changed", "closed", "gone", "several"}[k]
}

// Change is one thing that happened to a room.
type Change struct {
	Kind Kind
	Room protocol.RoomID // zero for Several
}

// backlog is how many changes wait for a watcher.
const backlog = 64

// watchers are told of changes; the directory's goroutine owns them.
type watchers map[chan Change]struct{}

// tell never blocks. The last free place of a backlog is Several's: while it
// waits there, what does not fit any more is covered by it, since the watcher
// has yet to read it and then the rooms.
func (w watchers) tell(c Change) {
	for ch := range w {
		switch len(ch) {
		case cap(ch):
		case cap(ch) - 1:
			ch <- Change{Kind: Several}
		default:
			ch <- c
		}
	}
}

func (w watchers) close() {
	for ch := range w {
		close(ch)
		delete(w, ch)
	}
}
