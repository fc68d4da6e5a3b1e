package protocol

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Listing is what those outside are shown of a room: what its genesis and its log
// have made of it, in its announcer's words.
type Listing struct {
	Title    string
	Topics   []string
	Language string    // BCP 47, "" if not said
	Locked   bool      // it takes no new listeners
	Next     time.Time // when it meets next; zero: not said. Shown; opens it only at its founder's
}

// Listing gives the room as its genesis has it.
func (g *Genesis) Listing() Listing {
	return Listing{Title: g.Title, Topics: g.Topics, Language: g.Language}
}

// Equal says whether people see no difference.
func (l Listing) Equal(o Listing) bool {
	return l.Title == o.Title && slices.Equal(l.Topics, o.Topics) && l.Language == o.Language && l.Locked == o.Locked && l.Next.Equal(o.Next)
}

// check bounds it as the actions of the log are bounded that it tells of.
func (l Listing) check() error {
	for _, d := range []Deed{Title(l.Title), Topics(l.Topics), Language(l.Language), Next{l.Next}} {
		if err := d.check(); err != nil {
			return err
		}
	}
	return nil
}

// wire gives what is not as the genesis says; nil if nothing is.
func (l Listing) wire(g *Genesis) *pb.Listing {
	if l.Equal(g.Listing()) {
		return nil
	}
	m := &pb.Listing{Locked: l.Locked}
	if l.Title != g.Title {
		m.Title = l.Title
	}
	if !slices.Equal(l.Topics, g.Topics) {
		m.Topics = &pb.Topics{Topics: l.Topics}
	}
	if l.Language != g.Language {
		m.Language = &l.Language
	}
	if !l.Next.IsZero() {
		m.NextMs = uint64(l.Next.UnixMilli())
	}
	return m
}

// openListing checks what an announcement says beside its genesis.
func openListing(m *pb.Listing, g *Genesis) (Listing, error) {
	l := g.Listing()
	if m == nil {
		return l, nil
	}
	if m.Title != "" {
		l.Title = m.Title
	}
	if m.Topics != nil {
		l.Topics = m.Topics.Topics
	}
	if m.Language != nil {
		l.Language = *m.Language
	}
	l.Locked, l.Next = m.Locked, nextAt(m.NextMs)
	return l, l.check()
}

// nextAt reads a time to come from the wire; 0 is none. One that is too late for
// dates is refused by Next's check.
func nextAt(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(min(ms, maxCreatedMS+1)))
}
