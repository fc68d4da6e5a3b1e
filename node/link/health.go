package link

import (
	"sync"
	"time"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Media counts the media packets that came on a link so far, and those lost for
// good: what one side tells the other in its Pings.
type Media struct {
	Received, Lost uint64
}

// lossReports is over how many of the far side's Pings loss is taken.
const lossReports = 10

// health is what Ping and Pong tell about a link. The reader writes it, anybody
// reads it.
type health struct {
	mu        sync.Mutex
	rtt       time.Duration // smoothed; 0: not known yet
	far       Media         // what the far side counted, now
	past      [lossReports]Media
	reports   int
	farWanted time.Time     // when the far side last wanted the link
	last      time.Time     // a message came
	peak      time.Duration // slow round trips; fades
	waits     time.Time     // silence since, with a Ping that has no Pong yet; zero: there is none
}

// pinged takes the far side's Ping.
func (h *health) pinged(p *pb.Ping, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.Wanted {
		h.farWanted = now
	}
	m := Media{Received: p.Received, Lost: p.Lost}
	if m.Received < h.far.Received || m.Lost < h.far.Lost {
		h.reports = 0 // it counts anew
	}
	if h.reports == 0 {
		for i := range h.past {
			h.past[i] = m
		}
	}
	h.far = m
	h.past[h.reports%lossReports] = m
	h.reports++
}

// asked notes that a Ping goes.
func (h *health) asked(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waits.IsZero() {
		h.waits = now
	}
}

// heard notes that a message came.
func (h *health) heard(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = now
	if !h.waits.IsZero() {
		h.waits = now
	}
}

func (h *health) lastHeard() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// moved forgets the Pings on the way that the link has left.
func (h *health) moved() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waits = time.Time{}
}

// unanswered says that there has been silence after a Ping for longer than a path
// takes that works, full as its queues may be.
func (h *health) unanswered(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.waits.IsZero() && h.rtt > 0 && now.Sub(h.waits) > doubt+2*h.peak
}

// ponged takes a round trip, smoothed as TCP does (RFC 6298 section 2, alpha
// 1/8).
func (h *health) ponged(rtt time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waits = time.Time{}
	h.peak = max(rtt, h.peak-h.peak/16)
	if h.rtt == 0 {
		h.rtt = rtt
		return
	}
	h.rtt += (rtt - h.rtt) / 8
}

func (h *health) roundTrip() (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rtt, h.rtt > 0
}

func (h *health) lastWanted() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.farWanted
}

// loss is the fraction of what this side sent that the far side lost, over its
// last reports.
func (h *health) loss() (Media, float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	oldest := h.past[h.reports%lossReports]
	lost, received := h.far.Lost-oldest.Lost, h.far.Received-oldest.Received
	if lost == 0 {
		return h.far, 0
	}
	return h.far, float64(lost) / (float64(lost) + float64(received))
}
