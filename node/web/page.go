package web

import (
	"net/http"
	"time"
)

// The page is files, the same for everybody: what is a person's own, it asks of
// the API, once it has traded the one-use key in its address's fragment for a
// cookie. A fragment does not reach a server, a log or a site that is linked to.

const (
	filePath = "/static/" // a file of the page after it
	doorPath = "/door"
)

// page serves the page itself.
func (s *Server) page(w http.ResponseWriter, r *http.Request) error {
	return s.file(w, r, "index.html", "no-store")
}

// static serves one of its files. A browser may keep it, but asks each time
// whether it is still the same (RFC 9111 section 5.2.2.4).
func (s *Server) static(w http.ResponseWriter, r *http.Request) error {
	return s.file(w, r, r.PathValue("file"), "no-cache")
}

func (s *Server) file(w http.ResponseWriter, r *http.Request, name, caching string) error {
	f, ok := s.files(name)
	if !ok {
		return refuse(http.StatusNotFound, "the page has no such file", "")
	}
	w.Header().Set("Cache-Control", caching)
	f.Serve(w, r)
	return nil
}

// Key is what POST /door takes.
type Key struct {
	Key string `json:"key"` // one-use, out of the page's address
}

// open trades a one-use key for the page's cookie.
func (s *Server) open(w http.ResponseWriter, r *http.Request) error {
	var k Key
	if err := read(w, r, &k); err != nil {
		return err
	}
	if !s.door.take(k.Key, time.Now()) {
		return badToken("this page's key was used, or is too old")
	}
	s.door.admit(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// public says whether a request is for what anybody on this machine may have:
// the page's files, which hold nothing of anybody's, and the way in, where a
// one-use key is what it takes.
func public(r *http.Request) bool {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	return reads && (r.URL.Path == "/" || len(r.URL.Path) > len(filePath) && r.URL.Path[:len(filePath)] == filePath) ||
		r.Method == http.MethodPost && r.URL.Path == doorPath
}
