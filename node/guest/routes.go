package guest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/earshot-audio/earshot/node/server"
)

// Media types.
const (
	typeJSON   = "application/json"
	typeSDP    = "application/sdp"
	typeEvents = "text/event-stream"
	// typeMessage is a RoomMessage of earshot.proto.
	typeMessage = "application/x-earshot"
)

// route is one method of one path.
type route struct {
	method, path string
	body         string // media type of the request's body; "": it takes none
	query        bool   // it may have one, which says nothing
	shut         bool   // it is there while the door is shut, too
	secure       bool   // it is there over TLS alone
	serve        func(http.ResponseWriter, *http.Request) error
}

// routes is all that can be asked of the door.
func (d *Door) routes() []route {
	const room, session = "/api/rooms/{id}", "/api/sessions/{sid}"
	return []route{
		// Those who pass a link on may add a query to it.
		{method: "GET", path: pagePath, query: true, shut: true, serve: d.page},
		{method: "GET", path: filePath + "{file}", shut: true, serve: d.static},
		{method: "GET", path: room, serve: d.room},
		{method: "GET", path: room + "/events", serve: d.events},
		{method: "POST", path: room + "/whep", body: typeSDP, serve: d.play},
		{method: "DELETE", path: session, serve: d.hangUp},
		{method: "GET", path: session + "/talk", serve: d.talk},
		{method: "POST", path: session + "/say", body: typeMessage, secure: true, serve: d.say},
		{method: "POST", path: session + "/reports", body: typeJSON, secure: true, serve: d.report},
		{method: "POST", path: session + "/whip", body: typeSDP, secure: true, serve: d.speak},
		{method: "DELETE", path: session + "/whip", secure: true, serve: d.hush},
	}
}

// routed puts the routes on a mux.
func (d *Door) routed() *http.ServeMux {
	var routes []server.Route
	for _, rt := range d.routes() {
		routes = append(routes, server.Route{Method: rt.method, Path: rt.path, Serve: func(w http.ResponseWriter, r *http.Request) {
			if err := d.run(rt, w, r); err != nil {
				d.fail(w, r, err)
			}
		}})
	}
	return server.Mux(routes, func(w http.ResponseWriter, r *http.Request, allow string) {
		if allow == "" {
			d.fail(w, r, errNothing)
			return
		}
		d.fail(w, r, refuse(http.StatusMethodNotAllowed, codeRequest, "this path does not take "+r.Method))
	})
}

// serve is the way of every request.
func (d *Door) serve(w http.ResponseWriter, r *http.Request) {
	shield(w.Header(), r.TLS != nil)
	defer server.Duplex(w)()
	if err := d.guard(r); err != nil {
		d.log.Debug("refused a guest's request", "method", r.Method, "remote", r.RemoteAddr, "why", err)
		d.fail(w, r, err)
		return
	}
	d.mux.ServeHTTP(w, r)
}

// run checks a request's form by its route, and serves it.
func (d *Door) run(rt route, w http.ResponseWriter, r *http.Request) error {
	if !rt.shut && !d.IsOpen() {
		return errShut
	}
	if rt.secure && r.TLS == nil {
		return errPlain
	}
	if r.URL.RawQuery != "" && !rt.query {
		return refuse(http.StatusBadRequest, codeRequest, "this path takes no query")
	}
	if r.ContentLength == 0 && rt.body == "" {
		return rt.serve(w, r)
	}
	if rt.body == "" {
		return refuse(http.StatusBadRequest, codeRequest, "this request takes no body")
	}
	if server.Is(r, rt.body) {
		return rt.serve(w, r)
	}
	return refuse(http.StatusUnsupportedMediaType, codeRequest, "the body is of another type")
}

// whole reads a request's body.
func whole(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	text, err := server.Whole(w, r, limit)
	if errors.Is(err, server.ErrLarge) {
		return nil, refuse(http.StatusRequestEntityTooLarge, codeRequest, "the request's body is too large")
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, codeRequest, "the request's body was cut")
	}
	return text, nil
}

// answer sends v as JSON.
func answer(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	w.Write(b.Bytes()) // an error means that nobody waits for it
	return nil
}
