package link

import (
	"errors"
	"sync"

	"github.com/earshot-audio/earshot/protocol"
)

// errForgotten: a link cannot move, since messages that the far side has not
// taken are gone.
var errForgotten = errors.New("the link moves too late: messages on it are forgotten")

// sent keeps framed messages until the far side says that it took them, for a
// link that moves. Beyond its bounds the oldest are forgotten.
type sent struct {
	mu       sync.Mutex
	first    uint64 // how many came before those kept
	messages [][]byte
	bytes    int
}

func (s *sent) add(message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, message)
	s.bytes += len(message)
	for len(s.messages) > maxUnacknowledged || s.bytes > maxUnacknowledgedBytes {
		s.forget()
	}
}

func (s *sent) forget() {
	s.bytes -= len(s.messages[0])
	s.messages[0] = nil
	s.messages = s.messages[1:]
	s.first++
}

// acknowledge forgets what the far side took. protocol.ErrMalformed: it says that
// it took more than there was.
func (s *sent) acknowledge(taken uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if taken > s.first+uint64(len(s.messages)) {
		return protocol.ErrMalformed
	}
	for s.first < taken {
		s.forget()
	}
	return nil
}

// holds says whether all that followed so many messages is still there:
// errForgotten if not, protocol.ErrMalformed if there never were so many.
func (s *sent) holds(taken uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case taken < s.first:
		return errForgotten
	case taken > s.first+uint64(len(s.messages)):
		return protocol.ErrMalformed
	}
	return nil
}

// after gives the messages that followed so many.
func (s *sent) after(taken uint64) ([][]byte, error) {
	if err := s.holds(taken); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.messages[taken-s.first:]...), nil
}

// tally counts the messages taken on a link.
type tally struct {
	mu     sync.Mutex
	taken  uint64
	told   uint64
	frozen bool
}

func (t *tally) add() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken++
}

// tell gives what the far side may know. While a move is under way it is what the
// Hello of the move says, or the far side would forget what it has to send again.
func (t *tally) tell() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.frozen {
		return t.told
	}
	return t.taken
}

func (t *tally) freeze() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told, t.frozen = t.taken, true
	return t.told
}

// thaw ends freeze, and gives what was taken in all.
func (t *tally) thaw() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frozen = false
	return t.taken
}
