package web

import "slices"

// A list or a map that is empty is [] or {} in JSON, never null: scripts walk
// it as it is. These fill in what a backend left nil.

func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

func counts(v map[string]int64) map[string]int64 {
	if v == nil {
		return map[string]int64{}
	}
	return v
}

func (s Status) whole() Status {
	s.Addrs, s.Rooms, s.Links, s.Warnings = list(s.Addrs), list(s.Rooms), list(s.Links), list(s.Warnings)
	s.Dropped = counts(s.Dropped)
	s.Reach = s.Reach.whole()
	return s
}

func (r Reach) whole() Reach {
	r.Addresses, r.Seen, r.Mapped, r.Circuits = list(r.Addresses), list(r.Seen), list(r.Mapped), list(r.Circuits)
	return r
}

func (d Diagnosis) whole() Diagnosis {
	d.Findings, d.Reach = list(d.Findings), d.Reach.whole()
	return d
}

func (l RoomLine) whole() RoomLine {
	l.Topics, l.Followed = list(l.Topics), list(l.Followed)
	if l.State == "" {
		l.State = StateLive
	}
	return l
}

func wholeRooms(rooms []RoomLine) []RoomLine {
	whole := make([]RoomLine, len(rooms))
	for i, l := range rooms {
		whole[i] = l.whole()
	}
	return whole
}

func (v RoomView) whole() RoomView {
	v.Topics, v.Members, v.Links, v.Sources = list(v.Topics), list(v.Members), list(v.Links), list(v.Sources)
	v.Dropped, v.YouMay = counts(v.Dropped), list(v.YouMay)
	if v.State == "" {
		v.State = StateLive
	}
	v.Members = slices.Clone(v.Members)
	for i := range v.Members {
		v.Members[i].YouMay, v.Members[i].SimilarTo = list(v.Members[i].YouMay), list(v.Members[i].SimilarTo)
	}
	return v
}

func (s Summary) whole() Summary {
	s.Sources = list(s.Sources)
	return s
}
