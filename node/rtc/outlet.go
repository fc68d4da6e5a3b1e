package rtc

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/earshot-audio/earshot/protocol"
)

// Outlet is one room's way out over a link. It outlives connections: while none
// is up, Send drops. Send and Beat are for one goroutine, the forwarder's.
type Outlet struct {
	link *Link
	beat protocol.Handle

	mu      sync.Mutex // of those who change bound
	bound   atomic.Pointer[map[protocol.Source]protocol.Handle]
	packet  packet
	payload [1]byte // of a heartbeat
}

// Bind lets frames of s out, under h. The far side must have accepted h.
func (o *Outlet) Bind(s protocol.Source, h protocol.Handle) {
	o.change(func(bound map[protocol.Source]protocol.Handle) { bound[s] = h })
}

// Unbind takes Bind back.
func (o *Outlet) Unbind(s protocol.Source) {
	o.change(func(bound map[protocol.Source]protocol.Handle) { delete(bound, s) })
}

func (o *Outlet) change(edit func(map[protocol.Source]protocol.Handle)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	bound := maps.Clone(*o.bound.Load())
	edit(bound)
	o.bound.Store(&bound)
}

// Send sends a frame; false: it was dropped. It keeps neither f nor f.Packet.
func (o *Outlet) Send(f *protocol.Frame) bool {
	h, ok := (*o.bound.Load())[f.Source]
	if !ok || len(f.Packet) == 0 || len(f.Packet) > protocol.MaxPacketBytes {
		o.link.stats.refused.Add(1)
		return false
	}
	p := &o.packet
	p.csrc[0] = uint32(h)
	p.header.Timestamp = f.Timestamp
	p.setLevel(f.Level)
	f.PutExtension(p.frame[:])
	return o.link.out.send(p, f.Packet)
}

// Beat sends a heartbeat.
func (o *Outlet) Beat(b protocol.Beat) {
	p := &o.packet
	p.csrc[0] = uint32(o.beat)
	p.header.Timestamp = 0
	p.setLevel(silent)
	p.frame = [protocol.FrameExtensionBytes]byte{}
	o.payload[0] = byte(b)
	o.link.out.send(p, o.payload[:])
}
