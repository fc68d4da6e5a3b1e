package guest

import (
	"embed"
	"io/fs"
	"net/http"
	"sync"

	"github.com/earshot-audio/earshot/node/server"
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

// packedFiles compresses them once, however many doors are open.
var packedFiles = sync.OnceValue(func() map[string]server.File { return server.Files(files()) })

const (
	pagePath = "/r"
	filePath = "/static/" // a file of the page after it
)

func (d *Door) page(w http.ResponseWriter, r *http.Request) error {
	return d.file(w, r, "index.html", "no-store")
}

// static serves one of its files. A browser may keep it, but asks each time whether it
// is still the same (RFC 9111 section 5.2.2.4).
func (d *Door) static(w http.ResponseWriter, r *http.Request) error {
	return d.file(w, r, r.PathValue("file"), "no-cache")
}

func (d *Door) file(w http.ResponseWriter, r *http.Request, name, caching string) error {
	f, ok := packedFiles()[name]
	if !ok {
		return errNothing
	}
	w.Header().Set("Cache-Control", caching)
	f.Serve(w, r)
	return nil
}
