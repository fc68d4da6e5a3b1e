package node

import (
	"context"
	"encoding/hex"
	"slices"

	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// Log gives the log of a room that this node is in, or that is its own and closed.
func (n *Node) Log(ctx context.Context, name string) (web.RoomLog, error) {
	l, names, err := n.logOf(ctx, name)
	if err != nil {
		return web.RoomLog{}, err
	}
	out := web.LogOf(l, names)
	out.Closed = out.Closed || n.room(l.Room()) == nil
	return out, nil
}

// ExportLog gives it as text that whoever has it can check.
func (n *Node) ExportLog(ctx context.Context, name string) ([]byte, error) {
	l, _, err := n.logOf(ctx, name)
	if err != nil {
		return nil, err
	}
	return l.Export(), nil
}

// logOf gives a log of its own that holds what the room's does, which belongs to its
// goroutine; and what people there are called.
func (n *Node) logOf(ctx context.Context, name string) (*roster.Log, map[protocol.PeerID]protocol.Name, error) {
	c, e, err := n.carriedRoom(name)
	if r, kept := n.stored(e.id); c == nil && kept && r.Mine && r.Closed {
		l, err := n.shelvedLog(r)
		names := n.namesHere(ctx)
		names[n.self], _ = n.Peer()
		return l, names, err
	}
	if err != nil {
		return nil, nil, err
	}
	entries, _, err := c.room.Log(ctx)
	if err != nil {
		return nil, nil, err
	}
	v, err := c.room.View(ctx)
	if err == nil && v.Genesis == nil {
		err = unknownRoom(nil)
	}
	if err != nil {
		return nil, nil, err
	}
	var actions []*protocol.Action
	for _, e := range entries {
		actions = append(actions, e.Action)
	}
	return roster.Restore(v.Genesis, actions), v.Names, nil
}

// addLaw shows what the log makes of a room.
func (n *Node) addLaw(out *web.RoomView, v room.View) {
	lawful := v.Lawful
	if lawful == nil {
		return
	}
	out.Title, out.Language, out.Topics, out.Locked, out.Next = asShown(lawful.Listing().At(n.cfg.Wall()))
	out.Stage, out.Paused, out.Pinned = lawful.Stage().String(), lawful.Paused(), lawful.Pin()
	if m, all := lawful.MutedAll(); all {
		out.MutedAllBy = m.By.String()
	}
	out.Log, out.LogActions = hex.EncodeToString(v.LogHash[:]), v.LogLength
	out.YouMay = youMay(lawful, n.self)
	if !lawful.Paused() && slices.ContainsFunc(v.Members, func(m room.Member) bool { return m.Peer == n.self && m.MaySpeak }) {
		out.YouMay = append([]string{"speak"}, out.YouMay...)
	}
}

// youMay gives what a peer may do in a room, beside what it may about somebody.
func youMay(lawful *roster.Roster, p protocol.PeerID) []string {
	if !lawful.MayModerate(p) {
		return []string{}
	}
	may := []string{web.ActGrant, web.ActMute, web.ActUnmute, web.ActUnban, web.ActLock, web.ActPause, web.ActTitle, web.ActTopics,
		web.ActLanguage, web.ActStage, web.ActPin, web.ActNext}
	if p == lawful.Founder() {
		may = append(may, web.ActClose)
	}
	return may
}

// youMayAbout gives what a peer may do about another.
func youMayAbout(lawful *roster.Roster, by, p protocol.PeerID) []string {
	may := []string{}
	if !lawful.MayModerate(by) || p == by {
		return may
	}
	if !lawful.MayModerate(p) {
		may = append(may, web.ActGrant)
	}
	if lawful.MayEnd(by, p) {
		may = append(may, web.ActMute, web.ActRevoke, web.ActRemove, web.ActBan)
	}
	if _, muted := lawful.Muted(p); muted {
		may = append(may, web.ActUnmute)
	}
	return may
}

// mutedBy gives who muted somebody, and whether they can't end it themselves.
func mutedBy(lawful *roster.Roster, p protocol.PeerID) (by string, silenced bool) {
	m, muted := lawful.Muted(p)
	if !muted {
		return "", false
	}
	return m.By.String(), !m.MayUnmute
}
