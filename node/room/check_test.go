package room

import (
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// complaints collects which invariants don't hold.
type complaints []string

func (c *complaints) add(format string, args ...any) { *c = append(*c, fmt.Sprintf(format, args...)) }

func (c complaints) String() string { return strings.Join(c, "\n\t") }

// inRoom gives the nodes of a group that are in the room.
func inRoom(group []*node) []*node {
	return slices.DeleteFunc(slices.Clone(group), func(n *node) bool { return !n.alive || n.room == nil })
}

// agree says who relays and stands by in a group, and what keeps it from being
// one room: everyone follows the same relay, which relays, and the same standby,
// which is there if there are two candidates.
func (w *world) agree(group []*node) (relay, standby *node, c complaints) {
	for _, n := range group {
		if n.room.root {
			if relay != nil {
				c.add("%v and %v relay", relay, n)
			}
			relay = n
		}
	}
	if relay == nil {
		c.add("nobody relays")
		return
	}
	r := relay.room
	candidates := 0
	for _, n := range group {
		if r.mayCarry(n.id, r.cfg.Now()) {
			candidates++
		}
		if n == relay {
			continue
		}
		if n.id == r.standby {
			standby = n
		}
		if n.room.relay != r.relay || n.room.term != r.term || n.room.standby != r.standby {
			c.add("%v follows %s, term %d, standby %s; the relay %v has term %d, standby %s", n,
				w.letter(n.room.relay), n.room.term, w.letter(n.room.standby), relay, r.term, w.letter(r.standby))
		}
	}
	if standby == nil && candidates > 1 {
		c.add("%d candidates and no standby", candidates)
	}
	if standby != nil && !r.mayCarry(standby.id, r.cfg.Now()) {
		c.add("standby %v is no candidate", standby)
	}
	return
}

// check walks every invariant of a group of nodes that has been left in quiet.
func (w *world) check(group ...*node) (c complaints) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(group) == 0 {
		group = w.nodes
	}
	group = inRoom(group)
	relay, standby, c := w.agree(group)
	if len(c) > 0 {
		return c
	}
	for _, n := range group {
		w.checkParents(n, relay, standby, &c)
		w.checkSinks(n, group, relay, standby, &c)
		w.checkMembers(n, group, &c)
		w.checkSizes(n, group, &c)
	}
	w.checkSound(group, relay, standby, &c)
	return c
}

func (w *world) checkParents(n, relay, standby *node, c *complaints) {
	r := n.room
	var above []*node
	if n != relay {
		above = append(above, relay)
		if standby != nil && n != standby {
			above = append(above, standby)
		}
	}
	for _, p := range above {
		switch got := r.parents[p.id]; {
		case got == nil || !got.accepted:
			c.add("%v is not attached to %v", n, p)
		case p.room.paths[n.id] == nil || !p.room.paths[n.id].child:
			c.add("%v is no child of %v", n, p)
		}
		if !n.wants[p.index] {
			c.add("%v does not want %v", n, p)
		}
	}
	if len(r.parents) != len(above) {
		c.add("%v has %d parents, not %d", n, len(r.parents), len(above))
	}
	if len(n.wants) != len(above) {
		c.add("%v wants %d nodes, not %d", n, len(n.wants), len(above))
	}
	if len(r.seeds) > 0 {
		c.add("%v keeps %d seeds", n, len(r.seeds))
	}
	if n == relay {
		return
	}
	if r.live != relay.id && (standby == nil || n == standby || r.live != standby.id) {
		c.add("%v takes the sound of %s", n, w.letter(r.live))
	}
	watched := protocol.PeerID("")
	if n != standby && n.use.Listening > 0 {
		watched = r.live
	}
	if n.forwarder.watched != watched {
		c.add("%v watches %q, not %q", n, w.letter(n.forwarder.watched), w.letter(watched))
	}
}

