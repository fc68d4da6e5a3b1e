package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"time"
)

// The page is for a person's eyes. It has no script yet; its one style sheet
// stands in it and is named in the content policy by its hash.

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string

	pageTemplate = template.Must(template.New("page").Parse(pageHTML))
	pageStyle    = styleHash(pageCSS)
)

// pageData is what the page shows. Without a Status it says that it is locked.
type pageData struct {
	Style  template.CSS
	Status *Status
	Rooms  []RoomLine // this node is in
	Live   int        // rooms that are live beside them
}

func styleHash(css string) string {
	sum := sha256.Sum256([]byte(css))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// page shows who this node is and where it is.
func (s *Server) page(w http.ResponseWriter, r *http.Request) error {
	status, err := s.backend.Status(r.Context())
	if err != nil {
		return err
	}
	rooms, err := s.backend.Rooms(r.Context())
	if err != nil {
		return err
	}
	data := pageData{Status: &status}
	for _, room := range rooms {
		switch {
		case room.Joined:
			data.Rooms = append(data.Rooms, room)
		case !room.Closed:
			data.Live++
		}
	}
	return show(w, http.StatusOK, data)
}

// open trades a one-use key for the page's cookie.
func (s *Server) open(w http.ResponseWriter, r *http.Request) error {
	// A browser that looks ahead, or a chat that wants a preview, must not use
	// the key up.
	ahead := r.Method != http.MethodGet || r.Header.Get("Sec-Purpose") != ""
	fits := !ahead && s.door.take(r.PathValue("key"), time.Now())
	if !fits && !s.door.knows(r) {
		return locked(w)
	}
	s.door.admit(w)
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// locked answers a browser that has no key.
func locked(w http.ResponseWriter) error {
	return show(w, http.StatusUnauthorized, pageData{})
}

func show(w http.ResponseWriter, status int, data pageData) error {
	data.Style = template.CSS(pageCSS)
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
	return nil
}
