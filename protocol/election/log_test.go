package election

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// act adds an action by node i to the log. It reaches the others it can reach within
// 1.5 s, each at its own time; the rest learn of it from each other's messages.
func (w *world) act(i int) {
	last := w.log[len(w.log)-1]
	next := Roster{Era: last.Era, Candidates: slices.Clone(last.Candidates), Pin: last.Pin}
	p := w.nodes[w.anyone()].name
	stands := slices.Contains(last.Candidates, p)
	switch r := w.rng.IntN(4); {
	case !stands:
		next.Candidates = append(next.Candidates, p)
	case r == 0:
		next.Era, next.Pin = next.Era+1, p
	case len(last.Candidates) == 1:
		return
	default:
		next.Candidates = without(next.Candidates, p)
		if r != 1 { // else its grant has lapsed, which is no action
			next.Era++
		}
		if next.Pin == p {
			next.Pin = ""
		}
	}
	w.log = append(w.log, next)
	version := len(w.log) - 1
	w.learn(i, version)
	for j := range w.nodes {
		w.after(w.upTo(1500*ms), func() {
			if w.together(i, j) {
				w.learn(j, version)
			}
		})
	}
}

func without(ps []protocol.PeerID, p protocol.PeerID) []protocol.PeerID {
	return slices.DeleteFunc(slices.Clone(ps), func(q protocol.PeerID) bool { return p == q })
}

// veto removes the liar.
func (w *world) veto() {
	last := w.log[len(w.log)-1]
	next := Roster{Era: last.Era + 1, Candidates: without(last.Candidates, w.nodes[w.liar].name)}
	if len(next.Candidates) == 0 {
		for i, n := range w.nodes {
			if i != w.liar {
				next.Candidates = append(next.Candidates, n.name)
			}
		}
	}
	w.log = append(w.log, next)
}

// learn brings a node's log to a version.
func (w *world) learn(i, version int) {
	n := w.nodes[i]
	w.changed = true // who is a candidate may change
	if !n.up || version <= n.version {
		return
	}
	n.version = version
	r := w.log[version]
	w.note("%s learns version %d: era %d, %s, pin %q", n, version, r.Era, letters(r.Candidates), string(r.Pin))
	w.input(i, func(m *Machine, t time.Duration) { m.SetRoster(r, t) })
}

// sync evens out two logs, once a message has shown that one is longer. It takes
// 50 to 500 ms.
func (w *world) sync(i, sender, version int) {
	if version < w.nodes[i].version {
		i, sender, version = sender, i, w.nodes[i].version
	}
	n := w.nodes[i]
	if version <= n.version || n.learning {
		return
	}
	n.learning = true
	w.after(50*ms+w.upTo(450*ms), func() {
		n.learning = false
		if w.together(i, sender) {
			w.learn(i, version)
		}
	})
}

// together tells whether two nodes could have a connection.
func (w *world) together(i, j int) bool {
	if w.component != nil {
		return w.component[i] == w.component[j]
	}
	return !w.cut[i][j] && !w.cut[j][i]
}
