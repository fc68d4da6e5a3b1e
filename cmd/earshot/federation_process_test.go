package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/stall"
)

// federation is earshot as people run it: processes on loopback, each node with
// its own home. What the processes say is gathered under one lock, and whoever
// waits looks again at each of their words.
type federation struct {
	testing.TB
	dir    string
	clock  stall.Stopwatch      // since the test began
	stood  func() time.Duration // how long this machine did, at the most
	within map[string]string    // network namespaces of homes that have one

	mu        sync.Mutex
	news      chan struct{} // closed at the next word of any process
	processes []*process
	nodes     []*liveNode
}

func newFederation(t *testing.T) *federation {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals to end a process by")
	}
	if raced && os.Getenv("EARSHOT_LONG") == "" {
		t.Skip("the race detector watches nodes in package node; processes run under it with EARSHOT_LONG=1, and here without it")
	}
	f := &federation{TB: t, dir: t.TempDir(), news: make(chan struct{}), clock: stall.Start(), stood: stall.Watch(t), within: map[string]string{}}
	t.Cleanup(f.end)
	return f
}

// note changes what is gathered, and wakes those who wait.
func (f *federation) note(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.news)
	f.news = make(chan struct{})
}

// lookAgain is for what changes without a word: recordings.
const lookAgain = 50 * time.Millisecond

// racedPatience is how much longer things may take under the race detector.
const racedPatience = 8

// worthTelling is a wait that says something about a test that takes long.
const worthTelling = 2 * time.Second

// busyPatience is for how long at most a busy machine may keep something up.
const busyPatience = time.Minute

// until waits for something to be so, and gives how long it took. The time in which the
// machine had more to do than it can does not count. ok is called under the lock. A
// node that ends unasked is a failure at once.
func (f *federation) until(within time.Duration, what string, ok func() bool) time.Duration {
	f.Helper()
	if raced {
		within *= racedPatience
	}
	watch := stall.Start()
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		good, news := f.look(ok)
		if good {
			took := watch.Elapsed()
			if took > worthTelling {
				f.Logf("waited %d ms: %s", took.Milliseconds(), what)
			}
			return took
		}
		select {
		case <-news:
		case <-look.C:
			if pressed := watch.Pressed(); watch.Elapsed() > within+min(pressed, busyPatience) {
				f.Fatalf("not within %v, with a machine that is too busy for %v of %v: %s", within, pressed, watch.Elapsed(), what)
			}
		}
	}
}

// slackMost is the most that a busy machine excuses where sound is concerned.
const slackMost = 2 * time.Second

// slack is by how much sound may be late for the machine's sake alone.
func (f *federation) slack() time.Duration {
	return max(3*f.stood(), min(f.clock.Pressed(), slackMost))
}

// busy says whether the machine had too much to do for most of the test: then a relay
// may seem gone that is only slow.
func (f *federation) busy() bool { return 2*f.clock.Pressed() > f.clock.Elapsed() }

// look calls ok, and gives what tells of later news.
func (f *federation) look(ok func() bool) (good bool, news chan struct{}) {
	f.Helper()
	f.mu.Lock()
	good, news = ok(), f.news
	i := slices.IndexFunc(f.processes, func(p *process) bool { return p.stays && p.ended })
	f.mu.Unlock()
	if i >= 0 {
		f.Fatalf("%s ended unasked: %v", f.processes[i].title, f.processes[i].err)
	}
	return good, news
}

// throughout waits for d, in which nothing may be amiss.
func (f *federation) throughout(d time.Duration, amiss func() string) {
	f.Helper()
	over := time.Now().Add(d)
	f.until(d+patience, "the end", func() bool {
		if wrong := amiss(); wrong != "" {
			f.Error(wrong)
			return true
		}
		return time.Now().After(over)
	})
}

// patienceAtEnd is how long a process that is asked to end may take before it
// is killed.
const patienceAtEnd = 30 * time.Second

// end ends what still runs, each process by its own handle, and shows what the
// nodes had to say if the test failed.
func (f *federation) end() {
	before := make([]string, len(f.processes)) // what they said before they were told to end
	for i, p := range f.processes {
		before[i] = p.said()
		p.signal(syscall.SIGTERM)
	}
	if f.Failed() {
		f.mu.Lock()
		for _, n := range f.nodes {
			f.Logf("%s (%s) shows:", n.name, n.PeerID)
			for _, v := range n.views {
				f.Logf("  room %.8s, term %d, relay %s, standby %s, links %+v, dropped %v", v.Room, v.Term, v.Relay, v.Standby, v.Links, v.Dropped)
			}
		}
		f.mu.Unlock()
	}
	late := time.After(patienceAtEnd)
	for _, p := range f.processes {
		select {
		case <-p.done:
		case <-late:
			f.Errorf("%s does not end", p.title)
			p.signal(syscall.SIGKILL)
			<-p.done
		}
	}
	for i, p := range f.processes {
		if report := broken.FindString(p.said()); report != "" {
			f.Errorf("%s broke:\n%s", p.title, report)
		}
		if f.Failed() && before[i] != "" {
			f.Logf("---- %s (%v) said at last:\n%s", p.title, p.err, tail(before[i]))
		}
	}
}

