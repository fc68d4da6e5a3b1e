package node

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const (
	pageBytes = 150_000 // over the wire, heads included, of a first visit
	// firstPaint is on loopback, where a browser takes no more than barePaint for a
	// page of two words; on a machine that does much else, as many times that.
	firstPaint = 300 * time.Millisecond
	barePaint  = 60 * time.Millisecond
)

// TestPageIsLight checks what a first visit loads, and when something is seen,
// beside a page of two words in the same browser.
func TestPageIsLight(t *testing.T) {
	b := launch(t)
	n := start(t, "ana")
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>Bare</title><h1>Live now</h1>")
	}))
	t.Cleanup(bare.Close)
	const visits = 7 // the middle one counts
	var bares, pages, seen []time.Duration
	for range visits {
		bares = append(bares, b.load(t, bare.URL).painted)
		l := b.load(t, n.Page())
		pages, seen = append(pages, l.painted), append(seen, l.seen)
		if l.bytes > pageBytes || l.bytes < pageBytes/10 {
			t.Errorf("a first visit loads %d bytes, of %d", l.bytes, pageBytes)
		}
	}
	limit := max(firstPaint, median(bares)*(firstPaint/barePaint))
	t.Logf("first paint after %v, the hallway after %v; a bare page's after %v", median(pages), median(seen), median(bares))
	if median(pages) > limit && !raceEnabled {
		t.Errorf("first paint after %v, more than %v: of all %v, of bare pages %v", median(pages), limit, pages, bares)
	}
}

// TestPaintWaitsForNoScript: what is seen first comes with the page itself.
func TestPaintWaitsForNoScript(t *testing.T) {
	t.Parallel()
	p := launch(t).visit(t, "about:blank")
	n := start(t, "ana")
	p.mayComplain("ERR_BLOCKED_BY_CLIENT")
	must(t, chromedp.Run(p.ctx, network.SetBlockedURLs([]string{"*.js"}), chromedp.Navigate(n.Page())))
	p.shows(`#top`, "Earshot")
	p.eventually("it is painted", `performance.getEntriesByName('first-contentful-paint').length`)
	if p.is(`document.querySelector('h1')`) {
		t.Error("a script ran")
	}
}

// load is what a visit loaded, and when something was painted, and its heading.
type load struct {
	bytes         int
	painted, seen time.Duration
}

// load visits a page in a tab of its own, as if for the first time.
func (b *browser) load(t *testing.T, address string) load {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(b.ctx)
	defer closeTab()
	must(t, chromedp.Run(ctx, network.Enable(), network.SetCacheDisabled(true), chromedp.Navigate(address)))
	p := &page{tab: &tab{t, ctx}}
	p.shows(`h1`, "Live now")
	var l struct{ Bytes, Painted, Seen float64 }
	p.call(`(async () => {
		const last = type => new Promise(done => new PerformanceObserver(list => done(list.getEntries().at(-1))).observe({ type, buffered: true }))
		const files = [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]
		return {
			Bytes: files.reduce((sum, f) => sum + f.transferSize, 0),
			Painted: (await last('paint')).startTime,
			Seen: (await last('largest-contentful-paint')).startTime,
		}
	})()`, &l)
	ms := func(f float64) time.Duration { return time.Duration(f * float64(time.Millisecond)) }
	return load{int(l.Bytes), ms(l.Painted), ms(l.Seen)}
}

func median(all []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}
