// Package demo shows a whole federation on one machine: real nodes, a room, two
// voices, listeners who record it, and the relay killed in mid-sentence.
//
//	demo.go        the story
//	page.go        the person's own node and its page
//	stay.go        what goes on after the story, if it is to
//	federation.go  the nodes
//	voices.go      what is spoken
//	talk.go        a speaker
//	ear.go         a listener and its recording
//	check.go       recordings compared with what was spoken
//	report.go      the table at the end
//	events.go      what happens, in words and for scripts
//	screen.go      where it is shown
package demo

import (
	"context"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// Options of a demo.
type Options struct {
	Out     io.Writer
	JSON    bool   // objects for scripts instead of words
	Live    bool   // Out is a terminal: redraw what flows in place
	Colour  bool   // it may have colours
	Width   int    // of the terminal, in cells; 0: not known
	Dir     string // for the recordings; "": a new one among the temporary files
	Fast    bool   // seconds instead of half a minute
	Stay    bool   // go on until ctx ends
	Version string
	Log     *slog.Logger // nil: nothing is logged

	// Page shows the person a page by its address, which works once, and says
	// where it is. nil: there is no page.
	Page func(address string) string
}

// Who takes part. The host opens the room and relays it first; the other
// speaker stands by; the last comes when the host is gone.
const (
	title     = "Why the sky is dark"
	host      = "ana"
	second    = "budi"
	latecomer = "gita"
)

func everybody() []string { return []string{host, second, "citra", "dewi", "eko", "fitri", latecomer} }
func audience() []string  { return everybody()[2:6] }

// script is when things happen, on the speakers' clock.
type script struct {
	length time.Duration // of what is spoken; 0: all of it
	cut    time.Duration // of the host's talk, where its node is killed
	late   time.Duration // of the second speaker's, where the latecomer joins
	away   time.Duration // for how long a node stays switched off, once the nodes stay
}

func (o Options) script() script {
	if o.Fast {
		return script{length: 7 * time.Second, cut: 1500 * time.Millisecond, late: 4 * time.Second, away: time.Second}
	}
	// "Right now that may well be m-"
	return script{cut: 18500 * time.Millisecond, late: 25 * time.Second, away: 4 * time.Second}
}

const (
	// patience bounds each step of the story. All take a fraction of it.
	patience = 30 * time.Second
	// proof is how many frames after the cut show that the sound is back.
	proof = 25
	// pace is how often what flows is looked at.
	pace = 200 * time.Millisecond
)

// demo is one run of it. The story's goroutine owns all but the bell.
type demo struct {
	Options
	script
	screen screen
	began  time.Time
	bell   chan struct{} // holds a value after something happened anywhere

	nodes  *federation
	room   string
	talks  map[string]*talk
	ears   []*ear
	voices []voice
	gone   string    // whose node was killed
	cutAt  time.Time // when
	button button    // of the page
	talk   *talk     // who speaks, once the nodes stay

	work  context.Context // of talks, ears and watches of nodes
	tasks sync.WaitGroup
}

// Run shows the demo. It returns nil also if ctx ended it early: then it has
// told of what was recorded until then.
func Run(ctx context.Context, o Options) error { return run(ctx, o, newScreen(o)) }

func run(ctx context.Context, o Options, to screen) (err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &demo{Options: o, script: o.script(), screen: to, began: time.Now(), bell: make(chan struct{}, 1), talks: map[string]*talk{}}
	if err := d.prepare(); err != nil {
		return err
	}
	if d.nodes, err = found(d.names(), o.Version, o.Log, d.switchOff); err != nil {
		return err
	}
	err = d.play(ctx, d.story)
	early := ctx.Err() != nil
	if early || err == nil {
		err = d.report(early)
	} else {
		d.closeEars()
	}
	if d.Stay && !early && err == nil {
		if err = d.play(ctx, d.stay); ctx.Err() != nil {
			err = nil
		}
	}
	if ending := d.nodes.end(); err == nil {
		err = ending
	}
	if o.Dir == "" {
		_ = os.Remove(d.Dir) // if nothing was recorded
	}
	return err
}

// play plays a part, and ends what it began.
func (d *demo) play(ctx context.Context, part func(context.Context) error) error {
	work, stop := context.WithCancel(context.Background())
	d.work = work
	err := part(ctx)
	stop()
	d.tasks.Wait()
	return err
}

// prepare reads the voices and finds a place for the recordings.
func (d *demo) prepare() (err error) {
	for speaker, file := range map[string][]byte{host: anaOgg, second: budiOgg} {
		v, err := readVoice(speaker, file, d.length)
		if err != nil {
			return err
		}
		d.voices = append(d.voices, v)
	}
	if d.Dir == "" {
		d.Dir, err = os.MkdirTemp("", "earshot-demo-")
	} else {
		err = os.MkdirAll(d.Dir, 0o755)
	}
	if err != nil {
		return &protocol.Problem{Code: protocol.CodeOutput, Message: "can't record to " + d.Dir + ": " + reason(err), Hint: "choose another directory with --out", Cause: err}
	}
	return nil
}

// story is what happens, in order.
func (d *demo) story(ctx context.Context) error {
	for _, step := range []func(context.Context) error{d.connect, d.open, d.stand, d.gather, d.invite, d.speak, d.kill, d.carryOn, d.elect, d.comeLate, d.finish} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// connect waits until every node has found those next to it.
func (d *demo) connect(ctx context.Context) error {
	for _, m := range d.nodes.members {
		d.watch(m)
	}
	ends := []*member{d.nodes.members[0], d.nodes.members[len(d.nodes.members)-1]}
	err := d.until(ctx, "the nodes find each other", d.every(d.nodes.members, func(m *member) bool {
		s, err := m.node.Status(ctx)
		return err == nil && (s.Neighbors >= 2 || s.Neighbors == 1 && slices.Contains(ends, m))
	}))
	if err != nil {
		return err
	}
	return d.screen.tell(started{"nodes", d.names(), d.since(d.began)})
}

// watch rings the bell when something changes at a node.
func (d *demo) watch(m *member) {
	changed, stop := m.node.Changes()
	d.tasks.Go(func() {
		defer stop()
		for {
			select {
			case <-changed:
				d.ring()
			case <-d.work.Done():
				return
			}
		}
	})
}

// open opens the room, and waits until all others have heard of it.
func (d *demo) open(ctx context.Context) error {
	from := time.Now()
	o, err := d.nodes.member(host).node.Open(ctx, web.OpenRequest{Title: title, Stage: "host", Speakers: []string{d.nodes.member(second).id}})
	if err != nil {
		return err
	}
	d.room = o.Room
	others := d.nodes.members[1:]
	err = d.until(ctx, "the room is in everybody's directory", d.every(others, func(m *member) bool { return d.lists(ctx, m) }))
	if err != nil {
		return err
	}
	return d.screen.tell(opened{"announced", d.room, title, host, len(others), d.since(from)})
}

// lists says whether a node knows of the room.
func (d *demo) lists(ctx context.Context, m *member) bool {
	rooms, err := m.node.Rooms(ctx)
	return err == nil && slices.ContainsFunc(rooms, func(r web.RoomLine) bool { return r.Room == d.room })
}

// stand brings the second speaker in, and waits until it stands by.
func (d *demo) stand(ctx context.Context) error {
	from := time.Now()
	if err := d.enter(ctx, second); err != nil {
		return err
	}
	var v web.RoomView
	err := d.until(ctx, "a standby is elected", func() bool {
		v = d.view(ctx, second)
		return v.Standby == d.nodes.member(second).id
	})
	if err != nil {
		return err
	}
	return d.screen.tell(elected{"elected", d.since(d.began), v.Term, d.nodes.nameOf(v.Relay), d.nodes.nameOf(v.Standby), d.since(from), false, false})
}

// enter brings a speaker into the room, silent for now, once its node has heard
// that it may speak.
func (d *demo) enter(ctx context.Context, name string) error {
	return d.until(ctx, name+" may speak", func() bool { return d.takeStage(ctx, name) })
}

// takeStage says whether a speaker is in the room, silent for now.
func (d *demo) takeStage(ctx context.Context, name string) bool {
	to, err := d.nodes.member(name).node.Speak(ctx, d.room)
	if err != nil {
		d.Log.Debug("not on stage yet", "node", name, "err", err)
		return false
	}
	i := slices.IndexFunc(d.voices, func(v voice) bool { return v.speaker == name })
	d.talks[name] = &talk{voice: d.voices[i], to: to, moved: d.ring}
	return true
}

// gather brings the host's microphone and the listeners in, and waits until
// each is attached to the relay and to the standby.
func (d *demo) gather(ctx context.Context) error {
	if err := d.enter(ctx, host); err != nil {
		return err
	}
	ears := make([]*ear, len(audience()))
	var joining errgroup.Group
	for i, name := range audience() {
		joining.Go(func() (err error) {
			ears[i], err = d.nodes.member(name).listen(ctx, d.room, d.Dir, d.nodes.nameOf, d.ring)
			return err
		})
	}
	err := joining.Wait()
	for _, e := range ears {
		if e != nil {
			d.attend(e)
		}
	}
	if err != nil {
		return err
	}
	err = d.until(ctx, "the listeners are attached", func() bool {
		f := d.flow(ctx)
		return f.carried(f.Live) == len(ears) && f.carried(f.Warm) == len(ears)
	})
	if err != nil {
		return err
	}
	return d.screen.tell(gathered{"gathered", []string{host, second}, audience(), d.Dir})
}

// attend lets an ear record.
func (d *demo) attend(e *ear) {
	d.ears = append(d.ears, e)
	d.tasks.Go(func() { e.run(d.work) })
}

// speak lets the second speaker begin, so that it is the first stream of each
// recording, the one that players play; then the host, up to the cut, or until
// the page asks for it.
func (d *demo) speak(ctx context.Context) error {
	d.tasks.Go(func() { d.talks[second].run(d.work) })
	if err := d.until(ctx, "the first words are heard", d.allHeard(1)); err != nil {
		return err
	}
	hosts := d.talks[host]
	d.tasks.Go(func() { hosts.run(d.work) })
	return d.within(ctx, d.cut+patience, "the talk goes on", func() bool { return hosts.said(d.cut) || d.button.pressed() })
}

// kill cuts the relay's sockets.
func (d *demo) kill(ctx context.Context) error {
	v := d.view(ctx, second)
	if d.gone = d.nodes.nameOf(v.Relay); d.gone != host {
		return stuck("the host relays")
	}
	d.button.disarm()
	for _, e := range d.ears {
		e.forgetGap()
	}
	d.cutAt = time.Now()
	d.nodes.member(d.gone).node.Kill()
	return d.screen.tell(killed{"killed", d.since(d.began), d.gone})
}

// carryOn waits until the sound is back at all listeners.
func (d *demo) carryOn(ctx context.Context) error {
	var most uint64
	for _, e := range d.ears {
		most = max(most, e.heardOf(second))
	}
	if err := d.until(ctx, "the sound is back", d.allHeard(most+proof)); err != nil {
		return err
	}
	told := switched{Event: "switched", At: d.since(d.began), Listeners: audience(), To: second}
	for _, e := range d.ears {
		h := e.heard()
		told.LongestGapMS = max(told.LongestGapMS, h.gapMS)
		told.Resumed += h.resumed
		told.Lost += h.lost
	}
	return d.screen.tell(told)
}

// allHeard says whether every ear has heard so many frames of the second
// speaker.
func (d *demo) allHeard(frames uint64) func() bool {
	return d.all(func(e *ear) bool { return e.heardOf(second) >= frames })
}

// elect waits until every listener knows the new relay, and there is a standby
// after it.
func (d *demo) elect(ctx context.Context) error {
	gone := d.nodes.member(d.gone).id
	known := d.all(func(e *ear) bool {
		relay, _ := e.relayed()
		return relay != "" && relay != gone
	})
	var v web.RoomView
	err := d.until(ctx, "a new relay is elected", func() bool {
		if !known() {
			return false
		}
		v = d.view(ctx, audience()[0])
		return v.Relay != gone && v.Standby != "" && v.Standby != gone
	})
	if err != nil {
		return err
	}
	told := elected{Event: "elected", At: d.since(d.began), Term: v.Term, Relay: d.nodes.nameOf(v.Relay), Standby: d.nodes.nameOf(v.Standby), again: true}
	for _, e := range d.ears {
		_, at := e.relayed()
		told.MS = max(told.MS, at.Sub(d.cutAt).Milliseconds())
	}
	return d.screen.tell(told)
}

// comeLate brings a listener in who knows the room from its directory alone,
// after the host is gone.
func (d *demo) comeLate(ctx context.Context) error {
	seconds := d.talks[second]
	if err := d.within(ctx, d.late+patience, "the talk goes on", func() bool { return seconds.said(d.late) }); err != nil {
		return err
	}
	e, err := d.nodes.member(latecomer).listen(ctx, d.room, d.Dir, d.nodes.nameOf, d.ring)
	if err != nil {
		return err
	}
	d.attend(e)
	if err := d.until(ctx, "the latecomer hears something", func() bool { return e.heardOf(second) > 0 }); err != nil {
		return err
	}
	return d.screen.tell(joined{"joined", d.since(d.began), latecomer, e.heard().firstMS, d.gone})
}

// finish waits until the second speaker has said all, and everybody has heard
// it.
func (d *demo) finish(ctx context.Context) error {
	t := d.talks[second]
	last := len(t.packets)
	if err := d.within(ctx, time.Minute, "the talk ends", t.done.Load); err != nil {
		return err
	}
	started, late := d.ears[:len(audience())], d.ears[len(audience()):]
	err := d.until(ctx, "the last words are heard", func() bool {
		if slices.ContainsFunc(started, func(e *ear) bool { return e.heardOf(second) < uint64(last) }) {
			return false
		}
		end, _ := started[0].lastOf(second)
		return !slices.ContainsFunc(late, func(e *ear) bool { at, heard := e.lastOf(second); return !heard || at != end })
	})
	if err != nil {
		return err
	}
	return d.screen.tell(over{"over", d.since(d.began), false, second})
}