// broken finds the start of Go's report of a race or a panic.
var broken = regexp.MustCompile(`(?s)(WARNING: DATA RACE|panic: |fatal error: ).*`)

// tail gives the last lines of what a process said, without pion's chatter.
func tail(said string) string {
	const most = 25
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(said), "\n"), func(l string) bool { return strings.HasSuffix(l, " pion=pc") || strings.HasSuffix(l, " pion=ice") })
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

// process is one earshot process.
type process struct {
	f      *federation
	title  string
	cmd    *exec.Cmd
	stderr string // a file
	stays  bool   // until it is told to end
	done   chan struct{}

	// under the federation's lock
	lines []spoken
	ended bool
	err   error
}

// spoken is a line of a process's standard output.
type spoken struct {
	at   time.Time
	text string
}

// launch starts the program (this test's own, see TestMain) in a home, where that
// is.
func (f *federation) launch(home string, stays bool, args ...string) *process {
	f.Helper()
	p := &process{f: f, title: filepath.Base(home) + ": earshot " + strings.Join(args[:min(2, len(args))], " "), stays: stays, done: make(chan struct{})}
	argv := append([]string{"earshot"}, args...)
	if namespace, ok := f.within[home]; ok {
		argv = append([]string{"ip", "netns", "exec", namespace}, argv...) // which it becomes
	}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Dir = f.dir
	p.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "EARSHOT_") }),
		"HOME="+f.dir, "EARSHOT_HOME="+home, "EARSHOT_JSON=1", "EARSHOT_LOG_LEVEL=debug")
	dieWithParent(p.cmd)
	stderr, err := os.CreateTemp(f.dir, "stderr")
	f.must(err)
	defer stderr.Close()
	p.cmd.Stderr, p.stderr = stderr, stderr.Name()
	out, err := p.cmd.StdoutPipe()
	f.must(err)
	f.must(p.cmd.Start())
	f.mu.Lock()
	f.processes = append(f.processes, p)
	f.mu.Unlock()
	go p.hear(out)
	return p
}

func (f *federation) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// hear takes what the process prints until its end.
func (p *process) hear(out io.Reader) {
	defer close(p.done)
	for s := bufio.NewScanner(out); s.Scan(); {
		p.f.note(func() { p.lines = append(p.lines, spoken{time.Now(), s.Text()}) })
	}
	err := p.cmd.Wait()
	p.f.note(func() { p.ended, p.err = true, err })
}

// said gives what the process wrote to standard error.
func (p *process) said() string {
	b, _ := os.ReadFile(p.stderr)
	return string(b)
}

// signal tells the process to end.
func (p *process) signal(s syscall.Signal) {
	p.f.mu.Lock()
	p.stays = false
	p.f.mu.Unlock()
	_ = p.cmd.Process.Signal(s) // an error: it has
}

// stop asks the process to end, which it must do well and in time.
func (p *process) stop(s syscall.Signal, within time.Duration) {
	p.f.Helper()
	p.signal(s)
	p.endsWell(within)
}

// endsWell waits for the end of a process, and gives how long that took.
func (p *process) endsWell(within time.Duration) time.Duration {
	p.f.Helper()
	took := p.f.until(within, p.title+" ends", func() bool { return p.ended })
	if p.err != nil {
		p.f.Errorf("%s: %v: %s", p.title, p.err, tail(p.said()))
	}
	return took
}

// gone says whether the process has ended.
func (p *process) gone() bool {
	p.f.mu.Lock()
	defer p.f.mu.Unlock()
	return p.ended
}

// kill ends it as a power cut would.
func (p *process) kill() {
	p.f.Helper()
	p.signal(syscall.SIGKILL)
	p.f.until(patienceAtEnd, p.title+" is dead", func() bool { return p.ended })
}

// first gives the first line that means an object with a key of that value, and
// when it came. It is called under the lock.
func (p *process) first(key string, value any) (at time.Time, text string, ok bool) {
	for _, l := range p.lines {
		var object map[string]any
		if json.Unmarshal([]byte(l.text), &object) == nil && object[key] == value {
			return l.at, l.text, true
		}
	}
	return time.Time{}, "", false
}

// says waits for a line with a key of that value, reads it into v unless that is
// nil, and gives when it came.
func (p *process) says(within time.Duration, key string, value any, v any) (at time.Time) {
	p.f.Helper()
	var text string
	said := false
	p.f.until(within, fmt.Sprintf("%s says %s %v", p.title, key, value), func() bool {
		at, text, said = p.first(key, value)
		return said || p.ended
	})
	if !said {
		p.f.Fatalf("%s ended without %s %v (%v): %s", p.title, key, value, p.err, tail(p.said()))
	}
	if v != nil {
		p.f.must(json.Unmarshal([]byte(text), v))
	}
	return at
}
