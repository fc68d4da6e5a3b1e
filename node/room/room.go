// Package room is one room on one node: a goroutine that owns the room's
// members, certificates, election and links, and decides who sends what to
// whom. It sees no frame: it opens and closes sources and sinks at the relay's
// forwarder, which the frames pass.
//
//	config.go    what a room needs of the rest of its node
//	messages.go  what people in the room say, and who may say it
//	feed.go      which way it goes
//	presence.go  what they say of themselves
//	profile.go   and what they would have others know
//	rights.go    certificates
//	log.go       the room's log, and what follows from it
//	exchange.go  what of it this node missed
//	acts.go      what people do by it
//	election.go  the machine's claims and pulses
//	parents.go   the two nodes that this one gets the room from
//	seeds.go     nodes that may know a room
//	refusals.go  what those say who let this one not in, and whether it is so
//	children.go  the nodes that get the room from this one
//	paths.go     sources bound to a link's handles, both ways
//	voices.go    sources
//	hands.go     who asks to speak
//	newcomers.go for whom the room stands, who is new, and what is shared
//	attached.go  who is at the end of a link, and who makes way for whom
//	queue.go     in which order, by the relay's word
//	guests.go    people with a browser and no node, and whose they are
//	chat.go      what people write, and who hides it
//	recall.go    what was written before one came
//	reactions.go emoji, counted
//	captions.go  what speakers say, as text
//	talk.go      what is shown of these
//	witness.go   what was heard of each in the last minute
//	reports.go   that, for who moderates, from this node's person
//	letters.go   and from others
//	announce.go  the directory
//	view.go      what is shown of it
package room

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/election"
	"github.com/earshot-audio/earshot/protocol/pb"
	"github.com/earshot-audio/earshot/protocol/roster"
)

const (
	tick      = 100 * time.Millisecond
	inboxSize = 1024

	// attachPatience is how long a live parent may take to accept before the
	// other one's sound is taken.
	attachPatience = 700 * time.Millisecond
	askAgain       = time.Second
	refreshBinds   = time.Second
	certifyEach    = 300 * time.Millisecond
	pulseLife      = 3*pulsesOnTopic + time.Second // of a candidate that was heard pulsing
	voiceLinger    = protocol.RingSpan + 200*time.Millisecond
	announceSoon   = 5 * time.Second // after the first one, and when what is shown outside has changed
)

// RelayChange tells a listener who relays now.
type RelayChange struct {
	Term  uint64
	Relay protocol.PeerID
}

// ErrClosed ends Run when the founder closed the room.
var ErrClosed = errors.New("the room was closed by its host")

// ClosedUntil is an ErrClosed that says when the founder's node opens the room.
type ClosedUntil struct{ Next time.Time }

func (e ClosedUntil) Error() string { return ErrClosed.Error() + " until " + e.Next.String() }

// Is makes it an ErrClosed.
func (e ClosedUntil) Is(target error) bool { return target == ErrClosed }

// ErrLeft ends Run when this node left.
var ErrLeft = errors.New("left the room")