// mode gives what a node's sink to another one should get; false: there is none.
func mode(from, to, relay, standby *node) (Mode, bool) {
	core := func(n *node) bool { return n == relay || n == standby }
	switch {
	case core(from) && core(to):
		return Mirror, true
	case core(to):
		return Up, true
	case !core(from):
		return 0, false
	case to.use.Listening > 0 && to.room.live == from.id:
		return Live, true
	}
	return Warm, true
}

func (w *world) checkSinks(n *node, group []*node, relay, standby *node, c *complaints) {
	expected := 0
	for _, o := range group {
		want, any := mode(n, o, relay, standby)
		if o == n || !any {
			continue
		}
		expected++
		if k := n.forwarder.sinks[o.id]; k == nil {
			c.add("%v has no sink to %v", n, o)
		} else if k.mode != want {
			c.add("%v gives %v mode %d, not %d", n, o, k.mode, want)
		}
	}
	if len(n.forwarder.sinks) != expected {
		c.add("%v has %d sinks, not %d", n, len(n.forwarder.sinks), expected)
	}
}

// checkMembers wants everyone of the group known. Who went without a word may be
// remembered for PresenceLife.
func (w *world) checkMembers(n *node, group []*node, c *complaints) {
	for _, o := range group {
		if m := n.room.members[o.id]; o != n && (m == nil || m.presence.Name != protocol.Name(o.String())) {
			c.add("%v does not know of %v", n, o)
		}
	}
}

// checkSizes wants nothing kept that has no use: of each link this room has the
// handles of its sinks, and no others.
func (w *world) checkSizes(n *node, group []*node, c *complaints) {
	if len(n.room.waiting) > 0 && n.room.relay != "" {
		c.add("%v has joiners that wait", n)
	}
	for id, p := range n.room.paths {
		o := w.nodes[w.index(id)]
		if len(p.later) > 0 || p.early != nil {
			c.add("%v keeps %d refused binds of %v, early %v", n, len(p.later), o, p.early != nil)
		}
		for s, b := range p.out {
			if !b.bound {
				c.add("%v: %v has not bound source %d", n, o, s)
			}
		}
		in := 0
		if o.alive && o.room != nil {
			if q := o.room.paths[n.id]; q != nil && q.outlet != nil {
				in = len(q.out) + 1
			}
		}
		if len(p.in) != in && !o.wild {
			c.add("%v has %d handles of %v, which has named %d", n, len(p.in), o, in)
		}
		if k, mine := w.wire(n.index, o.index); k.up && len(k.side[mine].accepted) != len(p.in) {
			c.add("%v lets %d handles of %v in, and knows %d", n, len(k.side[mine].accepted), o, len(p.in))
		}
	}
}

// checkSound has each voice spoken, and wants it heard where it should be: at
// relay and standby, at each listener from its live parent alone, at nobody
// else. No source is open that nobody speaks by.
func (w *world) checkSound(group []*node, relay, standby *node, c *complaints) {
	open := map[protocol.Source]bool{}
	for _, owner := range group {
		for _, session := range owner.spoken {
			s := protocol.SourceOf(w.genesis.Room, owner.id, session)
			open[s] = true
			heard := w.hearing(s, owner)
			for _, n := range group {
				w.checkHeard(s, heard, owner, n, relay, standby, c)
			}
		}
	}
	for _, n := range group {
		for s, owner := range n.forwarder.sources {
			if !open[s] {
				c.add("%v has source %d of %s open, which is over", n, s, w.letter(owner))
			}
		}
		if len(n.room.voices) != len(open) {
			c.add("%v knows %d voices, not %d", n, len(n.room.voices), len(open))
		}
	}
}

