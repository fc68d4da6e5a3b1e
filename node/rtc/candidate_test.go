package rtc

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/ice/v4"
	"github.com/pion/sdp/v3"
)

// description has the candidates in its one m-line.
func description(candidates ...string) *sdp.SessionDescription {
	m := &sdp.MediaDescription{MediaName: sdp.MediaName{
		Media: "audio", Port: sdp.RangedPort{Value: 9}, Protos: []string{"UDP", "TLS", "RTP", "SAVPF"}, Formats: []string{"111"},
	}}
	for _, c := range candidates {
		m.WithValueAttribute("candidate", c)
	}
	d := &sdp.SessionDescription{
		Origin:      sdp.Origin{Username: "-", NetworkType: "IN", AddressType: "IP4", UnicastAddress: "0.0.0.0"},
		SessionName: "-", TimeDescriptions: []sdp.TimeDescription{{}},
	}
	return d.WithMedia(m.WithPropertyAttribute("end-of-candidates"))
}

func candidatesOf(t testing.TB, text string) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(text) {
		if c, ok := strings.CutPrefix(strings.TrimSpace(line), "a=candidate:"); ok {
			found = append(found, c)
		}
	}
	return found
}

// remote are candidates of a far side, and whether one that is elsewhere, and
// one on this machine, is believed.
var remote = []struct {
	candidate       string
	elsewhere, here bool
}{
	{"1 1 udp 2130706431 192.0.2.1 9 typ host", true, true},
	{"1 1 UDP 2130706431 192.0.2.1 9 typ host generation 0", true, true},
	{"1 1 udp 2130706431 192.168.1.2 9 typ host", true, true},
	{"1 1 udp 2130706431 2001:db8::1 9 typ host", true, true},
	{"1 1 udp 2130706431 fd00::1 9 typ host", true, true},
	{"1 1 udp 1694498815 198.51.100.1 9 typ srflx raddr 192.168.1.2 rport 9", true, true},
	{"1 1 udp 2130706431 127.0.0.1 9 typ host", false, true},
	{"1 1 udp 2130706431 ::1 9 typ host", false, true},
	{"1 1 udp 2130706431 ::ffff:127.0.0.1 9 typ host", false, true},
	{"1 1 tcp 2130706431 192.0.2.1 9 typ host tcptype active", false, false},
	{"1 1 udp 2130706431 1b5a2a4c-0000-4000-8000-d1f0c1b0a001.local 9 typ host", false, false},
	{"1 1 udp 2130706431 router.example 9 typ host", false, false},
	{"1 1 udp 2130706431 224.0.0.1 9 typ host", false, false},
	{"1 1 udp 2130706431 255.255.255.255 9 typ host", false, false},
	{"1 1 udp 2130706431 0.0.0.0 9 typ host", false, false},
	{"1 1 udp 2130706431 :: 9 typ host", false, false},
	{"1 1 udp 2130706431 fe80::1%eth0 9 typ host", false, false},
	{"1 1 udp 2130706431 192.0.2.1 0 typ host", false, false},
	{"1 1 udp 2130706431 192.0.2.1 65536 typ host", false, false},
	{"1 1 udp 2130706431 192.0.2.1 9", false, false},
	{"1 1 udp 2130706431 192.0.2.1 9 host typ", false, false},
	{"", false, false},
}

// Candidates that this node may not call are left out, wherever a description has
// them.
func TestLeaveOut(t *testing.T) {
	for _, loopback := range []bool{false, true} {
		for _, c := range remote {
			d := description(c.candidate)
			d.WithValueAttribute("candidate", c.candidate) // RFC 8839 has none there; pion reads them
			want := uint64(2)
			if c.elsewhere && !loopback || c.here && loopback {
				want = 0
			}
			if got := leaveOut(d, loopback); got != want {
				t.Errorf("loopback %v: %q: %d left out", loopback, c.candidate, got)
			}
			if got := len(d.Attributes) + len(d.MediaDescriptions[0].Attributes); got != 3-int(want) {
				t.Errorf("loopback %v: %q: %d attributes remain", loopback, c.candidate, got)
			}
		}
	}
}

