package roster

import (
	"iter"
	"slices"

	"github.com/earshot-audio/earshot/protocol"
)

// unpaid says that no appointment pays for an action.
const unpaid = none - 1

// accounts are what is left of all shares while a judge decides what counts.
type accounts struct {
	left    []int                   // of each appointment's share
	own     int                     // how many actions the founder has left
	shares  int                     // and how much it may give away
	kept    set                     // what counts, and its ancestors
	beyond  int                     // how much of that doesn't count
	brought map[protocol.PeerID]int // how much of that comes before what somebody did
}

func open(nodes int) accounts {
	return accounts{left: make([]int, nodes), own: protocol.FounderActions, shares: protocol.MaxShares,
		brought: map[protocol.PeerID]int{}}
}

// admit decides what counts (rule 4): each action that can be paid for, in an order
// in which nobody takes back, by signing more beside it, what somebody above, or of
// longer standing, relied upon. What does not count leaves no trace in the accounts:
// a log without it comes to the same. So two logs agree as soon as each has what the
// other one keeps, whatever both have dropped before.
func (j *judge) admit() {
	for _, i := range j.of(j.founder).actions {
		j.try(i)
	}
	for rank := range protocol.MaxRank {
		for _, g := range j.appointments(rank) {
			for _, i := range j.of(j.nodes[g].peer).actions {
				if j.nodes[i].past.has(g) {
					j.try(i)
				}
			}
		}
	}
}

// appointments gives those by actions that count with a rank, in the log's order.
func (j *judge) appointments(rank int) (out []int) {
	for _, i := range j.order {
		if v := j.verdicts[i]; v.counts && v.rank == rank && appoints(j.nodes[i]) {
			out = append(out, i)
		}
	}
	return out
}

// try counts an action if it can be paid for, after what it knows of, as far as that
// can be paid for. An action that brings along too much that can't does not count, and
// nothing for its sake.
func (j *judge) try(i int) {
	n := j.nodes[i]
	if j.kept.has(i) || j.payer(i) == unpaid {
		return
	}
	var paid []int
	beyond, most := 0, min(protocol.MaxBeyond-j.brought[n.Actor], protocol.MaxKept-protocol.MaxActions-j.beyond)
	for k := range j.inOrder(n.past, j.kept) {
		if by := j.payer(k); by != unpaid {
			j.pay(k, by)
			paid = append(paid, k)
		} else if beyond++; beyond > most {
			break
		}
	}
	by := j.payer(i)
	if by == unpaid || beyond > most {
		for _, k := range slices.Backward(paid) {
			j.refund(k)
		}
		return
	}
	j.pay(i, by)
	j.kept.union(n.past)
	j.kept.add(i)
	j.brought[n.Actor], j.beyond = j.brought[n.Actor]+beyond, j.beyond+beyond
}

// inOrder gives what is in s and not in t, in the log's order. Little is sorted, much is
// looked for there: whoever signs in forks, far beyond a share, has it asked for again
// with each of them.
func (j *judge) inOrder(s, t set) iter.Seq[int] {
	if s.count()-s.common(t) < len(j.order)/64 {
		return slices.Values(slices.SortedFunc(s.beyond(t), func(a, b int) int { return j.nodes[a].compare(j.nodes[b]) }))
	}
	return func(yield func(int) bool) {
		for _, i := range j.order {
			if s.has(i) && !t.has(i) && !yield(i) {
				return
			}
		}
	}
}

// payer gives what pays for an action: of its author's appointments that have enough
// left, one of the highest rank, the last of those in the log's order. What knows of
// fewer has the earlier ones left.
func (j *judge) payer(i int) int {
	n, by := j.nodes[i], unpaid
	if n.Actor == j.founder {
		if j.affords(none, n) {
			return none
		}
		return unpaid
	}
	for _, g := range n.actor.appointed {
		v := j.verdicts[g]
		if v.counts && v.rank < protocol.MaxRank && n.past.has(g) && j.affords(g, n) && (by == unpaid || v.rank <= j.verdicts[by].rank) {
			by = g
		}
	}
	return by
}

// affords says whether the appointment by has enough left for an action; none: the
// founder.
func (j *judge) affords(by int, n *node) bool {
	if by == none {
		return j.own >= 1 && j.shares >= handsOut(n)
	}
	return j.left[by] >= 1+handsOut(n)
}

func (j *judge) pay(i, by int) {
	gives, rank := handsOut(j.nodes[i]), 0
	if by == none {
		j.own, j.shares = j.own-1, j.shares-gives
	} else {
		j.left[by] -= 1 + gives
		rank = j.verdicts[by].rank + 1
	}
	j.verdicts[i], j.left[i] = verdict{counts: true, rank: rank, by: by}, gives
}

// refund undoes pay, the last one first.
func (j *judge) refund(i int) {
	gives, by := handsOut(j.nodes[i]), j.verdicts[i].by
	if by == none {
		j.own, j.shares = j.own+1, j.shares+gives
	} else {
		j.left[by] += 1 + gives
	}
	j.verdicts[i], j.left[i] = verdict{}, 0
}

// handsOut gives the share that an action gives away.
func handsOut(n *node) int {
	if g, ok := n.Deed.(protocol.Grant); ok {
		return int(g.Share)
	}
	return 0
}

func appoints(n *node) bool {
	g, ok := n.Deed.(protocol.Grant)
	return ok && g.Role == protocol.RoleModerator
}
