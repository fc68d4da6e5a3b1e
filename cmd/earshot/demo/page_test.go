package demo

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// watcher is a witness that says what it is told as it is told it.
type watcher struct {
	*witness
	events chan event
	ended  chan struct{} // closed when the demo has, and then
	err    error         // what it gave
}

// begin runs a demo with a page until it ends or is interrupted.
func begin(t *testing.T, o Options) (w *watcher, interrupt func()) {
	w = &watcher{&witness{told: map[string][]map[string]any{}}, make(chan event, 64), make(chan struct{}), nil}
	o.Dir, o.Version, o.Page = t.TempDir(), "test", func(address string) string { return address }
	ctx, interrupt := context.WithCancel(t.Context())
	t.Cleanup(func() { interrupt(); <-w.ended })
	go func() {
		defer close(w.ended)
		w.err = run(ctx, o, w)
	}()
	return w, interrupt
}

func (w *watcher) tell(e event) error {
	err := w.witness.tell(e)
	w.events <- e
	return err
}

// told waits for an event.
func told[E event](t *testing.T, w *watcher) (e E) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case got := <-w.events:
			if e, ok := got.(E); ok {
				return e
			}
		case <-w.ended:
			t.Fatalf("it ended: %v; before %T", w.err, e)
		case <-late:
			if raced {
				t.Skip("too slow with the race detector")
			}
			t.Fatalf("waited in vain for %T; %q was told", e, w.order)
		}
	}
}

// TestSwitchedOff has a person listen by the demo's page in a real browser, and
// switch off who carries the sound: it goes on, and the page says by whom. Then
// Ctrl-C: nothing is left of any node.
func TestSwitchedOff(t *testing.T) {
	b := chromium(t)
	temporary := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP"} { // Unix, Windows
		t.Setenv(name, temporary)
	}
	w, interrupt := begin(t, Options{Fast: true, Stay: true})
	page := told[invited](t, w).Page
	p := tab{t, b}
	must(t, chromedp.Run(b, chromedp.Navigate(page)))
	p.click(`.floor .acts button`)
	p.eventually("it is heard", `document.querySelector('.floor .acts').dataset.state === 'heard'`)
	for range 2 {
		told[returned](t, w)
		p.eventually("somebody is heard", `document.querySelector('.seat[data-heard]')`)
		p.eventually("the button can be pressed", `document.querySelector('.demo button:enabled')`)
		var says string
		must(t, chromedp.Run(b, chromedp.Text(`.demo button`, &says)))
		p.click(`.demo button`)
		gone := told[killed](t, w).Node
		if !strings.Contains(says, gone) {
			t.Errorf("%s was killed, and the button said %q", gone, says)
		}
		now := told[elected](t, w).Relay
		p.eventually("the page says who carries the sound now", fmt.Sprintf(`document.querySelector('.demo p').textContent.replace(/[\u2068\u2069]/g, '').startsWith('%s is gone; %s carries')`, gone, now))
		p.eventually("the network is shown", `document.querySelector('.drawer').checkVisibility()`)
		p.eventually("somebody is heard on", `document.querySelector('.seat[data-heard]')`)
	}
	interrupt()
	select {
	case <-w.ended:
		if w.err != nil {
			t.Error(w.err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
	if homes, _ := filepath.Glob(filepath.Join(temporary, "*homes*")); len(homes) > 0 {
		t.Errorf("left behind: %q", homes)
	}
	p.eventually("the page says that it is over", `document.querySelector('#banner').textContent.includes('demo --stay')`)
	if order := w.order; !slices.Contains(order, "staying") || order[slices.Index(order, "summary")+1] != "staying" {
		t.Errorf("told %q", order)
	}
}

// TestCutEarly: the page need not wait until the story comes to the cut, and
// cuts once.
func TestCutEarly(t *testing.T) {
	w, interrupt := begin(t, Options{})
	page := told[invited](t, w)
	api, key, _ := strings.Cut(page.Page, "/#key=")
	key, _, _ = strings.Cut(key, "&")
	cookies := post(t, api+"/door", `{"key":"`+key+`"}`, nil, http.StatusNoContent)
	post(t, api+"/api/v1/demo/cut", "", cookies, http.StatusNoContent)
	if k := told[killed](t, w); k.Node != host || k.At > page.At+10_000 {
		t.Errorf("%s was killed at %d ms, and the page was there at %d ms", k.Node, k.At, page.At)
	}
	post(t, api+"/api/v1/demo/cut", "", cookies, http.StatusConflict)
	interrupt()
	if <-w.ended; w.err != nil {
		t.Error(w.err)
	}
}

// post sends what the page does.
func post(t *testing.T, address, body string, cookies []*http.Cookie, status int) []*http.Cookie {
	t.Helper()
	request, err := http.NewRequest("POST", address, strings.NewReader(body))
	must(t, err)
	request.Header.Set("Origin", "http://"+request.Host)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, c := range cookies {
		request.AddCookie(c)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	if response.StatusCode != status {
		t.Errorf("%s: %s", address, response.Status)
	}
	return response.Cookies()
}

// tab is a page in a browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func (p tab) click(element string) {
	p.t.Helper()
	p.eventually(element+" can be clicked", fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, element))
	must(p.t, chromedp.Run(p.ctx, chromedp.Click(element)))
}

// eventually waits until an expression is true in the page.
func (p tab) eventually(what, expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Run(ctx, chromedp.Poll("Boolean("+expression+")", nil, chromedp.WithPollingInterval(30*time.Millisecond), chromedp.WithPollingTimeout(0))); err != nil {
		var says string
		_ = chromedp.Run(p.ctx, chromedp.Evaluate(`document.body.innerText`, &says))
		p.t.Fatalf("%s: %v; the page says: %.600s", what, err, says)
	}
}

// chromium starts a browser that ends with the test. Without one the test is
// skipped, unless EARSHOT_REQUIRE_TOOLS=1 says that it has to be here.
func chromium(t *testing.T) context.Context {
	t.Helper()
	if raced && os.Getenv("EARSHOT_LONG") == "" {
		t.Skip("the race detector watches the demo without a browser; with one with EARSHOT_LONG=1")
	}
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" && os.Getenv("EARSHOT_REQUIRE_TOOLS") == "1" {
		t.Fatal("Chromium is not installed")
	} else if path == "" {
		t.Skip("Chromium is not installed (Debian: apt-get install chromium)")
	}
	bounded, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	processes, wait := chromedp.NewExecAllocator(bounded, append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("headless", "new"), chromedp.WSURLReadTimeout(time.Minute), chromedp.WindowSize(1280, 900), chromedp.Flag("lang", "en"),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"))...)
	t.Cleanup(wait)
	// It speaks of events that this version of chromedp does not know yet.
	ctx, kill := chromedp.NewContext(processes, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(kill)
	must(t, chromedp.Run(ctx))
	t.Cleanup(func() {
		closing, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := chromedp.Cancel(closing); err != nil {
			t.Logf("close Chromium: %v", err)
		}
	})
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
