package rtc

import (
	"cmp"
	"time"
)

// timing is what tests shorten.
type timing struct {
	disconnected time.Duration // without a packet: an ICE path is shaky
	failed       time.Duration // and after this long more, dead
	keepalive    time.Duration // ICE checks on a silent path
	attempt      time.Duration // for a connection to come up
	repeat       time.Duration // of WANTED until an offer comes

	detour  time.Duration // that a new link waits for UDP before it goes by the detour
	report  time.Duration // between two receiver reports
	silence time.Duration // with a packet sent and no report of it or a later one, beyond a round trip: UDP is dead
	probe   time.Duration // between two tries of a connection from which the link has turned away
	rest    time.Duration // the first pause between attempts at UDP; each is twice the one before
	restCap time.Duration // the longest
}

// A silent room's traffic is a binding request a second each way; a far side
// that was killed is noticed after disconnected + failed.
//
// detour: where UDP works, offer, answer, ICE and DTLS take five round trips or
// so, which is under 700 ms between any two places on earth; where it does not,
// the first sound is still to come within two seconds.
//
// silence: four reports fall into it. At a loss of 5 % all of them get lost once
// in 160,000 reports, or nine hours of speech; at 10 % twice an hour, which then
// costs a second by the detour.
func (t *timing) fill() {
	t.disconnected = cmp.Or(t.disconnected, 2*time.Second)
	t.failed = cmp.Or(t.failed, 2*time.Second)
	t.keepalive = cmp.Or(t.keepalive, time.Second)
	t.attempt = cmp.Or(t.attempt, 10*time.Second)
	t.repeat = cmp.Or(t.repeat, 2*time.Second)

	t.detour = cmp.Or(t.detour, 700*time.Millisecond)
	t.report = cmp.Or(t.report, 200*time.Millisecond)
	t.silence = cmp.Or(t.silence, 900*time.Millisecond)
	t.probe = cmp.Or(t.probe, time.Second)
	t.rest = cmp.Or(t.rest, time.Second)
	t.restCap = cmp.Or(t.restCap, 10*time.Second)
}
