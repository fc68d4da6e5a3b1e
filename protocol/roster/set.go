package roster

import (
	"iter"
	"math/bits"
)

// A set holds indices of a log's nodes.
type set []uint64

func (s set) has(i int) bool { return i>>6 < len(s) && s[i>>6]&(1<<(i&63)) != 0 }

func (s *set) add(i int) {
	for i>>6 >= len(*s) {
		*s = append(*s, 0)
	}
	(*s)[i>>6] |= 1 << (i & 63)
}

func (s *set) union(t set) {
	for len(*s) < len(t) {
		*s = append(*s, 0)
	}
	for i, w := range t {
		(*s)[i] |= w
	}
}

// intersect takes out of s what is not in t.
func (s set) intersect(t set) {
	for i := range s {
		if i < len(t) {
			s[i] &= t[i]
		} else {
			s[i] = 0
		}
	}
}

// meets says whether anything is in both.
func (s set) meets(t set) bool {
	for i := range min(len(s), len(t)) {
		if s[i]&t[i] != 0 {
			return true
		}
	}
	return false
}

// beyond gives what is in s and not in t.
func (s set) beyond(t set) iter.Seq[int] {
	return func(yield func(int) bool) {
		for at, w := range s {
			if at < len(t) {
				w &^= t[at]
			}
			for ; w != 0; w &= w - 1 {
				if !yield(at<<6 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// common counts what is in both.
func (s set) common(t set) (n int) {
	for i := range min(len(s), len(t)) {
		n += bits.OnesCount64(s[i] & t[i])
	}
	return n
}

func (s set) count() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}
