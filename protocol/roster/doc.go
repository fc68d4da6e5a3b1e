// Package roster is a room's log: signed actions that everybody holds, and who may
// do what, as they come to. It is pure: actions go in, in any order; a [Roster] and
// a hash come out, and whoever has put in the same actions gets the same. What runs
// out with time is apart, in [Leases] and [Sentences], to which the time is given.
//
// The rules, cited by number in the code:
//
//	1  The genesis is the root. An action names up to four parents by their hashes;
//	   they and theirs are its ancestors: what its actor says to have known. Two
//	   actions, neither of which is the other's ancestor, are concurrent.
//	2  The founder may act, and whoever was appointed moderator by one of the
//	   action's ancestors. Nothing is done to the founder, and nothing to oneself
//	   but to give back a role; only the founder closes.
//	3  A sequence is one more than the actor's highest among the ancestors. Two
//	   actions with one sequence are concurrent like others: both stand, and both
//	   are paid from one share.
//	4  An action costs 1, an appointment the share that it gives away besides. The
//	   founder has FounderActions of its own and MaxShares to give; a moderator has
//	   what its appointment gave. What is beyond a share does not count. Of too
//	   many, those count first that the founder knows of, then those that moderators
//	   do, rank by rank and in each by their appointments in the log's order: by
//	   height, then by hash. What does not count is kept only if something that
//	   counts knows of it, MaxBeyond for one actor; who knows of more does not count.
//	5  The founder has rank 0; whom a moderator of rank r appoints acts with rank
//	   r+1, down to MaxRank. A Revoke, Remove or Ban ends an appointment, if its
//	   author made it, or appointed who made it, and so on; a Remove or Ban also
//	   ends one that is concurrent and not of a higher rank than its author.
//	   An appointment after a ban that is not lifted is none, unless its author
//	   ranks above the ban's. Who is a moderator otherwise is shielded.
//	6  What ends an appointment voids what was done by it, but for the ancestors of
//	   the end. So a removal voids what its target did concurrently, and what the
//	   target did before stands: bans, and whom it appointed.
//	7  Of two actions about one thing, that one holds which knew of the other; of
//	   concurrent ones that of the higher rank, then the quieter one, then that of
//	   lower hash. Bans are not one thing: each holds until its author, or somebody
//	   of a higher rank, lifts it, knowing of it.
//
// Each rank is judged by what the ranks above it have settled, so there is no
// circle, and no order of arrival.
package roster
