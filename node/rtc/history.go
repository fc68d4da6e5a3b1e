package rtc

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	historyFloor = 64   // packets that a link remembers from the start
	historyLimit = 4096 // and at most
	// historySpan is what the detour may have to repeat: what was sent until UDP
	// was known to be dead, and what was asked for when it died.
	historySpan = 1500 * time.Millisecond

	// resendSpan is how long a packet may be asked for: what the far side
	// allows and a slow way there.
	resendSpan  = protocol.NackSpan + 100*time.Millisecond
	resendReach = 1024 // packets back, which SRTP's replay window covers

	maxResends  = 6                    // of one packet
	resendPause = 5 * time.Millisecond // between two of them
)

// sent is a packet as it went out: what makes its bytes, so that sending it
// again repeats them.
type sent struct {
	held      bool
	sequence  uint16
	timestamp uint32
	csrc      uint32
	level     byte
	frame     [protocol.FrameExtensionBytes]byte
	payload   []byte

	at      time.Duration
	resent  time.Duration
	resends uint8
}

// history is a ring of what a link sent last, indexed by sequence number. It
// grows while a busy link would overwrite what may still be asked for.
type history struct {
	ring   []sent // the length is a power of two
	newest uint16 // sequence number
}

// put gives the place of a new packet, with the buffer that it had before.
func (h *history) put(sequence uint16, at time.Duration) *sent {
	if h.ring == nil {
		h.ring = make([]sent, historyFloor)
	}
	s := h.slot(sequence)
	if s.held && at-s.at < historySpan && len(h.ring) < historyLimit {
		h.grow()
		s = h.slot(sequence)
	}
	*s = sent{held: true, sequence: sequence, at: at, payload: s.payload[:0]}
	h.newest = sequence
	return s
}

// get gives a packet that may be sent again now, and counts that it is.
func (h *history) get(sequence uint16, at time.Duration) *sent {
	if h.ring == nil {
		return nil
	}
	s := h.slot(sequence)
	switch {
	case !s.held || s.sequence != sequence || at-s.at > resendSpan || h.newest-sequence >= resendReach:
		return nil
	case s.resends >= maxResends || s.resends > 0 && at-s.resent < resendPause:
		return nil
	}
	s.resends++
	s.resent = at
	return s
}

// sentAt gives when a packet was sent; otherwise, if it is not known.
func (h *history) sentAt(sequence uint16, otherwise time.Duration) time.Duration {
	if h.ring != nil {
		if s := h.slot(sequence); s.held && s.sequence == sequence {
			return s.at
		}
	}
	return otherwise
}

// since gives what was sent after a packet or at most margin before it, oldest
// first.
func (h *history) since(sequence uint16, margin, at time.Duration, yield func(*sent)) {
	if h.ring == nil {
		return
	}
	from := at - historySpan
	if s := h.slot(sequence); s.held && s.sequence == sequence {
		from = s.at - margin
	}
	for i := len(h.ring) - 1; i >= 0; i-- {
		n := h.newest - uint16(i)
		s := h.slot(n)
		if s.held && s.sequence == n && at-s.at <= historySpan && (s.at >= from || int16(n-sequence) > 0) {
			yield(s)
		}
	}
}

func (h *history) slot(sequence uint16) *sent { return &h.ring[int(sequence)&(len(h.ring)-1)] }

func (h *history) grow() {
	old := h.ring
	h.ring = make([]sent, 2*len(old))
	for _, s := range old {
		if s.held {
			*h.slot(s.sequence) = s
		}
	}
}
