package guest

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
)

// The page is files, the same for everybody. The fragment of its address names the
// room, which no server learns but by what the page then asks for.

//go:embed static
var embedded embed.FS

func files() fs.FS {
	f, err := fs.Sub(embedded, "static")
	if err != nil {
		panic(err) // it is compiled in
	}
	return f
}

const (
	pagePath = "/r"
	filePath = "/static/" // a file of the page after it
)

// fileTypes are the media types of the page's files, by extension: others are not
// served.
var fileTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

func (d *Door) page(w http.ResponseWriter, _ *http.Request) error { return d.file(w, "index.html") }

func (d *Door) static(w http.ResponseWriter, r *http.Request) error {
	return d.file(w, r.PathValue("file"))
}

func (d *Door) file(w http.ResponseWriter, name string) error {
	kind := fileTypes[path.Ext(name)]
	text, err := fs.ReadFile(d.files, name)
	if err != nil || kind == "" {
		return errNothing
	}
	w.Header().Set("Content-Type", kind)
	w.Write(text) // an error means that nobody waits for it
	return nil
}
