package node

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// TestBrowser lets a real browser publish to one node by WHIP and play from
// another one by WHEP.
func TestBrowser(t *testing.T) {
	t.Parallel()
	b := launch(t)
	t.Run("speaks and hears", b.testSpeaksAndHears)
	t.Run("hears on when the relay dies", b.testRelayDies)
}

// testSpeaksAndHears publishes through the HTTP API, as any WHIP client does.
func (b *browser) testSpeaksAndHears(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	o := ana.open(ctx, "Why the sky is dark", "host")
	budi.eventually("the room is in the directory", budi.sees(o.Room))
	player, microphone := b.open(ctx, t), b.open(ctx, t)
	_, answer, err := budi.Play(ctx, o.Room, player.offer("listen()"))
	must(t, err)
	player.accept(answer)
	session, answer := ana.whip(ctx, o.Room, microphone.offer("speak()"))
	microphone.accept(answer)

	h := player.hearsWell()
	h.check(t, ana.speaksAs(o.Room), glitches)

	budi.eventually("ana speaks", budi.seesSpeaking(o.Room, ana))
	ana.endSession(ctx, session, http.StatusOK)
	budi.eventually("ana speaks no more", not(budi.seesSpeaking(o.Room, ana)))
	ana.eventually("the browser is told", microphone.isClosed)
	ana.endSession(ctx, session, http.StatusNotFound)
}

// testRelayDies kills the relay in the middle of a phrase. A fourth node stands
// by, so that the voice goes to the player by the relay alone.
func (b *browser) testRelayDies(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	citra := start(t, "citra")
	ana, budi, dewi := startWith(t, "ana", lendsNothing, citra), startWith(t, "budi", lendsNothing, citra), start(t, "dewi", citra)
	o := citra.open(ctx, "Why the sky is dark", "open")
	dewi.eventually("the room is in the directory", dewi.sees(o.Room))
	dewi.listen(ctx, o.Room)
	dewi.eventually("citra relays, dewi stands by", settled(o.Room, 0, citra, dewi))
	player, microphone := b.open(ctx, t), b.open(ctx, t)
	for _, n := range []*running{ana, budi} {
		n.eventually("the room is in the directory", n.sees(o.Room))
	}
	offer := player.offer("listen()")
	player.accept(answered(budi, func() (string, error) {
		_, answer, err := budi.Play(ctx, o.Room, offer)
		return answer, err
	}))
	offer = microphone.offer("speak()")
	microphone.accept(answered(ana, func() (string, error) {
		_, answer, err := ana.Publish(ctx, o.Room, offer)
		return answer, err
	}))
	source := ana.speaksAs(o.Room)
	budi.eventually("one relay, one standby", settled(o.Room, 0, citra, ana, budi, dewi))
	for _, n := range []*running{ana, budi} {
		n.eventually("attached to relay and standby", n.attached(o.Room))
	}
	before, relay, heir := budi.view(o.Room), citra, dewi
	if before.Relay == dewi.self.String() { // where the machine has much else to do
		relay, heir = dewi, citra
	}

	budi.eventually("a phrase begins", player.phraseBegins())
	relay.Kill()
	player.hear(phrase).check(t, source, outage)
	budi.eventually("another relay", func() bool {
		v := budi.view(o.Room)
		return v.Relay == heir.self.String() && v.Term > before.Term
	})

	microphone.call("connection.close()", nil)
	budi.eventually("ana speaks no more", not(budi.seesSpeaking(o.Room, ana)))
}

// whip publishes through the HTTP API (RFC 9725).
func (r *running) whip(ctx context.Context, room, offer string) (session, answer string) {
	r.t.Helper()
	a, answer := r.request(ctx, http.MethodPost, "/api/v1/rooms/"+room+"/whip", offer)
	if a.StatusCode != http.StatusCreated || a.Header.Get("Content-Type") != "application/sdp" {
		r.t.Fatalf("WHIP: %s: %s", a.Status, answer)
	}
	return a.Header.Get("Location"), answer
}

func (r *running) endSession(ctx context.Context, session string, want int) {
	r.t.Helper()
	if a, why := r.request(ctx, http.MethodDelete, session, ""); a.StatusCode != want {
		r.t.Errorf("DELETE %s: %s, want %d: %s", session, a.Status, want, why)
	}
}

func (r *running) request(ctx context.Context, method, path, sdp string) (*http.Response, string) {
	r.t.Helper()
	q, err := http.NewRequestWithContext(ctx, method, r.API()+path, strings.NewReader(sdp))
	must(r.t, err)
	q.Header.Set("Authorization", "Bearer "+r.token)
	if sdp != "" {
		q.Header.Set("Content-Type", "application/sdp")
	}
	q.Close = true // no goroutine stays behind
	a, err := http.DefaultClient.Do(q)
	must(r.t, err)
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	must(r.t, err)
	return a, string(body)
}

// speaksAs waits for the node's own source in a room.
func (r *running) speaksAs(room string) (s protocol.Source) {
	r.t.Helper()
	r.eventually("a source of its own", func() bool {
		for _, line := range r.view(room).Sources {
			if line.Peer == r.self.String() {
				s = protocol.Source(line.Source)
				return true
			}
		}
		return false
	})
	return s
}

// seesSpeaking says whether somebody's presence tells that they speak.
func (r *running) seesSpeaking(room string, other *running) func() bool {
	return func() bool {
		for _, m := range r.view(room).Members {
			if m.Peer == other.self.String() {
				return m.Speaking
			}
		}
		return false
	}
}

func not(is func() bool) func() bool { return func() bool { return !is() } }
