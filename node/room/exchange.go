package room

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// The exchange of the log's actions between two nodes. Each claim shows by the hash of
// its relay's log whether something is missing here: then the relay is asked, or
// another node on whose path more was told of than is here, and asks back for what it
// lacks itself.

const (
	logBytes = 12 << 10        // of actions, in one answer: it has to fit into a link's message
	maxTold  = 128             // actions in it
	logAgain = 2 * time.Second // unanswered
	logSoon  = 300 * time.Millisecond
	maxHeads = 64 // named in a question: the heads, and some older
	maxGaps  = 64 // missing parents, named in a question

	// maxLogAsked is how often a parent is asked in vain until this node goes by
	// what it has.
	maxLogAsked = 3

	// What a node tells to all who ask, and to one: a whole log, and then little.
	logsASecond, logsAtOnce = 8, 64
	logEach, logsOfOne      = time.Second, 96

	// judgeAtOnce is how many actions of an exchange are put to the log together: each
	// time it is judged as a whole.
	judgeAtOnce = 1024

	// longEach and longAtOnce bound how often this node hears more than judgeAtOnce
	// from those whom it asks only because they asked.
	longEach, longAtOnce = 30 * time.Second, 4
)

// askingLog is the asking for actions over one path, both ways.
type askingLog struct {
	open    bool // asked, and not answered with the last of it
	at      time.Duration
	asked   int                 // without an answer
	known   bool                // all that it had is here
	last    protocol.ActionHash // of an answer that promised more: so far this node has been told
	told    map[protocol.ActionHash]bool
	spare   []*protocol.Action       // not put to the log yet, or dropped by it: it may count with what follows
	fresh   int                      // of spare, not put to the log yet
	actors  map[protocol.PeerID]bool // whom spare appoints
	long    bool                     // it may tell more than judgeAtOnce
	answers *rate.Limiter            // to the far side; nil: never asked
}

// whomToAsk gives the node on whose path actions may be asked for: from, if it
// is one, else the relay.
func (r *Room) whomToAsk(from protocol.PeerID) protocol.PeerID {
	if p := r.paths[from]; p != nil && (p.child || r.isParent(from)) {
		return from
	}
	if r.isParent(r.relay) {
		return r.relay
	}
	return ""
}

// compareLog asks a relay whose claim shows another log.
func (r *Room) compareLog(from protocol.PeerID, hash uint64, addresses []multiaddr.Multiaddr, now time.Duration) {
	if r.log == nil || hash == 0 || hash == r.logHash() {
		return
	}
	to := r.whomToAsk(from)
	if p := r.paths[to]; p != nil && now-p.log.at >= logSoon {
		r.askLog(to, false, now)
	}
	if r.root && to == "" && r.envoy.to == "" {
		r.envoy = envoy{to: from, since: now}
		r.cfg.Links.Want(peer.AddrInfo{ID: from, Addrs: addresses})
	}
}

// envoy is a link to another relay, for the log's sake: the halves of a room that
// was parted may be of different eras, and then follow none of each other's
// claims until their logs are one.
type envoy struct {
	to    protocol.PeerID
	since time.Duration
}

// envoyLife is how long it may take.
const envoyLife = 5 * time.Second

func (r *Room) tendEnvoy(now time.Duration) {
	to := r.envoy.to
	if to == "" {
		return
	}
	if now-r.envoy.since > envoyLife {
		r.dismissEnvoy()
		return
	}
	if p := r.paths[to]; p != nil && p.log.at < r.envoy.since {
		r.askLog(to, false, now)
	}
}

// dismissEnvoy lets the link go, unless the room needs it for something else.
func (r *Room) dismissEnvoy() {
	to := r.envoy.to
	r.envoy = envoy{}
	if to != "" && r.parents[to] == nil && (r.seeds[to] == nil || !r.seeds[to].wanted) {
		r.cfg.Links.Release(to)
	}
}

