package web

import (
	"encoding/hex"
	"net/http"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// typeText is what an exported log is.
const typeText = "text/plain; charset=utf-8"

// RoomLog is a room's log and what it comes to.
type RoomLog struct {
	Room    string    `json:"room"`
	Hash    string    `json:"hash"` // the same for all who hold the same actions
	Actions []LogLine `json:"actions"`
	Standing
}

// LogLine is one action of a log: who did what to whom, when by their clock, by
// which right, and whether it stands.
type LogLine struct {
	Hash  string    `json:"hash"`
	At    time.Time `json:"at"`
	Actor string    `json:"actor"` // peer ID
	Name  string    `json:"name"`  // of the actor, as far as it is known here
	// Right is host or moderator; "" of what does not stand. By is the peer ID of who
	// made the actor moderator.
	Right  string `json:"right"`
	By     string `json:"by"`
	Stands bool   `json:"stands"` // nobody above the actor voided it
	// EndedBy is, where it does not stand, the peer ID of who ended the actor's
	// moderating; "": nobody did, and what made them moderator does not hold either.
	EndedBy   string     `json:"ended_by,omitempty"`
	Act       string     `json:"act"`
	Peer      string     `json:"peer"`      // peer ID of whom it is about; "": nobody, or everybody
	PeerName  string     `json:"peer_name"` // as far as it is known here
	Role      string     `json:"role,omitempty"`
	MayUnmute bool       `json:"may_unmute,omitempty"`
	ForMS     int64      `json:"for_ms,omitempty"`
	Text      string     `json:"text,omitempty"`
	Topics    []string   `json:"topics,omitempty"`
	Next      *time.Time `json:"next,omitempty"`
}

// Standing is what a log comes to. Peers are peer IDs. Which bans and places on the
// stage have run out, each node counts for itself.
type Standing struct {
	Opened     time.Time  `json:"opened"` // by the host's clock
	Host       string     `json:"host"`
	Moderators []string   `json:"moderators"`
	Speakers   []string   `json:"speakers"` // who were let on stage
	Carriers   []string   `json:"carriers"`
	Banned     []string   `json:"banned"`
	Muted      []string   `json:"muted"`        // of those whom somebody muted or unmuted by name
	MutedAllBy string     `json:"muted_all_by"` // who muted everybody but the host and the moderators; "": nobody
	Title      string     `json:"title"`
	Topics     []string   `json:"topics"`
	Language   string     `json:"language"`
	Stage      string     `json:"stage"`
	Locked     bool       `json:"locked"`
	Paused     bool       `json:"paused"`
	Closed     bool       `json:"closed"`
	Pinned     string     `json:"pinned"`
	Next       *time.Time `json:"next,omitempty"`
}

// LogOf shows a log; names gives what people are called, as far as that is known.
func LogOf(l *roster.Log, names map[protocol.PeerID]protocol.Name) RoomLog {
	hash, entries, lawful := l.Hash(), l.Entries(), l.Roster()
	out := RoomLog{Room: l.Room().String(), Hash: hex.EncodeToString(hash[:]), Actions: []LogLine{}, Standing: standingOf(lawful)}
	out.Opened, out.Muted = l.Genesis().Created.UTC(), idStrings(mutedByName(entries, lawful))
	appointer, ended := map[protocol.ActionHash]protocol.PeerID{}, map[protocol.PeerID]protocol.PeerID{}
	for _, e := range entries {
		if g, ok := e.Deed.(protocol.Grant); ok && g.Role == protocol.RoleModerator {
			appointer[e.Hash] = e.Actor
		}
		if p, ends := endsModerating(e.Deed); ends && e.Stands {
			ended[p] = e.Actor
		}
	}
	for _, e := range entries {
		line := LogLine{Hash: e.Hash.String(), At: e.At.UTC(), Actor: e.Actor.String(), Name: string(names[e.Actor]), Stands: e.Stands}
		if by, appointed := appointer[e.Grant]; appointed {
			line.Right, line.By = protocol.RoleModerator.String(), by.String()
		} else if e.Stands {
			line.Right = protocol.RoleHost.String()
		} else if by, known := ended[e.Actor]; known {
			line.EndedBy = by.String()
		}
		if p := line.tell(e.Deed); p != "" {
			line.Peer, line.PeerName = p.String(), string(names[p])
		}
		out.Actions = append(out.Actions, line)
	}
	return out
}

// endsModerating gives whose moderating a deed ends, if it stands.
func endsModerating(deed protocol.Deed) (p protocol.PeerID, ends bool) {
	switch d := deed.(type) {
	case protocol.Revoke:
		return d.Peer, d.Role == protocol.RoleModerator
	case protocol.Remove:
		return d.Peer, true
	case protocol.Ban:
		return d.Peer, true
	}
	return "", false
}

// mutedByName gives who is muted, of those whom an action names.
func mutedByName(entries []roster.Entry, lawful *roster.Roster) (muted []protocol.PeerID) {
	for _, e := range entries {
		p := protocol.PeerID("")
		switch d := e.Deed.(type) {
		case protocol.Mute:
			p = d.Peer
		case protocol.Unmute:
			p = d.Peer
		}
		if _, is := lawful.Muted(p); p != "" && is && !slices.Contains(muted, p) {
			muted = append(muted, p)
		}
	}
	return muted
}

// tell says what a deed does, and gives whom it is about.
func (l *LogLine) tell(deed protocol.Deed) protocol.PeerID {
	switch d := deed.(type) {
	case protocol.Grant:
		l.Act, l.Role = ActGrant, d.Role.String()
		return d.Peer
	case protocol.Revoke:
		l.Act, l.Role = ActRevoke, d.Role.String()
		return d.Peer
	case protocol.Remove:
		l.Act = ActRemove
		return d.Peer
	case protocol.Ban:
		l.Act, l.ForMS = ActBan, d.Life.Milliseconds()
		return d.Peer
	case protocol.Unban:
		l.Act = ActUnban
		return d.Peer
	case protocol.Mute:
		l.Act, l.MayUnmute = ActMute, d.MayUnmute
		return d.Peer
	case protocol.Unmute:
		l.Act = ActUnmute
		return d.Peer
	}
	l.tellRoom(deed)
	return ""
}

// tellRoom says what a deed does to the room itself.
func (l *LogLine) tellRoom(deed protocol.Deed) {
	either := func(is bool, yes, no string) string {
		if is {
			return yes
		}
		return no
	}
	switch d := deed.(type) {
	case protocol.Lock:
		l.Act = either(bool(d), ActLock, ActUnlock)
	case protocol.Pause:
		l.Act = either(bool(d), ActPause, ActResume)
	case protocol.Close:
		l.Act = either(bool(d), ActClose, ActReopen)
	case protocol.Title:
		l.Act, l.Text = ActTitle, string(d)
	case protocol.Topics:
		l.Act, l.Topics = ActTopics, d
	case protocol.Language:
		l.Act, l.Text = ActLanguage, string(d)
	case protocol.Stage:
		l.Act, l.Text = ActStage, d.String()
	case protocol.Pin:
		l.Act, l.Text = ActPin, string(d)
	case protocol.Next:
		l.Act, l.Next = ActNext, said(d.At)
	default:
		l.Act = ActUnknown
	}
}

func standingOf(r *roster.Roster) Standing {
	mutedAllBy := ""
	if m, all := r.MutedAll(); all {
		mutedAllBy = m.By.String()
	}
	return Standing{MutedAllBy: mutedAllBy, Host: r.Founder().String(), Moderators: idStrings(r.Moderators()), Speakers: idStrings(r.Speakers()),
		Carriers: idStrings(r.Carriers()), Banned: idStrings(r.Banned()), Title: r.Title(), Topics: list(r.Topics()), Language: r.Language(),
		Stage: r.Stage().String(), Locked: r.Locked(), Paused: r.Paused(), Closed: r.Closed(), Pinned: r.Pin(), Next: said(r.Next())}
}

// said gives a time if it is said.
func said(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func idStrings(peers []protocol.PeerID) []string {
	out := make([]string, 0, len(peers))
	for _, p := range peers {
		out = append(out, p.String())
	}
	slices.Sort(out)
	return out
}

func (s *Server) roomLog(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	log, err := s.backend.Log(r.Context(), room)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, log)
}

func (s *Server) exportLog(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	text, err := s.backend.ExportLog(r.Context(), room)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", typeText)
	w.Write(text) // an error means that nobody waits for it
	return nil
}
