package ogg

import (
	"slices"
	"time"
)

const (
	// headPages begin each stream: its head and its tags.
	headPages = 2

	// maxStreams is the most that one link holds.
	maxStreams = 64

	// reserve is the room, in bytes, that is kept for streams to be entered
	// later: some forty.
	reserve = 8 << 10
)

// link is the one of the chain that is being written: the streams that run side
// by side, whose first pages all stand at its beginning (RFC 3533 section 4).
type link struct {
	streams []*stream
	begun   bool  // its first pages are in the output, or on their way
	offset  int64 // of them, in the output
	size    int   // of them with what is reserved, in bytes
}

// enter makes s one of the link's streams, or begins a new link with it.
func (w *Writer) enter(s *stream, now time.Time) {
	switch {
	case !w.link.begun && len(w.link.streams) < maxStreams:
		w.link.streams = append(w.link.streams, s)
	case !w.link.begun:
		w.beginLink(0)
		w.nextLink(s, now)
	case !w.squeeze(s):
		w.nextLink(s, now)
	}
}

// squeeze writes the link's first pages anew, with those of s in what was
// reserved. Nothing of s is in the output yet, so that it is whole before and
// after.
func (w *Writer) squeeze(s *stream) bool {
	if w.options.At == nil || len(w.link.streams) == maxStreams {
		return false
	}
	streams := append(slices.Clone(w.link.streams), s)
	first, ok := w.firstPages(streams, w.link.size)
	if !ok {
		return false
	}
	if _, err := w.options.At.WriteAt(first, w.link.offset); err != nil {
		w.options.At = nil // opened for appending, or no file after all
		return false
	}
	w.link.streams = streams
	return true
}

// beginLink puts the link's first pages into w.pages, at its byte i.
func (w *Writer) beginLink(i int) {
	size := 0
	if w.options.At != nil {
		first, _ := w.firstPages(w.link.streams, 0)
		size = len(first) + reserve
	}
	first, ok := w.firstPages(w.link.streams, size)
	if !ok { // no padding comes to just this size, but to one byte more
		first, _ = w.firstPages(w.link.streams, size+1)
	}
	w.link.begun, w.link.offset, w.link.size = true, w.written+int64(i), len(first)
	w.pages = slices.Insert(w.pages, i, first...)
}

// endLink ends all its streams.
func (w *Writer) endLink() {
	for _, s := range w.link.streams {
		w.turn(s, lastPage)
	}
}

// nextLink ends the link and begins one with s and all who spoke lately. The
// timeline goes on.
func (w *Writer) nextLink(s *stream, now time.Time) {
	w.endLink()
	var streams []*stream
	for _, old := range w.link.streams {
		if now.Sub(old.heard) < gone && len(streams) < maxStreams-1 {
			w.number(old, old.serial)
			old.sequence, old.spoken = headPages, false
			streams = append(streams, old)
			continue
		}
		delete(w.sources, old.source)
		if w.peers[old.peer] == old {
			delete(w.peers, old.peer)
		}
	}
	w.link = link{streams: append(streams, s)}
	w.beginLink(len(w.pages))
}

// firstPages writes what a link begins with: the heads of all its streams, then
// their tags, padded to size if that is not 0. False: it does not come to size.
func (w *Writer) firstPages(streams []*stream, size int) ([]byte, bool) {
	b := w.padded(streams, 0, 0)
	if size == 0 || len(b) == size {
		return b, true
	}
	// Every 255 bytes of padding cost a byte more in the page's header, so some
	// sizes need a byte of it elsewhere.
	missing := size - len(b)
	estimate := missing * segmentBytes / (segmentBytes + 1)
	for last := range min(len(streams), 2) {
		for first := min(missing, estimate+1); first >= max(0, estimate-2); first-- {
			if p := w.padded(streams, first, last); len(p) == size {
				return p, true
			}
		}
	}
	return nil, false
}

// padded writes the first pages with so many bytes of padding after the tags of
// the first stream and of the last.
func (w *Writer) padded(streams []*stream, first, last int) []byte {
	var b, packet []byte
	for _, s := range streams {
		packet = appendHead(packet[:0])
		b = appendPage(b, firstPage, 0, s.serial, 0, packet, len(packet))
	}
	for i, s := range streams {
		padding := 0
		if i == 0 {
			padding += first
		}
		if i == len(streams)-1 {
			padding += last
		}
		packet = appendTags(packet[:0], []tag{{"TITLE", s.name}, {"ARTIST", s.name}, {"ALBUM", w.options.Title}}, padding)
		b = appendPage(b, 0, 0, s.serial, 1, packet, len(packet))
	}
	return b
}
