package node

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// playedScript gives the RTCInboundRtpStreamStats of each m-line of the living
// connections, and who contributed to it just now.
const playedScript = `
async function played() {
	const lines = [];
	for (const receiver of connections.filter(c => c.connectionState !== "closed").flatMap(c => c.getReceivers())) {
		const now = performance.timeOrigin + performance.now();
		const contributing = receiver.getContributingSources().filter(c => now - c.timestamp < 1000).map(({source, audioLevel}) => ({source, audioLevel}));
		for (const stats of (await receiver.getStats()).values())
			if (stats.type === "inbound-rtp") lines.push({...stats, contributing});
	}
	return lines;
}
`

// played is what one m-line has played (W3C webrtc-stats).
type played struct {
	ID           string  `json:"trackIdentifier"`
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
	} `json:"contributing"`
}

// played gives all m-lines, those that have not played anything yet too.
func (p *tab) played() (lines []played) {
	p.t.Helper()
	p.call("played()", &lines)
	return lines
}

// since gives what m-lines have played that had nothing to make up for: those on
// which somebody was heard. Others play what they make up for nobody.
func since(before, after []played) (sum played) {
	for _, a := range after {
		var b played
		if i := slices.IndexFunc(before, func(l played) bool { return l.ID == a.ID }); i >= 0 {
			b = before[i]
		}
		if a.Received == b.Received {
			continue
		}
		sum.Received += a.Received - b.Received
		sum.Lost += a.Lost - b.Lost
		sum.Samples += a.Samples - b.Samples
		sum.Emitted += a.Emitted - b.Emitted
		sum.Delay += a.Delay - b.Delay
		sum.Concealed += a.Concealed - b.Concealed
		sum.Energy += a.Energy - b.Energy
	}
	return sum
}

// phraseBegins tells when the voice goes on after a pause.
func (p *tab) phraseBegins() func() bool {
	paused := false
	return func() bool {
		for _, l := range p.played() {
			for _, c := range l.Contributing {
				paused = paused || c.Level == 0
				return paused && c.Level > 0.03
			}
		}
		return false
	}
}

// hearing is what a player played during some time.
type hearing struct {
	played
	levels map[protocol.Source]*span
}

// span is the lowest and the highest level.
type span struct{ low, high float64 }

// hear waits until a voice has been heard for a second, while the jitter buffer
// finds its length, and then until as much as wanted has been played.
func (p *tab) hear(long time.Duration) *hearing {
	p.t.Helper()
	look := time.NewTicker(40 * time.Millisecond)
	defer look.Stop()
	start := p.played()
	before := start
	for since(start, before).Emitted < protocol.ClockRate {
		<-look.C
		before = p.played()
	}
	h := &hearing{levels: map[protocol.Source]*span{}}
	for enough := int(long.Seconds() * protocol.ClockRate); h.Samples < enough || !h.paused() && h.Samples < 5*enough; <-look.C {
		after := p.played()
		h.played = since(before, after)
		for _, l := range after {
			for _, c := range l.Contributing {
				if h.levels[c.Source] == nil {
					h.levels[c.Source] = &span{c.Level, c.Level}
				}
				s := h.levels[c.Source]
				s.low, s.high = min(s.low, c.Level), max(s.high, c.Level)
			}
		}
	}
	return h
}

// paused says whether each voice was heard at its lowest too, which a busy browser
// may be asked too seldom for within one phrase.
func (h *hearing) paused() bool {
	for _, s := range h.levels {
		if s.low > s.high/10 {
			return false
		}
	}
	return len(h.levels) > 0
}

// hearsWell hears one phrase after another, up to one that has no more glitches than a
// machine may have at times, and gives the last.
func (p *tab) hearsWell() (h *hearing) {
	p.t.Helper()
	for range 10 {
		if h = p.hear(phrase); h.concealed() <= glitches {
			break
		}
		p.t.Logf("concealed %v, listening on", h.concealed())
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
	return time.Duration(h.Concealed) * time.Second / protocol.ClockRate
}

// check checks that a source was heard alone, and whole.
func (h *hearing) check(t *testing.T, source protocol.Source, conceals time.Duration) {
	t.Helper()
	if s := h.levels[source]; len(h.levels) != 1 || s == nil || s.high == 0 || !h.paused() {
		t.Errorf("heard sources %v, want %d alone, with a level that moves", slices.Collect(maps.Keys(h.levels)), source)
	}
	if h.Lost != 0 || h.Received == 0 {
		t.Errorf("received %d packets, lost %d", h.Received, h.Lost)
	}
	if h.Energy < 0.1 { // of full scale, squared, times seconds
		t.Errorf("heard an energy of %g: that is no voice", h.Energy)
	}
	t.Logf("concealed %v; %.0f ms in the jitter buffer", h.concealed(), 1000*h.Delay/float64(h.Emitted))
	if h.concealed() > conceals {
		t.Errorf("concealed %v, more than %v", h.concealed(), conceals)
	}
}
