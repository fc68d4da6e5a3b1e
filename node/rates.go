package node

import (
	"math"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// rateSpan is how many looks a rate goes back, one a second.
const rateSpan = 3

// rates measures what links carry of sound. It is looked at each second.
type rates struct {
	mu    sync.Mutex
	links map[protocol.PeerID][]tally // the newest at the end
	shown map[protocol.PeerID][2]float64
}

// tally is what a link has carried so far, in bytes.
type tally struct {
	at             time.Duration
	sent, received uint64
}

// look notes what each link has carried by now, and says whether a rate that is
// shown changed.
func (r *rates) look(now time.Duration, links map[protocol.PeerID]tally) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	past := r.links
	r.links = map[protocol.PeerID][]tally{}
	shown := map[protocol.PeerID][2]float64{}
	for p, l := range links {
		l.at = now
		before := past[p]
		if n := len(before); n > 0 && (l.sent < before[n-1].sent || l.received < before[n-1].received) {
			before = nil // another link to the same node
		}
		all := append(before[max(0, len(before)-rateSpan):len(before):len(before)], l)
		r.links[p], shown[p] = all, kbps(all[0], l)
		changed = changed || shown[p] != r.shown[p]
	}
	changed = changed || len(shown) != len(r.shown)
	r.shown = shown
	return changed
}

// kbps gives what was sent and received between two looks, in whole kbit/s.
func kbps(a, b tally) (rate [2]float64) {
	if ms := float64((b.at - a.at).Milliseconds()); ms > 0 {
		rate[0] = math.Round(8 * float64(b.sent-a.sent) / ms)
		rate[1] = math.Round(8 * float64(b.received-a.received) / ms)
	}
	return rate
}

// of gives a link's rates, in kbit/s.
func (r *rates) of(p protocol.PeerID) (sent, received float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shown[p][0], r.shown[p][1]
}

// carry gives what each pair's media has carried so far.
func (p *pairs) carry() map[protocol.PeerID]tally {
	out := map[protocol.PeerID]tally{}
	for _, id := range p.list() {
		if at := p.at(id); at != nil {
			s := at.media.Stats()
			out[id] = tally{sent: s.BytesSent, received: s.BytesReceived}
		}
	}
	return out
}
