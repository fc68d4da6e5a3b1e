package node

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"
)

// TestStockClients has a WHIP client publish to one node and a WHEP client play from
// another, both as their makers wrote them: EARSHOT_WHIP names the npm package
// whip-whep, which is no part of this repository. See docs/clients.md.
func TestStockClients(t *testing.T) {
	t.Parallel()
	files := stockClients(t)
	b := launch(t)
	ana := startWith(t, "ana", func(c *Config) { c.Page = files })
	budi := startWith(t, "budi", func(c *Config) { c.Page = files }, ana)
	speaker, player := b.visit(t, ana.API()), b.visit(t, budi.API())
	for _, p := range []*page{speaker, player} {
		// Candidates do not trickle (PATCH: 405), a session ends with its connection
		// (DELETE: 404), and the page has no icon.
		p.mayComplain("405", "404", "favicon.ico")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	o := ana.open(ctx, "By any client", "open")
	budi.eventually("the room is in the directory", budi.sees(o.Room))
	begin := func(p *page, script, what string, n *running) {
		p.call(fmt.Sprintf(script, quoted(fmt.Sprintf("%s/api/v1/rooms/%s/%s", n.API(), o.Room, what)), quoted(n.token)), nil)
	}
	begin(player, `(async (url, token) => {
		const { WHEPClient } = await import('/static/whep.js')
		const connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' })
		connection.addTransceiver('audio', { direction: 'recvonly' })
		connection.ontrack = ({ track }) => Object.assign(new Audio(), { srcObject: new MediaStream([track]) }).play()
		window.client = new WHEPClient()
		await client.view(connection, url, token)
	})(%s, %s)`, "whep", budi)
	begin(speaker, `(async (url, token) => {
		const { WHIPClient } = await import('/static/whip.js')
		const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false }
		const [track] = (await navigator.mediaDevices.getUserMedia({ audio })).getTracks()
		const connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' })
		connection.addTransceiver(track, { direction: 'sendonly' })
		window.client = new WHIPClient()
		await client.publish(connection, url, token)
	})(%s, %s)`, "whip", ana)
	h := player.hearsWell()
	h.check(t, ana.speaksAs(o.Room), glitches)

	speaker.call(`client.stop()`, nil)
	budi.eventually("ana speaks no more", not(budi.seesSpeaking(o.Room, ana)))
	player.call(`client.stop()`, nil)
	budi.eventually("budi listens no more", func() bool {
		for _, m := range budi.view(o.Room).Members {
			if m.You {
				return !m.Listening
			}
		}
		return true
	})
}

// stockClients are the files of a page that does nothing but hold the package.
func stockClients(t *testing.T) fs.FS {
	t.Helper()
	dir := os.Getenv("EARSHOT_WHIP")
	if dir == "" && os.Getenv("EARSHOT_REQUIRE_TOOLS") == "1" {
		t.Fatal("EARSHOT_WHIP names no directory of whip-whep")
	} else if dir == "" {
		t.Skip("EARSHOT_WHIP=DIR names the npm package whip-whep (npm install whip-whep)")
	}
	files := fstest.MapFS{"index.html": {Data: []byte("<!doctype html><title>A client</title>")}}
	for _, name := range []string{"whip.js", "whep.js"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		files[name] = &fstest.MapFile{Data: b}
	}
	return files
}
