package web

import (
	"embed"
	"io/fs"
	"sync"

	"github.com/earshot-audio/earshot/node/server"
)

//go:embed static
var embedded embed.FS

// files finds a file of the page by its path under static.
type files func(name string) (server.File, bool)

// filesOf gives a developer's files as they are on disk now, or, for nil, those
// in the program.
func filesOf(own fs.FS) files {
	if own != nil {
		return func(name string) (server.File, bool) { return server.ReadFile(own, name) }
	}
	return func(name string) (server.File, bool) {
		f, ok := packedFiles()[name]
		return f, ok
	}
}

// packedFiles compresses the files in the program once, however many nodes run.
var packedFiles = sync.OnceValue(func() map[string]server.File {
	static, err := fs.Sub(embedded, "static")
	if err != nil {
		panic(err) // it is compiled in
	}
	return server.Files(static)
})
