package stall

import (
	"os"
	"regexp"
	"strconv"
	"time"
)

// Stopwatch measures how long something takes, and for how long in the meantime the
// machine had more to do than it has cores.
type Stopwatch struct {
	began   time.Time
	pressed time.Duration
}

// Start begins to measure.
func Start() Stopwatch { return Stopwatch{time.Now(), pressed()} }

// Elapsed is the time since the start.
func (s Stopwatch) Elapsed() time.Duration { return time.Since(s.began) }

// Pressed is how much of it some process waited for a core; 0 where the system does not
// tell. By so much what is measured may be late without a fault of its own.
func (s Stopwatch) Pressed() time.Duration { return pressed() - s.pressed }

// some finds how many microseconds some process waited, since the machine started.
var some = regexp.MustCompile(`(?m)^some .* total=(\d+)$`)

// pressed reads Linux's pressure stall information (Documentation/accounting/psi.rst).
func pressed() time.Duration {
	told, _ := os.ReadFile("/proc/pressure/cpu")
	found := some.FindSubmatch(told)
	if found == nil {
		return 0
	}
	microseconds, _ := strconv.ParseInt(string(found[1]), 10, 64)
	return time.Duration(microseconds) * time.Microsecond
}
