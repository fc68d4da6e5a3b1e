package guest

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"

	"github.com/earshot-audio/earshot/protocol"
)

// Over TLS a guest may say who they are, raise a hand, write, react, and speak once the room
// lets them. What they say is a RoomMessage signed by a key that their browser made: the
// door carries it, and can't make it. Without TLS browsers have neither a microphone
// nor a way to sign.

// headVoice carries the guest's word that it speaks, a RoomMessage in base64url, with
// its WHIP offer.
const headVoice = "Earshot-Voice"

// sitting gives the seat of the session that the path names.
func (d *Door) sitting(r *http.Request) (*seat, error) {
	if s := d.guests.seated(r.PathValue("sid")); s != nil {
		return s, nil
	}
	return nil, errGone
}

// spoken reads a guest's message. One seat has one guest.
func (d *Door) spoken(s *seat, raw []byte) (*protocol.Message, error) {
	m, err := protocol.ParseMessage(raw)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, codeRequest, "the message is malformed")
	}
	if !d.guests.may(s, m.From) {
		return nil, refuse(http.StatusForbidden, codeRequest, "this seat is another's")
	}
	return m, nil
}

// refused takes out a guest whose own signature shows that they are banned.
func (d *Door) refused(s *seat, m *protocol.Message, err error) error {
	if p, ok := errors.AsType[*protocol.Problem](err); ok && p.Code == protocol.CodeBanned {
		d.guests.banish(s, m.From)
	}
	return err
}

// say passes on what a guest says.
func (d *Door) say(w http.ResponseWriter, r *http.Request) error {
	s, err := d.sitting(r)
	if err != nil {
		return err
	}
	raw, err := whole(w, r, protocol.MaxMessageBytes)
	if err != nil {
		return err
	}
	m, err := d.spoken(s, raw)
	if err != nil {
		return err
	}
	if m.Chat != nil && !d.census.chat(s.From) || m.Reaction != nil && !d.census.react(s.From) {
		return errTooFast
	}
	if err := d.cfg.Backend.Say(r.Context(), s.Room, m); err != nil {
		return d.refused(s, m, err)
	}
	if err := d.introduce(r.Context(), s, m.From); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// introduce notes who has a seat, if they have it still, and were not banned while
// nobody knew of them.
func (d *Door) introduce(ctx context.Context, s *seat, who protocol.PeerID) error {
	if !d.guests.know(s, who) {
		d.cfg.Backend.Gone(s.Room, who)
		return errGone
	}
	law, err := d.cfg.Backend.Law(ctx, s.Room)
	if err != nil {
		return err
	}
	if slices.Contains(law.Banned, who) {
		d.guests.banish(s, who)
		return errBanned
	}
	return nil
}

// speak lets a guest speak (RFC 9725), without trickling and restarts.
func (d *Door) speak(w http.ResponseWriter, r *http.Request) error {
	s, err := d.sitting(r)
	if err != nil {
		return err
	}
	raw, err := base64.RawURLEncoding.DecodeString(r.Header.Get(headVoice))
	if err != nil {
		return refuse(http.StatusBadRequest, codeRequest, headVoice+" is malformed")
	}
	voice, err := d.spoken(s, raw)
	if err != nil {
		return err
	}
	offer, turn, err := d.offer(w, r)
	if err != nil {
		return err
	}
	defer turn()
	v := Visit{Room: s.Room, From: s.From, At: atOf(r)}
	session, err := d.cfg.Backend.Publish(r.Context(), v, voice, offer)
	if err != nil {
		return d.refused(s, voice, err)
	}
	d.guests.speaks(s, session.End)
	accept(w, "/api/sessions/"+s.session+"/whip", session.Answer)
	return nil
}

// hush ends what a guest speaks.
func (d *Door) hush(w http.ResponseWriter, r *http.Request) error {
	s, err := d.sitting(r)
	if err != nil {
		return err
	}
	d.guests.speaks(s, nil)
	w.WriteHeader(http.StatusOK)
	return nil
}
