// Package people is what a node's person keeps about others: what they call
// them, whom they don't want to hear, whom they follow. Nothing of it is told to
// anybody.
//
//	people.go       the book of notes
//	rooms.go        rooms that they follow
//	met.go          for how long others were heard of
//	skeleton.go     names that look alike
//	confusables.go  what Unicode says of that; gen.go writes it
package people

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// MaxNotes bounds a book.
const MaxNotes = 4096

// ErrFull is for one note more than a book takes.
var ErrFull = errors.New("as many people are noted as there is room for")

// Note is what a person keeps about somebody.
type Note struct {
	Peer     protocol.PeerID `json:"-"`
	Petname  protocol.Name   `json:"petname,omitempty"` // "": none
	Followed bool            `json:"followed,omitempty"`
	Blocked  bool            `json:"blocked,omitempty"`
	// Until ends the block, by this machine's clock: it concerns nobody else, and
	// is to end while the node is off too. Zero: it is lifted by hand.
	Until time.Time `json:"until,omitzero"`
}

// empty says whether a note says nothing at a time.
func (n Note) empty(now time.Time) bool {
	return n.Petname == "" && !n.Followed && !n.blocks(now)
}

func (n Note) blocks(now time.Time) bool {
	return n.Blocked && (n.Until.IsZero() || now.Before(n.Until))
}

// Shelf keeps notes as bytes, one of a peer.
type Shelf interface {
	SaveNote(p protocol.PeerID, note []byte) error // nil: forgets it
	Notes() (map[protocol.PeerID][]byte, error)
}

// Book holds the notes. Its methods may be called from any goroutine; those that
// read take no lock, since each frame that is heard asks.
type Book struct {
	shelf Shelf
	now   func() time.Time

	writing sync.Mutex
	notes   atomic.Pointer[map[protocol.PeerID]Note]
	edition atomic.Uint64
}

// Open reads the book from its shelf. A note that does not read is left there and
// says nothing.
func Open(shelf Shelf, now func() time.Time) (*Book, error) {
	kept, err := shelf.Notes()
	if err != nil {
		return nil, err
	}
	notes := make(map[protocol.PeerID]Note, len(kept))
	for p, raw := range kept {
		if n, err := parse(raw); err == nil && len(notes) < MaxNotes {
			n.Peer = p
			notes[p] = n
		}
	}
	b := &Book{shelf: shelf, now: now}
	b.notes.Store(&notes)
	return b, nil
}

// parse reads a note.
func parse(raw []byte) (n Note, err error) {
	if err := json.Unmarshal(raw, &n); err != nil {
		return Note{}, err
	}
	if n.Petname != "" {
		if n.Petname, err = protocol.ParseName(string(n.Petname)); err != nil {
			return Note{}, err
		}
	}
	return n, nil
}

// Edition grows with each change, so that those who show something can tell.
func (b *Book) Edition() uint64 { return b.edition.Load() }

// Of gives what is kept about somebody. A block that has ended is none.
func (b *Book) Of(p protocol.PeerID) Note {
	n := (*b.notes.Load())[p]
	n.Peer = p
	if n.Blocked && !n.blocks(b.now()) {
		n.Blocked, n.Until = false, time.Time{}
	}
	return n
}

// Blocked says whether somebody is neither to be heard nor read here.
func (b *Book) Blocked(p protocol.PeerID) bool {
	n, noted := (*b.notes.Load())[p]
	return noted && n.Blocked && n.blocks(b.now())
}

// Notes gives all that is kept: by petname, then by peer.
func (b *Book) Notes() []Note {
	var out []Note
	for p := range *b.notes.Load() {
		if n := b.Of(p); !n.empty(b.now()) {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(m, n Note) int {
		return strings.Compare(string(m.Petname)+"\x00"+string(m.Peer), string(n.Petname)+"\x00"+string(n.Peer))
	})
	return out
}

// Called gives those whose petname this is, in any case.
func (b *Book) Called(name string) (found []protocol.PeerID) {
	for p, n := range *b.notes.Load() {
		if n.Petname != "" && strings.EqualFold(string(n.Petname), name) {
			found = append(found, p)
		}
	}
	return found
}

// Change alters what is kept about somebody, and is on the disk when it returns.
// The error is ErrFull, or the shelf's.
func (b *Book) Change(p protocol.PeerID, alter func(*Note)) (Note, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	n := b.Of(p)
	alter(&n)
	old := *b.notes.Load()
	if _, noted := old[p]; !noted && len(old) >= MaxNotes {
		return Note{}, ErrFull
	}
	notes := maps.Clone(old)
	var raw []byte
	if n.empty(b.now()) {
		delete(notes, p)
	} else {
		var err error
		if raw, err = json.Marshal(n); err != nil {
			return Note{}, err
		}
		notes[p] = n
	}
	if err := b.shelf.SaveNote(p, raw); err != nil {
		return Note{}, err
	}
	b.notes.Store(&notes)
	b.edition.Add(1)
	return n, nil
}
