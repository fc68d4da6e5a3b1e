package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/earshot-audio/earshot/node/server"
	"github.com/earshot-audio/earshot/protocol"
)

// roomOf gives the words that name the room in the path. The node knows what
// they mean; here they are only bounded.
func roomOf(r *http.Request) (string, error) {
	room := r.PathValue("id")
	if !sane(room) || strings.Trim(room, ".") == "" {
		return "", &protocol.Problem{
			Code: protocol.CodeLinkForm, Message: "this is not a room's name",
			Hint: "give its link, its ID or the beginning of its ID",
		}
	}
	return room, nil
}

// sane bounds words that people gave. The node knows what they mean.
func sane(words string) bool {
	odd := func(c rune) bool { return !unicode.IsPrint(c) }
	return len(words) <= maxRoomBytes && utf8.ValidString(words) && !strings.ContainsFunc(words, odd)
}

// asked reads a JSON request about a room.
func asked(w http.ResponseWriter, r *http.Request, request any) (room string, err error) {
	if room, err = roomOf(r); err != nil {
		return "", err
	}
	return room, read(w, r, request)
}

// read reads a request that is JSON.
func read(w http.ResponseWriter, r *http.Request, request any) error {
	text, err := whole(w, r, maxJSONBytes)
	if err != nil {
		return err
	}
	return decode(text, request)
}

// whole reads a body that is not a stream.
func whole(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	text, err := server.Whole(w, r, limit)
	if errors.Is(err, server.ErrLarge) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "the request's body is too large", "")
	}
	if err != nil {
		return nil, malformed("the request's body was cut", "", err)
	}
	return text, nil
}

// decode reads JSON into v: one value, and no field that v lacks.
func decode(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return nil
		}
	}
	return malformed("the body is not the JSON that this takes", "see /api/v1/openapi.json", err)
}

// done does something to a room, and answers that it is done.
func done(w http.ResponseWriter, r *http.Request, do func(context.Context, string) error) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	return doneBy(w, do(r.Context(), room))
}

// doneBy answers that it is done, unless it is not.
func doneBy(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
