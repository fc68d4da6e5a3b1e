package node

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

func codeOf(err error) string {
	var p *protocol.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

// TestActsAreJudgedBeforehand: what would have no effect is refused with its reason,
// and leaves no trace in the log.
func TestActsAreJudgedBeforehand(t *testing.T) {
	s := newStage(t, "host")
	ana, budi, citra := s.nodes[0], s.nodes[1], s.nodes[2]
	_, stranger := newKey(t)
	act := func(n *running, act, who, role string) error {
		return n.Act(s.ctx, s.room, web.ActRequest{Act: act, Peer: who, Role: role})
	}
	must(t, act(ana, web.ActGrant, "budi", "moderator"))
	budi.eventually("budi moderates", func() bool { return slices.Contains(budi.view(s.room).YouMay, web.ActGrant) })
	must(t, act(budi, web.ActGrant, "citra", "moderator"))
	must(t, act(budi, web.ActBan, stranger.String(), ""))
	citra.eventually("citra moderates, and knows of the ban", func() bool {
		return slices.Contains(citra.view(s.room).YouMay, web.ActGrant) && len(citra.lawful(s.id).Banned()) == 1
	})
	before := citra.view(s.room).LogActions
	for _, c := range []struct {
		by             *running
		act, who, role string
		code           string
	}{
		{citra, web.ActMute, "ana", "", protocol.CodeNotAllowed},
		{citra, web.ActMute, "citra", "", protocol.CodeNotAllowed},
		{citra, web.ActRemove, "budi", "", protocol.CodeNotAllowed},
		{citra, web.ActBan, "budi", "", protocol.CodeNotAllowed},
		{citra, web.ActRevoke, "budi", "moderator", protocol.CodeNotAllowed},
		{citra, web.ActUnban, stranger.String(), "", protocol.CodeNotAllowed},
		{citra, web.ActGrant, stranger.String(), "speaker", protocol.CodeBanned},
		{citra, web.ActUnban, "ana", "", protocol.CodeBadRequest},
		{citra, web.ActGrant, "nobody", "speaker", protocol.CodeUnknownPeer},
		{citra, web.ActGrant, "budi", "host", protocol.CodeBadRequest},
		{citra, web.ActGrant, "budi", "", protocol.CodeBadRequest},
		{citra, "dance", "", "", protocol.CodeBadRequest},
		{citra, web.ActTitle, "", "", protocol.CodeBadRequest},
		{citra, web.ActStage, "", "", protocol.CodeBadRequest},
		{citra, web.ActClose, "", "", protocol.CodeBadRequest}, // a request of its own
	} {
		if err := act(c.by, c.act, c.who, c.role); codeOf(err) != c.code {
			t.Errorf("%s: %s %s %s: %v, want %s", c.by.name, c.act, c.who, c.role, err, c.code)
		}
	}
	if after := citra.view(s.room).LogActions; after != before {
		t.Errorf("%d actions were left in the log", after-before)
	}
	for _, m := range ana.view(s.room).Members {
		if may := slices.Contains(m.YouMay, web.ActBan); may == m.You {
			t.Errorf("the host may ban %s: %v", m.Name, may)
		}
	}
	for _, m := range citra.view(s.room).Members {
		if slices.Contains(m.YouMay, web.ActMute) {
			t.Errorf("citra is shown to be able to mute %s", m.Name)
		}
	}
}

// TestKeptOut: who comes to a locked room, or speaks in a paused one or while muted,
// is told so.
func TestKeptOut(t *testing.T) {
	s := newStage(t, "open")
	ana, budi := s.nodes[0], s.nodes[1]
	does := func(r web.ActRequest) {
		t.Helper()
		must(t, ana.Act(s.ctx, s.room, r))
		hash := ana.view(s.room).Log
		for _, n := range s.nodes {
			n.eventually("it holds here", func() bool { return n.view(s.room).Log == hash })
		}
	}
	does(web.ActRequest{Act: web.ActMute, Peer: "budi"})
	if _, err := budi.Speak(s.ctx, s.room); codeOf(err) != protocol.CodeMuted {
		t.Errorf("who speaks while muted: %v", err)
	}
	does(web.ActRequest{Act: web.ActUnmute, Peer: "budi"})
	does(web.ActRequest{Act: web.ActRevoke, Peer: "budi"}) // the stage is open: a mute
	for _, m := range budi.view(s.room).Members {
		if silenced := m.Name == "budi"; m.Silenced != silenced || (m.MutedBy == ana.self.String()) != silenced {
			t.Errorf("%s is silenced: %v, by %q", m.Name, m.Silenced, m.MutedBy)
		}
	}
	does(web.ActRequest{Act: web.ActUnmute})
	does(web.ActRequest{Act: web.ActUnmute, Peer: "budi"})
	must(t, func() error {
		v, err := budi.Speak(s.ctx, s.room)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(s.ctx, patience)
		defer cancel()
		_, err = v.Close(ctx)
		return err
	}())
	does(web.ActRequest{Act: web.ActPause})
	if _, err := budi.Speak(s.ctx, s.room); codeOf(err) != protocol.CodePaused {
		t.Errorf("who speaks in a paused room: %v", err)
	}
	does(web.ActRequest{Act: web.ActResume})
	does(web.ActRequest{Act: web.ActLock})
	late := start(t, "dewi", ana)
	late.eventually("the room is in the directory", late.sees(s.room))
	if _, err := late.Listen(s.ctx, s.room, false); codeOf(err) != protocol.CodeLocked {
		t.Errorf("who comes to a locked room: %v", err)
	}
	does(web.ActRequest{Act: web.ActUnlock})
	must(t, func() error {
		l, err := late.Listen(s.ctx, s.room, false)
		if err == nil {
			l.Close()
		}
		return err
	}())
}
