package upload

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// holdLittle has the kernel take no more of a TCP connection's bytes than it can
// send soon; false if it can't be asked.
func holdLittle(c syscall.RawConn, bytes int) bool {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes)
	})
	return err == nil && failed == nil
}

// sent is what a TCP connection has sent so far, retransmissions and
// acknowledgements with it.
type sent struct {
	bytes    uint64 // payload
	segments uint64
	held     uint64 // payload that waits to be sent
}

// sentBy asks the kernel; false if it does not know.
func sentBy(c syscall.RawConn) (s sent, ok bool) {
	err := c.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil || info.Bytes_sent == 0 && info.Bytes_acked > 1 { // before Linux 4.19
			return
		}
		s, ok = sent{info.Bytes_sent, uint64(info.Segs_out), uint64(info.Notsent_bytes)}, true
	})
	return s, ok && err == nil
}
