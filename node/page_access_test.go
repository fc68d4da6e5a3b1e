package node

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// testAccess looks at every view of a page as somebody does who hears it read
// aloud, who goes by keyboard, who sees little, who holds a small telephone.
func testAccess(t *testing.T, b *browser, ana, budi *running) {
	p := b.visit(t, budi.Page())
	o := ana.open(p.ctx, "Kites", "open")
	p.shows(`.rows`, "Kites")
	check := func(view string) {
		p.checkNames(view)
		p.checkWidth(view, 320)
	}
	check("hallway")
	p.checkFocus("hallway")
	p.tabTo(`aside button.main`)
	p.presses(kb.Enter)
	check("opening")
	p.presses(kb.Escape)
	p.checkContrast()
	p.enters(o.Room)
	check("room")
	p.checkFocus("room")
	p.tabTo(`.ring`)
	p.presses("n")
	p.eventually("the drawer is open", `document.querySelector('.drawer').checkVisibility()`)
	check("network")
	p.presses(kb.Escape)
	p.eventually("focus is back on the stage", `document.activeElement.matches('.ring')`)
	p.presses("?")
	p.eventually("the settings are open", `document.querySelector('dialog.settings')?.checkVisibility()`)
	check("settings")
	for _, language := range []struct{ tag, leave string }{{"zh-Hans", "悄悄离开"}, {"vi", "Lặng lẽ rời phòng"}, {"id", "Keluar diam-diam"}, {"en", "Leave quietly"}} {
		p.speaks(language.tag)
		p.shows(`.bar`, language.leave)
		p.checkWidth("room in "+language.tag, 320)
	}
}

// speaks chooses a language in the settings, which are open or opened.
func (p *page) speaks(tag string) {
	p.t.Helper()
	if !p.is(`document.querySelector('dialog.settings')`) {
		p.presses("?")
	}
	p.eventually("the settings are open", `document.querySelector('dialog.settings')?.checkVisibility()`)
	p.call(fmt.Sprintf(`document.querySelector('dialog.settings option[value="%s"]').selected = true`, tag), nil)
	p.presses(kb.Escape)
	p.eventually("the page speaks "+tag, fmt.Sprintf(`document.documentElement.lang === %s`, quoted(tag)))
	p.tabTo(`.ring`)
}

// checkNames checks that whatever can be operated has a name, as the browser
// computes it for screen readers (accname 1.2).
func (p *page) checkNames(view string) {
	p.t.Helper()
	controls := []string{"button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "slider", "dialog", "image", "DisclosureTriangle"}
	seen := 0
	must(p.t, chromedp.Run(p.ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		type value struct {
			Value any `json:"value"`
		}
		var tree struct {
			Nodes []struct {
				Ignored bool  `json:"ignored"`
				Role    value `json:"role"`
				Name    value `json:"name"`
				Node    int   `json:"backendDOMNodeId"`
			} `json:"nodes"`
		}
		err := cdp.Execute(ctx, accessibility.CommandGetFullAXTree, accessibility.GetFullAXTree(), &tree)
		for _, n := range tree.Nodes {
			if role, _ := n.Role.Value.(string); n.Ignored || !slices.Contains(controls, role) {
				continue
			}
			if seen++; n.Name.Value == nil || n.Name.Value == "" {
				p.t.Errorf("%s: a %v has no name (node %d)", view, n.Role.Value, n.Node)
			}
		}
		return err
	})))
	if seen < 3 {
		p.t.Errorf("%s: only %d controls are there", view, seen)
	}
}

// checkWidth checks that nothing scrolls sideways in a window so wide (WCAG
// 1.4.10), once what slides to its place in it has come there.
func (p *page) checkWidth(view string, pixels int64) {
	p.t.Helper()
	must(p.t, chromedp.Run(p.ctx, emulation.SetDeviceMetricsOverride(pixels, 640, 1, true)))
	var wide []string
	p.call(`(async () => {
		const frame = () => new Promise(drawn => (requestAnimationFrame(drawn), setTimeout(drawn, 500))) // a page behind another has none
		await frame(), await frame()
		await Promise.allSettled(document.getAnimations().filter(a => a.effect.getComputedTiming().endTime < 5000).map(a => a.finished))
		const limit = document.documentElement.clientWidth
		const out = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('svg, .aside, .skip') && e.getBoundingClientRect().right > limit + 1)
		if (document.documentElement.scrollWidth > limit) out.unshift(document.documentElement)
		return out.slice(0, 5).map(e => e.tagName + '.' + e.className + ' to ' + Math.round(e.getBoundingClientRect().right) + ' of ' + limit)
	})()`, &wide)
	if len(wide) > 0 {
		p.t.Errorf("%s at %d px: too wide: %v", view, pixels, wide)
	}
	must(p.t, chromedp.Run(p.ctx, emulation.ClearDeviceMetricsOverride()))
}

// checkFocus checks that Tab reaches controls, each with a ring that is seen.
func (p *page) checkFocus(view string) {
	p.t.Helper()
	p.call(`document.activeElement.blur()`, nil)
	reached := map[string]bool{}
	for range 20 {
		p.presses(kb.Tab)
		var at struct {
			What    string
			Outline float64
			Style   string
		}
		p.call(`(() => { const e = document.activeElement, s = getComputedStyle(e); return {What: e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 20), Outline: parseFloat(s.outlineWidth), Style: s.outlineStyle} })()`, &at)
		if reached[at.What] = true; at.What[:4] != "BODY" && (at.Outline < 3 || at.Style == "none") {
			p.t.Errorf("%s: focus on %s is not seen", view, at.What)
		}
	}
	if len(reached) < 5 {
		p.t.Errorf("%s: Tab reaches only %v", view, slices.Collect(maps.Keys(reached)))
	}
}

// checkContrast computes contrasts of the colours that stand on each other, in
// light and in dark: text 4.5 to 1 (WCAG 1.4.3), edges and signs 3 (1.4.11).
func (p *page) checkContrast() {
	p.t.Helper()
	const text, sign = 4.5, 3
	for _, theme := range []string{"light", "dark"} {
		for _, c := range []struct {
			on, of string
			least  float64
		}{
			{"ink", "ground", text}, {"ink", "raised", text}, {"ink", "sunk", text}, {"ground", "ink", text}, {"on-lamp", "lamp", text},
			{"soft", "ground", text}, {"soft", "raised", text}, {"danger", "ground", text}, {"danger", "raised", text},
			{"edge", "ground", sign}, {"edge", "raised", sign}, {"focus", "ground", sign}, {"focus", "raised", sign}, {"lamp-ink", "ground", sign}, {"lamp-ink", "raised", sign},
		} {
			var contrast float64
			p.call(fmt.Sprintf(`(() => {
				const root = document.documentElement, theme = root.dataset.theme
				root.dataset.theme = %s
				const luminance = token => {
					const probe = document.body.appendChild(document.createElement('i'))
					probe.style.color = 'var(--' + token + ')'
					const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
					probe.remove()
					return 0.2126 * r + 0.7152 * g + 0.0722 * b
				}
				const [low, high] = [luminance(%s), luminance(%s)].sort((a, b) => a - b)
				if (theme === undefined) delete root.dataset.theme; else root.dataset.theme = theme
				return (high + 0.05) / (low + 0.05)
			})()`, quoted(theme), quoted(c.on), quoted(c.of)), &contrast)
			if contrast < c.least {
				p.t.Errorf("%s: %s on %s has a contrast of %.2f, less than %g", theme, c.on, c.of, contrast, c.least)
			}
		}
	}
}
