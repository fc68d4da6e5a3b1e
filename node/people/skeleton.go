package people

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/earshot-audio/earshot/protocol"
)

//go:generate sh -c "go run gen.go $CONFUSABLES >confusables.new && mv confusables.new confusables.go"

// confusable is a rune, and what it looks like.
type confusable struct {
	from rune
	to   string
}

// prototype gives what r looks like by UTS #39; "": only as itself.
func prototype(r rune) string {
	i, found := slices.BinarySearchFunc(confusables[:], r, func(c confusable, r rune) int { return int(c.from - r) })
	if !found {
		return ""
	}
	return confusables[i].to
}

// lookalikes are what people take for a letter in a name besides: small capitals, as
// which UTS #39 has Cyrillic and Greek letters go, digits, and what is one stroke.
var lookalikes = map[rune]rune{
	'ᴀ': 'a', 'ʙ': 'b', 'ᴅ': 'd', 'ᴇ': 'e', 'ꜰ': 'f', 'ɢ': 'g', 'ʜ': 'h', 'ᴊ': 'j', 'ĸ': 'k', 'ʟ': 'l', 'ʍ': 'm',
	'ɴ': 'n', 'ᴘ': 'p', 'ʀ': 'r', 'ᴛ': 't',
	'ß': 'b', 'ꞓ': 'e', 'μ': 'u', 'ς': 'c', 'χ': 'x',
	'i': 'l', '!': 'l', '3': 'e', '5': 's', '$': 's', '@': 'a',
}

// pairs are letters that show as one.
var pairs = strings.NewReplacer("rn", "m", "vv", "w")

// Skeleton gives what a name looks like at a glance: names that look alike have
// one skeleton. It is not for showing. It is that of UTS #39, section 4, without case
// (once more in lower case, since capitals look like others), without space and what
// joins words. Marks that belong to a letter tell people apart, as Hùng and Hưng, राम
// and रमा; those that no letter is written with don't.
func Skeleton(name protocol.Name) string {
	text := string(name)
	for range 2 {
		text = strings.ToLower(prototypes(norm.NFKD.String(text)))
	}
	var b strings.Builder
	for _, r := range norm.NFKC.String(text) {
		if like, is := lookalikes[r]; is {
			r = like
		}
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSymbol(r) || unicode.IsMark(r) && !unicode.Is(unicode.Inherited, r) {
			b.WriteRune(r)
		}
	}
	return pairs.Replace(b.String())
}

// prototypes replaces each rune by what it looks like.
func prototypes(text string) string {
	var b strings.Builder
	for _, r := range text {
		if to := prototype(r); to != "" {
			b.WriteString(to)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Named is somebody by one of their names.
type Named struct {
	Peer protocol.PeerID
	Name protocol.Name
}

// maxAlike bounds whom Alike gives for one: a crowd under one name is plain anyhow.
const maxAlike = 4

// Alike gives for each peer some of those others among all whose names look as one
// of its own does. A name without a letter or a figure looks like none.
func Alike(all []Named) map[protocol.PeerID][]protocol.PeerID {
	looks := map[string][]protocol.PeerID{}
	for _, n := range all {
		if s := Skeleton(n.Name); s != "" {
			looks[s] = append(looks[s], n.Peer)
		}
	}
	out := map[protocol.PeerID][]protocol.PeerID{}
	for _, same := range looks {
		for _, p := range same {
			for _, q := range same {
				if len(out[p]) >= maxAlike {
					break
				}
				if p != q && !slices.Contains(out[p], q) {
					out[p] = append(out[p], q)
				}
			}
		}
	}
	return out
}