func TestAddCandidates(t *testing.T) {
	const (
		four = "1 1 udp 2130706431 192.168.1.2 41642 typ host"
		six  = "1 1 udp 2130706431 2001:db8::1 41642 typ host"
		far  = "2 1 udp 1694498815 198.51.100.9 9 typ srflx raddr 192.168.1.2 rport 41642"
	)
	for _, c := range []struct {
		name       string
		have, seen []string
		want       []string // without the foundation
	}{
		{"nothing", []string{four}, nil, nil},
		{"through a router", []string{six, four}, []string{"198.51.100.7:5000"},
			[]string{"1 udp 1694498815 198.51.100.7 5000 typ srflx raddr 192.168.1.2 rport 41642"}},
		{"no router", []string{six, four}, []string{"[2001:db8::1]:41642", "192.168.1.2:41642"}, nil},
		{"another port", []string{four}, []string{"192.168.1.2:41643"},
			[]string{"1 udp 1694498815 192.168.1.2 41643 typ srflx raddr 192.168.1.2 rport 41642"}},
		{"as mapped IPv6", []string{four}, []string{"[::ffff:198.51.100.7]:5000"},
			[]string{"1 udp 1694498815 198.51.100.7 5000 typ srflx raddr 192.168.1.2 rport 41642"}},
		{"twice", []string{four}, []string{"198.51.100.7:5000", "198.51.100.7:5000", "198.51.100.7:5001"}, []string{
			"1 udp 1694498815 198.51.100.7 5000 typ srflx raddr 192.168.1.2 rport 41642",
			"1 udp 1694498559 198.51.100.7 5001 typ srflx raddr 192.168.1.2 rport 41642",
		}},
		{"no host candidate", []string{far}, []string{"198.51.100.7:5000", "[2001:db8::7]:5000"}, []string{
			"1 udp 1694498815 198.51.100.7 5000 typ srflx raddr 0.0.0.0 rport 9",
			"1 udp 1694498559 2001:db8::7 5000 typ srflx raddr :: rport 9",
		}},
		{"of no use", []string{four}, []string{"127.0.0.1:1", "224.0.0.1:1", "198.51.100.7:0", "0.0.0.0:1"}, nil},
	} {
		var seen []netip.AddrPort
		for _, s := range c.seen {
			seen = append(seen, netip.MustParseAddrPort(s))
		}
		before, err := description(c.have...).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		text, err := addCandidates(string(before), seen, false)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		found := candidatesOf(t, text)
		if len(found) != len(c.have)+len(c.want) {
			t.Fatalf("%s: %q", c.name, found)
		}
		for i, want := range c.want {
			got := found[len(c.have)+i]
			if _, rest, _ := strings.Cut(got, " "); rest != want {
				t.Errorf("%s: %q", c.name, got)
			}
			if _, err := ice.UnmarshalCandidate(got); err != nil {
				t.Errorf("%s: %q: %v", c.name, got, err)
			}
		}
		if !strings.HasSuffix(text, "a=end-of-candidates\r\n") {
			t.Errorf("%s: a candidate after the last: %q", c.name, text)
		}
	}
	if _, err := addCandidates("nonsense", []netip.AddrPort{netip.MustParseAddrPort("198.51.100.7:1")}, false); err == nil {
		t.Error("no error")
	}
}

func TestAddedCandidatesAreBounded(t *testing.T) {
	var seen []netip.AddrPort
	for port := range uint16(100) {
		seen = append(seen, netip.AddrPortFrom(netip.MustParseAddr("198.51.100.7"), 1+port))
	}
	before, err := description().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	text, err := addCandidates(string(before), seen, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := candidatesOf(t, text); len(got) != maxOutside {
		t.Errorf("%d candidates", len(got))
	}
}

// What pion is given to send to is an address that may be sent to.
func FuzzLeaveOut(f *testing.F) {
	for _, c := range remote {
		f.Add(c.candidate)
	}
	f.Fuzz(func(t *testing.T, value string) {
		d := description(value)
		leaveOut(d, false)
		for _, a := range d.MediaDescriptions[0].Attributes {
			if !a.IsICECandidate() {
				continue
			}
			c, err := ice.UnmarshalCandidate(a.Value)
			if err != nil {
				continue // pion leaves it out
			}
			addr, err := netip.ParseAddr(c.Address())
			if err != nil || c.NetworkType().IsTCP() || !unicast(netip.AddrPortFrom(addr.Unmap(), uint16(c.Port())), false) {
				t.Errorf("%q has us send to %s %s", value, c.NetworkType(), c.Address())
			}
		}
	})
}
