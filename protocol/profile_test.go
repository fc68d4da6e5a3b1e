package protocol

import (
	"errors"
	"testing"
)

func TestColours(t *testing.T) {
	for i, name := range append([]string{""}, Colours()...) {
		c, err := ParseColour(name)
		if err != nil || int(c) != i || c.String() != name {
			t.Errorf("%q is read as %d, %q, %v", name, c, c, err)
		}
	}
	if len(Colours()) != 12 || Colour(13).String() != "" {
		t.Errorf("%q", Colours())
	}
	if _, err := ParseColour("beige"); !errors.Is(err, ErrText) {
		t.Error(err)
	}
}

func TestProfilesAreCleaned(t *testing.T) {
	p := Profile{Text: "  I read\n\told  newspapers ", Colour: 3}
	if err := p.Clean(); err != nil || p.Text != "I read old newspapers" {
		t.Errorf("%q, %v", p.Text, err)
	}
}
