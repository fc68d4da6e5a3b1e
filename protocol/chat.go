package protocol

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Chat is what somebody writes to all in a room. Order is a logical clock
// (Lamport, "Time, Clocks, and the Ordering of Events", 1978): its sender's
// highest so far, and one more.
type Chat struct {
	Order uint64 // 1 to MaxOrder
	Name  Name   // of its sender, who may be gone when it is read
	Text  string // as CleanChat gives it, 1 to MaxChatBytes
	Said  time.Time
}

// MessageID names a message for good: nobody else can sign another one by it.
type MessageID struct {
	From     PeerID
	Boot     uint64
	Sequence uint64
}

// ID gives the name of m.
func (m *Message) ID() MessageID { return MessageID{m.From, m.Boot, m.Sequence} }

// Digest is what a Recall calls m by: the first eight bytes, big endian, of SHA-256
// over "earshot-message", the sender's ID (libp2p's 38 bytes) and the body. Its name
// would not do: its sender may sign another message by that.
func (m *Message) Digest() uint64 {
	b := append([]byte("earshot-message"), m.From...)
	sum := sha256.Sum256(append(b, m.body...))
	return binary.BigEndian.Uint64(sum[:])
}

// Compare gives -1, 0 or +1 as id stands before, with or behind other, where
// their Order is the same.
func (id MessageID) Compare(other MessageID) int {
	return cmp.Or(cmp.Compare(id.From, other.From), cmp.Compare(id.Boot, other.Boot), cmp.Compare(id.Sequence, other.Sequence))
}

// Hide takes a chat message out of sight, or all of one sender's, if Boot and
// Sequence are 0. Lifted, it is shown again.
type Hide struct {
	Order  uint64 // as a Chat's: of two about the same, the later counts
	Of     MessageID
	Lifted bool
}

// All says whether h is about all that its peer writes.
func (h *Hide) All() bool { return h.Of.Sequence == 0 }

// CleanChat makes of what a person typed what may be sent: line ends become
// newlines, at most two in a row, other spaces plain ones; what can't be seen or
// turns the text around (bidirectional overrides) is left out; NFC; nothing
// empty at either end. ErrText: nothing is left, or too much.
func CleanChat(s string) (string, error) {
	if len(s) > 4*MaxChatBytes || !utf8.ValidString(s) {
		return "", ErrText
	}
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n\n").Replace(s)
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || !hides(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return -1
	}, s)
	for strings.Contains(s, "\n\n\n") {
		s = strings.ReplaceAll(s, "\n\n\n", "\n\n")
	}
	return chatText(strings.TrimFunc(s, unicode.IsSpace))
}

// chatText checks and normalises text of several lines.
func chatText(s string) (string, error) {
	if len(s) > 4*MaxChatBytes || strings.Contains(s, "\n\n\n") {
		return "", ErrText
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		// Only a text's own ends are trimmed.
		clean, err := text("."+line+".", MaxChatBytes+2)
		if err != nil {
			return "", err
		}
		lines[i] = clean[1 : len(clean)-1]
	}
	s = strings.Join(lines, "\n")
	if s == "" || len(s) > MaxChatBytes || strings.TrimSpace(s) != s {
		return "", ErrText
	}
	if r, _ := utf8.DecodeRuneInString(s); leans(r) {
		return "", ErrText
	}
	return s, nil
}

// Reactions is what can be said by one emoji. Others are not shown.
func Reactions() []string { return slices.Clone(reactions[:]) }

var reactions = [...]string{"👏", "❤️", "😂", "🎉", "👍", "👎", "😮", "😢", "🙏", "🔥"}

// Reaction is one emoji.
type Reaction struct {
	Emoji string // one printable text of at most MaxReactionBytes
}

// Known says whether the emoji is one of Reactions.
func (r Reaction) Known() bool { return slices.Contains(reactions[:], r.Emoji) }

// Caption is a piece of what its sender says, as text.
type Caption struct {
	Utterance uint32 // from 1; grows within a boot
	Language  string // BCP 47; "" if not said
	Text      string // 1 to MaxCaptionBytes
	Final     bool   // nothing more comes of this utterance
}

