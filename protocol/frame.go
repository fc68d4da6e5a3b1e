package protocol

// Marks tell where in a talkspurt a frame stands.
type Marks uint8

const (
	Start    Marks = 1 << iota // first frame of a talkspurt
	End                        // last frame of a talkspurt
	Replayed                   // sent out of a forwarder's ring on Resume
	Selected                   // passed a relay's choice of the loudest: forwarders below don't choose again
	Skipped                    // its source's frames just before it were left out on purpose: they are not lost
)

// Frame is one Opus packet of one source. (room, Source, Timestamp) is its
// identity on every path.
type Frame struct {
	Source    Source
	Timestamp uint32 // 48 kHz, minted by the speaker's node
	Counter   uint16 // of this source's frames, end to end
	Level     uint8  // RFC 6464: -dBov, 0 loudest, 127 silent
	Marks     Marks
	Packet    []byte // Opus, untouched
}

// FrameExtensionBytes is the size of the frame header extension.
const FrameExtensionBytes = 3

// PutExtension writes the frame's own header extension: the counter, big
// endian, then the marks. b holds FrameExtensionBytes.
func (f *Frame) PutExtension(b []byte) {
	b[0], b[1], b[2] = byte(f.Counter>>8), byte(f.Counter), byte(f.Marks)
}

// TakeExtension reads what PutExtension wrote; unknown marks are left out.
func (f *Frame) TakeExtension(b []byte) error {
	if len(b) < FrameExtensionBytes {
		return ErrFrame
	}
	f.Counter = uint16(b[0])<<8 | uint16(b[1])
	f.Marks = Marks(b[2]) & (Start | End | Replayed | Selected | Skipped)
	return nil
}

// Newer says whether timestamp a comes after b, by signed difference.
func Newer(a, b uint32) bool { return int32(a-b) > 0 }

// Beat is what a parent sends on its media path when it has no frame to send.
type Beat uint8

const (
	Alive   Beat = iota // and its own upstream too
	Starved             // its own parent is silent
	Idle                // no source is hot: silence from here on means nothing
)
