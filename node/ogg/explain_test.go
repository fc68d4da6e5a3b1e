package ogg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

func TestExplain(t *testing.T) {
	_, missing := os.Open("no-such.ogg")
	at := func(err error) error { return &PositionError{Offset: 4096, Err: err} }
	tests := []struct {
		name string
		err  error
		code string
		want string
	}{
		{"talk.mp3", &NotOggError{MP3}, protocol.CodeNotOggOpus,
			"talk.mp3 is not Ogg Opus (it looks like MP3); convert it: ffmpeg -i talk.mp3 -c:a libopus talk.ogg"},
		{"-", &NotOggError{WAV}, protocol.CodeNotOggOpus,
			"standard input is not Ogg Opus (it looks like WAV); convert it: ffmpeg -i - -c:a libopus -f ogg -"},
		{"a/My talk's.mkv", &NotOggError{Matroska}, protocol.CodeNotOggOpus,
			`a/My talk's.mkv is not Ogg Opus (it looks like Matroska); convert it: ffmpeg -i 'a/My talk'\''s.mkv' -vn -c:a libopus 'a/My talk'\''s.ogg'`},
		{"talk", &NotOggError{}, protocol.CodeNotOggOpus,
			"talk is not Ogg Opus; if it is sound, convert it: ffmpeg -i talk -vn -c:a libopus talk.ogg"},
		{"notes.txt", &NotOggError{Text}, protocol.CodeNotOggOpus,
			"notes.txt is not Ogg Opus (it looks like text); give a file with sound in it"},
		{"-x.wav", &NotOggError{WAV}, protocol.CodeNotOggOpus,
			"-x.wav is not Ogg Opus (it looks like WAV); convert it: ffmpeg -i ./-x.wav -c:a libopus ./-x.ogg"},
		{"a\nb.wav", &NotOggError{WAV}, protocol.CodeNotOggOpus,
			`"a\nb.wav" is not Ogg Opus (it looks like WAV); convert it: ffmpeg -i FILE -c:a libopus FILE`},
		{"talk.ogg", &CodecError{[]string{"Theora", "Vorbis"}}, protocol.CodeNotOggOpus,
			"talk.ogg is Ogg, but Theora and Vorbis rather than Opus; convert it: ffmpeg -i talk.ogg -vn -c:a libopus talk-opus.ogg"},
		{"talk.opus", &DurationError{120 * time.Millisecond}, protocol.CodeBadAudio,
			"talk.opus has packets of 120ms, and frames last 10 to 60 ms; convert it: ffmpeg -i talk.opus -c:a libopus -frame_duration 20 talk.ogg"},
		{"talk.ogg", &SizeError{}, protocol.CodeBadAudio,
			"talk.ogg has packets of more than 1900 bytes; convert it: ffmpeg -i talk.ogg -c:a libopus -frame_duration 20 -b:a 64k talk-opus.ogg"},
		{"talk.ogg", &ChannelsError{Channels: 6, Family: 1}, protocol.CodeBadAudio,
			"talk.ogg has 6 channels, and frames are mono or stereo; convert it: ffmpeg -i talk.ogg -c:a libopus -ac 2 talk-opus.ogg"},
		{"talk.ogg", &ChannelsError{Channels: 2, Family: 255}, protocol.CodeBadAudio,
			"talk.ogg has an unusual channel mapping (family 255); convert it: ffmpeg -i talk.ogg -c:a libopus -ac 2 talk-opus.ogg"},
		{"talk.ogg", ErrEmpty, protocol.CodeBadAudio, "talk.ogg is empty; check what should have written it"},
		{"talk.ogg", at(ErrTruncated), protocol.CodeBadAudio,
			"talk.ogg is cut off in the middle of a packet (in the page at byte 4096); what came before it was spoken"},
		{"talk.ogg", at(ErrChecksum), protocol.CodeBadAudio,
			"talk.ogg is damaged: a page's checksum does not fit (in the page at byte 4096); what came before it was spoken; mend it: ffmpeg -i talk.ogg -c:a libopus talk-opus.ogg"},
		{"talk.ogg", ErrMiddle, protocol.CodeBadAudio, "talk.ogg begins in the middle of a stream; give it from its start"},
		{"no-such.ogg", missing, protocol.CodeNoFile, "no such file: no-such.ogg; check its name and the directory you are in"},
		{"talk.ogg", io.ErrClosedPipe, protocol.CodeBadAudio, "talk.ogg can't be read: io: read/write on closed pipe"},
	}
	for _, test := range tests {
		got := Explain(test.name, fmt.Errorf("speaking: %w", test.err))
		if errors.Is(test.err, io.ErrClosedPipe) {
			got = Explain(test.name, test.err)
		}
		if got.Error() != test.want || got.Code != test.code || !errors.Is(got, test.err) {
			t.Errorf("%s\ngot  %s\nwant %s", got.Code, got.Error(), test.want)
		}
	}
}

func TestLook(t *testing.T) {
	for start, want := range map[string]Look{
		"ID3\x04":                      MP3,
		"\xff\xfb\x90":                 MP3,
		"\xff\xf1\x50":                 AAC,
		"RIFF\x00\x00\x00\x00WAVEfmt ": WAV,
		"RIFF\x00\x00\x00\x00AVI LIST": AVI,
		"FORM\x00\x00\x00\x00AIFFCOMM": AIFF,
		"\x00\x00\x00\x20ftypM4A ":     M4A,
		"\x00\x00\x00\x20ftypisom":     MP4,
		"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm":     WebM,
		"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska": Matroska,
		"fLaC\x00":                             FLAC,
		"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6": WMA,
		"Dear all,\n":                          Text,
		"caf\xc3":                              Text,
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00": Zeros,
		"%PDF-1.7":                             PDF,
		"\x89PNG\r\n":                          Image,
		"\x01\x02\x03\x04\x05\x06":             "",
		"Oggs":                                 Text,
		"O":                                    "", // may yet become a page
	} {
		_, err := NewReader(strings.NewReader(start)).Next()
		var not *NotOggError
		switch {
		case start == "O" && !errors.Is(err, ErrTruncated):
			t.Errorf("%q: %v", start, err)
		case start != "O" && (!errors.As(err, &not) || not.Looks != want):
			t.Errorf("%q: %v, want %q", start, err, want)
		}
	}
}

func FuzzLook(f *testing.F) {
	f.Add([]byte("RIFF"))
	f.Add([]byte("\x1a\x45\xdf\xa3"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := NewReader(bytes.NewReader(b)).Next()
		if err == nil {
			return
		}
		if text := Explain("a b\n;$(c)", err).Error(); strings.ContainsAny(text, "\n\x00") {
			t.Fatalf("%q", text)
		}
	})
}