// Room is one room. Its state belongs to the goroutine of Run.
type Room struct {
	cfg   Config
	inbox chan func(*Room)
	saved chan error // by SaveTerm
	done  chan struct{}

	carriers   atomic.Pointer[[]protocol.PeerID] // for Check
	founder    atomic.Pointer[protocol.PeerID]   // for Check
	moderators atomic.Pointer[roster.Roster]     // for Check
	stranger   atomic.Bool                       // somebody claims who does not know us, or whom we don't know

	genesis   *protocol.Genesis
	rights    map[protocol.PeerID]held
	lapsed    map[grant]uint64 // serials of certificates that ran out
	members   map[protocol.PeerID]*member
	senders   map[protocol.PeerID]*sender
	arrivals  allowance // of those not attached, while all places are taken
	presences allowance
	told      news
	voices    map[protocol.Source]*voice
	hands     map[protocol.PeerID]*hand
	own       ownHand
	queue     queue
	paths     map[protocol.PeerID]*path
	parents   map[protocol.PeerID]*parent
	seeds     map[protocol.PeerID]*seed
	seedings  int             // seeds so far
	lookedUp  time.Duration   // in the directory, for seeds
	live      protocol.PeerID // the parent whose sound is taken
	liveAt    time.Duration
	machine   *election.Machine
	terms     terms
	log       *roster.Log
	lawful    *roster.Roster // what the log comes to
	leases    *roster.Leases
	sentences *roster.Sentences
	stored    bool         // the genesis is, in this run
	livesKept roster.Lives // what of these is stored
	livesAt   time.Duration
	logLimits logLimits
	envoy     envoy
	settled   bool              // this node has had the whole log once
	claim     *protocol.Message // the best claim as signed
	closing   *protocol.Message // the founder's last word on whether the room is open
	relay     protocol.PeerID
	standby   protocol.PeerID
	term      uint64
	termAt    time.Duration
	root      bool
	hot       bool
	sequence  uint64
	use       Use
	dropped   map[string]int64
	waiting   []chan<- error // joiners
	joinErr   error
	unproven  *Unproven       // why this node is kept out, as it is told
	refuge    protocol.PeerID // the parent that it has meanwhile; "": none
	end       error

	introduced    time.Duration
	newcomer      bool // to a parent that has accepted it just now
	inside        bool // some parent has, since Run began
	announced     time.Duration
	announcements int // since it relays
	shown         outside
	presentAt     time.Duration
	presented     protocol.Presence // as said last
	described     protocol.Profile  // the same
	describedAt   time.Duration
	guests        protocol.NamedGuests
	certifiedAt   time.Duration
	strangersAt   time.Duration // when the count of strangers' hands began
	strangers     int
	newHands      int // of them
	looseHands    int // and of these
	handsSeen     int

	chat      chat
	reactions reactionCount
	captions  captionTrack
	reports   reports
	minutes   map[protocol.PeerID]*minute

	attachments map[protocol.PeerID]time.Duration // when the relay last said of somebody that they are attached
}

// New makes a room; Run starts it.
func New(cfg Config) *Room {
	now := cfg.Now()
	r := &Room{
		cfg: cfg, inbox: make(chan func(*Room), inboxSize), saved: make(chan error, 1), done: make(chan struct{}),
		rights: map[protocol.PeerID]held{}, lapsed: map[grant]uint64{}, members: map[protocol.PeerID]*member{}, senders: map[protocol.PeerID]*sender{}, voices: map[protocol.Source]*voice{}, hands: map[protocol.PeerID]*hand{}, queue: queue{parts: map[int]*protocol.Message{}},
		paths: map[protocol.PeerID]*path{}, parents: map[protocol.PeerID]*parent{}, seeds: map[protocol.PeerID]*seed{},
		chat: newChat(now), reactions: newReactions(), captions: newCaptions(), reports: newReports(), minutes: map[protocol.PeerID]*minute{},
		arrivals: newAllowance("people", crowdArrivals), presences: newAllowance("presences", crowdPresences), attachments: map[protocol.PeerID]time.Duration{},
		dropped: map[string]int64{}, introduced: now - time.Hour, announced: now - time.Hour, presentAt: now - time.Hour, describedAt: now - time.Hour, certifiedAt: now,
	}
	return r
}

// Run carries the room until ctx ends, this node leaves it (ErrLeft) or its
// founder closes it (ErrClosed).
func (r *Room) Run(ctx context.Context) error {
	defer close(r.done)
	r.start(r.cfg.Now())
	t := time.NewTicker(tick)
	defer t.Stop()
	for r.end == nil {
		select {
		case <-ctx.Done():
			r.end = ctx.Err()
		case do := <-r.inbox:
			do(r)
		case err := <-r.saved:
			r.termSaved(err, r.cfg.Now())
		case <-t.C:
			r.beat(r.cfg.Now())
		}
	}
	r.stop()
	return r.end
}

func (r *Room) start(now time.Duration) {
	if r.cfg.Genesis != nil {
		r.learn(r.cfg.Genesis, now)
	}
	for _, s := range r.cfg.Seeds {
		r.addSeed(s)
	}
	if r.hosting() {
		r.certifySpeakers(now)
		if !r.cfg.New {
			r.sayClosed(false)
		}
	}
}

