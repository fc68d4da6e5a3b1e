package ogg

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// Look is what an input that is not Ogg seems to be, as people call it.
type Look string

const (
	MP3      Look = "MP3"
	AAC      Look = "AAC"
	WAV      Look = "WAV"
	AIFF     Look = "AIFF"
	CAF      Look = "CAF"
	FLAC     Look = "FLAC"
	M4A      Look = "M4A"
	MP4      Look = "MP4"
	WebM     Look = "WebM"
	Matroska Look = "Matroska"
	WMA      Look = "WMA"
	AVI      Look = "AVI"
	AMR      Look = "AMR"
	AU       Look = "AU"
	MIDI     Look = "MIDI"
	Text     Look = "text"
	PDF      Look = "PDF"
	Image    Look = "an image"
	Archive  Look = "an archive"
	Playlist Look = "a playlist"
	Zeros    Look = "nothing but zeros"
)

// sound says whether ffmpeg could make Ogg Opus of it.
func (l Look) sound() bool {
	switch l {
	case MIDI, Text, PDF, Image, Archive, Playlist, Zeros:
		return false
	}
	return true
}

// pictures says whether moving pictures may be beside the sound; ffmpeg would
// put them into the Ogg too.
func (l Look) pictures() bool { return l == MP4 || l == WebM || l == Matroska || l == AVI || l == WMA }

// magic is how a format begins: with bytes, or with others some bytes further.
type magic struct {
	look   Look
	start  string
	at     int
	inside string
}

var magics = [...]magic{
	{look: WAV, start: "RIFF", at: 8, inside: "WAVE"},
	{look: WAV, start: "RF64", at: 8, inside: "WAVE"},
	{look: AVI, start: "RIFF", at: 8, inside: "AVI "},
	{look: AIFF, start: "FORM", at: 8, inside: "AIF"},
	{look: M4A, at: 4, inside: "ftypM4A"},
	{look: MP4, at: 4, inside: "ftyp"},
	{look: MP3, start: "ID3"},
	{look: FLAC, start: "fLaC"},
	{look: CAF, start: "caff"},
	{look: AU, start: ".snd"},
	{look: AMR, start: "#!AMR"},
	{look: WMA, start: "\x30\x26\xb2\x75\x8e\x66\xcf\x11"},
	{look: MIDI, start: "MThd"},
	{look: PDF, start: "%PDF"},
	{look: Playlist, start: "#EXTM3U"},
	{look: Playlist, start: "[playlist]"},
	{look: Image, start: "\x89PNG"},
	{look: Image, start: "\xff\xd8\xff"},
	{look: Image, start: "GIF8"},
	{look: Archive, start: "PK\x03\x04"},
	{look: Archive, start: "\x1f\x8b"},
	{look: Archive, start: "7z\xbc\xaf"},
	{look: Archive, start: "\xfd7zXZ"},
}

const ebml = "\x1a\x45\xdf\xa3"

// lookAt guesses the format from an input's first bytes; "" if it can't tell.
func lookAt(b []byte) Look {
	for _, m := range magics {
		if bytes.HasPrefix(b, []byte(m.start)) && len(b) >= m.at && bytes.HasPrefix(b[m.at:], []byte(m.inside)) {
			return m.look
		}
	}
	switch {
	case bytes.HasPrefix(b, []byte(ebml)) && bytes.Contains(b[:min(len(b), 64)], []byte("webm")):
		return WebM
	case bytes.HasPrefix(b, []byte(ebml)):
		return Matroska
	case len(b) >= 2 && b[0] == 0xff && b[1]&0xf6 == 0xf0: // ADTS: layer 0
		return AAC
	case len(b) >= 2 && b[0] == 0xff && b[1]&0xe0 == 0xe0:
		return MP3
	case len(b) > 0 && len(bytes.Trim(b, "\x00")) == 0:
		return Zeros
	case readable(b):
		return Text
	}
	return ""
}

// readable says whether b is text; its last rune may be cut.
func readable(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(b)
		}
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) && r != '\ufeff' {
			return false
		}
		b = b[n:]
	}
	return true
}

// skeleton only describes the other streams.
const skeleton = "Skeleton"

// codecs are the first bytes of the streams that go into Ogg.
var codecs = [...]struct{ name, start string }{
	{"Opus", headMagic},
	{"Vorbis", "\x01vorbis"},
	{"FLAC", "\x7fFLAC"},
	{"Speex", "Speex   "},
	{"Theora", "\x80theora"},
	{"VP8", "OVP80"},
	{"Dirac", "BBCD"},
	{"CELT", "CELT    "},
	{"PCM", "PCM     "},
	{"Kate subtitles", "\x80kate"},
	{skeleton, "fishead\x00"},
}

// codecOf names the codec of a stream by its first packet.
func codecOf(packet []byte) string {
	for _, c := range codecs {
		if bytes.HasPrefix(packet, []byte(c.start)) {
			return c.name
		}
	}
	return "an unknown codec"
}
