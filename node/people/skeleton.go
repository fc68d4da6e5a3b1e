package people

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/earshot-audio/earshot/protocol"
)

// lookalikes are letters that show as Latin ones do, or nearly, in lower case and
// without marks. They are those that names are forged with most: Cyrillic, Greek,
// Armenian, and what else is one stroke. Unicode's table (TR39, confusables.txt)
// has thousands more.
var lookalikes = map[rune]rune{
	// Cyrillic
	'а': 'a', 'в': 'b', 'с': 'c', 'ԁ': 'd', 'е': 'e', 'һ': 'h', 'н': 'h', 'і': 'l', 'ј': 'j', 'к': 'k', 'ӏ': 'l',
	'м': 'm', 'о': 'o', 'р': 'p', 'ԛ': 'q', 'г': 'r', 'ѕ': 's', 'т': 't', 'ѵ': 'v', 'ԝ': 'w', 'х': 'x', 'у': 'y', 'ү': 'y',
	// Greek
	'α': 'a', 'β': 'b', 'ε': 'e', 'γ': 'y', 'η': 'n', 'ι': 'l', 'κ': 'k', 'μ': 'u', 'ν': 'v', 'ο': 'o', 'ρ': 'p',
	'σ': 'o', 'τ': 't', 'υ': 'u', 'χ': 'x', 'ϲ': 'c', 'ϳ': 'j',
	// Armenian
	'ց': 'g', 'հ': 'h', 'ո': 'n', 'օ': 'o', 'ս': 'u', 'զ': 'q',
	// Latin
	'ɑ': 'a', 'ɡ': 'g', 'ı': 'l', 'ɩ': 'l', 'ſ': 'f', 'ʏ': 'y', 'ᴏ': 'o', 'ɴ': 'n', 'ꜱ': 's', 'ᴠ': 'v', 'ᴡ': 'w', 'ᴢ': 'z',
	'ø': 'o', 'đ': 'd', 'ł': 'l', 'ħ': 'h',
	// strokes and digits
	'i': 'l', '1': 'l', '|': 'l', '!': 'l', '0': 'o', '5': 's', '$': 's', '@': 'a', '3': 'e',
}

// Skeleton gives what a name looks like at a glance: names that look alike have
// one skeleton. It is not for showing. In the manner of Unicode's TR39, section 4:
// compatibility forms are taken apart, case and marks left out, letters replaced
// by those that they look like; space and what joins words go too.
func Skeleton(name protocol.Name) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(string(name)) {
		r = unicode.ToLower(r)
		if like, is := lookalikes[r]; is {
			r = like
		}
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSymbol(r) {
			b.WriteRune(r)
		}
	}
	return strings.NewReplacer("rn", "m", "vv", "w").Replace(b.String())
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
