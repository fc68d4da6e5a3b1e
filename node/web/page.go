package web

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"time"
)

// The page is files, the same for everybody: what is a person's own, it asks of
// the API, once it has traded the one-use key in its address's fragment for a
// cookie. A fragment does not reach a server, a log or a site that is linked to.

//go:embed static
var embedded embed.FS

// files gives the page's files: those in the program, or a developer's.
func files(own fs.FS) fs.FS {
	if own != nil {
		return own
	}
	f, err := fs.Sub(embedded, "static")
	if err != nil {
		panic(err) // it is compiled in
	}
	return f
}

// fileTypes are the media types of the page's files, by extension: others are
// not served.
var fileTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

const (
	filePath = "/static/" // a file of the page after it
	doorPath = "/door"
)

// page serves the page itself.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) error { return s.file(w, "index.html") }

// static serves one of its files.
func (s *Server) static(w http.ResponseWriter, r *http.Request) error {
	return s.file(w, r.PathValue("file"))
}

func (s *Server) file(w http.ResponseWriter, name string) error {
	kind := fileTypes[path.Ext(name)]
	text, err := fs.ReadFile(s.files, name)
	if err != nil || kind == "" {
		return refuse(http.StatusNotFound, "the page has no such file", "")
	}
	w.Header().Set("Content-Type", kind)
	w.Write(text) // an error means that nobody waits for it
	return nil
}

// Key is what POST /door takes.
type Key struct {
	Key string `json:"key"` // one-use, out of the page's address
}

// open trades a one-use key for the page's cookie.
func (s *Server) open(w http.ResponseWriter, r *http.Request) error {
	text, err := whole(w, r, maxJSONBytes)
	if err != nil {
		return err
	}
	var k Key
	if err := decode(text, &k); err != nil {
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
