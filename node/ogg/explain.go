package ogg

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/earshot-audio/earshot/protocol"
)

// Explain puts an error of Reader, or of opening the file, into words: what is
// wrong with the input of this name ("-": standard input), and the command that
// makes something of it that can be spoken.
func Explain(name string, err error) *protocol.Problem {
	p := &protocol.Problem{Code: protocol.CodeBadAudio, Cause: err}
	said := naming(name)
	var (
		notOgg   *NotOggError
		codec    *CodecError
		duration *DurationError
		size     *SizeError
		channels *ChannelsError
	)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Code = protocol.CodeNoFile
		p.Message, p.Hint = "no such file: "+said, "check its name and the directory you are in"
	case errors.As(err, &notOgg):
		p.Code = protocol.CodeNotOggOpus
		p.Message, p.Hint = notOpus(said, name, notOgg.Looks)
	case errors.As(err, &codec):
		p.Code = protocol.CodeNotOggOpus
		p.Message = fmt.Sprintf("%s is Ogg, but %s rather than Opus", said, strings.Join(codec.Codecs, " and "))
		p.Hint = "convert it: " + conversion(name, "-vn", "")
	case errors.As(err, &duration):
		p.Message = fmt.Sprintf("%s has packets of %v, and frames last 10 to 60 ms", said, duration.Duration)
		p.Hint = "convert it: " + conversion(name, "", "-frame_duration 20")
	case errors.As(err, &size):
		p.Message = fmt.Sprintf("%s has packets of more than %d bytes", said, protocol.MaxPacketBytes)
		p.Hint = "convert it: " + conversion(name, "", "-frame_duration 20 -b:a 64k")
	case errors.As(err, &channels):
		p.Message = fmt.Sprintf("%s has %d channels, and frames are mono or stereo", said, channels.Channels)
		if channels.Channels <= 2 {
			p.Message = fmt.Sprintf("%s has an unusual channel mapping (family %d)", said, channels.Family)
		}
		p.Hint = "convert it: " + conversion(name, "", "-ac 2")
	case errors.Is(err, ErrEmpty):
		p.Message, p.Hint = said+" is empty", "check what should have written it"
	case errors.Is(err, ErrNoSound):
		p.Message, p.Hint = said+" has headers, but no sound in it", "check what should have written it"
	case errors.Is(err, ErrTruncated):
		p.Message = said + " is cut off in the middle of a packet" + place(err)
		p.Hint = "what came before it was spoken"
	case errors.Is(err, ErrMiddle):
		p.Message, p.Hint = said+" begins in the middle of a stream", "give it from its start"
	case damaged(err):
		p.Message = fmt.Sprintf("%s is %v%s", said, root(err), place(err))
		p.Hint = "what came before it was spoken; mend it: " + conversion(name, "", "")
	default:
		p.Message = fmt.Sprintf("%s can't be read: %v", said, err)
	}
	return p
}

// notOpus is for what is no Ogg at all.
func notOpus(said, name string, looks Look) (message, hint string) {
	message = said + " is not Ogg Opus"
	if looks == "" {
		return message, "if it is sound, convert it: " + conversion(name, "-vn", "")
	}
	message = fmt.Sprintf("%s (it looks like %s)", message, looks)
	switch {
	case !looks.sound():
		return message, "give a file with sound in it"
	case looks.pictures():
		return message, "convert it: " + conversion(name, "-vn", "")
	}
	return message, "convert it: " + conversion(name, "", "")
}

func damaged(err error) bool {
	for _, e := range []error{ErrChecksum, ErrPage, ErrMissing, ErrHeader, ErrPacket, ErrGranule} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// root and place are the two parts of a PositionError.
func root(err error) error {
	if at := (*PositionError)(nil); errors.As(err, &at) {
		return at.Err
	}
	return err
}

func place(err error) string {
	if at := (*PositionError)(nil); errors.As(err, &at) {
		return fmt.Sprintf(" (in the page at byte %d)", at.Offset)
	}
	return ""
}

// conversion gives the ffmpeg command that makes Ogg Opus of the named input:
// options before the codec, and after it.
func conversion(name, before, after string) string {
	in, out := "-", "-f ogg -"
	if name != "-" {
		in, out = quote(operand(name)), quote(operand(renamed(name)))
	}
	words := []string{"ffmpeg -i", in, before, "-c:a libopus", after, out}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// renamed gives the name of what comes out: never that of what goes in.
func renamed(name string) string {
	extension := filepath.Ext(name)
	base := strings.TrimSuffix(name, extension)
	if base == "" || strings.HasSuffix(base, string(filepath.Separator)) {
		base = name // ".opus" is all name
		extension = ""
	}
	if strings.EqualFold(extension, ".ogg") {
		return base + "-opus.ogg"
	}
	return base + ".ogg"
}

// operand keeps a name from being taken for an option or a protocol.
func operand(name string) string {
	if strings.HasPrefix(name, "-") || strings.Contains(strings.SplitN(name, "/", 2)[0], ":") {
		return "./" + name
	}
	return name
}

// naming is the name for a message, on one line whatever is in it.
func naming(name string) string {
	switch {
	case name == "-":
		return "standard input"
	case !printable(name):
		return strconv.Quote(name)
	}
	return name
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// quote writes a word for a POSIX shell. What can't be copied off a screen
// becomes a placeholder.
func quote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,:+@%="
	switch {
	case !printable(word):
		return "FILE"
	case word != "" && strings.Trim(word, plain) == "":
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
