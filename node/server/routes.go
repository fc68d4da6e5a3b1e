package server

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Route is one method of one path, as http.ServeMux has them.
type Route struct {
	Method, Path string
	Serve        http.HandlerFunc
}

// Mux puts routes on a mux. Whatever fits none is lost: a path's other methods, with
// those that it has, which the answer has in Allow already (405, RFC 9110 section
// 15.5.6), and paths that are not there, with "".
func Mux(routes []Route, lost func(w http.ResponseWriter, r *http.Request, allow string)) *http.ServeMux {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, rt := range routes {
		mux.HandleFunc(rt.Method+" "+rt.Path, rt.Serve)
		methods[rt.Path] = append(methods[rt.Path], rt.Method)
		if rt.Method == http.MethodGet {
			methods[rt.Path] = append(methods[rt.Path], http.MethodHead)
		}
	}
	for path, has := range methods {
		slices.Sort(has)
		allow := strings.Join(has, ", ")
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			lost(w, r, allow)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { lost(w, r, "") })
	return mux
}

// Duplex lets answers begin before bodies have ended: a stream's has no end yet, and
// what is refused need not be read. What is left of a body is skipped, for a while
// after done.
func Duplex(w http.ResponseWriter) (done func()) {
	rc := http.NewResponseController(w)
	rc.EnableFullDuplex()
	return func() { rc.SetReadDeadline(time.Now().Add(bodyPatience)) }
}

// Is says whether a request's body is of a media type.
func Is(r *http.Request, kind string) bool {
	kinds := r.Header["Content-Type"]
	if len(kinds) != 1 {
		return false
	}
	got, _, err := mime.ParseMediaType(kinds[0])
	return err == nil && got == kind
}

// ErrLarge is for a body that is larger than it may be.
var ErrLarge = errors.New("the request's body is too large")

// Whole reads a body that is not a stream. The error is ErrLarge, or of one that was
// cut.
func Whole(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	rc := http.NewResponseController(w)
	rc.SetReadDeadline(time.Now().Add(bodyPatience))
	defer rc.SetReadDeadline(time.Time{})
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, ErrLarge
	}
	return text, err
}
