package guest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-audio/earshot/node/guest"
	"github.com/earshot-audio/earshot/protocol"
)

// line is one that ana wrote, and is the nth change of what is written.
func line(n uint64) guest.Line {
	return guest.Line{ID: fmt.Sprint(n), Order: n, Name: "ana", Text: fmt.Sprint("line ", n), Revision: n}
}

type told struct {
	Whole     bool
	Lines     []guest.Line
	Reactions map[string]int
	Captions  []guest.Caption
}

// reads gives what a guest's page is told, one at a time.
func reads(t *testing.T, r *http.Response) func() (kind string, news told) {
	t.Helper()
	if r.StatusCode != http.StatusOK {
		t.Fatal(r.Status)
	}
	lines := bufio.NewScanner(r.Body)
	return func() (kind string, news told) {
		t.Helper()
		for lines.Scan() {
			if word, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				kind = word
			} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &news); err != nil {
					t.Fatal(err)
				}
				return kind, news
			}
		}
		t.Fatal("the stream ended", lines.Err())
		return "", news
	}
}

// Who listens reads along, without a name, for as long as they listen.
func TestReadingAlong(t *testing.T) {
	b := newBackend()
	d := run(t, b, nil)
	b.change(func() {
		for n := uint64(1); n <= 150; n++ {
			b.talk.Lines = append(b.talk.Lines, line(n))
		}
		b.talk.Revision = 150
	})
	session := offer(t, d, from(t, 1)).Header.Get("Location")
	next := reads(t, send(t, d, from(t, 1), "GET", session+"/talk", nil, ""))
	if kind, n := next(); kind != "talk" || !n.Whole || len(n.Lines) != 100 || n.Lines[99].Text != "line 150" || n.Reactions == nil || n.Captions == nil {
		t.Fatalf("%s %+v", kind, n)
	}
	b.change(func() {
		b.talk.Lines[120].Hidden, b.talk.Lines[120].Text, b.talk.Lines[120].Revision = true, "", 152
		b.talk.Lines = append(b.talk.Lines, line(151))
		b.talk.Revision = 152
	})
	if _, n := next(); n.Whole || len(n.Lines) != 2 || !n.Lines[0].Hidden || n.Lines[1].ID != "151" {
		t.Errorf("of a line and a hidden one it is told %+v", n)
	}
	b.change(func() { b.talk.Captions = []guest.Caption{{ID: "1", Name: "ana", Text: "I say"}} })
	if _, n := next(); len(n.Lines) != 0 || len(n.Captions) != 1 {
		t.Errorf("then %+v", n)
	}
	b.change(func() { b.talk.Captions = append(b.talk.Captions, guest.Caption{ID: "2", Name: "budi", Text: "And I"}) })
	if _, n := next(); len(n.Captions) != 1 || n.Captions[0].ID != "2" { // the first one again with each word would be much, to many
		t.Errorf("of a caption it is told %+v", n)
	}
	b.change(func() { b.talk = guest.Talk{Revision: 1, Lines: []guest.Line{line(1)}} })
	if _, n := next(); !n.Whole || len(n.Lines) != 1 {
		t.Errorf("when the node has come back, it is told %+v", n)
	}
	if !d.Remove(d.Guests()[0].ID) {
		t.Fatal("nobody to remove")
	}
	if kind, _ := next(); kind != "over" {
		t.Errorf("who was removed is told %s", kind)
	}
	wants(t, "reading of one who was removed", send(t, d, from(t, 1), "GET", session+"/talk", nil, ""), http.StatusNotFound)
}

func (p *person) writes(text string) string {
	return p.word(protocol.Message{Chat: &protocol.Chat{Order: 1, Name: "gita", Text: text}})
}

// The door passes on less of one household than a room would take of one key, whoever
// many keys it has.
func TestWritingHasALimit(t *testing.T) {
	b := newBackend()
	_, comes := secure(t, b)
	gita, hadi, elsewhere := comes(1), comes(1), comes(2)
	for _, p := range []*person{gita, hadi, elsewhere} {
		p.listens()
		wants(t, "a guest says who they are", p.says(p.here()), http.StatusNoContent)
	}
	refusals := 0
	for n := range 12 {
		p := []*person{gita, hadi}[n%2]
		switch r := p.says(p.writes(fmt.Sprint("line ", n))); {
		case r.StatusCode == http.StatusTooManyRequests && code(t, r) == protocol.CodeTooFast:
			refusals++
		case r.StatusCode != http.StatusNoContent:
			t.Errorf("line %d: %s", n, r.Status)
		}
	}
	if refusals < 8 {
		t.Errorf("%d of 12 lines were refused", refusals)
	}
	wants(t, "a hand", gita.says(gita.word(protocol.Message{Hand: &protocol.Hand{Up: true}})), http.StatusNoContent)
	wants(t, "another household's line", elsewhere.says(elsewhere.writes("hello")), http.StatusNoContent)
}

// Many households together have a limit, too.
func TestHostileCrowdOfWriters(t *testing.T) {
	b := newBackend()
	_, comes := secure(t, b)
	passed := 0
	for n := range 20 {
		p := comes(1 + n)
		p.listens()
		for range 3 {
			if p.says(p.writes("spam")).StatusCode == http.StatusNoContent {
				passed++
			}
		}
	}
	if passed < 10 || passed > 20 {
		t.Errorf("%d of 60 lines were passed on at once", passed)
	}
}

// What is hostile about what is written is refused before the node sees it.
func TestHostileLines(t *testing.T) {
	b := newBackend()
	d, comes := secure(t, b)
	gita := comes(1)
	gita.listens()
	for name, text := range map[string]string{"nothing": "", "too long": strings.Repeat("x", protocol.MaxChatBytes+1), "turned around": "a\u202eb", "not text": "a\xffb", "many empty lines": "a\n\n\nb"} {
		gita.sequence++
		m := protocol.Message{Boot: 1, Sequence: gita.sequence, Chat: &protocol.Chat{Order: 1, Name: "gita", Text: text}}
		if err := m.Seal(sky, gita.key); err != nil {
			continue // nobody can even sign it
		}
		wants(t, name, gita.says(string(m.Raw)), http.StatusBadRequest)
	}
	hadi := comes(2)
	hadi.listens()
	wants(t, "another's line in her seat", gita.says(gita.here()), http.StatusNoContent)
	wants(t, "another's line in her seat", gita.says(hadi.writes("as gita")), http.StatusForbidden)
	for _, path := range []string{"/api/sessions/x/talk", "/api/sessions//talk", "/api/sessions/" + strings.Repeat("a", 4000) + "/talk"} {
		r := gita.ask("GET", path, nil, "")
		if r.StatusCode != http.StatusNotFound {
			t.Errorf("%.40s: %s", path, r.Status)
		}
	}
	long := gita.ask("POST", "/api/rooms/"+sky.String()+"/whep", http.Header{"Content-Type": {"application/sdp"}, "Earshot-Session": {strings.Repeat("x", 6000)}}, "v=0\r\n")
	wants(t, "one who tells of a long session", long, http.StatusCreated)
	if said, _, _, _ := b.told(); said != 1 || len(d.Guests()) != 3 {
		t.Errorf("%d said, %d guests", said, len(d.Guests()))
	}
}
