package protocol

import (
	"cmp"
	"time"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Hand says whether its sender asks to speak.
type Hand struct {
	Up     bool
	Raised uint64 // which raising of its boot: a later one has a higher number
}

// Stamp is the place that a relay gave a raised hand. Term and N name the
// raising: a hand that goes down and up again gets another.
type Stamp struct {
	Peer   PeerID
	Term   uint64
	N      uint32        // from 1; grows within a term
	Waited time.Duration // whole seconds, by the relay's count; at most MaxWaited
}

// Same says whether s and t are of the same raising, whatever the wait.
func (s Stamp) Same(t Stamp) bool { return s.Peer == t.Peer && s.Term == t.Term && s.N == t.N }

// Compare gives -1, 0 or +1 as s stands before, with or behind t in the queue:
// what an earlier relay stamped comes first.
func (s Stamp) Compare(t Stamp) int {
	return cmp.Or(cmp.Compare(s.Term, t.Term), cmp.Compare(s.N, t.N), cmp.Compare(s.Peer, t.Peer))
}

// Queue is one part of the hands that are up in a room, in order.
type Queue struct {
	Part, Parts int
	Stamps      []Stamp
}

// maxQueueParts is how many messages a full queue takes.
const maxQueueParts = (MaxHands + MaxStamps - 1) / MaxStamps

// Queues puts a whole queue into as many parts as it takes; without a hand, one.
func Queues(stamps []Stamp) []*Queue {
	parts := max(1, (len(stamps)+MaxStamps-1)/MaxStamps)
	out := make([]*Queue, parts)
	for i := range out {
		from, to := i*MaxStamps, min((i+1)*MaxStamps, len(stamps))
		out[i] = &Queue{Part: i, Parts: parts, Stamps: stamps[from:to]}
	}
	return out
}

func (m *Message) fillHands(b *pb.RoomBody) error {
	switch {
	case m.Hand != nil:
		b.What = &pb.RoomBody_Hand{Hand: &pb.Hand{Up: m.Hand.Up, Raised: m.Hand.Raised}}
	case m.Lowered != nil:
		s, err := m.Lowered.wire()
		b.What = &pb.RoomBody_Lowered{Lowered: s}
		return err
	default:
		q := &pb.Queue{Part: uint32(m.Queue.Part), Parts: uint32(m.Queue.Parts)}
		for _, stamp := range m.Queue.Stamps {
			s, err := stamp.wire()
			if err != nil {
				return err
			}
			q.Stamps = append(q.Stamps, s)
		}
		b.What = &pb.RoomBody_Queue{Queue: q}
	}
	return nil
}

func (s Stamp) wire() (*pb.Stamp, error) {
	peer, err := PeerKey(s.Peer)
	waited := min(max(s.Waited, 0), MaxWaited)
	return &pb.Stamp{Peer: peer, Term: s.Term, N: s.N, WaitedS: uint32(waited / time.Second)}, err
}

func takeQueue(w *pb.Queue) (*Queue, error) {
	switch {
	case len(w.Stamps) > MaxStamps:
		return nil, ErrLarge
	case w.Parts == 0 || w.Parts > maxQueueParts || w.Part >= w.Parts:
		return nil, ErrMalformed
	}
	q := &Queue{Part: int(w.Part), Parts: int(w.Parts)}
	seen := map[PeerID]bool{}
	for i, ws := range w.Stamps {
		s, err := takeStamp(ws)
		if err != nil {
			return nil, err
		}
		if seen[s.Peer] || i > 0 && q.Stamps[i-1].Compare(*s) >= 0 {
			return nil, ErrMalformed
		}
		seen[s.Peer] = true
		q.Stamps = append(q.Stamps, *s)
	}
	return q, nil
}

func takeStamp(w *pb.Stamp) (*Stamp, error) {
	s := &Stamp{Term: w.GetTerm(), N: w.GetN(), Waited: time.Duration(w.GetWaitedS()) * time.Second}
	if s.Term == 0 || s.Term >= 1<<63 || s.N == 0 || s.Waited > MaxWaited {
		return nil, ErrMalformed
	}
	var err error
	s.Peer, err = PeerOf(w.Peer)
	return s, err
}