// Clean trims and normalises what a program gave as a caption. ErrText: one of
// the texts is too long, empty or not printable.
func (c *Caption) Clean() (err error) {
	if c.Language, err = CleanLanguage(c.Language); err != nil {
		return err
	}
	c.Text, err = text(strings.Join(strings.Fields(c.Text), " "), MaxCaptionBytes)
	if err == nil && (c.Text == "" || c.Utterance == 0) {
		err = ErrText
	}
	return err
}

// CleanLanguage trims and checks the form of a language tag (RFC 5646 section
// 2.1, no more of it than letters, digits and hyphens); "" is one that is not said.
func CleanLanguage(s string) (string, error) {
	s = strings.TrimSpace(s)
	if len(s) > MaxLanguageBytes {
		return "", ErrText
	}
	for i, part := range strings.Split(s, "-") {
		if part == "" && s != "" || len(part) > 8 || i == 0 && len(part) == 1 {
			return "", ErrText
		}
		for _, b := range []byte(part) {
			letter := 'a' <= b|0x20 && b|0x20 <= 'z'
			if !letter && (i == 0 || b < '0' || b > '9') {
				return "", ErrText
			}
		}
	}
	return s, nil
}

func (m *Message) fillChat(b *pb.RoomBody) error {
	switch {
	case m.Chat != nil:
		c := m.Chat
		b.What = &pb.RoomBody_Chat{Chat: &pb.Chat{Order: c.Order, Name: string(c.Name), Text: c.Text, SaidMs: uint64(max(0, c.Said.UnixMilli()))}}
	case m.Hide != nil:
		peer, err := PeerKey(m.Hide.Of.From)
		if err != nil {
			return err
		}
		of := m.Hide.Of
		b.What = &pb.RoomBody_Hide{Hide: &pb.Hide{Order: m.Hide.Order, Peer: peer, Boot: of.Boot, Sequence: of.Sequence, Lifted: m.Hide.Lifted}}
	case m.Reaction != nil:
		b.What = &pb.RoomBody_Reaction{Reaction: &pb.Reaction{Emoji: m.Reaction.Emoji}}
	default:
		c := m.Caption
		b.What = &pb.RoomBody_Caption{Caption: &pb.Caption{Utterance: c.Utterance, Language: c.Language, Text: c.Text, Final: c.Final}}
	}
	return nil
}

func takeChat(w *pb.Chat) (*Chat, error) {
	if w.Order == 0 || w.Order > MaxOrder {
		return nil, ErrMalformed
	}
	if s, err := chatText(w.Text); err != nil || s != w.Text {
		return nil, ErrText
	}
	if name, err := ParseName(w.Name); err != nil || string(name) != w.Name {
		return nil, ErrName
	}
	return &Chat{Order: w.Order, Name: Name(w.Name), Text: w.Text, Said: time.UnixMilli(int64(min(w.SaidMs, maxCreatedMS)))}, nil
}

func takeHide(w *pb.Hide) (*Hide, error) {
	if w.Order == 0 || w.Order > MaxOrder || w.Sequence == 0 && w.Boot != 0 {
		return nil, ErrMalformed
	}
	from, err := PeerOf(w.Peer)
	return &Hide{Order: w.Order, Of: MessageID{from, w.Boot, w.Sequence}, Lifted: w.Lifted}, err
}

// takeReaction bounds what a reaction is; that it is one of Reactions is not
// required here, since a later version may know more.
func takeReaction(w *pb.Reaction) (*Reaction, error) {
	if s, err := text(w.Emoji, MaxReactionBytes); err != nil || s == "" || s != w.Emoji {
		return nil, ErrText
	}
	return &Reaction{w.Emoji}, nil
}

func takeCaption(w *pb.Caption) (*Caption, error) {
	c := &Caption{Utterance: w.Utterance, Language: w.Language, Text: w.Text, Final: w.Final}
	if err := c.Clean(); err != nil || c.Text != w.Text || c.Language != w.Language {
		return nil, ErrText
	}
	return c, nil
}
