package demo

import (
	"bytes"
	_ "embed"
	"errors"
	"io"
	"time"

	"github.com/earshot-audio/earshot/node/ogg"
)

// What is spoken; voices/README.md tells how it was made.
var (
	//go:embed voices/ana.ogg
	anaOgg []byte
	//go:embed voices/budi.ogg
	budiOgg []byte
)

// voice is what one speaker says, as the packets of its file.
type voice struct {
	speaker string
	packets []ogg.Packet
}

// readVoice takes the packets out of an Ogg Opus file, up to a length of
// sound; 0: all.
func readVoice(speaker string, file []byte, most time.Duration) (voice, error) {
	v := voice{speaker: speaker}
	var length time.Duration
	for in := ogg.NewReader(bytes.NewReader(file)); ; {
		p, err := in.Next()
		if errors.Is(err, io.EOF) || err == nil && most > 0 && length >= most {
			return v, nil
		}
		if err != nil {
			return v, err
		}
		length += p.Gap + p.Duration
		p.Data = bytes.Clone(p.Data)
		v.packets = append(v.packets, p)
	}
}

// at gives how many packets have been spoken at a time of the voice.
func (v voice) at(t time.Duration) int {
	for i, p := range v.packets {
		if t -= p.Gap + p.Duration; t < 0 {
			return i
		}
	}
	return len(v.packets)
}
