package link

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

func TestLargestMessage(t *testing.T) {
	fits := 0
	for n := protocol.MaxLinkMessageBytes - 20; n < protocol.MaxLinkMessageBytes; n++ {
		m := feed(strings.Repeat("x", n))
		b, err := encode(m)
		if err != nil {
			if proto.Size(m) <= protocol.MaxLinkMessageBytes {
				t.Fatalf("%d bytes: %v", proto.Size(m), err)
			}
			continue
		}
		got, err := newReader(bytes.NewReader(b)).next()
		if err != nil || !proto.Equal(got, m) {
			t.Fatalf("%d bytes do not come back: %v", n, err)
		}
		fits++
	}
	if fits == 0 || fits == 20 {
		t.Errorf("%d of 20 fit", fits)
	}
}

// FuzzReader: whatever comes, reading ends, each message is within bounds, and
// what was accepted reads the same when it is sent on.
func FuzzReader(f *testing.F) {
	for _, m := range []*pb.LinkMessage{
		{},
		feed("a message"),
		{What: &pb.LinkMessage_Hello{Hello: &pb.Hello{Version: 1, Network: "n", Agent: "a"}}},
		{What: &pb.LinkMessage_Ping{Ping: &pb.Ping{Stamp: math.MaxUint64, Received: 1, Lost: 2, Wanted: true}}},
		{What: &pb.LinkMessage_Description{Description: &pb.Description{Kind: pb.Description_ANSWER, Sdp: "v=0"}}},
		{What: &pb.LinkMessage_Resume{Resume: &pb.Resume{Room: make([]byte, 32), Positions: []*pb.Position{{Source: 1, Timestamp: 2}}}}},
	} {
		b, err := encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(b, b...))
		f.Add(b[:len(b)-len(b)/3])
	}
	f.Add([]byte{0x81, 0x80, 0x01})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		for r := newReader(bytes.NewReader(b)); ; {
			m, err := r.next()
			if err != nil {
				if !errors.Is(err, ErrClosed) && !errors.Is(err, protocol.ErrMalformed) && !errors.Is(err, protocol.ErrLarge) {
					t.Fatal(err)
				}
				return
			}
			if r.size > protocol.MaxLinkMessageBytes {
				t.Fatal("took", r.size, "bytes")
			}
			again, err := encode(m)
			if err != nil {
				continue // a denser encoding than ours can grow
			}
			got, err := newReader(bytes.NewReader(again)).next()
			if err != nil || !proto.Equal(got, m) {
				t.Fatalf("%v reads as %v, %v", m, got, err)
			}
		}
	})
}

func FuzzHello(f *testing.F) {
	for _, h := range []*pb.Hello{{Version: 1}, {Version: 2}, {Version: 1, Network: "n"}, {Version: 1, Agent: "\x1b"}} {
		b, err := encode(&pb.LinkMessage{What: &pb.LinkMessage_Hello{Hello: h}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := newReader(bytes.NewReader(b)).hello("")
		if err == nil && (len(h.Agent) > maxAgentBytes || !printable(h.Agent)) {
			t.Fatalf("took agent %q", h.Agent)
		}
	})
}

// Round trips are smoothed; loss is that of the last reports.
func TestHealth(t *testing.T) {
	var h health
	if _, ok := h.roundTrip(); ok {
		t.Error("a round trip out of nothing")
	}
	h.ponged(80 * time.Millisecond)
	h.ponged(160 * time.Millisecond)
	if rtt, _ := h.roundTrip(); rtt != 90*time.Millisecond {
		t.Error(rtt)
	}
	now := time.Unix(1, 0)
	for _, c := range []struct {
		received, lost uint64
		want           float64
	}{
		{1000, 500, 0}, // before this link's first report
		{1090, 510, 0.1},
		{1270, 530, 0.1},
		{10, 0, 0}, // it counts anew
		{20, 10, 0.5},
		{math.MaxUint64, math.MaxUint64, 0.5},
	} {
		h.pinged(&pb.Ping{Received: c.received, Lost: c.lost}, now)
		if _, got := h.loss(); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("after %d, %d: %v, want %v", c.received, c.lost, got, c.want)
		}
	}
	for range lossReports {
		h.pinged(&pb.Ping{Received: math.MaxUint64, Lost: math.MaxUint64}, now)
	}
	if _, got := h.loss(); got != 0 {
		t.Error("old losses count:", got)
	}
	if !h.lastWanted().IsZero() {
		t.Error("wanted")
	}
	h.pinged(&pb.Ping{Wanted: true}, now)
	if h.lastWanted() != now {
		t.Error("not wanted")
	}
}

// A Ping that is not answered is silence once the path's own round trips don't explain
// it.
func TestSilence(t *testing.T) {
	var h health
	now := time.Unix(1, 0)
	after := func(d time.Duration) bool { return h.unanswered(now.Add(d)) }
	h.asked(now)
	if after(time.Hour) {
		t.Error("silence before the first round trip")
	}
	h.ponged(50 * time.Millisecond)
	if after(time.Hour) {
		t.Error("silence without a Ping")
	}
	h.asked(now)
	h.asked(now.Add(time.Second))
	if after(doubt + 100*time.Millisecond) {
		t.Error("too early")
	}
	if !after(doubt + 101*time.Millisecond) {
		t.Error("too late")
	}
	h.heard(now.Add(time.Second))
	if after(time.Second + doubt) {
		t.Error("something was heard")
	}
	h.ponged(time.Second)
	h.ponged(50 * time.Millisecond)
	h.asked(now)
	if after(doubt + 1800*time.Millisecond) {
		t.Error("a slow path is not silent yet")
	}
	for range 100 {
		h.ponged(50 * time.Millisecond)
	}
	h.asked(now)
	if !after(doubt + 101*time.Millisecond) {
		t.Error("slowness does not fade")
	}
	h.moved()
	if after(time.Hour) {
		t.Error("silence where the link is no more")
	}
}
