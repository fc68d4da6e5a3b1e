package election

import "github.com/earshot-audio/earshot/protocol"

// babble sends what a hostile candidate may: terms that jump, another claim to each
// peer, and pulses that suspect, yield and boast at random.
func (w *world) babble() {
	n := w.nodes[w.liar]
	r, era := w.rng, w.log[n.version].Era
	n.machine.Tick(w.clock(n))
	for j := range w.nodes {
		if j == w.liar || r.IntN(3) > 0 {
			continue
		}
		n.machine.sequence++
		k := protocol.Key{Term: n.machine.max.Term + 1 + r.Uint64N(Jump), Relay: n.name}
		if r.IntN(2) == 0 {
			w.sendTo(w.liar, j, &message{sender: w.liar, claim: &protocol.Claim{
				Era: era, Key: k, Standby: w.nodes[w.anyone()].name, Boot: n.boot,
				Sequence: n.machine.sequence, Solo: r.IntN(2) == 0,
			}})
		} else {
			w.sendTo(w.liar, j, &message{sender: w.liar, pulse: &protocol.Pulse{
				From: n.name, Boot: n.boot, Sequence: n.machine.sequence, Era: era, Class: uint8(r.IntN(256)),
				Max: k, Suspects: r.IntN(2) == 0, Yields: r.IntN(2) == 0, Bye: r.IntN(50) == 0,
			}})
		}
		n.machine.see(k, w.clock(n))
	}
}

// inflate makes the liar claim a term.
func (w *world) inflate(term uint64) {
	n := w.nodes[w.liar]
	n.machine.sequence++
	w.send(w.liar, &message{sender: w.liar, claim: &protocol.Claim{
		Key: protocol.Key{Term: term, Relay: n.name}, Boot: n.boot, Sequence: n.machine.sequence,
	}})
}
