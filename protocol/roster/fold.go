package roster

import (
	"cmp"
	"slices"

	"github.com/earshot-audio/earshot/protocol"
)

// A matter is what actions decide together: the title, the mute of one
// peer. Of two, the one that knew of the other replaces it (rule 7).
type matter struct {
	what aspect
	peer protocol.PeerID
}

type aspect uint8

const (
	carrying aspect = iota
	speaking
	vouching
	muting
	title
	topics
	language
	stage
	pin
	next
	lock
	pause
	closing
)

// A folder makes a roster of what a judge let stand.
type folder struct {
	*judge
	last   map[matter][]int
	roster *Roster
}

// fold gives the roster of a judged dag.
func fold(j *judge, g *protocol.Genesis) *Roster {
	f := &folder{judge: j, last: map[matter][]int{}, roster: &Roster{
		founder: g.Founder, title: g.Title, language: g.Language, topics: g.Topics, stage: g.Stage,
		rights: map[protocol.PeerID]Right{}, roles: map[given]protocol.ActionHash{}, vouched: map[protocol.PeerID]bool{},
		bans: map[protocol.PeerID][]Ban{}, removed: map[protocol.PeerID]protocol.ActionHash{},
		mutes: map[protocol.PeerID]Mute{}, unmuted: map[protocol.PeerID]bool{},
	}}
	f.seat()
	eras := map[int]int{} // by the founder's appointment that the actions go back to
	for _, i := range f.order {
		if f.verdicts[i].counts && f.ends(i) {
			eras[f.root(i)]++
		}
		if f.verdicts[i].stands {
			f.take(i)
		}
	}
	for by, n := range eras {
		if by != none {
			n = min(n, protocol.MaxEras)
		}
		f.roster.era += uint32(n)
	}
	f.settle()
	return f.roster
}

// root gives the founder's appointment that an action goes back to: by its actor's
// first appointment that it knows of, that one's author's, and so on; so it is the
// same whatever else there is. none: it is the founder's own.
func (f *folder) root(i int) (by int) {
	by = none
	for n := f.nodes[i]; n.Actor != f.founder; n = f.nodes[by] {
		for _, g := range f.of(n.Actor).appointed {
			if n.past.has(g) {
				by = g
				break
			}
		}
	}
	return by
}

// ends says whether an action takes something from a peer who had been given a
// role, as its author knew.
func (f *folder) ends(i int) bool {
	n := f.nodes[i]
	switch n.Deed.(type) {
	case protocol.Revoke, protocol.Remove, protocol.Ban:
		return slices.ContainsFunc(f.of(n.peer).granted, n.past.has)
	}
	return false
}

// seat finds the moderators: those nearest to the founder have the seats.
func (f *folder) seat() {
	var best []int // of each moderator, the appointment in force of the highest rank
	for _, p := range f.people {
		at := none
		for _, g := range p.appointed {
			if f.inForce(g) && (at == none || f.nearer(g, at) < 0) {
				at = g
			}
		}
		if at != none {
			best = append(best, at)
		}
	}
	slices.SortFunc(best, f.nearer)
	for _, g := range best[:min(len(best), protocol.MaxModerators)] {
		n := f.nodes[g]
		right := Right{Grant: n.Hash}
		for ; g != none; g = f.verdicts[g].by {
			right.Above = append(right.Above, f.nodes[g].Actor)
		}
		f.roster.moderators = append(f.roster.moderators, n.peer)
		f.roster.rights[n.peer] = right
	}
}

// nearer orders appointments by their rank, then in the log's order.
func (f *folder) nearer(g, h int) int {
	return cmp.Or(cmp.Compare(f.verdicts[g].rank, f.verdicts[h].rank), f.nodes[g].compare(f.nodes[h]))
}

// inForce says whether an appointment holds now.
func (f *folder) inForce(g int) bool {
	v := f.verdicts[g]
	if !v.stands || v.rank >= protocol.MaxRank || len(f.end(g).by) > 0 {
		return false
	}
	for i := range f.end(g).back.beyond(nil) {
		if f.verdicts[i].stands || f.reliedUpon(i) {
			return false
		}
	}
	return true
}

