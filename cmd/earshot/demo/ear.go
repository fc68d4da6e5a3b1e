package demo

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/node/ogg"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// ear is one listener: what its node hears, on its way into a recording.
type ear struct {
	*member
	hears  web.Listening
	file   *os.File
	writer *ogg.Writer
	path   string
	names  func(peer string) string
	moved  func() // called after each frame and event

	mu      sync.Mutex
	tally   tally
	relay   string            // its peer ID, as this node was told
	relayAt time.Time         // when
	sources map[uint32]string // their speakers' peer IDs
	last    map[uint32]uint16 // their frames' counters
	failed  error
}

// tally is what an ear has heard so far.
type tally struct {
	frames, lost, resumed uint64
	of                    map[string]uint64 // frames by speaker
	gapMS                 int64             // the longest
	firstMS               int64             // to its first frame; -1: none yet
}

// listen joins the room on m's node and records it to a new file in dir.
func (m *member) listen(ctx context.Context, room, dir string, names func(string) string, moved func()) (*ear, error) {
	e := &ear{member: m, path: filepath.Join(dir, m.name+".ogg"), names: names, moved: moved,
		tally: tally{of: map[string]uint64{}, firstMS: -1}, sources: map[uint32]string{}, last: map[uint32]uint16{}}
	var err error
	if e.file, err = os.OpenFile(e.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644); err != nil {
		return nil, &protocol.Problem{Code: protocol.CodeOutput, Message: "can't record to " + e.path + ": " + reason(err),
			Hint: "choose another directory with --out", Cause: err}
	}
	if e.hears, err = m.node.Listen(ctx, room, true); err != nil {
		e.file.Close()
		os.Remove(e.path)
		return nil, err
	}
	e.writer = ogg.NewWriter(e.file, ogg.Options{At: e.file})
	return e, nil
}

// reason is what the system said, without the file's name.
func reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// run records until ctx or the room ends.
func (e *ear) run(ctx context.Context) {
	for {
		next, err := e.hears.Next(ctx)
		if err == nil {
			err = e.take(next)
		}
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, io.EOF) {
				e.mu.Lock()
				e.failed = err
				e.mu.Unlock()
			}
			e.moved()
			return
		}
		e.moved()
	}
}

func (e *ear) take(next *pb.LocalEvent) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f := next.GetFrame(); f != nil {
		return e.record(f)
	}
	return e.note([]byte(next.GetEvent()))
}

// record writes a frame, and counts it.
func (e *ear) record(f *pb.LocalFrame) error {
	id := e.sources[f.GetSource()]
	counter := uint16(f.GetCounter())
	if last, known := e.last[f.GetSource()]; known {
		e.tally.lost += uint64(counter - last - 1)
	}
	e.last[f.GetSource()] = counter
	e.tally.frames++
	e.tally.of[e.names(id)]++
	if protocol.Marks(f.GetMarks())&protocol.Replayed != 0 {
		e.tally.resumed++
	}
	return e.writer.Packet(f.GetSource(), id, e.names(id), f.GetTimestamp(), f.GetPacket())
}

// note takes an event of docs/protocol.md's `listen`.
func (e *ear) note(text []byte) error {
	var told struct {
		Event  string `json:"event"`
		Peer   string `json:"peer"`
		Source uint32 `json:"source"`
		MS     int64  `json:"ms"`
		Relay  string `json:"relay"`
	}
	if err := json.Unmarshal(text, &told); err != nil {
		return err
	}
	switch told.Event {
	case "first_frame":
		e.sources[told.Source] = told.Peer
		if e.tally.firstMS < 0 {
			e.tally.firstMS = told.MS
		}
	case "gap":
		e.tally.gapMS = max(e.tally.gapMS, told.MS)
	case "relay":
		e.relay, e.relayAt = told.Relay, time.Now()
	}
	return nil
}

// heard gives what was heard so far.
func (e *ear) heard() tally {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tally
	t.of = make(map[string]uint64, len(e.tally.of))
	for who, n := range e.tally.of {
		t.of[who] = n
	}
	return t
}

// heardOf gives how many frames of a speaker were heard so far.
func (e *ear) heardOf(speaker string) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tally.of[speaker]
}

// lastOf gives the counter of the newest frame of a speaker that was heard so far.
func (e *ear) lastOf(speaker string) (counter uint16, heard bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for source, id := range e.sources {
		if e.names(id) == speaker {
			counter, heard = e.last[source]
			return counter, heard
		}
	}
	return 0, false
}

// relayed gives who relays, and when this node told so; "" before it did.
func (e *ear) relayed() (peer string, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.relay, e.relayAt
}

// forgetGap begins anew with the longest gap.
func (e *ear) forgetGap() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tally.gapMS = 0
}

func (e *ear) broke() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failed
}

// close ends the listening and its recording, after run has returned.
func (e *ear) close() (web.Summary, error) {
	s := e.hears.Close()
	err := e.writer.Close()
	if closing := e.file.Close(); err == nil {
		err = closing
	}
	if s.Frames == 0 {
		os.Remove(e.path) // of nothing heard nothing is left
	}
	return s, err
}
