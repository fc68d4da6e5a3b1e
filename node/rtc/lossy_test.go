package rtc

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
)

// lossy drops media packets (RFC 5764 section 5.1.2 tells them apart) of a
// socket at random, or all there is.
type lossy struct {
	all     atomic.Bool
	out     atomic.Bool  // all that leaves
	dtls    atomic.Bool  // DTLS records
	percent atomic.Int32 // of RTP and RTCP, in both directions
	mu      sync.Mutex
	random  *rand.Rand
}

func (l *lossy) wrap(c net.PacketConn) net.PacketConn {
	l.random = rand.New(rand.NewPCG(1, 2))
	return &lossyConn{PacketConn: c, loss: l}
}

func (l *lossy) drops(b []byte) bool {
	if l.all.Load() {
		return true
	}
	if l.dtls.Load() && len(b) > 0 && b[0] >= 20 && b[0] <= 63 {
		return true
	}
	if len(b) == 0 || b[0] < 128 || b[0] > 191 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.random.Int32N(100) < l.percent.Load()
}

type lossyConn struct {
	net.PacketConn
	loss *lossy
}

func (c *lossyConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.loss.out.Load() || c.loss.drops(b) {
		return len(b), nil
	}
	return c.PacketConn.WriteTo(b, to)
}

func (c *lossyConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		if err != nil || !c.loss.drops(b[:n]) {
			return n, from, err
		}
	}
}
