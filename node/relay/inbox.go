package relay

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	// inboxFrames is how many frames and heartbeats wait at most: 80 ms of all
	// the sources that a room may have, from two parents.
	inboxFrames = 512
	// inboxCommands is how many commands wait before their callers do.
	inboxCommands = 128
)

// parcel is a frame or a heartbeat on its way from a link to the forwarder. A
// forwarder makes inboxFrames of them once; their packets' buffers grow to what
// passes through.
type parcel struct {
	origin protocol.PeerID
	at     time.Duration // when it arrived
	frame  protocol.Frame
	beat   protocol.Beat
	isBeat bool
}

// post is one thing in the inbox: a parcel or a command.
type post struct {
	parcel  *parcel
	command func()
}

// Push takes a frame that arrived from a peer, or from this node's own voice if
// origin is "". It copies the frame, never blocks and may be called from any
// goroutine; a frame that finds the inbox full is dropped and counted.
func (f *Forwarder) Push(origin protocol.PeerID, fr *protocol.Frame) {
	if len(fr.Packet) == 0 || len(fr.Packet) > protocol.MaxPacketBytes || fr.Level > quietest {
		f.malformed.Add(1)
		return
	}
	p := f.parcel(origin)
	if p == nil {
		return
	}
	buffer := p.frame.Packet[:0]
	p.frame = *fr
	p.frame.Packet = append(buffer, fr.Packet...)
	p.isBeat = false
	f.send(p)
}

// Heard takes a heartbeat that arrived from a peer. It never blocks.
func (f *Forwarder) Heard(origin protocol.PeerID, b protocol.Beat) {
	if b > protocol.Idle {
		f.malformed.Add(1)
		return
	}
	if p := f.parcel(origin); p != nil {
		p.beat, p.isBeat = b, true
		f.send(p)
	}
}

// parcel takes a free parcel; nil, counted, if all are under way.
func (f *Forwarder) parcel(origin protocol.PeerID) *parcel {
	select {
	case p := <-f.free:
		p.origin, p.at = origin, f.cfg.Now()
		return p
	default:
		f.full.Add(1)
		return nil
	}
}

func (f *Forwarder) send(p *parcel) {
	select {
	case f.inbox <- post{parcel: p}:
	default: // more commands than there should be
		f.full.Add(1)
		f.free <- p
	}
}

// post has the forwarder's goroutine run a command, after all that was posted
// before it. It waits only while the inbox is full of commands, and not at all
// once Run has ended: false, then.
func (f *Forwarder) post(command func()) bool {
	select {
	case <-f.ended:
		return false
	default:
	}
	select {
	case f.inbox <- post{command: command}:
		return true
	case <-f.ended:
		return false
	}
}

// take does one post.
func (f *Forwarder) take(p post) {
	if p.command != nil {
		f.now = max(f.now, f.cfg.Now())
		p.command()
		return
	}
	f.now = max(f.now, p.parcel.at)
	if p.parcel.isBeat {
		f.heard(p.parcel.origin, p.parcel.beat)
	} else {
		f.forward(p.parcel.origin, &p.parcel.frame)
	}
	f.free <- p.parcel
}
