package web

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Chats is what people write in rooms, and what else they show.
type Chats interface {
	// Chat gives what was written in a room that this node is in: what is new or
	// changed after a revision, 0: all that is kept.
	Chat(ctx context.Context, room string, after uint64) (Chat, error)
	// FollowChat joins the room, and is in it until closed.
	FollowChat(ctx context.Context, room string) (ChatFollowing, error)
	// Write joins the room and says text to all in it.
	Write(ctx context.Context, room, text string) (Written, error)
	// HideChat takes what somebody wrote out of sight, or shows it again.
	HideChat(ctx context.Context, room string, r HideRequest) error
	// React shows an emoji to all in the room.
	React(ctx context.Context, room, emoji string) error
	// Caption says what this node's person says, as text, if they allowed that.
	Caption(ctx context.Context, room string, r CaptionRequest) error
	AllowCaptions(ctx context.Context, room string, allowed bool) error
}

// ChatFollowing is one who reads along.
type ChatFollowing interface {
	// Next gives first all that was written, then what is new or changed;
	// io.EOF after the room closed or this node left it.
	Next(ctx context.Context) (Chat, error)
	Close()
}

// Chat is what people wrote in a room, in its order, and what else they show.
type Chat struct {
	Room     string `json:"room"`
	Revision uint64 `json:"revision"` // of this node; asks for what comes after
	// Messages are those asked for: new ones, and those that were hidden or shown
	// again since. One that comes late may stand before others that are known.
	Messages        []ChatLine     `json:"messages"`
	Reactions       map[string]int `json:"reactions"` // emoji of the last seconds
	Captions        []CaptionLine  `json:"captions"`
	MayHide         bool           `json:"may_hide"`
	CaptionsAllowed bool           `json:"captions_allowed"` // of this node's person
}

// ChatLine is one message. Lines are ordered by order, then by id.
type ChatLine struct {
	ID     string    `json:"id"`
	Order  uint64    `json:"order"`
	Peer   string    `json:"peer"` // peer ID
	Name   string    `json:"name"` // as they called themselves
	Text   string    `json:"text"` // "" if it is hidden, or they are blocked
	Said   time.Time `json:"said"` // by their clock
	Hidden bool      `json:"hidden"`
	You    bool      `json:"you"`
	Guest  bool      `json:"guest,omitempty"` // of a node's, who was here when this was told

	Petname protocol.Name `json:"petname,omitempty"` // as this node's person calls them
	Blocked bool          `json:"blocked,omitempty"` // by this node's person: not to be shown

	// Revision is that of the Chat with which the line came or changed.
	Revision uint64 `json:"revision"`
}

// CaptionLine is a piece of what somebody says, as text.
type CaptionLine struct {
	ID       string        `json:"id"` // what comes again by it takes its place
	Peer     string        `json:"peer"`
	Name     string        `json:"name"`
	Petname  protocol.Name `json:"petname,omitempty"` // as this node's person calls them
	Language string        `json:"language"`
	Text     string        `json:"text"`
	Final    bool          `json:"final"`
}

// WriteRequest says something to all in a room.
type WriteRequest struct {
	Text string `json:"text"`
}

// Written is what was said.
type Written struct {
	Room string `json:"room"`
	ID   string `json:"id"`
}

// HideRequest names what is to be out of sight, or in it again: a message by its
// ID, or all of somebody by a name in the room or a peer ID.
type HideRequest struct {
	Message string `json:"message,omitempty"`
	Peer    string `json:"peer,omitempty"`
	Shown   bool   `json:"shown,omitempty"`
}

// ReactRequest shows one emoji.
type ReactRequest struct {
	Emoji string `json:"emoji"`
}

// CaptionRequest is a piece of what this node's person says. Until one is final,
// the next takes its place.
type CaptionRequest struct {
	Text     string `json:"text"`
	Language string `json:"language,omitempty"`
	Final    *bool  `json:"final,omitempty"` // left out: it is
	Typed    bool   `json:"typed,omitempty"` // by the person themselves: no consent is asked for
}

// ConsentRequest says whether programs on this machine may caption this node's
// person in the room.
type ConsentRequest struct {
	Allowed *bool `json:"allowed"`
}

func (s *Server) chat(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	var after uint64
	if word := r.URL.Query().Get("after"); word != "" {
		if after, err = strconv.ParseUint(word, 10, 64); err != nil {
			return malformed("after is no revision", "give that of an earlier answer", err)
		}
	}
	chat, err := s.backend.Chat(r.Context(), room, after)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, chat.whole())
}

// followChat streams a Chat a line: all first, then what is new.
func (s *Server) followChat(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	following, err := s.backend.FollowChat(ctx, room)
	if err != nil {
		return err
	}
	defer following.Close()
	out := begin(w, typeLines)
	for {
		chat, err := following.Next(ctx)
		switch {
		case errors.Is(err, io.EOF) || err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			out.line(s.broken(r, err))
			return nil
		case out.line(chat.whole()) != nil:
			return nil
		}
	}
}

func (s *Server) write(w http.ResponseWriter, r *http.Request) error {
	var request WriteRequest
	room, err := asked(w, r, &request)
	if err != nil {
		return err
	}
	written, err := s.backend.Write(r.Context(), room, request.Text)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, written)
}

func (s *Server) hideChat(w http.ResponseWriter, r *http.Request) error {
	var request HideRequest
	room, err := asked(w, r, &request)
	if err != nil {
		return err
	}
	if (request.Message == "") == (request.Peer == "") {
		return malformed("it is not said what to hide", `send {"message":ID} or {"peer":NAME}`, nil)
	}
	return doneBy(w, s.backend.HideChat(r.Context(), room, request))
}

func (s *Server) react(w http.ResponseWriter, r *http.Request) error {
	var request ReactRequest
	room, err := asked(w, r, &request)
	if err != nil {
		return err
	}
	return doneBy(w, s.backend.React(r.Context(), room, request.Emoji))
}

func (s *Server) caption(w http.ResponseWriter, r *http.Request) error {
	var request CaptionRequest
	room, err := asked(w, r, &request)
	if err != nil {
		return err
	}
	return doneBy(w, s.backend.Caption(r.Context(), room, request))
}

func (s *Server) allowCaptions(w http.ResponseWriter, r *http.Request) error {
	var request ConsentRequest
	room, err := asked(w, r, &request)
	if err != nil {
		return err
	}
	if request.Allowed == nil {
		return malformed("it is not said whether captions are allowed", `send {"allowed":true} or {"allowed":false}`, nil)
	}
	return doneBy(w, s.backend.AllowCaptions(r.Context(), room, *request.Allowed))
}

func (c Chat) whole() Chat {
	c.Messages, c.Captions = list(c.Messages), list(c.Captions)
	if c.Reactions == nil {
		c.Reactions = map[string]int{}
	}
	return c
}

// Differs says whether c shows something else than an earlier look did.
func (c Chat) Differs(old Chat) bool {
	return c.Revision != old.Revision || !slices.Equal(c.Captions, old.Captions) || !maps.Equal(c.Reactions, old.Reactions) ||
		c.MayHide != old.MayHide || c.CaptionsAllowed != old.CaptionsAllowed
}

// since gives what is new or changed in c after an earlier look; false if
// nothing is.
func (c Chat) since(old Chat) (Chat, bool) {
	if !c.Differs(old) {
		return Chat{}, false
	}
	if old.Revision > c.Revision {
		old = Chat{} // this node has left, and come back
	}
	c.Messages = slices.DeleteFunc(slices.Clone(c.Messages), func(line ChatLine) bool { return line.Revision <= old.Revision })
	return c, true
}
