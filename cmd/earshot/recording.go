package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/earshot-audio/earshot/node/ogg"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// gather is how long a recording to a pipe waits for speakers to share its
// start with.
const gather = 300 * time.Millisecond

// recording writes what is heard. Its methods do nothing on a nil one, since
// one may listen without recording.
type recording struct {
	name   string // "-": standard output
	file   *os.File
	ours   bool // the file was made for it
	writer *ogg.Writer
	begun  bool
	closed bool
	ended  error // kept: what ended it early
}

// record prepares a recording to a file, or to standard output.
func (p *program) record(name string, force bool) (*recording, error) {
	r := &recording{name: name}
	if name == "-" {
		if terminal(p.stdout) {
			return nil, usage("a recording would garble the terminal", "pipe it on, or name a file with --out FILE.ogg")
		}
		r.writer = ogg.NewWriter(p.stdout, ogg.Options{Gather: gather})
		return r, nil
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.ours = true
		r.file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	case err != nil:
	case info.IsDir():
		return nil, &protocol.Problem{Code: protocol.CodeOutput, Message: name + " is a directory", Hint: "name a file in it with --out"}
	case info.Mode().IsRegular() && !force:
		return nil, &protocol.Problem{Code: protocol.CodeOutput, Message: name + " exists already", Hint: "name another file, or overwrite it with --force"}
	case info.Mode().IsRegular():
		r.file, err = os.OpenFile(name, os.O_RDWR, 0)
	default: // a pipe with a name, a device
		r.file, err = os.OpenFile(name, os.O_WRONLY, 0)
	}
	if err != nil {
		return nil, outputProblem(name, err)
	}
	options := ogg.Options{Gather: gather}
	if info == nil || info.Mode().IsRegular() {
		options = ogg.Options{At: r.file}
	}
	r.writer = ogg.NewWriter(r.file, options)
	return r, nil
}

func (r *recording) toFile() bool { return r != nil && r.name != "-" }

// called is the recording's name for a person.
func (r *recording) called() string {
	if r.name == "-" {
		return "standard output"
	}
	return r.name
}

// packet records a frame.
func (r *recording) packet(f *pb.LocalFrame, who speaker) error {
	if r.ended != nil || r.closed {
		return nil
	}
	if !r.begun {
		if err := r.begin(); err != nil {
			return r.broke(err)
		}
	}
	err := r.writer.Packet(f.GetSource(), who.peer, who.name, f.GetTimestamp(), f.GetPacket())
	if leftOut(err) {
		return nil
	}
	return r.broke(err)
}

// begin empties a file that is overwritten: not before there is something to
// put in its place.
func (r *recording) begin() error {
	r.begun = true
	if r.file == nil || r.ours {
		return nil
	}
	if info, err := r.file.Stat(); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return r.file.Truncate(0)
}

// leftOut tells that an error is about one packet, which the recording does
// without: the relay and the node have checked it, so it is a matter of order.
func leftOut(err error) bool {
	return errors.Is(err, ogg.ErrOrder) || errors.Is(err, protocol.ErrLarge) || errors.Is(err, protocol.ErrPacketSpan)
}

// flush writes out what waits.
func (r *recording) flush() error {
	if r == nil || r.ended != nil || r.closed || !r.begun {
		return nil
	}
	return r.broke(r.writer.Flush())
}

// broke keeps and words the error that ends the recording.
func (r *recording) broke(err error) error {
	if err == nil {
		return nil
	}
	if !readerGone(err) {
		err = r.problem(err)
	}
	r.ended = err
	return err
}

func (r *recording) problem(err error) error {
	var errno syscall.Errno
	reason := err.Error()
	if errors.As(err, &errno) {
		reason = errno.Error()
	}
	p := &protocol.Problem{Code: protocol.CodeOutput, Message: fmt.Sprintf("the recording to %s ended early: %s", r.called(), reason), Cause: err}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		p.Hint = "what was written until then plays; make room and record on to another file"
	case r.begun:
		p.Hint = "what was written until then plays"
	}
	return p
}

// stop ends the recording where it is.
func (r *recording) stop() {
	if r != nil && r.ended == nil {
		r.ended = io.ErrClosedPipe
	}
}

// close ends the recording's streams.
func (r *recording) close() error {
	if r == nil || r.closed {
		return nil
	}
	r.closed = true
	var err error
	if r.begun {
		err = r.writer.Close()
		if r.ended != nil {
			err = nil // told already
		}
	}
	if r.file != nil {
		if closing := r.file.Close(); err == nil && r.ended == nil {
			err = closing
		}
	}
	if r.ours && !r.begun {
		os.Remove(r.name) // of nothing heard nothing is left
	}
	if err != nil && !readerGone(err) {
		return r.problem(err)
	}
	return err
}

// discard takes back a recording that the listening did not get to.
func (r *recording) discard() { _ = r.close() }

// shellWord writes a file's name so that it can be copied into a shell.
func shellWord(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,:+@%="
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
