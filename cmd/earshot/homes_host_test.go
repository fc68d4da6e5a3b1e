//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// up starts a node on the host.
func (h *host) up(name string, flags ...string) *liveNode {
	h.Helper()
	home := filepath.Join(h.dir, name)
	h.within[home] = h.prefix + h.namespace
	return h.serve(home, name, append([]string{"--api", h.door()}, flags...)...)
}

// through are the flags by which a node meets others through one.
func through(n *liveNode) (flags []string) {
	for _, a := range n.Addrs {
		flags = append(flags, "--bootstrap", a)
	}
	return flags
}

// door lets this test's process in to a node's API, which is on the host's
// loopback: it gives an address that a node may serve it at in there, and that
// leads there from out here.
func (h *host) door() string {
	h.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	h.must(err)
	namespace, err := os.Open(filepath.Join("/run/netns", h.prefix+h.namespace))
	h.must(err)
	h.Cleanup(func() { l.Close(); namespace.Close() })
	port := l.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			out, err := l.Accept()
			if err != nil {
				return
			}
			in, err := dialInside(namespace, port)
			if err != nil { // the node is gone
				out.Close()
				continue
			}
			go pour(in, out)
			go pour(out, in)
		}
	}()
	return "127.0.0.1:" + strconv.Itoa(port)
}

func pour(to, from net.Conn) {
	_, _ = io.Copy(to, from) // whichever way it ends, both do
	to.Close()
	from.Close()
}

// dialInside connects to a port of a namespace's loopback. A socket stays in the
// namespace in which it was made; its thread goes home at once.
func dialInside(namespace *os.File, port int) (net.Conn, error) {
	s, err := socketInside(namespace)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(s), "door")
	defer f.Close() // the connection has its own
	if err := unix.Connect(s, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, err
	}
	return net.FileConn(f)
}

func socketInside(namespace *os.File) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return 0, err
	}
	defer home.Close()
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		return 0, err
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		panic(fmt.Sprintf("a thread is lost in a namespace: %v", back))
	}
	return s, err
}

// wire is what went over a host's interface so far, in bytes of IP packets.
type wire struct{ in, out int64 }

// etherHeader is what the system counts besides, for each packet.
const etherHeader = 14

// traffic reads a node's host's counters.
func (n *liveNode) traffic() (w wire) {
	n.f.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/net/dev", n.cmd.Process.Pid))
	n.f.must(err)
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		name, figures, _ := strings.Cut(s.Text(), ":")
		if words := strings.Fields(figures); strings.TrimSpace(name) == uplink && len(words) >= 10 {
			figure := func(i int) int64 { v, _ := strconv.ParseInt(words[i], 10, 64); return v }
			return wire{in: figure(0) - etherHeader*figure(1), out: figure(8) - etherHeader*figure(9)}
		}
	}
	n.f.Fatalf("%s has no %s", n.name, uplink)
	return wire{}
}