// learn takes the room's genesis: from here on, what is said can be checked.
func (r *Room) learn(g *protocol.Genesis, now time.Duration) {
	if r.genesis != nil || g.Room != r.cfg.Room {
		return
	}
	r.genesis = g
	r.openLog(now)
	roster := r.roster(now)
	r.carriers.Store(&roster.Candidates)
	r.founder.Store(&g.Founder)
	r.machine = election.New(election.Config{
		Room: r.cfg.Room, Self: r.cfg.Self, Boot: r.cfg.Boot, Class: r.class(), Roster: roster,
		Persisted: r.cfg.Term, PersistedEra: r.cfg.TermEra, Apart: r.apart,
	}, now)
	if r.cfg.New {
		r.machine.Open(now)
	}
	r.elect(now)
	r.cfg.Changed()
}

func (r *Room) hosting() bool { return r.genesis != nil && r.genesis.Founder == r.cfg.Self }

// beat is what time alone brings about.
func (r *Room) beat(now time.Duration) {
	r.expire(now)
	r.lookAtPaths(now)
	if r.genesis != nil {
		r.certify(now)
		r.machine.SetClass(r.class())
		r.elect(now)
		r.saveTerm(now)
		r.tendHands(now)
		r.tendLog(now)
		r.tendLeases(now)
		r.tendLives(now)
		r.tendRecalls(now)
		r.tendReactions(now)
		r.tendReports(now)
	}
	r.steer(now)
	r.bindAgain(now)
	r.present(now)
	r.introduce(now)
	r.announce(now)
	r.settle()
}

// stop says goodbye: with it, nobody has to wait for this node's silence.
func (r *Room) stop() {
	if r.machine != nil {
		r.tell(r.machine.Bye(r.cfg.Now()))
		r.saveLastTerm()
		r.saveLives(r.cfg.Now())
	}
	r.say(&protocol.Message{Presence: &protocol.Presence{Name: r.cfg.Name, Leaving: true}})
	why := pb.Refuse_UNKNOWN_ROOM
	if errors.Is(r.end, ErrClosed) {
		why = pb.Refuse_CLOSED
	}
	for id, p := range r.paths {
		if p.child {
			r.refuse(id, why)
		}
		r.cfg.Links.Send(id, &pb.LinkMessage{What: &pb.LinkMessage_Detach{Detach: &pb.Detach{Room: r.cfg.Room[:]}}})
		r.closePath(id)
	}
	r.dismissEnvoy()
	for p := range r.parents {
		r.cfg.Links.Release(p)
	}
	for p, s := range r.seeds {
		if s.wanted {
			r.cfg.Links.Release(p)
		}
	}
	if r.joinErr == nil {
		r.joinErr = r.end
	}
	for _, w := range r.waiting {
		w <- r.joinErr
	}
}

// drop counts something refused.
func (r *Room) drop(why string) { r.dropped[why]++ }

// post hands the room's goroutine something to do; false if its inbox is full
// or the room has ended.
func (r *Room) post(do func(*Room)) bool {
	select {
	case <-r.done:
		return false
	default:
	}
	select {
	case r.inbox <- do:
		return true
	default:
		return false
	}
}

// ask runs do in the room's goroutine and waits for it. Once ctx has ended do does not
// begin any more, so that nobody writes what its caller reads.
func (r *Room) ask(ctx context.Context, do func(*Room)) error {
	ready := make(chan struct{})
	var settled atomic.Bool // do has begun, or never will
	begin := func(r *Room) {
		if settled.CompareAndSwap(false, true) {
			do(r)
			close(ready)
		}
	}
	select {
	case r.inbox <- begin:
	case <-r.done:
		return r.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-ready:
		return nil
	case <-r.done:
		return r.Err()
	case <-ctx.Done():
		if settled.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-ready
		return nil
	}
}

// Done is closed when Run has ended.
func (r *Room) Done() <-chan struct{} { return r.done }

// Err says why Run has ended; it waits for that.
func (r *Room) Err() error {
	<-r.done
	return r.end
}