// reliedUpon says whether something that stands knows of an action. Who gave an
// appointment back may have spent its share beside that, so that it does not count;
// who was ended since then was no moderator, all the same.
func (f *folder) reliedUpon(i int) bool {
	for k := range f.verdicts {
		if f.verdicts[k].stands && f.before(i, k) {
			return true
		}
	}
	return false
}

// reaches says whether what i does to its peer is within its author's power: no
// appointment of the peer that i cannot end shields it (rule 5).
func (f *folder) reaches(i int) bool {
	for _, g := range f.of(f.nodes[i].peer).appointed {
		if f.verdicts[g].stands && f.verdicts[g].rank < protocol.MaxRank && f.shields(g, i) {
			return false
		}
	}
	return true
}

func (f *folder) shields(g, i int) bool {
	higher := f.verdicts[g].rank < f.verdicts[i].rank
	switch {
	case f.before(i, g): // a later appointment overrides a lesser one's ban
		_, bans := f.nodes[i].Deed.(protocol.Ban)
		return bans && higher
	case f.above(f.nodes[i].Actor, g) && !higher:
		return false
	case !f.before(g, i):
		return higher
	}
	ended := slices.ContainsFunc(f.end(g).by, func(b int) bool { return f.before(b, i) })
	return !ended && !f.end(g).back.meets(f.nodes[i].past)
}

// take puts a standing action where it decides something.
func (f *folder) take(i int) {
	n := f.nodes[i]
	switch w := n.Deed.(type) {
	case protocol.Grant:
		f.role(i, w.Role)
		f.decide(matter{vouching, n.peer}, i)
	case protocol.Revoke:
		if f.reaches(i) {
			f.role(i, w.Role)
		}
	case protocol.Remove:
		if f.reaches(i) {
			f.roster.removed[n.peer] = n.Hash
			f.putOut(i)
		}
	case protocol.Ban:
		if f.reaches(i) {
			f.putOut(i)
			if !f.lifted(i, nil) {
				f.roster.bans[n.peer] = append(f.roster.bans[n.peer], Ban{n.Hash, n.Actor, w.Life})
			}
		}
	case protocol.Mute:
		if n.peer == "" || f.reaches(i) {
			f.decide(matter{muting, n.peer}, i)
		}
	case protocol.Unmute:
		f.decide(matter{muting, n.peer}, i)
	default:
		f.setting(i)
	}
}

func (f *folder) role(i int, r protocol.Role) {
	switch r {
	case protocol.RoleSpeaker:
		f.decide(matter{speaking, f.nodes[i].peer}, i)
	case protocol.RoleCarrier:
		f.decide(matter{carrying, f.nodes[i].peer}, i)
	}
}

// putOut ends what a peer was given, and that somebody stood for them.
func (f *folder) putOut(i int) {
	f.role(i, protocol.RoleSpeaker)
	f.role(i, protocol.RoleCarrier)
	f.decide(matter{vouching, f.nodes[i].peer}, i)
}

func (f *folder) setting(i int) {
	switch f.nodes[i].Deed.(type) {
	case protocol.Title:
		f.decide(matter{what: title}, i)
	case protocol.Topics:
		f.decide(matter{what: topics}, i)
	case protocol.Language:
		f.decide(matter{what: language}, i)
	case protocol.Stage:
		f.decide(matter{what: stage}, i)
	case protocol.Pin:
		f.decide(matter{what: pin}, i)
	case protocol.Next:
		f.decide(matter{what: next}, i)
	case protocol.Lock:
		f.decide(matter{what: lock}, i)
	case protocol.Pause:
		f.decide(matter{what: pause}, i)
	case protocol.Close:
		f.decide(matter{what: closing}, i)
	}
}

