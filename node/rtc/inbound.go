package rtc

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// detourIdle without a packet ends the goroutine of a detour.
	detourIdle = 5 * time.Second
	// maxSkipped is more than a sender drops at a time; a sequence number further
	// ahead is that of a sender that began anew.
	maxSkipped = 3000
)

// inbound is the incoming half of a link's detour. What comes waits in the
// jitter buffer; one goroutine, there while packets come, hands it on.
type inbound struct {
	link *Link

	mu      sync.Mutex
	ended   bool
	running bool // the goroutine is there
	begun   bool
	next    uint16   // sequence number expected
	taken   incoming // of take
	handed  incoming // of release
	jitter  jitter
	last    time.Duration // when a packet came
	wake    chan struct{} // the buffer is empty no more
	tasks   sync.WaitGroup

	holds atomic.Bool // there may be something in the buffer
	delay atomic.Int64
}

func newInbound(l *Link) *inbound { return &inbound{link: l, wake: make(chan struct{}, 1)} }

// take checks a packet and puts a copy of it into the buffer.
func (in *inbound) take(b []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended || in.link.ctx.Err() != nil {
		return
	}
	stats := &in.link.stats
	stats.packetsReceived.Add(1)
	sendTime, err := in.taken.parseDetoured(b)
	if err != nil {
		stats.malformed.Add(1)
		return
	}
	stats.bytesReceived.Add(uint64(len(in.taken.payload)))
	stats.lost.Add(int64(in.skipped(in.taken.header.SequenceNumber)))

	now := in.link.engine.now()
	first := in.jitter.len() == 0
	in.jitter.put(b, sendTime, now)
	in.last = now
	in.holds.Store(true)
	in.delay.Store(int64(in.jitter.delay()))
	in.release(now)
	switch {
	case !in.running:
		in.running = true
		in.tasks.Go(in.run)
	case first:
		select {
		case in.wake <- struct{}{}:
		default:
		}
	}
}

// parseDetoured reads a packet of a detour, and its send time.
func (p *incoming) parseDetoured(b []byte) (sendTime uint32, err error) {
	if len(b) > receiveMTU {
		return 0, errMalformed
	}
	if err := p.parse(b); err != nil {
		return 0, err
	}
	sent := p.header.GetExtension(detourSentID)
	if p.header.PayloadType != detourPayloadType || p.header.SSRC != detourSSRC || len(sent) != sendTimeBytes {
		return 0, errMalformed
	}
	return takeSendTime(sent), nil
}

// skipped says how many packets the far side dropped before this one. A stream
// keeps order: a number that goes back is that of a sender that began anew.
func (in *inbound) skipped(sequence uint16) int {
	ahead := int(int16(sequence - in.next))
	known := in.begun
	in.begun, in.next = true, sequence+1
	if !known || ahead < 0 || ahead > maxSkipped {
		return 0
	}
	return ahead
}

// run hands on what is due until nothing has come for a while.
func (in *inbound) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-in.link.ctx.Done():
			return
		case <-in.wake:
		case <-timer.C:
		}
		pause, ok := in.tend()
		if !ok {
			return
		}
		timer.Reset(pause)
	}
}

// tend hands on what is due and says when to do so again; false: the detour is
// not in use any more.
func (in *inbound) tend() (time.Duration, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	now := in.link.engine.now()
	in.release(now)
	at, ok := in.jitter.wake()
	if !ok {
		at = in.last + detourIdle
	}
	if !ok && now >= at {
		in.running, in.jitter = false, jitter{}
		in.delay.Store(0)
		return 0, false
	}
	return at - now, true
}

// flush hands on all that waits: packets come by UDP again.
func (in *inbound) flush() {
	if !in.holds.Load() {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.release(never)
}

const never = time.Duration(1<<63 - 1)

// release hands on what is due by a time.
func (in *inbound) release(by time.Duration) {
	for {
		b, ok := in.jitter.next(by)
		if !ok {
			break
		}
		p := &in.handed
		if p.parse(b) != nil { // it was parsed once
			continue
		}
		in.link.hand(p, detourLevelID, detourFrameID, true)
	}
	in.holds.Store(in.jitter.len() > 0)
}

// end returns when the goroutine has; the link's context is over.
func (in *inbound) end() {
	in.mu.Lock()
	in.ended = true
	in.mu.Unlock()
	in.tasks.Wait()
}
