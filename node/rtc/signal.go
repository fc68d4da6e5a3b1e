package rtc

import (
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Signal is one step of the offer and answer (RFC 3264) between two nodes, for
// the pair's link stream to carry.
type Signal struct {
	Kind       pb.Description_Kind
	Generation uint32
	SDP        string
}

// take acts on a signal of the far side.
func (l *Link) take(s Signal) {
	turn := false
	switch s.Kind {
	case pb.Description_WANTED:
		turn = l.offers && l.trying
		if turn {
			l.offerAgain(s.Generation)
		}
	case pb.Description_OFFER:
		turn = !l.offers && l.trying && newer(s.Generation, l.generation) && l.pace.Allow()
		if turn {
			l.answer(s)
		}
	case pb.Description_ANSWER:
		turn = l.offers && l.current != nil && !l.answered && s.Generation == l.generation
		if turn {
			l.answered = true
			if err := l.current.take(webrtc.SDPTypeAnswer, s.SDP); err != nil {
				l.fail(fmt.Errorf("the answer does not do: %w", err))
			}
		}
	}
	if !turn {
		l.stats.outOfTurn.Add(1)
		l.log.Debug("signal out of turn", "kind", s.Kind, "generation", s.Generation)
	}
}

// newer says whether generation a came after b; the first is newer than none.
func newer(a, b uint32) bool { return b == 0 || int32(a-b) > 0 }

// offerAgain answers WANTED: with the same offer if the far side can't have
// taken it, with a new one if it has lost the connection.
func (l *Link) offerAgain(seen uint32) {
	switch {
	case l.resting:
		l.try()
	case l.current == nil:
		l.ask()
	case !l.answered && newer(l.generation, seen):
		if l.pace.Allow() { // an offer is a hundred times what asks for it
			l.signal(l.offered)
		}
	case time.Since(l.offeredAt) >= offerPause && l.pace.Allow():
		l.replace()
		l.offer()
	}
}

func (l *Link) offer() {
	l.drop()
	l.generation = l.engine.generation.Add(1)
	l.answered, l.offeredAt = false, time.Now()
	c, err := l.connection(l.generation)
	if err != nil {
		l.fail(err)
		return
	}
	l.current = c
	sdp, err := c.offer()
	if err != nil {
		l.fail(err)
		return
	}
	l.offered = Signal{Kind: pb.Description_OFFER, Generation: l.generation, SDP: sdp}
	l.signal(l.offered)
}

func (l *Link) answer(s Signal) {
	l.replace()
	l.generation = s.Generation
	c, err := l.connection(s.Generation)
	if err != nil {
		l.fail(err)
		return
	}
	l.current = c
	sdp, err := c.answer(s.SDP)
	if err != nil {
		l.fail(fmt.Errorf("the offer does not do: %w", err))
		return
	}
	l.signal(Signal{Kind: pb.Description_ANSWER, Generation: s.Generation, SDP: sdp})
}

func (l *Link) signal(s Signal) { (*l.events.Load()).Signal(l.peer, s) }
