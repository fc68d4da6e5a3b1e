package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

func TestWhyNobodyHears(t *testing.T) {
	may := []string{"speak"}
	for _, c := range []struct {
		what string
		view web.RoomView
		want silence
	}{
		{"heard", web.RoomView{YouMay: may, Members: []web.Member{{Peer: budiID, MutedBy: anaID}, {You: true}}}, silence{}},
		{"not in it yet", web.RoomView{}, silence{}},
		{"paused", web.RoomView{Paused: true, Members: []web.Member{{You: true}}}, silence{reason: reasonPaused}},
		{"muted", web.RoomView{YouMay: may, Members: []web.Member{{Peer: anaID, Name: "ana"}, {You: true, MutedBy: anaID, Silenced: true}}},
			silence{reason: reasonMuted, by: anaID, name: "ana"}},
		{"muted until they begin anew", web.RoomView{YouMay: may, Members: []web.Member{{Peer: anaID, Name: "ana"}, {You: true, MutedBy: anaID}}},
			silence{reason: reasonMuted, by: anaID, name: "ana", forGood: true}},
		{"off the stage", web.RoomView{YouMay: []string{}, Members: []web.Member{{You: true}}}, silence{reason: reasonOffStage, forGood: true}},
	} {
		if got := silenceIn(c.view); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
		}
	}
}

// endless takes packets until the talk is stopped.
type endless struct{}

func (endless) Packet([]byte, time.Duration) error { return nil }

// TestWhoSpeaksIsTold: whoever is muted, sent off the stage, or in a room that is paused
// while they speak is told so, and what to do.
func TestWhoSpeaksIsTold(t *testing.T) {
	for _, c := range []struct {
		became      []silence
		words, json string
	}{
		{[]silence{{reason: reasonMuted, by: anaID, name: "ana"}, {}},
			"Nobody hears you: ana muted you, until that is lifted.\nYou are heard again.\n",
			`{"event":"silenced","reason":"muted","by":"` + anaID + `"}` + "\n" + `{"event":"heard"}` + "\n"},
		{[]silence{{reason: reasonPaused}, {}}, "Nobody hears you: the room is paused.\nYou are heard again.\n",
			`{"event":"silenced","reason":"paused"}` + "\n" + `{"event":"heard"}` + "\n"},
		{[]silence{{reason: reasonMuted, by: anaID, name: "ana", forGood: true}},
			"Nobody hears you: ana muted you. To be heard, begin anew: earshot speak 7k2mabcd\n", `{"event":"silenced","reason":"muted","by":"` + anaID + `"}` + "\n"},
		{[]silence{{reason: reasonOffStage, forGood: true}, {}},
			"Nobody hears you: you are not on the stage any more. Raise your hand: earshot hand up 7k2mabcd\nYou may speak again. To be heard, begin anew: earshot speak 7k2mabcd\n",
			`{"event":"silenced","reason":"off_stage"}` + "\n" + `{"event":"may_speak"}` + "\n"},
	} {
		for want, json := range map[string]bool{c.words: false, c.json: true} {
			var out bytes.Buffer
			silences, packets := make(chan silence), make(chan spokenPacket)
			talk := &talk{program: &program{stdout: &out, json: json}, room: roomID, silences: silences}
			go func() {
				for _, s := range c.became {
					silences <- s
				}
				packets <- spokenPacket{err: io.EOF}
			}()
			if err := talk.send(context.Background(), endless{}, spokenPacket{}, packets); err != nil || out.String() != want {
				t.Errorf("%v, %q, want %q", err, out.String(), want)
			}
			for line := range strings.Lines(out.String()) {
				if json {
					checkLine(t, readSchema(t), "speak.silenced", line)
				}
			}
		}
	}
}