// askLog asks a node for what this one lacks; again: it asked, and is not to ask
// back.
func (r *Room) askLog(id protocol.PeerID, again bool, now time.Duration) {
	p := r.paths[id]
	if p == nil || p.log.open && now-p.log.at < logSoon {
		return
	}
	p.log.open, p.log.at = true, now
	p.log.asked++
	m := &pb.LogAsk{Room: r.cfg.Room[:], Again: again}
	if p.log.last != (protocol.ActionHash{}) {
		m.After = p.log.last[:]
	}
	for _, h := range r.held() {
		m.Have = append(m.Have, h[:])
	}
	for i, h := range r.log.Missing() {
		if i < maxGaps {
			m.Missing = append(m.Missing, h[:])
		}
	}
	r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_LogAsk{LogAsk: m}})
}

// knowsLog says whether this node has what a parent has of the log, as far as
// that answers: else it would take who was let on stage for a listener.
func (r *Room) knowsLog(parent protocol.PeerID) bool {
	p := r.paths[parent]
	return p == nil || p.log.known || p.log.asked > maxLogAsked
}

// held names actions of this node's log: its heads, and ever fewer the older they
// are, so that a node that has not seen the newest finds one that it knows.
func (r *Room) held() []protocol.ActionHash {
	out := r.log.Heads()
	all := r.log.Entries()
	for back := 2; back <= len(all) && len(out) < maxHeads; back *= 2 {
		out = append(out, all[len(all)-back].Hash)
	}
	return out[:min(len(out), maxHeads)]
}

// takeLogAsk answers, as far as it fits, and asks back for what the other named
// and this node lacks.
func (r *Room) takeLogAsk(id protocol.PeerID, m *pb.LogAsk, now time.Duration) {
	p := r.paths[id]
	switch {
	case p == nil || r.log == nil:
		return
	case len(m.Have) > maxHeads || len(m.Missing) > maxGaps:
		r.drop("malformed")
		return
	case p.log.answers == nil:
		p.log.answers = rate.NewLimiter(rate.Every(logEach), logsOfOne)
	}
	all := r.logLimits.crowd
	if r.hasDuty(id, now) {
		all = r.logLimits.duty
	}
	if at := instant(now); !p.log.answers.AllowN(at, 1) || !all.AllowN(at, 1) {
		return // it asks again
	}
	have, lacks := hashes(m.Have), false
	for _, h := range have {
		lacks = lacks || !r.log.Has(h)
	}
	r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_LogTold{LogTold: r.lackedBy(have, hashes(m.Missing), m.After)}})
	if lacks && !m.Again {
		r.askLog(id, true, now)
	}
}

// lackedBy gives what somebody lacks who holds these actions and misses those, and
// was told already what there is up to after.
func (r *Room) lackedBy(have, missing []protocol.ActionHash, after []byte) *pb.LogTold {
	t, left := &pb.LogTold{Room: r.cfg.Room[:]}, logBytes
	since := r.log.Since(have)
	for _, told := range hashes([][]byte{after}) {
		since = slices.DeleteFunc(since, func(a *protocol.Action) bool { return !r.log.Follows(a.Hash, told) })
	}
	for _, e := range r.log.Entries() {
		if slices.Contains(missing, e.Hash) && !slices.ContainsFunc(since, func(a *protocol.Action) bool { return a.Hash == e.Hash }) {
			since = append(since, e.Action)
		}
	}
	for _, a := range since {
		w := a.Signed()
		if left -= proto.Size(w) + 3; left < 0 || len(t.Actions) == maxTold { // with its tag and length
			t.More = true
			break
		}
		t.Actions = append(t.Actions, w)
	}
	return t
}

// takeLogTold takes an answer. It is put to the log with those before it, as soon as
// they are the last or many.
func (r *Room) takeLogTold(id protocol.PeerID, m *pb.LogTold, now time.Duration) {
	p := r.paths[id]
	if p == nil || r.log == nil || !p.log.open {
		r.drop("actions unasked for")
		return
	}
	p.log.open, p.log.asked, p.log.known = false, 0, p.log.known || !m.More
	news := r.gather(p, m, now)
	goesOn := m.More && news && r.mayGoOn(id, p, now)
	if !goesOn || p.log.fresh >= judgeAtOnce {
		r.learnTold(id, p, now)
	}
	if !goesOn {
		p.log.forget()
		r.settle()
		return
	}
	r.askLog(id, true, now)
}

