package upload

import (
	"sync/atomic"
	"time"
)

// bucket is a token bucket, kept as the generic cell rate algorithm does (ITU-T
// I.371): one word, the time at which the bucket will be full again. Costs and
// burst are times, of so many bytes at the rate. In any window of length W no more
// is taken than the rate's bytes of W + burst, if no single cost is beyond burst.
//
// Times are on one monotonic clock; callers on other processors may be a little
// behind each other.
type bucket struct {
	burst time.Duration
	full  atomic.Int64
}

// take takes cost if at least keep is left after it, or if the bucket is full;
// else it takes nothing and says after how long to try again.
func (b *bucket) take(now, cost, keep time.Duration) (wait time.Duration) {
	for {
		full := b.full.Load()
		used := time.Duration(full) - now
		if used > 0 && used+cost+keep > b.burst {
			return min(used, used+cost+keep-b.burst)
		}
		if b.full.CompareAndSwap(full, int64(max(used, 0)+now+cost)) {
			return 0
		}
	}
}

// owe takes what has been spent already, whether it is there or not.
func (b *bucket) owe(now, cost time.Duration) {
	for {
		full := b.full.Load()
		if b.full.CompareAndSwap(full, int64(max(time.Duration(full), now)+cost)) {
			return
		}
	}
}
