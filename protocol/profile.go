package protocol

import (
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Profile is what somebody says about themselves, beside the name in their
// Presence. Of one peer's, the newest holds: a message's boot and sequence order
// them.
type Profile struct {
	Text   string // one line of at most MaxProfileBytes; "": nothing
	Colour Colour
}

// Colour is one of twelve; 0: none.
type Colour uint8

// colours are the names of Colour's values, in the order of the wire. How each
// looks is for who shows it.
var colours = [...]string{"", "red", "orange", "amber", "yellow", "lime", "green", "teal", "cyan", "blue", "indigo", "violet", "pink"}

// Colours gives the names that ParseColour takes.
func Colours() []string { return slices.Clone(colours[1:]) }

// String gives the colour's name; "" for none.
func (c Colour) String() string {
	if int(c) >= len(colours) {
		return ""
	}
	return colours[c]
}

// ParseColour reads a colour's name; "" is none. ErrText: there is no such colour.
func ParseColour(s string) (Colour, error) {
	i := slices.Index(colours[:], s)
	if i < 0 {
		return 0, ErrText
	}
	return Colour(i), nil
}

// Clean makes of what a person typed what may be sent. ErrText: the text is too
// long or not printable, or the colour none that there is.
func (p *Profile) Clean() (err error) {
	if int(p.Colour) >= len(colours) {
		return ErrText
	}
	p.Text, err = text(strings.Join(strings.Fields(p.Text), " "), MaxProfileBytes)
	return err
}

func (p *Profile) wire() *pb.Profile { return &pb.Profile{Text: p.Text, Colour: uint32(p.Colour)} }

func takeProfile(w *pb.Profile) (*Profile, error) {
	p := &Profile{Text: w.Text, Colour: Colour(min(w.Colour, 255))}
	if err := p.Clean(); err != nil || p.Text != w.Text {
		return nil, ErrText
	}
	return p, nil
}
