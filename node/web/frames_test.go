package web_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// framesProgram answers each line of hex, a LocalEvent, with what frames.js reads
// of it, and the frame as it writes that again.
const framesProgram = `
import { createInterface } from 'node:readline'
const { readEvent, writeFrame } = await import(process.argv[1])
const hex = b => Buffer.from(b).toString('hex')
for await (const line of createInterface({ input: process.stdin })) {
	let out
	try {
		const { frame, event } = readEvent(new Uint8Array(Buffer.from(line, 'hex')))
		out = { event, frame: frame && { ...frame, packet: hex(frame.packet) }, written: frame && hex(writeFrame(frame)) }
	} catch (e) {
		out = { wrong: String(e) }
	}
	console.log(JSON.stringify(out))
}`

// pageFrames is frames.js, run by Node.js.
type pageFrames struct {
	in  io.Writer
	out *bufio.Reader
}

// readByPage is what the page reads of a message.
type readByPage struct {
	Wrong   string
	Written *string // hex
	Event   *string
	Frame   *struct {
		Source, Timestamp, Counter, Level, Marks uint32
		Packet                                   string // hex
	}
}

func runFrames(t testing.TB) *pageFrames {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil && os.Getenv("EARSHOT_REQUIRE_TOOLS") == "1" {
		t.Fatal("Node.js is not installed")
	} else if err != nil {
		t.Skip("Node.js is not installed (Debian: apt-get install nodejs)")
	}
	module, err := filepath.Abs("static/frames.js")
	if err != nil {
		t.Fatal(err)
	}
	// Data of type text/javascript is a module whatever its file is called.
	cmd := exec.Command(program, "--experimental-default-type=module", "--input-type=module", "-e", framesProgram, module)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	return &pageFrames{in, bufio.NewReader(out)}
}

// check lets the page read a message, and compares that with what Go reads.
func (p *pageFrames) check(t *testing.T, message []byte) {
	t.Helper()
	if _, err := fmt.Fprintf(p.in, "%x\n", message); err != nil {
		t.Fatal(err)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var page readByPage
	if err := json.Unmarshal(line, &page); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	var want pb.LocalEvent
	if err := proto.Unmarshal(message, &want); err != nil {
		if page.Wrong == "" {
			t.Fatalf("%x: the page reads %s, where Go says %v", message, line, err)
		}
		return
	}
	switch f := want.GetFrame(); {
	case page.Wrong != "":
		t.Fatalf("%x: the page says %s, where Go reads %v", message, page.Wrong, &want)
	case f == nil != (page.Frame == nil):
		t.Fatalf("%x: the page reads %s, Go %v", message, line, &want)
	case f != nil:
		same := page.Frame.Source == f.GetSource() && page.Frame.Timestamp == f.GetTimestamp() && page.Frame.Counter == f.GetCounter() &&
			page.Frame.Level == f.GetLevel() && page.Frame.Marks == f.GetMarks() && page.Frame.Packet == hex.EncodeToString(f.GetPacket())
		if !same {
			t.Fatalf("%x: the page reads %s, Go %v", message, line, f)
		}
		written, _ := hex.DecodeString(*page.Written)
		var again pb.LocalFrame
		known := proto.CloneOf(f)
		known.ProtoReflect().SetUnknown(nil)
		if err := proto.Unmarshal(written, &again); err != nil || !proto.Equal(&again, known) {
			t.Fatalf("the page writes %v as %x: %v", known, written, err)
		}
	case want.What == nil != (page.Event == nil), page.Event != nil && *page.Event != want.GetEvent():
		t.Fatalf("%x: the page reads %s, Go %v", message, line, &want)
	}
}

// someEvents are well-formed, odd and broken LocalEvents.
func someEvents() (all [][]byte) {
	add := func(e *pb.LocalEvent) {
		b, _ := proto.Marshal(e)
		all = append(all, b)
	}
	frame := func(f *pb.LocalFrame) { add(&pb.LocalEvent{What: &pb.LocalEvent_Frame{Frame: f}}) }
	frame(&pb.LocalFrame{})
	frame(&pb.LocalFrame{Source: 9, Timestamp: 1 << 31, Counter: 65535, Level: 127, Marks: 31, Packet: []byte{0xf8, 0xff, 0xfe}})
	frame(&pb.LocalFrame{Source: 1<<32 - 1, Timestamp: 1<<32 - 1, Packet: make([]byte, 300)})
	add(&pb.LocalEvent{What: &pb.LocalEvent_Event{Event: `{"event":"joined"}`}})
	add(&pb.LocalEvent{What: &pb.LocalEvent_Event{Event: "\ufeffĐêm thơ 深夜 🦉"}})
	add(&pb.LocalEvent{})
	twice := append(append([]byte{}, all[1]...), all[2]...) // merged: the last of each field counts
	all = append(all, twice, append(append([]byte{}, all[3]...), all[1]...), append(append([]byte{}, all[1]...), all[3]...))
	long := protowire.AppendTag(nil, 1, protowire.BytesType)
	inner := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1<<63|5) // a number's upper half is dropped
	all = append(all, protowire.AppendBytes(long, inner))
	for _, text := range []string{
		"0a", "0a01", "0a0208", "0a0bff", "00", "0801", "1203ffffff", "12", "ffffffffffffffffff01", "ffffffffffffffffff02", "ffffffffff", "80808080808080808000",
		"1b1c", "1b2324", "1b0801241c", "1b", "1c", "0b0c", "0a031b1c08", "f8ffffff0f01", "f8ffffff1f01", "f8ffffff7f01", "0d01020304", "0901020304050607ff", "0e", "0f", "1a00", "1a05", "0a02300a", "0a0432020102",
		"0a053202010208", "0a8080808000", "0a808080808000", "0aff808080808080808001",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			panic(err)
		}
		all = append(all, b)
	}
	return all
}

// The page's own codec reads what Go's reads, and refuses what that refuses.
func TestPageReadsFramesAsGo(t *testing.T) {
	p := runFrames(t)
	seeds := someEvents()
	for _, b := range seeds {
		p.check(t, b)
	}
	random := rand.New(rand.NewPCG(1, 2))
	const rounds = 20_000
	for range rounds {
		b := append([]byte{}, seeds[random.IntN(len(seeds))]...)
		for range 1 + random.IntN(3) {
			switch at := random.IntN(len(b) + 1); random.IntN(4) {
			case 0:
				b = b[:at]
			case 1:
				b = append(b[:at:at], append([]byte{byte(random.Uint32())}, b[at:]...)...)
			case 2:
				b = append(b[:at:at], seeds[random.IntN(len(seeds))]...)
			case 3:
				if at < len(b) {
					b[at] ^= 1 << random.IntN(8)
				}
			}
		}
		p.check(t, b)
	}
}

func FuzzFramesOfThePage(f *testing.F) {
	p := runFrames(f)
	for _, b := range someEvents() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4<<10 {
			p.check(t, b)
		}
	})
}
