package roster

import (
	"slices"

	"github.com/earshot-audio/earshot/protocol"
)

// none is the grant by which the founder acts.
const none = -1

// A verdict is what the fold makes of one node.
type verdict struct {
	counts bool // within its author's share: kept, and part of the fold
	stands bool // and nobody above its author voided it
	rank   int  // of its author, in it: 0 the founder
	by     int  // the grant by which its author acted; none: the founder
}

// A judge decides which actions of a dag count, and which of those stand. It
// goes from the founder downward, rank by rank, and asks nothing of a rank but
// what the ranks above have settled; so its verdict is one function of the set
// of actions (rules 4 to 7).
type judge struct {
	*dag
	founder  protocol.PeerID
	verdicts []verdict
	ends     []*end
	accounts
}

func newJudge(d *dag, founder protocol.PeerID) *judge {
	return &judge{dag: d, founder: founder, verdicts: make([]verdict, len(d.nodes)),
		ends: make([]*end, len(d.nodes)), accounts: open(len(d.nodes))}
}

// stand decides which of the actions that count stand (rules 5 and 6).
func (j *judge) stand() {
	for i := range j.verdicts {
		v := &j.verdicts[i]
		if v.counts && j.nodes[i].Actor == j.founder {
			v.stands = true
		}
	}
	for rank := 1; rank <= protocol.MaxRank; rank++ {
		for i := range j.verdicts {
			if v := &j.verdicts[i]; v.counts && !v.stands {
				if g, ok := j.right(i, rank); ok {
					v.stands, v.rank, v.by = true, rank, g
				}
			}
		}
	}
}

// right gives the appointment by the rank above by which the author of i acts in
// it: the first in the log's order that holds.
func (j *judge) right(i, rank int) (by int, ok bool) {
	n := j.nodes[i]
	for _, g := range j.of(n.Actor).appointed {
		if v := j.verdicts[g]; !v.stands || v.rank != rank-1 || !n.past.has(g) {
			continue
		}
		if e := j.end(g); (len(e.by) == 0 || e.spare.has(i)) && !e.back.meets(n.past) {
			return g, true
		}
	}
	return none, false
}

// An end is what became of an appointment.
type end struct {
	by    []int // what ended it
	spare set   // what all of those knew of: so much stands
	back  set   // by which its peer gave it back
}

// end gives what became of an appointment that stands. All that may end it ranks no
// lower than it, and so is judged before what it is asked for.
func (j *judge) end(g int) *end {
	if j.ends[g] != nil {
		return j.ends[g]
	}
	e := &end{}
	for _, b := range j.of(j.nodes[g].peer).strips {
		if !j.verdicts[b].stands || !j.cuts(b, g) {
			continue
		}
		if len(e.by) == 0 {
			e.spare = slices.Clone(j.nodes[b].past)
		}
		e.by = append(e.by, b)
		e.spare.intersect(j.nodes[b].past)
	}
	for _, i := range j.of(j.nodes[g].peer).resigns {
		if j.before(g, i) {
			e.back.add(i)
		}
	}
	j.ends[g] = e
	return e
}

// cuts says whether b, which ends a moderator, ends the appointment g of the
// same peer, but for what b knew of.
func (j *judge) cuts(b, g int) bool {
	if j.verdicts[b].rank > j.verdicts[g].rank {
		return false
	}
	_, bans := j.nodes[b].Deed.(protocol.Ban)
	_, removes := j.nodes[b].Deed.(protocol.Remove)
	switch {
	case j.before(b, g):
		return bans && !j.lifted(b, j.nodes[g].past)
	case j.above(j.nodes[b].Actor, g):
		return true
	case j.before(g, b):
		return false
	}
	return bans || removes
}

// above says whether p made the appointment g, or appointed who made it, and so on.
func (j *judge) above(p protocol.PeerID, g int) bool {
	for ; g != none; g = j.verdicts[g].by {
		if j.nodes[g].Actor == p {
			return true
		}
	}
	return false
}

// lifted says whether a ban was lifted by somebody who may, within past; nil is
// all there is.
func (j *judge) lifted(b int, past set) bool {
	ban, v := j.nodes[b], j.verdicts[b]
	for _, u := range j.of(ban.peer).lifts {
		w := j.verdicts[u]
		if may := w.rank < v.rank || w.rank == v.rank && j.nodes[u].Actor == ban.Actor; !may || !w.stands {
			continue
		}
		if j.before(b, u) && (past == nil || past.has(u)) {
			return true
		}
	}
	return false
}
