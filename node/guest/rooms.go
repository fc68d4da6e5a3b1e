package guest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// heartbeat is how often a comment goes to those who follow, so that a dead
// connection is noticed.
const heartbeat = 15 * time.Second

// roomOf gives the room that the path names, by its whole ID: the beginning of one
// is no proof of having been told.
func roomOf(r *http.Request) (protocol.RoomID, error) {
	id, err := protocol.ParseRoomID(r.PathValue("id"))
	if err != nil {
		return id, errUnknown
	}
	return id, nil
}

// look gives a room as guests see it.
func (d *Door) look(ctx context.Context, id protocol.RoomID) (Room, error) {
	if !d.IsOpen() {
		return Room{}, errShut
	}
	room, err := d.cfg.Backend.Room(ctx, id)
	if err != nil {
		return Room{}, err
	}
	room.Guests = d.guests.count(id)
	if room.Stage == nil {
		room.Stage = []Speaker{}
	}
	if room.Named == nil {
		room.Named = []Named{}
	}
	for i := range room.Stage {
		if room.Stage[i].Sources == nil {
			room.Stage[i].Sources = []uint32{}
		}
	}
	return room, nil
}

// lookEncoded gives it on one line.
func (d *Door) lookEncoded(ctx context.Context, id protocol.RoomID) ([]byte, error) {
	room, err := d.look(ctx, id)
	if err != nil {
		return nil, err
	}
	return json.Marshal(room)
}

func (d *Door) room(w http.ResponseWriter, r *http.Request) error {
	id, err := roomOf(r)
	if err != nil {
		return err
	}
	room, err := d.look(r.Context(), id)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, room)
}

// headBefore names the session that a guest had, when they come back.
const headBefore = "Earshot-Session"

// play lets a guest listen (draft-ietf-wish-whep). Candidates do not trickle and ICE
// does not restart.
func (d *Door) play(w http.ResponseWriter, r *http.Request) error {
	id, err := roomOf(r)
	if err != nil {
		return err
	}
	offer, turn, err := d.offer(w, r)
	if err != nil {
		return err
	}
	defer turn()
	s, err := d.enter(r, id)
	if err != nil {
		return err
	}
	session, err := d.cfg.Backend.Play(r.Context(), Visit{Room: id, From: s.From, At: atOf(r)}, offer, func() { d.leave(s) })
	if err != nil {
		d.leave(s)
		return err
	}
	d.guests.begin(s, session)
	accept(w, "/api/sessions/"+session.ID, session.Answer)
	return nil
}

// enter takes a seat for a guest whom the door lets in, and the room's law.
func (d *Door) enter(r *http.Request, id protocol.RoomID) (*seat, error) {
	s, err := d.guests.admit(id, fromOf(r), r.Header.Get(headBefore))
	if err != nil {
		return nil, err
	}
	law, err := d.cfg.Backend.Law(r.Context(), id)
	if err == nil {
		err = d.guests.judge(s, law)
	}
	if err != nil {
		d.leave(s)
		return nil, err
	}
	return s, nil
}

// offer reads an SDP offer and waits until it may be answered; turn gives that back.
func (d *Door) offer(w http.ResponseWriter, r *http.Request) (offer string, turn func(), err error) {
	if !d.census.offer(fromOf(r)) {
		return "", nil, errRate
	}
	text, err := whole(w, r, maxSDPBytes)
	if err != nil {
		return "", nil, err
	}
	if !strings.HasPrefix(string(text), "v=0") { // RFC 8866 section 5.1
		return "", nil, refuse(http.StatusBadRequest, codeRequest, "the body is not an SDP offer")
	}
	select {
	case d.turn <- struct{}{}:
		return string(text), func() { <-d.turn }, nil
	case <-r.Context().Done():
		return "", nil, r.Context().Err()
	}
}

// accept answers an offer (RFC 9725 section 4.2).
func accept(w http.ResponseWriter, session, answer string) {
	w.Header().Set("Content-Type", typeSDP)
	w.Header().Set("Location", session)
	w.WriteHeader(http.StatusCreated)
	io.WriteString(w, answer) // an error means that nobody waits for it
}

// leave gives a guest's seat back; the room forgets the guest.
func (d *Door) leave(s *seat) {
	if who := d.guests.leave(s); who != "" {
		d.cfg.Backend.Gone(s.Room, who)
	}
}

func (d *Door) hangUp(w http.ResponseWriter, r *http.Request) error {
	if !d.guests.hangUp(r.PathValue("sid")) {
		return errGone
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// events streams one room as server-sent events (WHATWG HTML section 9.2): `room`,
// whole each time, so that whoever comes back has missed nothing, and `over` when
// it can't be heard any more.
func (d *Door) events(w http.ResponseWriter, r *http.Request) error {
	id, err := roomOf(r)
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", typeEvents)
		return nil
	}
	return stream(d, d.feed, id, w, r, nil, func(view []byte) []byte { return event("room", view) })
}

// stream sends what a feed tells of a room, as text has it (nil: nothing), until its
// client or the feed is gone, or over is closed.
func stream[V any](d *Door, f *feed[V], id protocol.RoomID, w http.ResponseWriter, r *http.Request, over <-chan struct{}, text func(V) []byte) error {
	from := fromOf(r)
	if !d.census.follow(from) {
		return errRate
	}
	defer d.census.unfollow(from)
	follower, err := f.join(r.Context(), id)
	if err != nil {
		return err
	}
	defer f.part(follower)
	w.Header().Set("Content-Type", typeEvents)
	w.Header().Set("Connection", "close")
	rc := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		said, last := []byte(":\n\n"), false
		select {
		case <-r.Context().Done():
			return nil
		case <-over:
			said, last = event("over", []byte("{}")), true
		case view, keeps := <-follower.views:
			if said, last = event("over", []byte("{}")), !keeps; keeps {
				said = text(view)
			}
		case <-beat.C:
		}
		rc.SetWriteDeadline(time.Now().Add(writePatience))
		if _, err := w.Write(said); err != nil || rc.Flush() != nil || last {
			return nil
		}
	}
}

// event is data, on one line, as it goes over the wire.
func event(name string, data []byte) []byte {
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, data)
}
