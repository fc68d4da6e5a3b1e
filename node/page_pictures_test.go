package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/earshot-audio/earshot/node/ogg"
	"github.com/earshot-audio/earshot/node/web"
)

// pictures are in docs, seen from this package.
const (
	pictures    = "../docs/pictures"
	mostPicture = 120_000 // bytes
	sharpness   = 2       // pixels for each of the page's
)

// TestPictures takes the pictures of docs/pictures anew, of a federation on this
// machine: what they show, nodes have told each other.
func TestPictures(t *testing.T) {
	if os.Getenv("EARSHOT_PICTURES") == "" {
		t.Skip("EARSHOT_PICTURES=1 takes those of docs/pictures anew")
	}
	must(t, os.MkdirAll(pictures, 0o755))
	s := newScene(t)
	light := shot{language: "en", theme: "light", width: 1200, height: 750}
	dark, phone := light, shot{language: "vi", theme: "dark", width: 390, height: 780}
	dark.theme = "dark"
	s.take("hallway", light, "hadi", "", nil)
	s.take("hallway-zh", shot{language: "zh-Hans", theme: "light", width: 390, height: 780}, "hadi", "", nil)
	s.take("room", light, "hadi", s.sky, func(p *page) {
		s.writes("dewi", "Olbers asked that in 1823.")
		s.nodes["fitri"].eventually("fitri reads it, and answers", func() bool { return s.nodes["fitri"].wrote(s.sky, "dewi").Text != "" })
		s.writes("fitri", "And Kepler in 1610.")
		p.eventually("both is read", `document.querySelectorAll('.chat .lines li').length === 2`)
		s.rings(2)(p)
	})
	s.take("phone-vi", phone, "hadi", s.sky, s.rings(1))
	s.take("network", dark, "hadi", s.sky, func(p *page) {
		p.call(`[...document.querySelectorAll('.bar button')].find(b => b.textContent === 'Network').click()`, nil)
		p.eventually("the network is shown", `document.querySelector('.drawer').checkVisibility()`)
		p.call(`document.activeElement.blur()`, nil)
		s.rings(1)(p)
	})
	for _, name := range []string{"dewi", "fitri", "eko"} {
		must(t, s.nodes[name].Hand(t.Context(), s.sky, true))
		s.nodes["ana"].eventually(name+"'s hand is up", func() bool { return s.handOf(name) > 0 })
	}
	s.take("hands", light, "ana", s.sky, s.rings(1))
	s.take("demo", dark, "eko", s.sky, func(p *page) {
		p.call(`document.querySelector('.demo button').click()`, nil)
		p.eventually("nothing was lost", `document.querySelector('.demo p').textContent.includes('Nothing was lost')`)
		p.call(`document.activeElement.blur()`, nil)
		time.Sleep(time.Second) // for its transitions
		s.rings(1)(p)
	})
}

// scene is what the pictures show.
type scene struct {
	t     *testing.T
	b     *browser
	nodes map[string]*running
	sky   string // the room that most are in
}

// newScene has eight nodes meet, open rooms, speak and listen.
func newScene(t *testing.T) *scene {
	s := &scene{t: t, b: launch(t), nodes: map[string]*running{}}
	var last []*running
	for _, name := range []string{"ana", "budi", "citra", "dewi", "eko", "fitri", "gita", "hadi"} {
		n := startWith(t, name, func(c *Config) {
			c.Lend = name != "hadi" && name != "eko"
			if name == "eko" {
				c.Cut = func() bool { s.nodes["ana"].Kill(); return true }
			}
		}, last...)
		s.nodes[name], last = n, []*running{n}
	}
	id := func(name string) string { return s.nodes[name].self.String() }
	s.sky = s.opens("ana", web.OpenRequest{Title: "Why the sky is dark", Language: "en", Topics: []string{"astronomy"}, Stage: "host", Speakers: []string{id("budi"), id("citra")}})
	s.attends(s.sky, "budi", "citra", "dewi", "eko", "fitri", "gita")
	s.attends(s.opens("budi", web.OpenRequest{Title: "Ngobrol santai malam minggu", Language: "id", Topics: []string{"musik"}, Stage: "open"}), "ana", "dewi")
	s.attends(s.opens("citra", web.OpenRequest{Title: "Đêm thơ ở Huế", Language: "vi", Topics: []string{"thơ"}}), "fitri", "gita", "ana", "eko")
	s.attends(s.opens("dewi", web.OpenRequest{Title: "深夜闲聊：今天你读了什么书", Language: "zh-Hans", Topics: []string{"读书", "闲聊"}, Stage: "open"}), "citra")
	s.attends(s.opens("fitri", web.OpenRequest{Title: "Frogs at dusk", Language: "en", Topics: []string{"nature", "sound"}}), "budi", "citra", "gita")
	s.speaks("ana", s.sky)
	s.speaks("budi", s.sky)
	hadi := s.nodes["hadi"]
	hadi.eventually("all rooms are known, and who is in them", func() bool {
		rooms, err := hadi.Rooms(t.Context())
		people := 0
		for _, r := range rooms {
			people += r.Speakers + r.Listeners
		}
		return err == nil && len(rooms) == 5 && people >= 20
	})
	return s
}

