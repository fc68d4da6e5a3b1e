// Package opus reads from an Opus packet's first bytes (RFC 6716 section 3)
// how long it plays. It decodes no sound.
package opus

import (
	"errors"
	"time"
)

const (
	// Rate is the rate, in Hz, at which Samples counts: Opus's own, whatever
	// the bandwidth of the sound.
	Rate = 48000

	// MaxSamples is the longest a packet may play: 120 ms (RFC 6716 section 3.4, R5).
	MaxSamples = Rate * 120 / 1000

	// MaxFrameBytes is the most that one of a packet's frames holds (R2).
	MaxFrameBytes = 1275
)

var (
	ErrEmpty     = errors.New("empty Opus packet")
	ErrMalformed = errors.New("malformed Opus packet")
)

// Samples gives the samples a channel, at Rate, that packet plays. It refuses
// what breaks the rules of RFC 6716 section 3.4, which no decoder has to play.
func Samples(packet []byte) (int, error) {
	if len(packet) == 0 {
		return 0, ErrEmpty
	}
	frames, ok := frames(packet)
	samples := frames * frameSamples(packet[0])
	if !ok || samples > MaxSamples {
		return 0, ErrMalformed
	}
	return samples, nil
}

// Duration gives the time that packet plays, as Samples finds it.
func Duration(packet []byte) (time.Duration, error) {
	samples, err := Samples(packet)
	return time.Duration(samples) * time.Second / Rate, err
}

// frameSamples gives the length of each frame after its configuration, the top
// five bits of the table-of-contents byte (RFC 6716 section 3.1, table 2).
func frameSamples(toc byte) int {
	configuration := toc >> 3
	switch {
	case configuration >= 16: // CELT: 2.5, 5, 10, 20 ms
		return Rate / 400 << (configuration & 3)
	case configuration >= 12: // hybrid: 10, 20 ms
		return Rate / 100 << (configuration & 1)
	case configuration&3 == 3: // SILK: 10, 20, 40, 60 ms
		return Rate * 60 / 1000
	default:
		return Rate / 100 << (configuration & 3)
	}
}

// frames counts packet's frames after its code, the last two bits of the first
// byte (RFC 6716 section 3.2), and says whether their lengths fit the packet.
func frames(packet []byte) (int, bool) {
	body := packet[1:]
	switch packet[0] & 3 {
	case 0: // one frame, none of it when a sender only marks time
		return 1, len(body) <= MaxFrameBytes
	case 1: // two of the same size (R3)
		return 2, len(body)%2 == 0 && len(body)/2 <= MaxFrameBytes
	case 2: // two, the first one's size told (R4)
		first, rest, ok := length(body)
		return 2, ok && first <= len(rest) && len(rest)-first <= MaxFrameBytes
	default:
		return counted(body)
	}
}

// counted reads the body of a code 3 packet: a byte with the number of frames,
// padding, then lengths of all frames but the last, or of none if all are the
// same size (RFC 6716 section 3.2.5; R6, R7).
func counted(body []byte) (int, bool) {
	if len(body) == 0 {
		return 0, false
	}
	count, padded, variable := int(body[0]&0x3f), body[0]&0x40 != 0, body[0]&0x80 != 0
	body = body[1:]
	if padded {
		var ok bool
		if body, ok = unpadded(body); !ok {
			return 0, false
		}
	}
	if count == 0 {
		return 0, false
	}
	if !variable {
		return count, len(body)%count == 0 && len(body)/count <= MaxFrameBytes
	}
	told := 0
	for range count - 1 {
		n, rest, ok := length(body)
		if !ok {
			return 0, false
		}
		told, body = told+n, rest
	}
	return count, told <= len(body) && len(body)-told <= MaxFrameBytes
}

// unpadded cuts padding and its length bytes off: each 255 stands for 254 bytes
// and another length byte.
func unpadded(body []byte) ([]byte, bool) {
	padding := 0
	for i, b := range body {
		if b == 255 {
			padding += 254
			continue
		}
		padding += int(b)
		body = body[i+1:]
		if padding > len(body) {
			return nil, false
		}
		return body[:len(body)-padding], true
	}
	return nil, false
}

// length reads a frame's length of one or two bytes (RFC 6716 section 3.2.1).
func length(b []byte) (n int, rest []byte, ok bool) {
	switch {
	case len(b) == 0:
		return 0, nil, false
	case b[0] < 252:
		return int(b[0]), b[1:], true
	case len(b) == 1:
		return 0, nil, false
	default:
		return int(b[1])*4 + int(b[0]), b[2:], true
	}
}
