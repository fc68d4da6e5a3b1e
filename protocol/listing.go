package protocol

import (
	"errors"
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

// At gives it as it is shown when a clock on the wall says so: without a next time
// that is over.
func (l Listing) At(wall time.Time) Listing {
	if !l.Next.After(wall) {
		l.Next = time.Time{}
	}
	return l
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
	m := &pb.Listing{Locked: l.Locked, NextMs: NextMS(l.Next)}
	if l.Title != g.Title {
		m.Title = l.Title
	}
	if !slices.Equal(l.Topics, g.Topics) {
		m.Topics = &pb.Topics{Topics: l.Topics}
	}
	if l.Language != g.Language {
		m.Language = &l.Language
	}
	return m
}

// openListing checks what an announcement says beside its genesis. ErrLater: it is
// larger than this version bounds it, and well formed.
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
	var ok bool
	if l.Next, ok = NextAt(m.NextMs); !ok {
		return l, ErrMalformed
	}
	l.Locked = m.Locked
	err := l.check()
	if errors.Is(err, ErrText) && l.wellFormed() {
		err = ErrLater
	}
	return l, err
}

// wellFormed says whether the texts are in the form in which they travel, however
// many they are and however long.
func (l Listing) wellFormed() bool {
	return checkText(l.Title, MaxAnnouncementBytes) == nil && checkText(l.Language, MaxAnnouncementBytes) == nil &&
		!slices.ContainsFunc(l.Topics, func(t string) bool { return t == "" || checkText(t, MaxAnnouncementBytes) != nil })
}

// NextAt reads from the wire when a room meets next, zero if that is not said; false
// if it is too late for dates.
func NextAt(ms uint64) (time.Time, bool) {
	if ms == 0 || ms > maxCreatedMS {
		return time.Time{}, ms == 0
	}
	return time.UnixMilli(int64(ms)), true
}

// NextMS is NextAt's number.
func NextMS(next time.Time) uint64 {
	if next.IsZero() {
		return 0
	}
	return uint64(next.UnixMilli())
}
