// Package ogg reads and writes Ogg Opus (RFC 3533, RFC 7845): what a speaker's
// file or standard input holds, and recordings of a room.
//
// Reader gives packets as their pages come in; Explain says what is wrong with
// an input, and which ffmpeg command helps.
//
// Writer records each speaker as a logical stream of its own, packets
// untouched, all on one timeline that begins with the recording's first packet.
// A stream's first packet stands where the clock was when it came, later ones
// where their RTP timestamps put them, so streams stay in step as long as their
// speakers' clocks do. Silence is a jump of the granule position, before the
// page that follows it.
//
// # Who comes late
//
// All first pages of streams that run side by side must stand together at the
// beginning (RFC 3533 section 4), but a speaker may begin any time. What readers
// make of a second speaker who comes in after 2 s, tried with ffmpeg 5.1.9 and
// opus-tools 0.2:
//
//	ffprobe -show_packets F; ffmpeg -v warning -i F -map 0 -f null -; opusinfo F
//
//	the second stream's first page       ffprobe, ffmpeg            opusinfo
//	where it begins ("late BOS")         stop there with an error   reads it, warns
//	in a new link, with the first's      lose the second speaker    reads it
//	at the start, known beforehand       read all                   reads all
//	at the start, and nobody speaks      read all                   "stream is empty"
//
// So in a file the first pages are followed by some kilobytes of padding (of an
// OpusTags packet, RFC 7845 section 5.2), and a late speaker's are written into
// it before their first sound: one stream a speaker, nothing for any of the
// three to complain about. A pipe can't be written into again: there, speakers
// are gathered for a moment, and one who comes later begins a new link (legal, and complete in opusinfo and in this package).
// A program that reads along while a file is written learns of a late speaker
// when it opens the file again.
//
// # Silence
//
// Jumps of granule positions keep a recording to what was spoken, but RFC 7845
// section 4.1 would have pauses filled with packets that ask for concealment.
// ffprobe shows a jump as the pause that it is (one packet late), opusinfo
// warns "Sample count behind granule", and players close it up. To hear it:
//
//	ffmpeg -i F -map 0:a:0 -af aresample=async=1 out.wav
//
// Options.FillPauses fills them instead.
//
// # Ends
//
// A stream's last page is written at Close, when its last packet may long have
// been: then it holds none and has no granule position (-1), which all three
// take. Any other position makes opusinfo warn. Pre-skip is libopus's 312
// samples, for at 0 it warns too.
package ogg
