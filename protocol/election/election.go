// Package election decides who relays a room and who stands by: one relay and
// one standby for each connected part of the room. It is a pure state machine:
// claims, pulses, rosters and the node's own monotonic time go in; a claim, a
// pulse and what to store come out. It has no clock, goroutine, socket or file.
//
// Candidates are the stage and the carriers, as the room's log gives them
// (Roster). The relay signs claims {era, term, relay, standby, ...} and renews
// them; every candidate signs pulses. Claims are ordered by their bytes alone
// ([protocol.Key]), so nodes with different views agree all the same.
//
// The rules, cited by number in the code:
//
//	 1  Drop a claim of another era, of a relay that is no candidate, with a term
//	    above max+Jump or from 2^63 on, or that is old by its (boot, sequence). A
//	    goodbye ends its boot: nothing more of that life counts.
//	 2  Every key seen raises max, one's own from an earlier life included.
//	 3  A claim equal to best renews it; so does a pulse of best's relay with max =
//	    best, of the same life, that neither yields nor says bye.
//	 4  A claim above best is adopted, unless it is solo and best is live, not solo
//	    and another's. Who is no candidate adopts any claim once best is not live: it
//	    cannot tell the relay, by a pulse, of a higher one.
//	 5  A claim below best is ignored; but who relays solo and hears a claim that is
//	    not solo yields, and says so at once.
//	 6  Best is live while I relay, or have heard its relay within Suspect.
//	 7  When best has been silent for longer, I suspect it and say so at once.
//	 8  When the roster drops best's relay, or it says bye or begins a new life, I
//	    suspect and am free. A new era also clears best and max; its heir is the old
//	    relay if that is still a candidate, else the old standby. Who comes late to
//	    an era, in which peers have claimed already, is not free: it listens. An
//	    earlier era, to which the log may fall back, is entered as a new one.
//	 9  Alive are the others heard within Suspect, less the suspect. My place k is
//	    that in alive and me, by: pin, heir (best's standby), class, H(max+1, peer).
//	10  Suspecting for w, I claim if w >= k Step and I am free, or nobody is alive, or
//	    an alive peer suspects too; or if w >= Lease - Suspect + k Step.
//	11  I claim the term above max and what is stored, solo if I hear nobody, and name as standby the best of
//	    alive, of another network first. A key as high is stored before the claim
//	    is sent: terms are kept ahead, so that no claim has to wait for a disk.
//	12  Solo ends two beats after the first peer is heard; a yield ends Suspect after
//	    the last lower claim.
//	13  While I relay and max has been above best for Suspect, or at once if a pulse
//	    yields, I claim again.
//	14  Who relays and does not yield renews each Beat; every candidate pulses each
//	    Beat.
//	15  A start has neither best nor max; it listens for Suspect. A founder
//	    who opens a new room claims term 1 at once. Who stored a later era than its
//	    log gives sends nothing until the log catches up, for two leases at most:
//	    then it begins anew in the log's era, above term Jump/2.
//
// The invariants, which the tests hold against random histories:
//
//	I1  Max never falls within a life, as long as the era stays.
//	I2  Best's relay is in one's own roster.
//	I3  An (era, term, relay) belongs to one boot.
//	I4  A connected part that is left in quiet has one live relay, known to all.
//	I5  The outage of one node that is not the relay moves nobody.
//
// An era counts the log's actions that veto, pin or remove a candidate, so one
// veto answers a member who inflates terms.
package election

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Times of the protocol: all nodes of a room agree on them.
const (
	Beat    = 400 * time.Millisecond  // between two renewals, and between two pulses
	Suspect = 1300 * time.Millisecond // of silence make a suspect: three lost beats
	Lease   = 3 * time.Second         // of silence suffice without a witness
	Step    = 300 * time.Millisecond  // each place in the order waits this much more
)

// Jump is by how much a term may exceed the highest one seen.
const Jump = 1 << 20

const (
	// ahead is how many terms are kept in advance. A node that ends without a
	// word skips those it did not use.
	ahead = 16
	// spacing keeps two claims of one signer far enough apart for receivers
	// that take one each 250 ms.
	spacing = 300 * time.Millisecond
	// catchUp is how long a node that once claimed by a later log waits for it.
	catchUp = 2 * Lease
	// termLimit is the first term that nobody may claim.
	termLimit = uint64(1) << 63
)

// A Roster is what the room's log says about who may relay.
type Roster struct {
	Era        uint32 // how often a candidate was vetoed, pinned or removed
	Candidates []protocol.PeerID
	Pin        protocol.PeerID // comes first in every election; "": none
}

// Config is what a Machine is made from.
type Config struct {
	Room   protocol.RoomID
	Self   protocol.PeerID
	Boot   uint64 // this life: max(previous boot + 1, Unix milliseconds)
	Class  uint8  // how well this node could carry the room; higher is better
	Roster Roster

	// Persisted and PersistedEra are what an earlier life stored last (see
	// Out.Keep). A later era than the roster's means that the log is
	// behind: the machine only observes until the log has caught up, for two
	// leases at most.
	Persisted    protocol.Key
	PersistedEra uint32

	// Apart tells whether two peers share neither a /24 nor a /48, so that one
	// network's outage spares one of them. Nil: all are apart.
	Apart func(a, b protocol.PeerID) bool
}

// Out is what the node has to do after a Tick, in this order.
type Out struct {
	// Keep is to be stored, with Era, as soon as may be; term 0: nothing. A claim
	// above what is stored has to wait for that.
	Keep  protocol.Key
	Claim *protocol.Claim // sign and send; nil: none
	Pulse *protocol.Pulse // sign and send; nil: none
}
