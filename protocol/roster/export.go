package roster

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// exportHead is the first line of an exported log, and names its form.
const exportHead = "earshot log 1"

// maxLine bounds a line of an exported log: an action or a genesis in base64, a
// word before it.
const maxLine = 1024

// What can be wrong with an exported log beside its actions.
var (
	ErrExport = errors.New(`not an exported log: its first line is not "` + exportHead + `"`)
	ErrCut    = errors.New("the log is cut short: its hash, which is its last line, does not fit; export it again")
)

// Export gives the log as text that [Verify] reads, whoever keeps it: a line that
// names the form, the signed genesis, each signed action behind those that it
// names, and the log's hash. Messages are in base64 (RFC 4648 section 5, without
// padding), the hash in hexadecimal.
func (l *Log) Export() []byte {
	var b bytes.Buffer
	line := func(word string, m proto.Message) {
		raw, _ := proto.MarshalOptions{Deterministic: true}.Marshal(m) // plain fields marshal
		fmt.Fprintf(&b, "%s %s\n", word, base64.RawURLEncoding.EncodeToString(raw))
	}
	fmt.Fprintln(&b, exportHead)
	line("genesis", l.genesis.Signed())
	for _, a := range l.Since(nil) {
		line("action", a.Signed())
	}
	hash := l.Hash()
	fmt.Fprintf(&b, "hash %s\n", hex.EncodeToString(hash[:]))
	return b.Bytes()
}

// Verify reads an exported log and checks all of it: the genesis, each action's form
// and signature, that its actor had the right to sign it, that what it names comes
// before it, and that nothing is missing. An error names the line.
func Verify(export []byte) (*Log, error) {
	var l *Log
	number := 0
	for line := range bytes.Lines(export) {
		number++
		word, rest, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(" "))
		var err error
		switch {
		case number == 1:
			if string(bytes.TrimRight(line, "\r\n")) != exportHead {
				return nil, ErrExport
			}
		case len(line) > maxLine:
			err = protocol.ErrLarge
		case number == 2 && string(word) == "genesis":
			l, err = begin(rest)
		case l != nil && string(word) == "action":
			err = l.read(rest)
		case l != nil && string(word) == "hash":
			if hash := l.Hash(); string(rest) != hex.EncodeToString(hash[:]) {
				return nil, ErrCut
			}
			return l, nil
		default:
			err = protocol.ErrMalformed
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if number == 0 {
		return nil, ErrExport
	}
	return nil, ErrCut
}

// begin reads the genesis of an exported log.
func begin(text []byte) (*Log, error) {
	var s pb.SignedGenesis
	if err := decode(text, &s); err != nil {
		return nil, err
	}
	g, err := protocol.OpenGenesis(&s)
	if err != nil {
		return nil, err
	}
	l := New(g)
	l.limit = protocol.MaxKept // what does not count may be there for the sake of what comes behind it
	return l, nil
}

// read adds a line of an exported log.
func (l *Log) read(text []byte) error {
	var s pb.SignedAction
	if err := decode(text, &s); err != nil {
		return err
	}
	a, err := protocol.ParseAction(l.genesis.Room, &s)
	if err != nil {
		return err
	}
	if !l.MayAct(a.Actor) {
		return protocol.ErrNoRight
	}
	if err := a.Verify(); err != nil {
		return err
	}
	added, missing, err := l.Add(a)
	switch {
	case err != nil:
		return err
	case len(missing) > 0:
		return fmt.Errorf("it names %s, which does not come before it", missing[0].Short())
	case len(added) == 0:
		return errors.New("it is there twice")
	}
	return nil
}

func decode(text []byte, m proto.Message) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || proto.Unmarshal(raw, m) != nil {
		return protocol.ErrMalformed
	}
	return nil
}
