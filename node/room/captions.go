package room

import (
	"context"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	maxCaptions      = 50 // that are kept
	maxCaptionsOfOne = 20

	// crowdCaptions is how many a second people have together for whom the room does
	// not stand: where the stage is open, keys that nobody knows may be captioned.
	crowdCaptions = 16
)

// captionTrack is the newest pieces of what speakers say, as text.
type captionTrack struct {
	said []Caption // in the order in which they began

	utterance uint32 // of this node's own
	open      bool   // and it goes on
	own       *rate.Limiter
	all       allowance
}

// Caption is what somebody says, as text.
type Caption struct {
	From protocol.PeerID
	Boot uint64
	Name protocol.Name
	protocol.Caption
}

func newCaptions() captionTrack {
	return captionTrack{own: ownPace(captions), all: newAllowance("captions", crowdCaptions)}
}

// ownPace is what this node says of a kind: less than others take in any second.
func ownPace(k kind) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(messagesASecond[k])/2, messagesASecond[k]/2)
}

// Caption says what this node's person says, as text. Until final, the next one
// takes its place.
func (r *Room) Caption(ctx context.Context, language, text string, final bool) (err error) {
	if e := r.ask(ctx, func(r *Room) { err = r.caption(language, text, final, r.cfg.Now()) }); e != nil {
		return e
	}
	return err
}

func (r *Room) caption(language, text string, final bool, now time.Duration) error {
	c := &r.captions
	if !c.open {
		c.utterance++
	}
	m := &protocol.Message{Caption: &protocol.Caption{Utterance: c.utterance, Language: language, Text: text, Final: final}}
	c.open = true
	switch err := m.Caption.Clean(); {
	case err != nil:
		return err
	case r.genesis == nil || !r.maySpeak(r.cfg.Self, now):
		return protocol.ErrNoRight
	case !r.maySound(r.cfg.Self, now):
		return ErrMuted
	case !c.own.AllowN(instant(now), 1):
		return ErrTooFast
	}
	c.open = !final
	r.say(m)
	r.takeCaption(m)
	return nil
}

// takeCaption puts a caption in the place of what was said of the utterance.
func (r *Room) takeCaption(m *protocol.Message) bool {
	c := &r.captions
	said := Caption{m.From, m.Boot, r.cfg.Name, *m.Caption}
	if s := r.senders[m.From]; s != nil {
		said.Name = s.name
	}
	same := func(o Caption) bool {
		return o.From == m.From && o.Boot == m.Boot && o.Utterance == m.Caption.Utterance
	}
	ofOne := func(o Caption) bool { return o.From == m.From }
	switch i := slices.IndexFunc(c.said, same); {
	case i >= 0 && c.said[i].Final:
		return false
	case i >= 0:
		c.said[i] = said
	default:
		count := 0
		for _, o := range c.said {
			if ofOne(o) {
				count++
			}
		}
		if count >= maxCaptionsOfOne {
			i := slices.IndexFunc(c.said, ofOne)
			c.said = slices.Delete(c.said, i, i+1)
		}
		c.said = append(c.said, said)
		c.said = c.said[max(0, len(c.said)-maxCaptions):]
	}
	r.changed()
	return true
}