func (w *world) checkHeard(s protocol.Source, heard map[arrival]bool, owner, n, relay, standby *node, c *complaints) {
	var from []*node
	for a := range heard {
		if a.to == n {
			from = append(from, a.from)
		}
	}
	slices.SortFunc(from, func(a, b *node) int { return a.index - b.index })
	_, open := n.forwarder.sources[s]
	switch {
	case n == owner:
		if len(from) > 0 {
			c.add("%v hears itself from %v", n, from)
		}
	case !open:
		c.add("source %d of %v is not open at %v", s, owner, n)
	case n == relay || n == standby:
		if len(from) == 0 || owner != relay && owner != standby && !slices.Contains(from, owner) {
			c.add("%v hears %v from %v, not from itself", n, owner, from)
		}
	case n.use.Listening == 0:
		if len(from) > 0 {
			c.add("%v hears %v from %v and does not listen", n, owner, from)
		}
	case len(from) != 1 || from[0].id != n.room.live:
		c.add("%v hears %v from %v, not from %s", n, owner, from, w.letter(n.room.live))
	}
}

// settles waits until every invariant holds for a group, and wants that within a
// time; it gives how long it took.
func (w *world) settles(within time.Duration, group ...*node) time.Duration {
	w.t.Helper()
	began := w.now()
	for {
		c := w.check(group...)
		took := w.now() - began
		if len(c) == 0 {
			w.tell("settled after %v", took)
			return took
		}
		if took >= within {
			w.t.Errorf("not settled %v after it was left in quiet:\n\t%v", within, c)
			return took
		}
		w.sleep(100 * ms)
	}
}

// agrees waits until a group is one room, and gives how long it took.
func (w *world) agrees(within time.Duration, group ...*node) time.Duration {
	w.t.Helper()
	began := w.now()
	for {
		synctest.Wait()
		w.mu.Lock()
		_, _, c := w.agree(inRoom(group))
		w.mu.Unlock()
		took := w.now() - began
		if len(c) == 0 {
			return took
		}
		if took >= within {
			w.t.Errorf("no one relay within %v:\n\t%v", within, c)
			return took
		}
		w.sleep(50 * ms)
	}
}

// stays wants a settled world to stay as it is, and calm.
func (w *world) stays(d time.Duration, group ...*node) {
	w.t.Helper()
	if len(group) == 0 {
		group = w.nodes
	}
	group = inRoom(group)
	relays, before := w.relays(group), w.said(group)
	w.sleep(d)
	if c := w.check(group...); len(c) > 0 {
		w.t.Errorf("unsettled after %v of quiet:\n\t%v", d, c)
	}
	if now := w.relays(group); now != relays {
		w.t.Errorf("relay changes in quiet: %s, then %s", relays, now)
	}
	candidates := 0
	for _, n := range group {
		if group[0].room.mayCarry(n.id, group[0].room.cfg.Now()) {
			candidates++
		}
	}
	for i, said := range w.said(group) {
		rate := float64(said-before[i]) / d.Seconds()
		w.tell("%v said %.1f a second", group[i], rate)
		if most := mostASecond(len(group), candidates, group[i].room.root); rate > most {
			w.t.Errorf("%v sends %.1f messages a second in quiet, at most %.1f are right", group[i], rate, most)
		}
	}
}

// mostASecond bounds what a node sends in quiet. The relay brings 2.5 claims a
// second to each, and each candidate's pulses to the others; of the others each
// tells relay and standby of itself, and passes on what only one of them may have.
func mostASecond(nodes, candidates int, relay bool) float64 {
	n, c := float64(nodes), float64(candidates)
	presences := n * n / 10
	if relay {
		return 5 + 2.5*(n-1) + 2.5*c*c + presences
	}
	return 10 + 5*(n-1) + presences
}

func (w *world) relays(group []*node) (s string) {
	for _, n := range group {
		s += fmt.Sprintf("%v:%s%s%d ", n, w.letter(n.room.relay), w.letter(n.room.standby), n.room.term)
	}
	return s
}

func (w *world) said(group []*node) (out []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range group {
		out = append(out, n.life.said)
	}
	return out
}
