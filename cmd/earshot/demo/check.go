package demo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/earshot-audio/earshot/node/ogg"
)

// check compares a recording with what was spoken. Each of its streams must be
// one voice's packets, byte for byte and without a hole from the first heard to
// the last. It trusts nothing but the file: whose a stream is, its packets tell.
// It gives, by speaker, which of the voice's packets are there: [first, end).
func check(path string, voices []voice) (map[string]span, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	streams, err := split(file)
	if err != nil {
		return nil, err
	}
	found := make(map[string]span)
	for i, s := range streams {
		packets, err := packetsOf(s)
		if err != nil {
			return nil, fmt.Errorf("stream %d: %w", i, err)
		}
		v, first := whose(packets, voices)
		if v < 0 {
			return nil, fmt.Errorf("stream %d: its %d packets are nobody's words without a hole", i, len(packets))
		}
		speaker := voices[v].speaker
		if _, twice := found[speaker]; twice {
			return nil, fmt.Errorf("stream %d: %s is there twice", i, speaker)
		}
		found[speaker] = span{first, first + len(packets)}
	}
	return found, nil
}

// span is a run of a voice's packets: from first up to end, without it.
type span struct{ first, end int }

// whose finds the voice of which packets are a run, and where the run begins;
// -1 if there is none.
func whose(packets [][]byte, voices []voice) (index, first int) {
	for i, v := range voices {
		for first := 0; first+len(packets) <= len(v.packets); first++ {
			if slices.EqualFunc(packets, v.packets[first:first+len(packets)],
				func(p []byte, q ogg.Packet) bool { return bytes.Equal(p, q.Data) }) {
				return i, first
			}
		}
	}
	return -1, 0
}

func packetsOf(stream []byte) (packets [][]byte, err error) {
	for in := ogg.NewReader(bytes.NewReader(stream)); ; {
		p, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return packets, nil
		case err != nil:
			return packets, err
		}
		packets = append(packets, bytes.Clone(p.Data))
	}
}

// A page's header (RFC 3533 section 6).
const (
	pageMagic    = "OggS"
	pageSerial   = 14 // where the stream's serial number is
	pageSegments = 26 // where the number of segments is; their sizes follow
	pageHeader   = 27
)

var errPages = errors.New("it is not whole pages of Ogg")

// split parts a file's logical streams, in the order of their first pages: the
// pages of one are an Ogg file of their own.
func split(file []byte) (streams [][]byte, err error) {
	index := make(map[uint32]int)
	for len(file) > 0 {
		if len(file) < pageHeader || !bytes.HasPrefix(file, []byte(pageMagic)) {
			return nil, errPages
		}
		size := pageHeader + int(file[pageSegments])
		if len(file) < size {
			return nil, errPages
		}
		for _, segment := range file[pageHeader:size] {
			size += int(segment)
		}
		if len(file) < size {
			return nil, errPages
		}
		serial := binary.LittleEndian.Uint32(file[pageSerial:])
		i, known := index[serial]
		if !known {
			i = len(streams)
			index[serial] = i
			streams = append(streams, nil)
		}
		streams[i] = append(streams[i], file[:size]...)
		file = file[size:]
	}
	return streams, nil
}
