package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/earshot-audio/earshot/node/server"
)

// Media types.
const (
	typeJSON   = "application/json"
	typeLines  = "application/x-ndjson"
	typeSDP    = "application/sdp"
	typeStream = "application/x-earshot" // varint-delimited messages of earshot.proto
	typeEvents = "text/event-stream"
)

// route is one method of one path.
type route struct {
	method, path string
	body         string   // media type of the request's body; "": it takes none
	mayBeEmpty   bool     // the body may be left out
	query        []string // the parameters it knows
	streams      bool     // it takes one of maxStreams
	serve        func(http.ResponseWriter, *http.Request) error
}

// routes is every route of the API. openapi.json says what they mean.
func (s *Server) routes() []route {
	const room = "/api/v1/rooms/{id}"
	return []route{
		{method: "GET", path: "/{$}", serve: s.page},
		{method: "GET", path: filePath + "{file...}", serve: s.static},
		{method: "POST", path: doorPath, body: typeJSON, serve: s.open},
		{method: "GET", path: "/metrics", serve: s.serveMetrics},

		{method: "GET", path: "/api/v1/openapi.json", serve: s.openapi},
		{method: "GET", path: "/api/v1/node", serve: s.node},
		{method: "GET", path: "/api/v1/doctor", query: []string{"of"}, serve: s.doctor},
		{method: "POST", path: "/api/v1/meet", body: typeJSON, serve: s.meet},
		{method: "POST", path: "/api/v1/page", serve: s.newPage},
		{method: "GET", path: "/api/v1/events", streams: true, serve: s.events},

		{method: "POST", path: "/api/v1/demo/cut", serve: s.switchOff},

		{method: "GET", path: "/api/v1/guests", serve: s.guests},
		{method: "POST", path: "/api/v1/guests/open", serve: s.openDoor},
		{method: "POST", path: "/api/v1/guests/close", serve: s.shutDoor},
		{method: "POST", path: "/api/v1/guests/{id}/remove", serve: s.removeGuest},

		{method: "GET", path: "/api/v1/people", serve: s.people},
		{method: "POST", path: "/api/v1/people", body: typeJSON, serve: s.note},
		{method: "GET", path: "/api/v1/profile", query: []string{"who"}, serve: s.profile},
		{method: "POST", path: "/api/v1/profile", body: typeJSON, serve: s.describe},

		{method: "GET", path: "/api/v1/following", serve: s.following},

		{method: "GET", path: "/api/v1/rooms", query: []string{"state"}, serve: s.rooms},
		{method: "POST", path: "/api/v1/rooms", body: typeJSON, serve: s.openRoom},
		{method: "GET", path: room, serve: s.room},
		{method: "GET", path: room + "/qr.svg", query: []string{"link"}, serve: s.qr},
		{method: "POST", path: room + "/leave", serve: s.leave},
		{method: "POST", path: room + "/close", body: typeJSON, mayBeEmpty: true, serve: s.closeRoom},
		{method: "POST", path: room + "/reopen", serve: s.reopen},
		{method: "POST", path: room + "/follow", body: typeJSON, serve: s.followRoom},
		{method: "POST", path: room + "/mute", body: typeJSON, serve: s.mute},
		{method: "POST", path: room + "/hand", body: typeJSON, serve: s.hand},
		{method: "POST", path: room + "/members/{peer}", body: typeJSON, serve: s.member},
		{method: "POST", path: room + "/acts", body: typeJSON, serve: s.doAct},
		{method: "GET", path: room + "/log", serve: s.roomLog},
		{method: "GET", path: room + "/log/export", serve: s.exportLog},
		{method: "GET", path: room + "/chat", query: []string{"after"}, serve: s.chat},
		{method: "POST", path: room + "/chat", body: typeJSON, serve: s.write},
		{method: "GET", path: room + "/chat/follow", streams: true, serve: s.followChat},
		{method: "POST", path: room + "/chat/hide", body: typeJSON, serve: s.hideChat},
		{method: "POST", path: room + "/reactions", body: typeJSON, serve: s.react},
		{method: "POST", path: room + "/captions", body: typeJSON, serve: s.caption},
		{method: "POST", path: room + "/captions/consent", body: typeJSON, serve: s.allowCaptions},
		{method: "GET", path: room + "/reports", serve: s.reports},
		{method: "POST", path: room + "/reports", body: typeJSON, serve: s.report},
		{method: "POST", path: room + "/reports/{n}/dismiss", serve: s.dismissReport},
		{method: "POST", path: room + "/listen", body: typeStream, mayBeEmpty: true, query: []string{"recording"}, streams: true, serve: s.listen},
		{method: "POST", path: room + "/speak", body: typeStream, streams: true, serve: s.speak},
		{method: "GET", path: room + "/socket", streams: true, serve: s.socket},

		{method: "POST", path: room + "/whip", body: typeSDP, serve: s.negotiate(s.backend.Publish)},
		{method: "OPTIONS", path: room + "/whip", serve: acceptsSDP},
		{method: "POST", path: room + "/whep", body: typeSDP, serve: s.negotiate(s.backend.Play)},
		{method: "OPTIONS", path: room + "/whep", serve: acceptsSDP},
		{method: "DELETE", path: "/api/v1/sessions/{sid}", serve: s.endSession},
	}
}