// gather takes the actions of an answer that are sound, and says whether any is one
// that no answer of this exchange had before, be it known here or not: where too much
// happened at once to name it all in a question, answers begin with what is known.
func (r *Room) gather(p *path, m *pb.LogTold, now time.Duration) (news bool) {
	l := &p.log
	if l.told == nil {
		l.told, l.actors = map[protocol.ActionHash]bool{}, map[protocol.PeerID]bool{}
	}
	for i, w := range m.Actions {
		a, err := protocol.ParseAction(r.cfg.Room, w)
		if err != nil || i >= maxTold {
			r.drop("malformed action")
			break
		}
		if l.told[a.Hash] {
			continue
		}
		news, l.told[a.Hash], l.last = true, true, a.Hash
		if r.log.Has(a.Hash) || !r.sound(a, l.actors[a.Actor] || r.log.MayAct(a.Actor), now) {
			continue
		}
		l.spare, l.fresh = append(l.spare, a), l.fresh+1
		if g, ok := a.Deed.(protocol.Grant); ok && g.Role == protocol.RoleModerator {
			l.actors[g.Peer] = true
		}
	}
	return news
}

// mayGoOn says whether there is place for more of an exchange; of long ones with others
// than parents there are few.
func (r *Room) mayGoOn(id protocol.PeerID, p *path, now time.Duration) bool {
	switch l := &p.log; {
	case len(l.told) > protocol.MaxKept, r.spared(id) > protocol.MaxKept:
		return false
	case r.isParent(id), r.envoy.to == id, l.long, len(l.told) < judgeAtOnce:
		return true
	default:
		l.long = r.logLimits.long.AllowN(instant(now), 1)
		return l.long
	}
}

// learnTold puts what was gathered to the log, all of it together, and says again what
// this node learns so, for those who did not ask. Who is only coming learns what all
// others know already.
func (r *Room) learnTold(id protocol.PeerID, p *path, now time.Duration) {
	if p.log.fresh == 0 {
		return
	}
	p.log.fresh = 0
	var added []*protocol.Action
	p.log.spare = r.log.Together(func() {
		for _, a := range p.log.spare {
			one, _, err := r.log.Add(a)
			if err != nil {
				r.drop("action without right")
			}
			added = append(added, one...)
		}
	})
	added = r.logged(added, false, now)
	if !r.settled {
		return
	}
	for _, a := range added {
		r.sayBut(&protocol.Message{Action: a.Signed()}, id)
	}
}

// forget ends an exchange.
func (l *askingLog) forget() {
	l.last, l.told, l.spare, l.fresh, l.actors, l.long = protocol.ActionHash{}, nil, nil, 0, nil, false
}

// spared is how much is kept of what was told, over this path; and over those of all
// whom this node asked only because they asked, together.
func (r *Room) spared(id protocol.PeerID) (n int) {
	if r.isParent(id) || r.envoy.to == id {
		return len(r.paths[id].log.spare)
	}
	for other, p := range r.paths {
		if !r.isParent(other) {
			n += len(p.log.spare)
		}
	}
	return n
}

// tendLog asks again where nothing was answered.
func (r *Room) tendLog(now time.Duration) {
	r.settleIn(now)
	r.tendEnvoy(now)
	for id, p := range r.paths {
		if p.log.open && now-p.log.at >= logAgain {
			p.log.open = false
			switch {
			case !r.isParent(id):
				p.log.forget()
			case !p.log.known:
				r.askLog(id, false, now)
			}
		}
	}
}

// hashes reads hashes of actions; what is none is left out.
func hashes(raw [][]byte) (out []protocol.ActionHash) {
	for _, b := range raw {
		if len(b) == len(protocol.ActionHash{}) {
			out = append(out, protocol.ActionHash(b))
		}
	}
	return out
}
