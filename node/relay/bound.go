package relay

import "time"

// bound is a rate limit by the virtual scheduling form of ITU-T I.371's generic
// cell rate algorithm: a token bucket in one number, the time at which it will
// be full again.
type bound struct{ full time.Duration }

// take spends cost, a rate's share of time; false, and nothing is spent, if
// that is more than burst ahead of the rate.
func (b *bound) take(now, cost, burst time.Duration) bool {
	full := max(b.full, now) + cost
	if full-now > burst {
		return false
	}
	b.full = full
	return true
}
