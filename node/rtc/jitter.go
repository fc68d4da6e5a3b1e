package rtc

import "time"

const (
	// A stream delivers in bursts after a loss. With 25 ms one way, 99 % of audio
	// on a libp2p stream came within 105 ms at a loss of 1 %, within 155 ms at 5 %.
	minDelay = 100 * time.Millisecond
	maxDelay = 200 * time.Millisecond

	// maxHeldPackets and maxHeldBytes are what 64 sources at 50 packets and
	// 64 kbit/s a second need for maxDelay, three times over.
	maxHeldPackets = 2048
	maxHeldBytes   = 512 << 10
	maxSpare       = 64 // buffers kept for later

	// transitWindow is what "lately" means: a sender's clock that is slow by 500
	// ppm makes packets seem 10 ms later in two of these.
	transitWindow = 10 * time.Second
	// strangeTransit is further from the smallest transit than a stream that
	// lives can be: the sender's clock began anew.
	strangeTransit = 5 * time.Second

	spreadBin  = 10 * time.Millisecond
	spreadBins = int(maxDelay/spreadBin) + 1 // the last: later than can be waited for
	// spreadMemory is after how many packets the older ones count half.
	spreadMemory = 1024
	// spreadMissed is the share that may be too late for the delay.
	spreadMissed = 100
)

// jitter is the jitter buffer of a detour: it holds each packet until it has
// been under way for as long as the slowest of late, so that bursts become a
// stream again. Order is kept, nothing is dropped. Times are the receiver's,
// monotonic. It has no clock.
type jitter struct {
	held  []heldPacket
	first int // of held that is not released yet
	bytes int
	spare [][]byte

	transits transits
	spread   spread
}

type heldPacket struct {
	due  time.Duration
	data []byte
}

// put takes a copy of a packet that came at a time.
func (j *jitter) put(packet []byte, sendTime uint32, at time.Duration) {
	over, anew := j.transits.take(sendTime, at)
	if anew {
		j.spread = spread{}
	}
	j.spread.take(over)
	var data []byte
	if n := len(j.spare); n > 0 {
		data, j.spare = j.spare[n-1], j.spare[:n-1]
	}
	data = append(data, packet...)
	j.held = append(j.held, heldPacket{due: at - over + j.spread.delay(), data: data})
	j.bytes += len(data)
}

// next gives the oldest packet if it is due; the packet is the caller's until
// the next call of put.
func (j *jitter) next(at time.Duration) ([]byte, bool) {
	if j.len() == 0 {
		return nil, false
	}
	p := &j.held[j.first]
	if p.due > at && j.len() <= maxHeldPackets && j.bytes <= maxHeldBytes {
		return nil, false
	}
	data := p.data
	p.data = nil
	j.bytes -= len(data)
	if len(j.spare) < maxSpare {
		j.spare = append(j.spare, data[:0])
	}
	j.first++
	switch {
	case j.first == len(j.held):
		j.held, j.first = j.held[:0], 0
	case j.first > maxHeldPackets:
		j.held, j.first = append(j.held[:0], j.held[j.first:]...), 0
	}
	return data, true
}

// wake gives when the oldest packet is due; false: there is none.
func (j *jitter) wake() (time.Duration, bool) {
	if j.len() == 0 {
		return 0, false
	}
	return j.held[j.first].due, true
}

func (j *jitter) len() int { return len(j.held) - j.first }

// delay is what is in force: how long a packet of the smallest transit is held.
func (j *jitter) delay() time.Duration { return j.spread.delay() }

// transits watches how long packets are under way, by a clock of the sender's
// whose offset nobody knows.
type transits struct {
	begun    bool
	sendTime uint32        // of the last packet
	sent     time.Duration // the same, on a scale that does not wrap
	at       time.Duration // when it came

	least, before time.Duration // smallest transit of this window, and of the one before
	until         time.Duration // end of this window
}

// take notes a packet and gives how much longer it was under way than the
// fastest lately; anew: nothing that was known before is of use any more.
func (t *transits) take(sendTime uint32, at time.Duration) (over time.Duration, anew bool) {
	sent := t.sent + sendTimeSince(sendTime, t.sendTime)
	transit := at - sent
	off := transit - min(t.least, t.before)
	// After a pause of half its range the send time can't be told from that of
	// the range before.
	if !t.begun || at-t.at > transitWindow || off > strangeTransit || off < -strangeTransit {
		*t = transits{begun: true, sendTime: sendTime, sent: at, at: at, until: at + transitWindow}
		return 0, true
	}
	t.sendTime, t.sent, t.at = sendTime, sent, at
	if at >= t.until {
		t.least, t.before, t.until = transit, t.least, at+transitWindow
	}
	t.least = min(t.least, transit)
	return transit - min(t.least, t.before), false
}

// spread is how far apart the transits are: a histogram that forgets.
type spread struct {
	bins  [spreadBins]int
	total int
}

// take notes by how much a packet was later than the fastest.
func (s *spread) take(over time.Duration) {
	s.bins[min(int(over/spreadBin), spreadBins-1)]++
	s.total++
	if s.total < spreadMemory {
		return
	}
	s.total = 0
	for i := range s.bins {
		s.bins[i] /= 2
		s.total += s.bins[i]
	}
}

// delay is what all but the latest hundredth came within.
func (s *spread) delay() time.Duration {
	later := 0
	for i := spreadBins - 1; i >= 0; i-- {
		later += s.bins[i]
		if later*spreadMissed > s.total {
			return min(max(time.Duration(i+1)*spreadBin, minDelay), maxDelay)
		}
	}
	return minDelay
}
