package node

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// playedScript sums up the RTCInboundRtpStreamStats of all m-lines of the living
// connections.
const playedScript = `
async function played() {
	const sum = {contributing: []};
	for (const receiver of connections.filter(c => c.connectionState !== "closed").flatMap(c => c.getReceivers())) {
		for (const {source, audioLevel} of receiver.getContributingSources())
			sum.contributing.push({source, audioLevel});
		for (const stats of (await receiver.getStats()).values())
			if (stats.type === "inbound-rtp")
				for (const [name, value] of Object.entries(stats))
					if (typeof value === "number") sum[name] = (sum[name] ?? 0) + value;
	}
	return sum;
}
`

// played is what a player has played, on all m-lines (W3C webrtc-stats).
type played struct {
	Received     int     `json:"packetsReceived"`
	Lost         int     `json:"packetsLost"`
	Samples      int     `json:"totalSamplesReceived"` // and made up
	Emitted      int     `json:"jitterBufferEmittedCount"`
	Delay        float64 `json:"jitterBufferDelay"` // seconds, summed over Emitted samples
	Concealed    int     `json:"concealedSamples"`
	Energy       float64 `json:"totalAudioEnergy"`
	Contributing []struct {
		Source protocol.Source `json:"source"`
		Level  float64         `json:"audioLevel"` // 0 to 1
	} `json:"contributing"` // of the last 10 s
}

func (p *tab) played() (sum played) {
	p.t.Helper()
	p.call("played()", &sum)
	return sum
}

// phraseBegins tells when the voice goes on after a pause.
func (p *tab) phraseBegins() func() bool {
	paused := false
	return func() bool {
		for _, c := range p.played().Contributing {
			paused = paused || c.Level == 0
			return paused && c.Level > 0.03
		}
		return false
	}
}

// hearing is what a player played during some time.
type hearing struct {
	before, after played
	levels        map[protocol.Source]*span
}

// span is the lowest and the highest level.
type span struct{ low, high float64 }

// hear waits until a voice has been heard for a second, while the jitter buffer
// finds its length, and then until as much as wanted has been played.
func (p *tab) hear(long time.Duration) *hearing {
	p.t.Helper()
	look := time.NewTicker(40 * time.Millisecond)
	defer look.Stop()
	h := &hearing{levels: map[protocol.Source]*span{}}
	for h.before = p.played(); h.before.Emitted < protocol.ClockRate; h.before = p.played() {
		<-look.C
	}
	for enough := h.before.Samples + int(long.Seconds()*protocol.ClockRate); h.after.Samples < enough; <-look.C {
		h.after = p.played()
		for _, c := range h.after.Contributing {
			if h.levels[c.Source] == nil {
				h.levels[c.Source] = &span{c.Level, c.Level}
			}
			s := h.levels[c.Source]
			s.low, s.high = min(s.low, c.Level), max(s.high, c.Level)
		}
	}
	return h
}

const (
	// glitches is how much of a phrase a player may make up because the machine
	// is busy: mostly none; up to 300 ms where two cores had twelve processes
	// to run, but not in one phrase after another.
	glitches = 60 * time.Millisecond
	// outage is how much it may make up when the relay dies: mostly nothing, the
	// jitter buffer bridges it; up to 210 ms where the machine is busy. If
	// nobody takes over, it is the whole phrase.
	outage = 500 * time.Millisecond
)

// concealed is how much the player made up for want of packets.
func (h *hearing) concealed() time.Duration {
	return time.Duration(h.after.Concealed-h.before.Concealed) * time.Second / protocol.ClockRate
}

// check checks that a source was heard alone, and whole.
func (h *hearing) check(t *testing.T, source protocol.Source, conceals time.Duration) {
	t.Helper()
	if s := h.levels[source]; len(h.levels) != 1 || s == nil || s.high == 0 || s.low > s.high/10 {
		t.Errorf("heard sources %v, want %d alone, with a level that moves", slices.Collect(maps.Keys(h.levels)), source)
	}
	if h.after.Lost != 0 || h.after.Received == h.before.Received {
		t.Errorf("received %d packets, lost %d", h.after.Received-h.before.Received, h.after.Lost)
	}
	if more := h.after.Energy - h.before.Energy; more < 0.1 { // of full scale, squared, times seconds
		t.Errorf("heard an energy of %g: that is no voice", more)
	}
	delay := (h.after.Delay - h.before.Delay) / float64(h.after.Emitted-h.before.Emitted)
	t.Logf("concealed %v; %.0f ms in the jitter buffer", h.concealed(), delay*1000)
	if h.concealed() > conceals {
		t.Errorf("concealed %v, more than %v", h.concealed(), conceals)
	}
}
