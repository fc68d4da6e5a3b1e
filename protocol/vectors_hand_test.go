package protocol

import (
	"testing"
	"time"
)

type handFields struct {
	Up     bool   `json:"up"`
	Raised uint64 `json:"raised"`
}

type queueFields struct {
	Part   uint32        `json:"part"`
	Parts  uint32        `json:"parts"`
	Stamps []stampFields `json:"stamps,omitempty"`
}

type stampFields struct {
	Peer   hexBytes `json:"peer"`
	Term   uint64   `json:"term"`
	N      uint32   `json:"n"`
	Waited uint32   `json:"waited_s"`
}

func (f stampFields) wire() message {
	return message{}.bytes(1, f.Peer).number(2, f.Term).number(3, uint64(f.N)).number(4, uint64(f.Waited))
}

func (f queueFields) wire() message {
	m := message{}.number(1, uint64(f.Part)).number(2, uint64(f.Parts))
	for _, s := range f.Stamps {
		m = m.part(3, s.wire())
	}
	return m
}

// handWords gives what a parsed message says of hands.
func handWords(t testing.TB, m *Message) (q *queueFields, lowered *stampFields) {
	t.Helper()
	fields := func(s Stamp) stampFields {
		key, err := PeerKey(s.Peer)
		must(t, err)
		return stampFields{key, s.Term, s.N, uint32(s.Waited / time.Second)}
	}
	if m.Queue != nil {
		q = &queueFields{Part: uint32(m.Queue.Part), Parts: uint32(m.Queue.Parts)}
		for _, s := range m.Queue.Stamps {
			q.Stamps = append(q.Stamps, fields(s))
		}
	}
	if m.Lowered != nil {
		f := fields(*m.Lowered)
		lowered = &f
	}
	return q, lowered
}

// hands puts what the fields say of hands into m.
func (f messageFields) hands(t testing.TB, m *Message) {
	t.Helper()
	stamp := func(s stampFields) Stamp {
		p, err := PeerOf(s.Peer)
		must(t, err)
		return Stamp{p, s.Term, s.N, time.Duration(s.Waited) * time.Second}
	}
	if f.Queue != nil {
		m.Queue = &Queue{Part: int(f.Queue.Part), Parts: int(f.Queue.Parts)}
		for _, s := range f.Queue.Stamps {
			m.Queue.Stamps = append(m.Queue.Stamps, stamp(s))
		}
	}
	if f.Lowered != nil {
		s := stamp(*f.Lowered)
		m.Lowered = &s
	}
}

// badHands says what nobody may say of hands.
func (c cast) badHands(said func(name string, f messageFields, err string)) {
	good := stampFields{Peer: c.delegate.pub, Term: 1, N: 1}
	queue := func(part, parts uint32, stamps ...stampFields) messageFields {
		return messageFields{Queue: &queueFields{part, parts, stamps}}
	}
	stamped := func(change func(s *stampFields)) messageFields {
		s := good
		change(&s)
		return queue(0, 1, s)
	}
	many := make([]stampFields, MaxStamps+1)
	for i := range many {
		many[i] = stampFields{Peer: c.delegate.pub, Term: 1, N: uint32(i + 1)}
	}
	said("queue of 11 stamps", queue(0, 2, many...), "ErrLarge")
	said("queue of no parts", queue(0, 0, good), "ErrMalformed")
	said("queue of 8 parts", queue(0, 8, good), "ErrMalformed")
	said("queue with a part beyond the last", queue(1, 1, good), "ErrMalformed")
	said("queue with somebody twice", queue(0, 1, many[:2]...), "ErrMalformed")
	said("queue out of order", queue(0, 1, stampFields{Peer: c.stranger.pub, Term: 2, N: 1}, good), "ErrMalformed")
	said("stamp without a peer", stamped(func(s *stampFields) { s.Peer = nil }), "ErrPeer")
	said("stamp of term 0", stamped(func(s *stampFields) { s.Term = 0 }), "ErrMalformed")
	said("stamp of term 2^63", stamped(func(s *stampFields) { s.Term = 1 << 63 }), "ErrMalformed")
	said("stamp of number 0", stamped(func(s *stampFields) { s.N = 0 }), "ErrMalformed")
	said("stamp that waits for more than a day", stamped(func(s *stampFields) { s.Waited = 86401 }), "ErrMalformed")
	said("lowering of nobody's hand", messageFields{Lowered: &stampFields{Term: 1, N: 1}}, "ErrPeer")
}
