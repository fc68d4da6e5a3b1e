package rtc

import "sync"

// turnstile lets one reader in, unless it was shut before, and lets the owner
// wait until that reader and all tasks have left. pion calls OnTrack from a
// goroutine of its own at any time, also when the connection is closing.
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

func (t *turnstile) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut = true
}
