package main

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/earshot-audio/earshot/node/web"
)

// Reasons why nobody hears who speaks.
const (
	reasonPaused   = "paused"
	reasonMuted    = "muted"
	reasonOffStage = "off_stage"
)

// silence is why nobody hears who speaks; the zero one: they are heard.
type silence struct {
	reason  string
	by      string // peer ID of who muted them
	name    string // and what they are called
	forGood bool   // they are heard again only if they begin anew
}

// silencedLine tells scripts that nobody hears what is spoken, or that it is heard again.
type silencedLine struct {
	Event  string `json:"event"` // silenced, heard, or may_speak: heard if they begin anew
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
}

// silenceIn gives what a room says of this node's own voice.
func silenceIn(v web.RoomView) silence {
	own := slices.IndexFunc(v.Members, func(m web.Member) bool { return m.You })
	switch {
	case v.Paused:
		return silence{reason: reasonPaused}
	case own >= 0 && v.Members[own].MutedBy != "":
		m := v.Members[own]
		return silence{reason: reasonMuted, by: m.MutedBy, name: nameOf(v, m.MutedBy), forGood: !m.Silenced}
	case own >= 0 && !slices.Contains(v.YouMay, "speak"):
		return silence{reason: reasonOffStage, forGood: true}
	}
	return silence{}
}

// silences tells of each change of whether this node's voice is heard in a room, until
// ctx ends. At first it is: the node has let it speak, whatever it showed before.
func silences(ctx context.Context, node *caller, room string) <-chan silence {
	told := make(chan silence)
	go func() {
		events, err := node.Events(ctx, "")
		if err != nil {
			return // the talk goes on: nobody tells it, that is all
		}
		defer events.Close()
		var last silence
		for first := true; ; {
			e, err := events.Next()
			if err != nil {
				return
			}
			var v web.RoomView
			if e.Type != "room" || json.Unmarshal(e.Data, &v) != nil || v.Room != room {
				continue
			}
			now := silenceIn(v)
			if first {
				first = false
				if now.reason == reasonMuted && now.forGood {
					last = now // before: who begins anew is heard
				}
				continue
			}
			if now == last {
				continue
			}
			select {
			case told <- now:
				last = now
			case <-ctx.Done():
				return
			}
		}
	}()
	return told
}

// silenced says that nobody hears the talk, and why, or that it is heard again.
func (t *talk) silenced(s silence) error {
	t.show.clear()
	t.over = t.over || s.forGood
	if t.json {
		event := "silenced"
		switch {
		case s.reason == "" && t.over:
			event = "may_speak"
		case s.reason == "":
			event = "heard"
		}
		return t.line(silencedLine{event, s.reason, s.by})
	}
	switch {
	case s.reason == "" && t.over:
		return t.say("You may speak again. To be heard, begin anew: earshot speak %s\n", shortRoom(t.room))
	case s.reason == "":
		return t.say("You are heard again.\n")
	case s.reason == reasonPaused:
		return t.say("Nobody hears you: the room is paused.\n")
	case s.reason == reasonOffStage:
		return t.say("Nobody hears you: you are not on the stage any more. Raise your hand: earshot hand up %s\n", shortRoom(t.room))
	case s.forGood:
		return t.say("Nobody hears you: %s muted you. To be heard, begin anew: earshot speak %s\n", s.name, shortRoom(t.room))
	}
	return t.say("Nobody hears you: %s muted you, until that is lifted.\n", s.name)
}
