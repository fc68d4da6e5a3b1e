package link

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// After the first tries the pause before the next one doubles, up to a bound, and no
// two are the same.
func TestPause(t *testing.T) {
	for tries, want := range map[int]time.Duration{
		0: redial, 1: redial, quickTries: redial, quickTries + 1: 2 * redial, quickTries + 3: 8 * redial,
		quickTries + 4: longestRedial, 1 << 40: longestRedial,
	} {
		least, most := time.Hour, time.Duration(0)
		for range 100 {
			d := pause(tries)
			least, most = min(least, d), max(most, d)
		}
		if least < want*4/5 || most > want*6/5 || least == most {
			t.Errorf("after %d tries %v to %v, want about %v", tries, least, most, want)
		}
	}
}

// TestRedial: who can't be reached is dialled less and less, until there is hope.
func TestRedial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		low, high, cut := distant(t)
		cut.Store(true)
		a := run(t, low)
		a.Want(info(high))
		dials := func(d time.Duration) uint64 {
			before := a.Counts().Dials
			time.Sleep(d)
			return a.Counts().Dials - before
		}
		if n := dials(5 * time.Minute); n < 20 || n > 50 {
			t.Errorf("%d dials in five minutes", n)
		}
		if n := dials(5 * time.Minute); n < 15 || n > 25 {
			t.Errorf("%d dials in five minutes, later", n)
		}
		other := multiaddr.StringCast("/ip4/1.0.0.9/udp/8000/quic-v1")
		a.Want(peer.AddrInfo{ID: high.ID(), Addrs: []multiaddr.Multiaddr{other}})
		if n := dials(20 * time.Second); n < 4 {
			t.Errorf("%d dials in 20 s with a new address", n)
		}
		time.Sleep(5 * time.Minute)
		cut.Store(false)
		b := run(t, high)
		if err := high.Connect(t.Context(), info(low)); err != nil {
			t.Fatal(err)
		}
		a.wait(t, "up", 2*time.Second)
		b.wait(t, "up", 2*time.Second)
	})
}
