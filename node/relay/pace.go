package relay

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	// longestPause is the 99th percentile of pauses from which the longest
	// threshold follows.
	longestPause = protocol.StarvedSilence / 4
	paceBuckets  = int(longestPause/time.Millisecond) + 1
	paceSample   = 100  // pauses before which nothing is known
	paceMemory   = 1024 // pauses after which they count half
	paceRefresh  = 32   // pauses between two looks
)

// pace measures the pauses between what a link brings while its room is hot, in
// whole milliseconds, and forgets slowly.
type pace struct {
	pauses [paceBuckets]uint16 // the last one: longestPause or more
	n      int
	fresh  int
	p99    time.Duration
}

// note takes the pause before something that just came.
func (p *pace) note(pause time.Duration) {
	bucket := int((pause + time.Millisecond - 1) / time.Millisecond)
	p.pauses[min(max(bucket, 0), paceBuckets-1)]++
	p.n++
	p.fresh++
	if p.fresh < paceRefresh || p.n < paceSample {
		return
	}
	p.fresh = 0
	p.look()
	if p.n >= paceMemory {
		p.n = 0
		for i := range p.pauses {
			p.pauses[i] /= 2
			p.n += int(p.pauses[i])
		}
	}
}

// look finds the 99th percentile.
func (p *pace) look() {
	above := p.n / 100
	for i := paceBuckets - 1; i >= 0; i-- {
		above -= int(p.pauses[i])
		if above < 0 {
			p.p99 = time.Duration(i) * time.Millisecond
			return
		}
	}
}

// threshold gives how long the link may be silent before it means something.
func (p *pace) threshold() time.Duration {
	return min(max(protocol.SilenceFloor, 4*p.p99), protocol.StarvedSilence)
}
