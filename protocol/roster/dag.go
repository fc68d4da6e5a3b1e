package roster

import (
	"slices"

	"github.com/earshot-audio/earshot/protocol"
)

// A node is an action in its place in the log.
type node struct {
	*protocol.Action
	past   set // its ancestors
	height int // one more than the highest parent's
	peer   protocol.PeerID
	actor  *person // set by put
}

// compare orders nodes so that ancestors come first and all logs agree: by
// height, then by hash. It is called the log's order.
func (n *node) compare(m *node) int {
	if n.height != m.height {
		return n.height - m.height
	}
	return n.Hash.Compare(m.Hash)
}

// A dag is the actions that a log holds, with everyone's ancestors among them.
type dag struct {
	nodes  []*node // by index, in the order of arrival
	index  map[protocol.ActionHash]int
	order  []int // indices, in the log's order
	people map[protocol.PeerID]*person
}

// A person is who acts or is acted upon, with the indices of those actions.
type person struct {
	actions   []int // their own, in the log's order
	granted   []int // grants to them, of any role
	appointed []int // those to moderator, in the log's order
	strips    []int // what others did that ends a moderator: Revoke of it, Remove, Ban
	lifts     []int // Unbans
	resigns   []int // their own, by which they gave back the role of moderator
}

func newDAG() *dag {
	return &dag{index: map[protocol.ActionHash]int{}, people: map[protocol.PeerID]*person{}}
}

// of gives what there is of p.
func (d *dag) of(p protocol.PeerID) person {
	if known := d.people[p]; known != nil {
		return *known
	}
	return person{}
}

// enter gives p's entry, to write to.
func (d *dag) enter(p protocol.PeerID) *person {
	known := d.people[p]
	if known == nil {
		known = &person{}
		d.people[p] = known
	}
	return known
}

// place gives the node that a would be, or the parents that are missing.
func (d *dag) place(a *protocol.Action) (*node, []protocol.ActionHash) {
	n := &node{Action: a, height: 1, peer: peerOf(a.Deed), past: make(set, 0, len(d.nodes)/64+1)}
	var missing []protocol.ActionHash
	for _, h := range a.Parents {
		i, ok := d.index[h]
		if !ok {
			missing = append(missing, h)
			continue
		}
		n.past.union(d.nodes[i].past)
		n.past.add(i)
		n.height = max(n.height, d.nodes[i].height+1)
	}
	return n, missing
}

// put adds a node that place gave.
func (d *dag) put(n *node) {
	i := len(d.nodes)
	d.nodes = append(d.nodes, n)
	d.index[n.Hash] = i
	d.order = d.insert(d.order, i)
	n.actor = d.enter(n.Actor)
	n.actor.actions = d.insert(n.actor.actions, i)
	if n.peer == "" {
		return
	}
	peer := d.enter(n.peer)
	peer.note(n, i)
	if appoints(n) {
		peer.appointed = d.insert(peer.appointed, i)
	}
}

// insert puts a node among others that are in the log's order.
func (d *dag) insert(is []int, i int) []int {
	at, _ := slices.BinarySearchFunc(is, d.nodes[i], func(k int, n *node) int { return d.nodes[k].compare(n) })
	return slices.Insert(is, at, i)
}

// note keeps what n, of index i, does to p.
func (p *person) note(n *node, i int) {
	switch w := n.Deed.(type) {
	case protocol.Grant:
		p.granted = append(p.granted, i)
	case protocol.Revoke:
		switch {
		case w.Role != protocol.RoleModerator:
		case n.Actor == n.peer:
			p.resigns = append(p.resigns, i)
		default:
			p.strips = append(p.strips, i)
		}
	case protocol.Remove, protocol.Ban:
		p.strips = append(p.strips, i)
	case protocol.Unban:
		p.lifts = append(p.lifts, i)
	}
}

// heads gives the actions that no other one follows, in the order of their hashes.
func (d *dag) heads() []protocol.ActionHash {
	var followed set
	for _, n := range d.nodes {
		for _, p := range n.Parents {
			followed.add(d.index[p])
		}
	}
	var out []protocol.ActionHash
	for i, n := range d.nodes {
		if !followed.has(i) {
			out = append(out, n.Hash)
		}
	}
	slices.SortFunc(out, protocol.ActionHash.Compare)
	return out
}

// before says whether i is an ancestor of j.
func (d *dag) before(i, j int) bool { return d.nodes[j].past.has(i) }

// peerOf gives whom a deed is done to; "" is nobody or everybody.
func peerOf(deed protocol.Deed) protocol.PeerID {
	switch w := deed.(type) {
	case protocol.Grant:
		return w.Peer
	case protocol.Revoke:
		return w.Peer
	case protocol.Remove:
		return w.Peer
	case protocol.Ban:
		return w.Peer
	case protocol.Unban:
		return w.Peer
	case protocol.Mute:
		return w.Peer
	case protocol.Unmute:
		return w.Peer
	}
	return ""
}
