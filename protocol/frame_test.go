package protocol

import "testing"

func TestNewerAroundTheWrap(t *testing.T) {
	for _, c := range []struct {
		a, b  uint32
		newer bool
	}{
		{0, 0, false}, {1, 0, true}, {0, 1, false}, {960, 0, true},
		{0, 1<<32 - 960, true}, {1<<32 - 960, 0, false}, {1<<32 - 1, 1<<32 - 2, true},
		{1<<31 - 1, 0, true}, {0, 1<<31 - 1, false},
		{1 << 31, 0, false}, {0, 1 << 31, false}, // as far as can be: neither
		{1<<31 + 1, 0, false}, {0, 1<<31 + 1, true},
	} {
		if Newer(c.a, c.b) != c.newer {
			t.Errorf("%d after %d: not %v", c.a, c.b, c.newer)
		}
	}
}