// routed puts the routes on a mux.
func (s *Server) routed() *http.ServeMux {
	var routes []server.Route
	for _, rt := range s.routes() {
		routes = append(routes, server.Route{Method: rt.method, Path: rt.path, Serve: func(w http.ResponseWriter, r *http.Request) {
			if err := s.run(rt, w, r); err != nil {
				s.fail(w, r, err)
			}
		}})
	}
	return server.Mux(routes, func(w http.ResponseWriter, r *http.Request, allow string) {
		if allow == "" {
			s.fail(w, r, refuse(http.StatusNotFound, "there is nothing at this path", "see /api/v1/openapi.json"))
			return
		}
		s.fail(w, r, refuse(http.StatusMethodNotAllowed, "this path does not take "+r.Method, "it takes "+allow))
	})
}

// serve is the way of every request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	shield(w.Header())
	defer server.Duplex(w)()
	if err := s.guard(r); err != nil {
		s.log.Debug("refused a request", "method", r.Method, "remote", r.RemoteAddr, "why", err)
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Server", "earshot/"+s.version)
	s.mux.ServeHTTP(w, r)
}

// run checks a request's form by its route, and serves it.
func (s *Server) run(rt route, w http.ResponseWriter, r *http.Request) error {
	if err := rt.fits(r); err != nil {
		return err
	}
	if rt.streams {
		select {
		case s.streams <- struct{}{}:
			defer func() { <-s.streams }()
		default:
			return refuse(http.StatusTooManyRequests, "too many streams are open at this node", "end one")
		}
	}
	return rt.serve(w, r)
}

// fits checks the request's query and the type of its body.
func (rt route) fits(r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return refuse(http.StatusBadRequest, "the query is malformed", "")
	}
	for name, values := range query {
		if !slices.Contains(rt.query, name) || len(values) > 1 {
			return refuse(http.StatusBadRequest, "a query parameter is unknown or twice there", "see /api/v1/openapi.json")
		}
	}
	if r.ContentLength == 0 && (rt.body == "" || rt.mayBeEmpty) {
		return nil
	}
	if rt.body == "" {
		return refuse(http.StatusBadRequest, "this request takes no body", "")
	}
	if server.Is(r, rt.body) {
		return nil
	}
	return refuse(http.StatusUnsupportedMediaType, "the body is of another type", "send it as "+rt.body)
}

// answer sends v as JSON.
func answer(w http.ResponseWriter, status int, v any) error {
	text, err := line(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	w.Write(text) // an error means that nobody waits for it
	return nil
}

// line gives v as JSON on one line, its end included, as people would read it.
func line(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}
