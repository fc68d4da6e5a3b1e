package relay

import (
	"context"

	"github.com/earshot-audio/earshot/protocol"
)

// Snapshot is a forwarder's figures at one moment.
type Snapshot struct {
	Sources   []SourceFigures
	Sinks     []SinkFigures
	Dropped   Dropped
	Positions []Position
	Hot       bool            // some source is
	Parent    protocol.PeerID // watched; "": none
	Silent    bool            // it has been reported and not heard since
}

// SourceFigures are those of an open source.
type SourceFigures struct {
	Source     protocol.Source
	Owner      protocol.PeerID
	Frames     uint64 // each once
	Lost       uint64 // in holes that were never filled
	Resumed    uint64 // of the frames: came out of another forwarder's ring
	Duplicates uint64 // came again, on another path mostly
	Level      uint8  // of the newest frame (RFC 6464)
	Hot        bool   // in a talkspurt
	Muted      bool
	Chosen     bool // among the loudest
}

// SinkFigures are those of a sink.
type SinkFigures struct {
	ID      SinkID
	Peer    protocol.PeerID
	Mode    Mode
	Sent    uint64 // frames
	Dropped uint64 // by the sink
}

// Dropped counts what was not forwarded.
type Dropped struct {
	Unauthorised uint64 // of sources that are not open
	Muted        uint64
	Inbox        uint64 // it was full
	Malformed    uint64 // no packet, one too large, or no such level or beat
	TooFast      uint64 // beyond what a source may send
	Stale        uint64 // older than what is known to have been seen
	Resumes      uint64 // replays that a child asked for too often
}

// Snapshot gives the figures.
func (f *Forwarder) Snapshot(ctx context.Context) (Snapshot, error) {
	reply := make(chan Snapshot, 1)
	if !f.post(func() { reply <- f.snapshot() }) {
		return Snapshot{}, ErrEnded
	}
	select {
	case s := <-reply:
		return s, nil
	case <-f.ended:
		return Snapshot{}, ErrEnded
	case <-ctx.Done():
		return Snapshot{}, ctx.Err()
	}
}

func (f *Forwarder) snapshot() Snapshot {
	snap := Snapshot{
		Dropped:   f.dropped,
		Positions: f.positions(),
		Hot:       f.hot > 0,
		Parent:    f.watched.parent,
		Silent:    f.watched.silent,
	}
	snap.Dropped.Inbox, snap.Dropped.Malformed = f.full.Load(), f.malformed.Load()
	for _, s := range f.open {
		// What has been reported stays reported, even if a frame comes after all.
		s.lost = max(s.lost, s.ring.lostBy(f.now-protocol.RingSpan))
		snap.Sources = append(snap.Sources, SourceFigures{
			Source: s.id, Owner: s.owner, Level: s.level, Hot: s.hot, Muted: s.muted,
			Frames: s.frames, Lost: s.lost, Resumed: s.resumed, Duplicates: s.duplicates,
			Chosen: s.choice.chosen || s.choice.above,
		})
	}
	for _, o := range f.outlets {
		snap.Sinks = append(snap.Sinks, SinkFigures{o.id, o.peer, o.mode, o.sent, o.dropped})
	}
	return snap
}