func (s *scene) opens(host string, r web.OpenRequest) string {
	o, err := s.nodes[host].Open(s.t.Context(), r)
	must(s.t, err)
	return o.Room
}

// attends has people listen to a room.
func (s *scene) attends(room string, names ...string) {
	for _, name := range names {
		n := s.nodes[name]
		n.eventually("the room is in the directory", n.sees(room))
		l, err := n.Listen(s.t.Context(), room, false)
		must(s.t, err)
		s.goes(func() {
			defer l.Close()
			for {
				if _, err := l.Next(s.t.Context()); err != nil {
					return
				}
			}
		})
	}
}

// goes runs something that ends with the test.
func (s *scene) goes(f func()) {
	var done sync.WaitGroup
	done.Go(f)
	s.t.Cleanup(done.Wait)
}

// speaks has somebody say what they say in the demo, again and again.
func (s *scene) speaks(name, room string) {
	file, err := os.ReadFile(filepath.Join("../cmd/earshot/demo/voices", name+".ogg"))
	must(s.t, err)
	voice, err := s.nodes[name].Speak(s.t.Context(), room)
	must(s.t, err)
	s.goes(func() {
		defer func() { _, _ = voice.Close(context.Background()) }()
		for {
			for in := ogg.NewReader(bytes.NewReader(file)); ; {
				p, err := in.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil || voice.Packet(s.t.Context(), bytes.Clone(p.Data), p.Gap) != nil {
					return
				}
			}
		}
	})
}

// writes has somebody write to all in the room.
func (s *scene) writes(name, text string) {
	_, err := s.nodes[name].Write(s.t.Context(), s.sky, text)
	must(s.t, err)
}

// handOf gives somebody's place in the queue, as ana's node has it.
func (s *scene) handOf(name string) int {
	for _, m := range s.nodes["ana"].view(s.sky).Members {
		if string(m.Name) == name {
			return m.Hand
		}
	}
	return 0
}

// rings waits until so many are heard well: their rings are what a picture of a
// room is about.
func (s *scene) rings(n int) func(p *page) {
	return func(p *page) {
		p.eventually("they are heard", fmt.Sprintf(`[...document.querySelectorAll('.seat')].filter(s => s.style.getPropertyValue('--level') > 0.45).length >= %d`, n))
	}
}

// take takes a picture of somebody's page: of a room that they listen to, or of
// the hallway, once ready has come about.
func (s *scene) take(name string, how shot, whose, room string, ready func(*page)) {
	s.t.Run(name, func(t *testing.T) {
		p := how.visit(t, s.b, s.nodes[whose])
		must(t, chromedp.Run(p.ctx, emulation.SetDeviceMetricsOverride(how.width, how.height, sharpness, how.width < 500)))
		if room != "" {
			p.call(fmt.Sprintf(`location.hash = 'room/%s'`, room), nil)
			p.eventually("the room asks", `document.querySelector('.floor .acts button')`)
			p.call(`document.querySelector('.floor .acts button').click()`, nil)
			p.eventually("it is heard", `document.querySelector('.floor .acts').dataset.state === 'heard'`)
			p.eventually("who is there is shown", `document.querySelectorAll('.people li').length >= 4 && document.querySelectorAll('.seat').length >= 2`)
			p.call(`document.activeElement.blur(), scrollTo(0, 0)`, nil)
			time.Sleep(time.Second) // for its transitions
		}
		if ready != nil {
			ready(p)
		}
		var taken []byte
		must(t, chromedp.Run(p.ctx, chromedp.CaptureScreenshot(&taken)))
		small := packed(t, taken)
		if len(small) > mostPicture {
			t.Errorf("it takes %d bytes, at most %d", len(small), mostPicture)
		}
		must(t, os.WriteFile(filepath.Join(pictures, name+".png"), small, 0o644))
	})
}

// packed packs a PNG with at most 256 colours: those that it has most of and
// that differ.
func packed(t *testing.T, picture []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	must(t, err)
	count := map[color.Color]int{}
	all := full.Bounds()
	for y := range all.Dy() {
		for x := range all.Dx() {
			count[full.At(x, y)]++
		}
	}
	most := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	few := image.NewPaletted(all, nil)
	for _, c := range most {
		if p := few.Palette; len(p) == 0 || len(p) < 256 && differ(c, p[p.Index(c)]) {
			few.Palette = append(p, c)
		}
	}
	nearest := map[color.Color]uint8{}
	for c := range count {
		nearest[c] = uint8(few.Palette.Index(c))
	}
	for y := range all.Dy() {
		for x := range all.Dx() {
			few.SetColorIndex(x, y, nearest[full.At(x, y)])
		}
	}
	var out bytes.Buffer
	must(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, few))
	return out.Bytes()
}

// differ says whether one may see that two colours are two.
func differ(a, b color.Color) bool {
	const seen = 12 << 8 // of a channel's 16 bits
	r, g, blue, _ := a.RGBA()
	r2, g2, blue2, _ := b.RGBA()
	apart := func(x, y uint32) bool { return max(x, y)-min(x, y) > seen }
	return apart(r, r2) || apart(g, g2) || apart(blue, blue2)
}
