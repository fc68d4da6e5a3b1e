package upload

import (
	"encoding/binary"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sniffer records what leaves some ports of this machine, by loopback, at the
// kernel's own times: a machine that stands still does not crowd them together.
type sniffer struct {
	fd    int
	ports map[uint16]bool
	done  sync.WaitGroup
	all   []taken
	by    map[uint16]int
	began time.Time
}

// sniff begins, or skips the test where nobody may.
func sniff(t *testing.T, ports ...int) *sniffer {
	t.Helper()
	all := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL}) // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(all))
	if err != nil && os.Getenv("EARSHOT_REQUIRE_TOOLS") == "" {
		t.Skipf("can't see what is on the wire, run it as root: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	s := &sniffer{fd: fd, ports: map[uint16]bool{}, by: map[uint16]int{}, began: time.Now()}
	for _, p := range ports {
		s.ports[uint16(p)] = true
	}
	for _, err := range []error{
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: lo.Index}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// listen records until the end.
func (s *sniffer) listen(end time.Time) {
	s.done.Go(func() {
		defer unix.Close(s.fd)
		packet, control := make([]byte, 1<<16), make([]byte, 256)
		for time.Now().Before(end) {
			n, oob, _, from, err := unix.Recvmsg(s.fd, packet, control, 0)
			if err == unix.EAGAIN || err == unix.EINTR {
				continue
			}
			if err != nil {
				return
			}
			if l, ok := from.(*unix.SockaddrLinklayer); ok && l.Pkttype == unix.PACKET_OUTGOING {
				s.take(packet[:n], control[:oob])
			}
		}
	})
}

// take counts an IPv4 packet. One longer than a wire allows is several, which the
// network card would have cut.
func (s *sniffer) take(packet, control []byte) {
	if len(packet) < 28 || packet[0]>>4 != 4 {
		return
	}
	header := int(packet[0]&15) * 4
	port := binary.BigEndian.Uint16(packet[header:])
	if !s.ports[port] {
		return
	}
	bytes := frameHeader + len(packet)
	if cuts := (len(packet) - 1) / mtu; packet[9] == syscall.IPPROTO_TCP && cuts > 0 {
		bytes += cuts * segmentBytes(0, false)
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) == 0 {
		return
	}
	seconds, nanos := binary.NativeEndian.Uint64(messages[0].Data), binary.NativeEndian.Uint64(messages[0].Data[8:])
	at := time.Unix(int64(seconds), int64(nanos)).Sub(s.began)
	s.all = append(s.all, taken{at, bytes})
	s.by[port] += bytes
}
