package web

import (
	"bytes"
	"fmt"
	"net/http"
	"time"
)

// heartbeat is how often a comment goes to those who follow, so that proxies
// and clients see a live connection, and the node a dead one.
const heartbeat = 15 * time.Second

// retry is when whoever lost the stream asks for it again; a browser left to
// itself takes longer, for servers farther away than this one.
const retry = time.Second

// events streams what changes as server-sent events (WHATWG HTML section 9.2).
// It begins with `reset` and the whole state, or, if the client names by
// Last-Event-ID an event that is still kept, with what came after it.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", typeEvents)
		return nil
	}
	ctx := r.Context()
	joined := s.feed.join(ctx, r.Header.Get("Last-Event-ID"))
	if joined.follower == nil {
		return refuse(http.StatusTooManyRequests, "too many follow this node's events", "end one")
	}
	defer s.feed.part(joined.follower)
	out := begin(w, typeEvents)
	if _, err := fmt.Fprintf(out, "retry: %d\n\n%s", retry.Milliseconds(), s.feed.text(joined.first...)); err != nil {
		return nil
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var text []byte
		select {
		case <-ctx.Done():
			return nil
		case e, keepsUp := <-joined.follower.events:
			if !keepsUp {
				return nil // too far behind: it may resume
			}
			text = s.feed.text(e)
		case <-beat.C:
			text = []byte(":\n\n")
		}
		if _, err := out.Write(text); err != nil {
			return nil
		}
	}
}

// text gives events as they go over the wire.
func (f *feed) text(events ...event) []byte {
	var b bytes.Buffer
	for _, e := range events {
		if e.number > 0 {
			fmt.Fprintf(&b, "id: %s-%d\n", f.boot, e.number)
		}
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", e.kind, e.data)
	}
	return b.Bytes()
}
