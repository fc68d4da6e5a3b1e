// Package level measures how loud Opus packets are, as RFC 6464 puts it.
package level

import (
	"math"

	"github.com/earshot-audio/earshot/protocol/opus"
	decoder "github.com/pion/opus"
)

// Levels, in -dBov: decibels below the loudest there is.
const (
	Loudest uint8 = 0
	Silent  uint8 = 127

	// Unknown stands for a packet that couldn't be decoded: quiet speech, so
	// that it is neither shut out nor put before those who are louder.
	Unknown uint8 = 40
)

// discontinuous is the most bytes of a packet in which an encoder only says
// that there is nothing to hear (RFC 6716 section 2.1.9).
const discontinuous = 2

// rate is what is decoded to, in Hz: speech is below half of it.
const rate = 16000

// Meter measures the packets of one source, in order: a decoder has a memory.
// The zero value is ready. It belongs to one goroutine.
type Meter struct {
	decoder decoder.Decoder
	ready   bool
	samples []float32
}

// Level gives the packet's level, 0 (loudest) to 127 (silent). It changes
// nothing in packet.
func (m *Meter) Level(packet []byte) (level uint8) {
	n, err := opus.Samples(packet)
	if err != nil {
		return Unknown
	}
	if len(packet) <= discontinuous {
		return Silent
	}
	// What strangers send may hit what the decoder did not think of.
	defer func() {
		if recover() != nil {
			m.ready, level = false, Unknown
		}
	}()
	if !m.ready {
		if m.decoder, err = decoder.NewDecoderWithOutput(rate, 1); err != nil {
			return Unknown
		}
		m.samples = make([]float32, opus.MaxSamples*rate/opus.Rate)
		m.ready = true
	}
	got, err := m.decoder.DecodeToFloat32(packet, m.samples)
	if err != nil || got != n*rate/opus.Rate {
		m.ready = false
		return Unknown
	}
	return of(m.samples[:got])
}

// of gives the level of samples between -1 and 1 by their root mean square; 0
// dBov is that of a full-scale square wave (RFC 6464 section 3).
func of(samples []float32) uint8 {
	power := 0.0
	for _, s := range samples {
		power += float64(s) * float64(s)
	}
	db := -10 * math.Log10(power/float64(len(samples)))
	switch {
	case math.IsNaN(db):
		return Unknown
	case db >= float64(Silent):
		return Silent
	}
	return uint8(math.Round(max(float64(Loudest), db)))
}
