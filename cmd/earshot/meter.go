package main

import "github.com/earshot-audio/earshot/node/ogg"

// meter tells how loud packets are.
type meter struct{}

func newMeter() *meter { return &meter{} }

// level gives a packet's loudness in -dBov (RFC 6464): a middling voice, until
// packets are measured.
func (*meter) level(ogg.Packet) uint8 { return 40 }
