// Package upload keeps what a node sends to other nodes within a person's limit,
// and says how many children it can serve.
//
//	bucket.go    the token bucket
//	wire.go      what a packet takes on the wire
//	datagrams.go UDP sockets, of media and of QUIC
//	streams.go   TCP connections
//	capacity.go  places for children
package upload

import (
	"sync"
	"sync/atomic"
	"time"
)

// Least is the smallest limit that a node can live with, in bits a second: in a
// room of five, control alone takes about half of it.
const Least = 100_000

// A limit of L bytes a second is kept by a bucket that refills at 0.93 L and holds
// 0.05 L, so no window of a second carries more than 0.98 L of what asks first.
// Datagrams all do, at the moment they leave. What TCP sends unasked,
// acknowledgements and retransmissions, is charged after the fact, so that all
// else makes room for it; the remaining 0.02 L is for the moment in between, and
// for a handful of packets that a busy machine sends a little later than they
// were charged.
const (
	ceiling    = 98 // percent of the limit: rate and burst together
	burstShare = 20 // the burst is a twentieth of the limit
	// leastBurst is what the largest datagram takes: protocol.MaxPacketBytes in two
	// fragments, with RTP's and SRTP's parts. Below 350 kbit/s the burst is this, and
	// the rate so much the less.
	leastBurst = 2200

	// reserve is what media leave for control: two full packets of QUIC.
	reserve = 2 * 1350
	// precedence is how much of the rate control has before media: one part of so
	// many. Beyond it, it has what they leave: whoever pulls much through QUIC or
	// TCP can't silence a room.
	precedence = 2
)

const (
	// patience is how long a QUIC packet waits for its turn before it is dropped.
	// Twenty who connect at once to a node with 1 Mbit/s have its packets wait for
	// half a second each; were they dropped then, they would only be sent again.
	patience = time.Second
	// glance is how often one who waits looks for its deadline.
	glance = 50 * time.Millisecond
)

// Config is what a Meter is to keep. It is a value: a Meter keeps a copy.
type Config struct {
	Limit int64 // bits a second on the wire, with headers; at least Least

	loopback bool // count it too: tests
}

// Meter is one node's limit for all its sockets together. Control, which is QUIC
// and TCP, goes before media up to half the rate, and waits; media are dropped
// rather than kept waiting. Traffic on this machine is not counted. Its methods may
// be called from any goroutine, and hold no lock while anything is sent.
type Meter struct {
	cfg     Config
	started time.Time
	rate    int64         // bytes a second
	keep    time.Duration // reserve
	bucket  bucket
	control bucket    // of control's precedence
	timers  sync.Pool // of *time.Timer, so that a packet that waits allocates nothing

	sent, droppedMedia, droppedControl atomic.Uint64
}

// Counts are since the start.
type Counts struct {
	Sent           uint64 // bytes on the wire, with headers
	DroppedMedia   uint64 // packets
	DroppedControl uint64 // packets of QUIC, which sends them again
}

// New makes a Meter. A limit below Least is taken for Least.
func New(cfg Config) *Meter {
	limit := max(cfg.Limit, Least) / 8
	burst := max(limit/burstShare, leastBurst)
	m := &Meter{cfg: cfg, started: time.Now(), rate: limit*ceiling/100 - burst}
	m.bucket.burst = m.cost(int(burst))
	m.control.burst = m.bucket.burst
	m.keep = min(m.cost(reserve), m.bucket.burst/2)
	m.timers.New = func() any { return time.NewTimer(time.Hour) }
	return m
}

// Counts gives what was sent and dropped so far.
func (m *Meter) Counts() Counts {
	return Counts{Sent: m.sent.Load(), DroppedMedia: m.droppedMedia.Load(), DroppedControl: m.droppedControl.Load()}
}

func (m *Meter) now() time.Duration { return time.Since(m.started) }

// cost is how long so many bytes take at the rate.
func (m *Meter) cost(bytes int) time.Duration {
	return time.Duration((int64(bytes)*int64(time.Second) + m.rate - 1) / m.rate)
}

// allow takes bytes at once or not at all, and leaves keep for others.
func (m *Meter) allow(bytes int, keep time.Duration) bool {
	if m.bucket.take(m.now(), m.cost(bytes), keep) > 0 {
		return false
	}
	m.sent.Add(uint64(bytes))
	return true
}

// await takes bytes for control as soon as they are there, at most so much later;
// false if they were not, or if gone was closed.
func (m *Meter) await(bytes int, most time.Duration, gone <-chan struct{}) bool {
	cost, until, first := m.cost(bytes), m.now()+most, false
	if wait := m.turn(cost, &first); wait > 0 {
		t := m.timers.Get().(*time.Timer)
		defer m.timers.Put(t)
		for ; wait > 0; wait = m.turn(cost, &first) {
			left := until - m.now()
			if left <= 0 {
				return false
			}
			t.Reset(min(wait, left))
			select {
			case <-t.C:
			case <-gone:
				t.Stop()
				return false
			}
		}
	}
	m.sent.Add(uint64(bytes))
	return true
}

// turn takes cost for control, or says when to try again. first is whether this
// packet goes before media: once it does, it stays so.
func (m *Meter) turn(cost time.Duration, first *bool) time.Duration {
	now, later := m.now(), time.Duration(0)
	if !*first {
		later = m.control.take(now, precedence*cost, 0)
		*first = later == 0
	}
	if *first {
		return m.bucket.take(now, cost, 0)
	}
	return min(later, m.bucket.take(now, cost, m.keep))
}

// owe charges bytes that have been sent unasked.
func (m *Meter) owe(bytes int) {
	m.bucket.owe(m.now(), m.cost(bytes))
	m.sent.Add(uint64(bytes))
}

// solvent waits while more has been sent unasked than the burst holds.
func (m *Meter) solvent(most time.Duration, gone <-chan struct{}) {
	wait := m.bucket.take(m.now(), 0, 0)
	if wait == 0 {
		return
	}
	t := m.timers.Get().(*time.Timer)
	defer m.timers.Put(t)
	t.Reset(min(wait, most))
	select {
	case <-t.C:
	case <-gone:
		t.Stop()
	}
}
