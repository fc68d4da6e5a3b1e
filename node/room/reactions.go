package room

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
)

// People for whom the room does not stand have this many reactions together; all are
// shown for a while, and not kept.
const (
	crowdReactions = 32 // a second
	reactionsFor   = 5 * time.Second
)

// reactionCount counts emoji for a while.
type reactionCount struct {
	counts map[string]int
	since  time.Duration
	all    allowance
	own    *rate.Limiter
}

func newReactions() reactionCount {
	return reactionCount{counts: map[string]int{}, all: newAllowance("reactions", crowdReactions), own: ownPace(reactions)}
}

// React shows one emoji to all in the room.
func (r *Room) React(ctx context.Context, emoji string) (err error) {
	if e := r.ask(ctx, func(r *Room) { err = r.react(protocol.Reaction{Emoji: emoji}, r.cfg.Now()) }); e != nil {
		return e
	}
	return err
}

func (r *Room) react(emoji protocol.Reaction, now time.Duration) error {
	switch {
	case !emoji.Known():
		return protocol.ErrText
	case r.genesis == nil || !r.chatRights().MayWrite(r.cfg.Self):
		return protocol.ErrNoRight
	case !r.reactions.own.AllowN(instant(now), 1):
		return ErrTooFast
	}
	r.say(&protocol.Message{Reaction: &emoji})
	r.countReaction(emoji, now)
	return nil
}

// freshReaction says whether a reaction is one that is shown, and within what all
// may show.
func (r *Room) freshReaction(m *protocol.Message, now time.Duration) bool {
	if !m.Reaction.Known() {
		r.drop("reactions that are not known")
		return false
	}
	return r.within(r.reactions.all, m.From, now)
}

func (r *Room) countReaction(emoji protocol.Reaction, now time.Duration) {
	if len(r.reactions.counts) == 0 {
		r.reactions.since = now
	}
	r.reactions.counts[emoji.Emoji]++
	r.changed()
}

// tendReactions forgets reactions that were shown for long enough.
func (r *Room) tendReactions(now time.Duration) {
	if len(r.reactions.counts) > 0 && now-r.reactions.since >= reactionsFor {
		clear(r.reactions.counts)
		r.changed()
	}
}
