package ogg

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// The two packets that come before an Opus stream's sound (RFC 7845 section 5).
const (
	headMagic = "OpusHead"
	tagsMagic = "OpusTags"
	headBytes = 19 // of channel mapping family 0

	vendor = "Earshot"

	// preSkip is what players leave out at the start, in samples: the delay of
	// libopus, which made nearly every packet there is. opusinfo takes less for
	// a broken encoder.
	preSkip = 312
)

// parseHead reads the channels out of an OpusHead packet. Only family 0, mono
// or stereo in one Opus stream, can go out as frames.
func parseHead(b []byte) (channels int, err error) {
	if len(b) < headBytes || !bytes.HasPrefix(b, []byte(headMagic)) || b[8]>>4 != 0 || b[9] == 0 {
		return 0, ErrHeader
	}
	if channels = int(b[9]); channels > 2 || b[18] != 0 {
		return 0, &ChannelsError{Channels: channels, Family: int(b[18])}
	}
	return channels, nil
}

// appendHead writes an OpusHead packet. It says stereo, for that is all an RTP
// sender promises (RFC 7587 section 7): one that begins in mono may go on in
// stereo, and mono in a stereo stream plays the same.
func appendHead(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, headMagic...)
	b = append(b, 1, 2) // version, channels
	b = le.AppendUint16(b, preSkip)
	b = le.AppendUint32(b, 48000)
	b = le.AppendUint16(b, 0) // gain
	return append(b, 0)       // mapping family
}

// tag is one name and value of an OpusTags packet.
type tag struct{ name, value string }

// maxTagBytes keeps what a name can take of a page, whoever chose it.
const maxTagBytes = 255

// appendTags writes an OpusTags packet, leaving empty tags out, and padding
// zero bytes after it, which readers skip (RFC 7845 section 5.2).
func appendTags(b []byte, tags []tag, padding int) []byte {
	le := binary.LittleEndian
	b = append(b, tagsMagic...)
	b = le.AppendUint32(b, uint32(len(vendor)))
	b = append(b, vendor...)
	count := len(b)
	b = le.AppendUint32(b, 0)
	n := uint32(0)
	for _, t := range tags {
		value := strings.ToValidUTF8(t.value[:min(len(t.value), maxTagBytes)], "")
		if value == "" {
			continue
		}
		b = le.AppendUint32(b, uint32(len(t.name)+1+len(value)))
		b = append(b, t.name...)
		b = append(b, '=')
		b = append(b, value...)
		n++
	}
	le.PutUint32(b[count:], n)
	return append(b, make([]byte, padding)...)
}
