package room

import ()

// parts cuts all that joins one set of nodes with the others.
func (w *world) parts(half ...*node) {
	in := map[*node]bool{}
	for _, n := range half {
		in[n] = true
	}
	w.tell("cut: %v from the others", half)
	for i, n := range w.nodes {
		for _, o := range w.nodes[i+1:] {
			if in[n] != in[o] {
				w.cuts(n, o)
			}
		}
	}
}

// halves parts the relay and every other node from the standby and the rest.
func (w *world) halves() {
	relay, standby := w.relay(), w.standby()
	var half []*node
	for i, n := range w.nodes {
		if n == relay || n != standby && i%2 == 0 {
			half = append(half, n)
		}
	}
	w.parts(half...)
}

// cuts ends what passes between two nodes; their link is dead a while later.
func (w *world) cuts(n, o *node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[n.index][o.index], w.cut[o.index][n.index] = true, true
	k, _ := w.wire(n.index, o.index)
	epoch := k.epoch
	w.after(slot{n.index, o.index, dialling}, deadLink, false, func() {
		w.mu.Lock()
		dead := k.epoch == epoch && k.up && w.cut[n.index][o.index]
		w.mu.Unlock()
		if dead {
			w.unplug(k)
		}
	})
}

// heal mends every cut. What a link still holds is sent again, as streams do.
func (w *world) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("heal")
	w.cut = [maxNodes][maxNodes]bool{}
	for _, k := range w.wires {
		for i, held := range k.held {
			for _, deliver := range held {
				w.deliver(k, i, deliver)
			}
		}
		k.held = [2][]func(){}
	}
}

// broken has the neighbours of a node that was killed find out. w.mu is held.
func (w *world) broken(i int) {
	for _, o := range w.nodes {
		k, _ := w.wire(i, o.index)
		if o.index == i || !k.up {
			continue
		}
		epoch := k.epoch
		s := slot{i, o.index, dialling}
		patience := deadLink
		if w.chance(s).IntN(3) == 0 {
			patience = 20 * ms // its machine still says that the socket is closed
		}
		w.after(s, patience+w.upTo(s, 200*ms), false, func() {
			if w.sameEpoch(k, epoch) {
				w.unplug(k)
			}
		})
	}
}
