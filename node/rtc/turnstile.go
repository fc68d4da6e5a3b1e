package rtc

import (
	"log/slog"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"
)

// closeTimeout is far more than closing a connection takes.
const closeTimeout = 5 * time.Second

// turnstile lets one reader into a connection, unless that is closing, and lets
// its owner wait until the reader and all tasks have left. pion calls OnTrack
// from a goroutine of its own at any time.
type turnstile struct {
	tasks sync.WaitGroup

	mu   sync.Mutex
	shut bool // or used
}

// enter says whether the caller may read; it must call tasks.Done when it has.
func (t *turnstile) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shut {
		return false
	}
	t.shut = true
	t.tasks.Add(1)
	return true
}

// close closes the connection and returns when nobody works on it any more. A
// far side that times its packets well can make pion wait for itself; then the
// connection is left behind rather than everything that waits for this.
func (t *turnstile) close(pc *webrtc.PeerConnection, log *slog.Logger) {
	t.mu.Lock()
	t.shut = true
	t.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := pc.GracefulClose(); err != nil {
			log.Debug("closing a connection", "error", err)
		}
		t.tasks.Wait()
	}()
	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
		log.Warn("a connection does not close and is left behind", "state", pc.ConnectionState())
	}
}
