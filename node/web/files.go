package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed static
var embedded embed.FS

// fileTypes are the media types of the page's files, by extension: others are
// not served.
var fileTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

// file is one of the page's files, as it is served. Files alone are compressed:
// an answer of the API holds what others wrote beside what is a person's own, and
// its compressed length would tell of one by the other.
type file struct {
	kind   string // media type
	tag    string // entity tag, but for its quotes and the encoding
	plain  []byte
	packed []byte // gzip (RFC 1952)
}

// files finds a file of the page by its path under static.
type files func(name string) (file, bool)

// filesOf gives a developer's files as they are on disk now, or, for nil, those
// in the program.
func filesOf(own fs.FS) files {
	if own != nil {
		return func(name string) (file, bool) { return readFile(own, name) }
	}
	return func(name string) (file, bool) {
		f, ok := packedFiles()[name]
		return f, ok
	}
}

// packedFiles compresses the files in the program once, however many nodes run.
var packedFiles = sync.OnceValue(func() map[string]file {
	static, err := fs.Sub(embedded, "static")
	if err != nil {
		panic(err) // it is compiled in
	}
	all := map[string]file{}
	err = fs.WalkDir(static, ".", func(name string, _ fs.DirEntry, err error) error {
		if f, ok := readFile(static, name); ok {
			all[name] = f
		}
		return err
	})
	if err != nil {
		panic(err)
	}
	return all
})

func readFile(from fs.FS, name string) (file, bool) {
	kind := fileTypes[path.Ext(name)]
	plain, err := fs.ReadFile(from, name)
	if err != nil || kind == "" {
		return file{}, false
	}
	sum := sha256.Sum256(plain)
	return file{kind: kind, tag: hex.EncodeToString(sum[:12]), plain: plain, packed: pack(plain)}, true
}

func pack(plain []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // there is such a level
	}
	w.Write(plain) // a buffer takes all
	w.Close()
	return b.Bytes()
}

// serve answers with the file, compressed for who takes that.
func (f file) serve(w http.ResponseWriter, r *http.Request) {
	body, tag := f.plain, f.tag
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Vary", "Accept-Encoding")
	if takesGzip(r.Header.Values("Accept-Encoding")) {
		body, tag = f.packed, f.tag+"-gzip" // another representation (RFC 9110 section 8.8.3.3)
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", strconv.Quote(tag))
	h.Set("Content-Length", strconv.Itoa(len(body))) // which ServeContent leaves out of what is encoded
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// takesGzip says whether Accept-Encoding (RFC 9110 section 12.5.3) names gzip.
func takesGzip(accept []string) bool {
	for coding := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q, weighed := strings.CutPrefix(strings.TrimSpace(weight), "q=")
		worth, err := strconv.ParseFloat(q, 64)
		return !weighed || err == nil && worth > 0
	}
	return false
}