// decide keeps, of what decides about m, the actions that no other one knew of.
func (f *folder) decide(m matter, i int) {
	f.last[m] = append(f.unknown(f.last[m], i), i)
}

// unknown gives those of is that i did not know of.
func (f *folder) unknown(is []int, i int) []int {
	return slices.DeleteFunc(is, func(k int) bool { return f.before(k, i) })
}

// strongest gives the one of several concurrent actions that decides: of the
// highest rank, then the quieter one, then the lower hash (rule 7).
func (f *folder) strongest(is []int) int {
	return slices.MinFunc(is, func(a, b int) int {
		return cmp.Or(
			cmp.Compare(f.verdicts[a].rank, f.verdicts[b].rank),
			cmp.Compare(loudness(f.nodes[a].Deed), loudness(f.nodes[b].Deed)),
			f.nodes[a].Hash.Compare(f.nodes[b].Hash))
	})
}

// loudness is how much a deed lets happen.
func loudness(deed protocol.Deed) int {
	switch w := deed.(type) {
	case protocol.Lock:
		return loud(!bool(w))
	case protocol.Pause:
		return loud(!bool(w))
	case protocol.Close:
		return loud(!bool(w))
	case protocol.Mute:
		return loud(w.MayUnmute)
	case protocol.Unmute:
		return 2
	case protocol.Grant:
		return 1
	case protocol.Stage:
		return [...]int{protocol.StageModerators: 0, protocol.StageHost: 1, protocol.StageOpen: 2}[w]
	}
	return 0
}

func loud(b bool) int {
	if b {
		return 1
	}
	return 0
}

// settle writes what was decided into the roster.
func (f *folder) settle() {
	all := f.last[matter{what: muting}]
	for m, is := range f.last {
		n := f.nodes[f.strongest(is)]
		switch m.what {
		case speaking, carrying:
			if w, ok := n.Deed.(protocol.Grant); ok {
				f.roster.roles[given{m.peer, w.Role}] = n.Hash
			}
		case vouching:
			if _, ok := n.Deed.(protocol.Grant); ok {
				f.roster.vouched[m.peer] = true
			}
		case muting:
			f.mute(m.peer, is, all)
		default:
			f.set(n.Deed)
		}
	}
}

// mute decides about p, of whom is speak, where all speak of everybody.
func (f *folder) mute(p protocol.PeerID, is, all []int) {
	if p != "" {
		is = f.newest(is, all, f.roster.MayModerate(p))
	}
	n := f.nodes[f.strongest(is)]
	w, muted := n.Deed.(protocol.Mute)
	m := Mute{n.Hash, n.Actor, w.MayUnmute}
	switch {
	case p == "" && muted:
		f.roster.muteAll = &m
	case p != "" && muted:
		f.roster.mutes[p] = m
	case p != "":
		f.roster.unmuted[p] = true
	}
}

// newest gives those of is and of all that none of the others knew of; a mute of
// all is not for moderators.
func (f *folder) newest(is, all []int, moderates bool) (out []int) {
	if moderates {
		all = slices.DeleteFunc(slices.Clone(all), func(i int) bool {
			_, mutes := f.nodes[i].Deed.(protocol.Mute)
			return mutes
		})
	}
	for _, part := range [][2][]int{{is, all}, {all, is}} {
		for _, i := range part[0] {
			if !slices.ContainsFunc(part[1], func(k int) bool { return f.before(i, k) }) {
				out = append(out, i)
			}
		}
	}
	return out
}

func (f *folder) set(deed protocol.Deed) {
	r := f.roster
	switch w := deed.(type) {
	case protocol.Title:
		r.title = string(w)
	case protocol.Topics:
		r.topics = w
	case protocol.Language:
		r.language = string(w)
	case protocol.Stage:
		r.stage = w
	case protocol.Pin:
		r.pin = string(w)
	case protocol.Next:
		r.next = w.At
	case protocol.Lock:
		r.locked = bool(w)
	case protocol.Pause:
		r.paused = bool(w)
	case protocol.Close:
		r.closed = bool(w)
	}
}
