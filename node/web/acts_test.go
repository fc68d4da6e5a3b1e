package web_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

func (b *backend) Act(_ context.Context, room string, r web.ActRequest) error {
	return b.act(r.Act+" "+r.Peer+r.Role+r.Text, room)
}

func (b *backend) Log(_ context.Context, room string) (web.RoomLog, error) {
	return web.RoomLog{Room: room, Actions: []web.LogLine{{Act: web.ActMute}}}, b.fault
}

func (b *backend) ExportLog(_ context.Context, room string) ([]byte, error) {
	return []byte("earshot log 1\n"), b.fault
}

func TestActs(t *testing.T) {
	b := newBackend()
	server, c := up(t, b)
	ctx := t.Context()
	if err := c.Act(ctx, "7k2m", web.ActRequest{Act: web.ActGrant, Peer: "budi ", Role: "moderator"}); err != nil {
		t.Error(err)
	}
	if err := c.Act(ctx, "7k2m", web.ActRequest{Act: web.ActTitle, Text: "New"}); err != nil {
		t.Error(err)
	}
	if want := []string{"grant budi moderator 7k2m", "title New 7k2m"}; !slices.Equal(b.did, want) {
		t.Errorf("did %q, want %q", b.did, want)
	}
	for _, body := range []string{``, `{}`, `{"act":1}`, `{"act":"ban","peer":"x","for":"1h"}`, `{"act":""}`} {
		response := send(t, server, "POST", "/api/v1/rooms/7k2m/acts", http.Header{"Content-Type": {"application/json"}}, body)
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", body, response.Status)
		}
	}
	for _, code := range []string{protocol.CodeNotAllowed, protocol.CodeBanned, protocol.CodeRemoved, protocol.CodeMuted, protocol.CodeLocked, protocol.CodePaused} {
		b.fault = &protocol.Problem{Code: code, Message: "no"}
		response := send(t, server, "POST", "/api/v1/rooms/7k2m/acts", http.Header{"Content-Type": {"application/json"}}, `{"act":"mute"}`)
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", code, response.Status)
		}
	}
}

func TestLogIsServed(t *testing.T) {
	_, c := up(t, newBackend())
	log, err := c.Log(t.Context(), "7k2m")
	if err != nil || log.Room != "7k2m" || len(log.Actions) != 1 {
		t.Errorf("%+v, %v", log, err)
	}
	if text, err := c.ExportLog(t.Context(), "7k2m"); err != nil || string(text) != "earshot log 1\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// people makes keys for a test.
func people(t testing.TB, n int) (keys []crypto.PrivKey, ids []protocol.PeerID) {
	t.Helper()
	for range n {
		key, public, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := public.Raw()
		if err != nil {
			t.Fatal(err)
		}
		id, err := protocol.PeerOf(raw)
		if err != nil {
			t.Fatal(err)
		}
		keys, ids = append(keys, key), append(ids, id)
	}
	return keys, ids
}

func TestLogOf(t *testing.T) {
	keys, ids := people(t, 3)
	g := &protocol.Genesis{Title: "T", Created: time.UnixMilli(1)}
	if err := g.Seal(keys[0]); err != nil {
		t.Fatal(err)
	}
	l := roster.New(g)
	next := time.UnixMilli(1_800_000_000_000)
	does := func(who int, deed protocol.Deed) {
		t.Helper()
		a, err := l.Draft(ids[who])
		if err == nil {
			a.At, a.Deed = time.UnixMilli(5), deed
			err = a.Seal(keys[who])
		}
		if err == nil {
			_, _, err = l.Add(a)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	does(0, protocol.Grant{Peer: ids[1], Role: protocol.RoleModerator, Share: 9})
	does(1, protocol.Ban{Peer: ids[2], Life: time.Hour})
	does(1, protocol.Mute{MayUnmute: true})
	does(0, protocol.Next{At: next})
	log := web.LogOf(l, map[protocol.PeerID]protocol.Name{ids[1]: "budi"})
	if len(log.Actions) != 4 || log.Room != g.Room.String() || log.Host != ids[0].String() {
		t.Fatalf("%+v", log)
	}
	grant, ban, mute := log.Actions[0], log.Actions[1], log.Actions[2]
	if grant.Act != web.ActGrant || grant.Right != "host" || grant.By != "" || grant.PeerName != "budi" || grant.Role != "moderator" || !grant.Stands {
		t.Errorf("the grant is %+v", grant)
	}
	if ban.Act != web.ActBan || ban.Right != "moderator" || ban.By != ids[0].String() || ban.Name != "budi" || ban.ForMS != time.Hour.Milliseconds() {
		t.Errorf("the ban is %+v", ban)
	}
	if mute.Peer != "" || !mute.MayUnmute || log.Actions[3].Next == nil || !log.Next.Equal(next) {
		t.Errorf("the mute is %+v, next %v", mute, log.Next)
	}
	if !slices.Equal(log.Moderators, []string{ids[1].String()}) || !slices.Equal(log.Banned, []string{ids[2].String()}) {
		t.Errorf("it comes to %+v", log.Standing)
	}
	// Who is removed did nothing that stands at the same time; what it did before does.
	does(0, protocol.Remove{Peer: ids[1]})
	for _, a := range web.LogOf(l, nil).Actions {
		if !a.Stands {
			t.Errorf("%s does not stand", a.Act)
		}
	}
}
