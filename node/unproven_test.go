package node

import (
	"errors"
	"strings"
	"testing"

	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/protocol"
)

// Who is kept out by a word that no log bears out is told whose word it is.
func TestUnprovenIsSomebodysWord(t *testing.T) {
	const by = protocol.PeerID("someone")
	for _, test := range []struct {
		why   error
		names map[protocol.PeerID]protocol.Name
		code  string
		want  string
	}{
		{room.ErrBanned, map[protocol.PeerID]protocol.Name{by: "Ana"}, protocol.CodeBanned, "Ana says that you are banned, but shows nothing for it"},
		{room.ErrLocked, nil, protocol.CodeLocked, " says that the room is locked, but shows nothing for it"},
	} {
		err := unproven(room.View{Names: test.names, KeptOut: &room.Unproven{By: by, Why: test.why}})
		var p *protocol.Problem
		if !errors.As(err, &p) || p.Code != test.code || !strings.HasSuffix(p.Message, test.want) || strings.HasPrefix(p.Message, " ") {
			t.Errorf("%v", err)
		}
	}
}
