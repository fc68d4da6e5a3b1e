package stall

import (
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestPressed has more to do than there are cores.
func TestPressed(t *testing.T) {
	if _, err := os.ReadFile("/proc/pressure/cpu"); err != nil {
		t.Skip("this system does not tell how busy it is")
	}
	s := Start()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4 * runtime.NumCPU()))
	var busy sync.WaitGroup
	for range 4 * runtime.NumCPU() {
		busy.Go(func() {
			for s.Elapsed() < 200*time.Millisecond {
			}
		})
	}
	busy.Wait()
	if pressed, elapsed := s.Pressed(), s.Elapsed(); pressed < 50*time.Millisecond || pressed > elapsed+50*time.Millisecond {
		t.Errorf("pressed for %v of %v", pressed, elapsed)
	}
}
