package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// TypeSVG is the media type of pictures.
const TypeSVG = "image/svg+xml"

// fileTypes are the media types of a page's files, by extension: others are not
// served.
var fileTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  TypeSVG,
}

// File is one of a page's files, as it is served. Files alone are compressed: an
// answer of an API holds what others wrote beside what is a person's own, and its
// compressed length would tell of one by the other.
type File struct {
	kind   string // media type
	tag    string // entity tag, but for its quotes and the encoding
	plain  []byte
	packed []byte // gzip (RFC 1952)
}

// Files reads and compresses the files of a page that are in the program, by their
// paths.
func Files(page fs.FS) map[string]File {
	all := map[string]File{}
	err := fs.WalkDir(page, ".", func(name string, _ fs.DirEntry, err error) error {
		if f, ok := ReadFile(page, name); ok {
			all[name] = f
		}
		return err
	})
	if err != nil {
		panic(err) // they are compiled in
	}
	return all
}

// ReadFile reads and compresses one; false: there is none, or of no type that is served.
func ReadFile(from fs.FS, name string) (File, bool) {
	kind := fileTypes[path.Ext(name)]
	plain, err := fs.ReadFile(from, name)
	if err != nil || kind == "" {
		return File{}, false
	}
	sum := sha256.Sum256(plain)
	return File{kind: kind, tag: hex.EncodeToString(sum[:12]), plain: plain, packed: pack(plain)}, true
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

// Serve answers with the file, compressed for who takes that.
func (f File) Serve(w http.ResponseWriter, r *http.Request) {
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
