//go:build linux

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// world is a small Internet made of network namespaces: a router in the middle,
// hosts with public addresses, and homes behind routers of their own. Its
// addresses look public, since hole punching wants that, and exist nowhere else.
// A federation's nodes live on its hosts.
type world struct {
	*federation
	prefix string // of its namespaces' names
	sites  int    // networks at the router in the middle
}

// middle is the namespace of the router that joins a world.
const middle = "world"

// newWorld makes an empty world. It is gone at the end of the test, however that
// comes.
func newWorld(t *testing.T) *world {
	t.Helper()
	if raced {
		t.Skip("nodes in network namespaces are for the run without the race detector")
	}
	needNamespaces(t)
	w := &world{prefix: fmt.Sprintf("earshot-%d-%x-", os.Getpid(), rand.Uint32())}
	w.clearAway(t)
	w.federation = newFederation(t) // its nodes end before
	w.namespace(middle)
	w.forwards(middle)
	return w
}

// needNamespaces skips a test where it can't make network namespaces, unless
// EARSHOT_REQUIRE_TOOLS=1 says that it has to.
func needNamespaces(t *testing.T) {
	t.Helper()
	switch why := noNamespaces(); {
	case why == "":
	case os.Getenv("EARSHOT_REQUIRE_TOOLS") == "1":
		t.Fatal(why)
	default:
		t.Skip(why)
	}
}

// noNamespaces says why network namespaces can't be made; "": they can.
func noNamespaces() string {
	for tool, of := range map[string]string{"ip": "iproute2", "nft": "nftables"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Sprintf("%s is not installed (Debian: apt-get install %s)", tool, of)
		}
	}
	if os.Geteuid() != 0 {
		return "only root may make network namespaces: run the tests as root"
	}
	probe := exec.Command("ip", "-V")
	probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if err := probe.Run(); err != nil {
		return fmt.Sprintf("no network namespace can be made here (%v): in a container that takes CAP_SYS_ADMIN and CAP_NET_ADMIN", err)
	}
	return ""
}

// sweep takes away the namespaces whose names begin with $1, and what still runs
// in them, once its standard input ends: the kernel closes that too when the
// test is killed.
const sweep = `cat >/dev/null
for path in /run/netns/"$1"*; do
	name=${path##*/}
	ip netns pids "$name" | xargs -r kill -9
	ip netns delete "$name"
done`

// clearAway has the world's namespaces taken away at the end.
func (w *world) clearAway(t *testing.T) {
	t.Helper()
	cmd := exec.Command("sh", "-c", sweep, "sweep", w.prefix)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C is not for it
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	end, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end.Close()
		if err := cmd.Wait(); err != nil || said.Len() > 0 {
			t.Errorf("the namespaces %s… are not all gone: %v %s", w.prefix, err, &said)
		}
	})
}

// run runs a tool of the system, which must do its job, and gives its words.
func (w *world) run(input io.Reader, words ...string) string {
	w.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdin = input
	var failed strings.Builder
	cmd.Stderr = &failed
	said, err := cmd.Output()
	if err != nil {
		w.Fatalf("%s: %v: %s", strings.Join(words, " "), err, strings.TrimSpace(failed.String()))
	}
	return string(said)
}

// ip has iproute2 do these things, one a line, in a namespace.
func (w *world) ip(namespace, things string) {
	w.Helper()
	w.run(strings.NewReader(things), "ip", "-n", w.prefix+namespace, "-batch", "-")
}

// inside runs a tool in a namespace.
func (w *world) inside(namespace string, input io.Reader, words ...string) string {
	w.Helper()
	return w.run(input, append([]string{"ip", "netns", "exec", w.prefix + namespace}, words...)...)
}

// nft has nftables do these things in a namespace.
func (w *world) nft(namespace, things string) {
	w.Helper()
	w.inside(namespace, strings.NewReader(things), "nft", "-f", "-")
}

func (w *world) namespace(name string) {
	w.Helper()
	w.run(nil, "ip", "netns", "add", w.prefix+name)
	w.ip(name, "link set lo up")
}

// forwards makes a namespace a router, at which UDP can be blocked.
func (w *world) forwards(name string) {
	w.Helper()
	w.inside(name, strings.NewReader("1"), "tee", "/proc/sys/net/ipv4/ip_forward")
	w.nft(name, "table ip gate { chain shut { type filter hook forward priority -10; }; }")
}

// blocking is how a router keeps UDP out.
type blocking string

const (
	dropped  blocking = "drop"
	rejected blocking = "reject with icmp type admin-prohibited"
)

// blockUDP has a router pass no UDP any more.
func (w *world) blockUDP(router string, how blocking) {
	w.Helper()
	w.nft(router, "add rule ip gate shut meta l4proto udp "+string(how))
}

// cutOff has a router pass nothing any more.
func (w *world) cutOff(router string) {
	w.Helper()
	w.nft(router, "add rule ip gate shut drop")
}

// passUDP has it pass UDP again.
func (w *world) passUDP(router string) {
	w.Helper()
	w.nft(router, "flush chain ip gate shut")
}

// cable joins two namespaces by a pair of interfaces, and gives the near one an
// address. A packet goes over it as one, however large a burst the sender hands
// to the system, so that counting packets counts headers.
func (w *world) cable(near, nearEnd, nearAddress, far, farEnd, farAddress string) {
	w.Helper()
	w.ip(near, fmt.Sprintf(`link add %[1]s gso_max_segs 1 type veth peer name %[2]s netns %[3]s
link set %[1]s up
addr add %[4]s dev %[1]s`, nearEnd, farEnd, w.prefix+far, nearAddress))
	w.ip(far, fmt.Sprintf(`link set %[1]s gso_max_segs 1
link set %[1]s up
addr add %[2]s dev %[1]s`, farEnd, farAddress))
}

// site gives the next network at the router in the middle: 11.n.0.0/24.
func (w *world) site() int { w.sites++; return w.sites }

// host is a computer in the world.
type host struct {
	*world
	namespace string
	address   string
}

// uplink is the name of a host's interface.
const uplink = "e0"

// host adds a host at the router in the middle, with nothing in front of it.
func (w *world) host() *host {
	w.Helper()
	n := w.site()
	h := &host{world: w, namespace: fmt.Sprintf("host%d", n), address: fmt.Sprintf("11.%d.0.2", n)}
	w.namespace(h.namespace)
	w.cable(middle, fmt.Sprintf("w%d", n), fmt.Sprintf("11.%d.0.1/24", n), h.namespace, uplink, h.address+"/24")
	w.ip(h.namespace, fmt.Sprintf("route add default via 11.%d.0.1", n))
	return h
}

// router is what stands between a home and the world.
type router string

const (
	plain     router = "none"      // public addresses behind it, and no filter
	cone      router = "cone"      // endpoint-independent mapping; filtering by address and port (RFC 4787)
	symmetric router = "symmetric" // each destination sees another port, drawn at random
)

// routers are all of them.
var routers = [...]router{plain, cone, symmetric}

// household is a network behind a router of its own.
type household struct {
	*world
	kind    router
	number  int    // of its site
	gateway string // its router's namespace
	net     string // "192.168.1."
	net6    string // "2a01:11:7:1:"; "": no IPv6
	hosts   int
}

// homeNet is where every home router has its network: 192.168.1.0/24, so that
// an address of one home means something else in another.
const homeNet = "192.168.1."

// home adds a home.
func (w *world) home(kind router) *household {
	w.Helper()
	n := w.site()
	h := &household{world: w, kind: kind, number: n, gateway: fmt.Sprintf("router%d", n), net: homeNet}
	w.namespace(h.gateway)
	w.forwards(h.gateway)
	w.cable(middle, fmt.Sprintf("w%d", n), fmt.Sprintf("11.%d.0.1/24", n), h.gateway, "wan", fmt.Sprintf("11.%d.0.2/24", n))
	if kind == plain {
		h.net = fmt.Sprintf("11.%d.1.", n)
		w.ip(middle, fmt.Sprintf("route add %s0/24 via 11.%d.0.2", h.net, n))
	}
	w.ip(h.gateway, fmt.Sprintf(`route add default via 11.%d.0.1
link add lan type bridge
link set lan up
addr add %s1/24 dev lan`, n, h.net))
	switch kind {
	case cone:
		w.nft(h.gateway, translation(""))
	case symmetric:
		w.nft(h.gateway, translation("random,fully-random"))
	}
	return h
}

// translation is a home router's table: it gives its own address to what goes
// out, and lets in only what answers that. What comes to the router itself
// unasked is dropped, or its trace would take the port from whom it is for.
func translation(ports string) string {
	return fmt.Sprintf(`table ip home {
	chain out { type nat hook postrouting priority 100; oifname wan masquerade %s; }
	chain pass {
		type filter hook forward priority 0; policy drop;
		ct state established,related accept
		iifname lan accept
	}
	chain self { type filter hook input priority 0; iifname wan ct state new drop; }
}
`, ports)
}

// host adds a host at home.
func (h *household) host() *host {
	h.Helper()
	h.hosts++
	at := fmt.Sprintf("%s%d", h.net, 9+h.hosts)
	one := &host{world: h.world, namespace: fmt.Sprintf("%s-host%d", h.gateway, h.hosts), address: at}
	port := fmt.Sprintf("p%d", h.hosts)
	h.namespace(one.namespace)
	h.ip(h.gateway, fmt.Sprintf(`link add %[1]s gso_max_segs 1 type veth peer name %[2]s netns %[3]s
link set %[1]s master lan
link set %[1]s up`, port, uplink, h.prefix+one.namespace))
	h.ip(one.namespace, fmt.Sprintf(`link set %[1]s gso_max_segs 1
link set %[1]s up
addr add %[2]s/24 dev %[1]s
route add default via %[3]s1`, uplink, at, h.net))
	if h.net6 != "" {
		h.ip(one.namespace, fmt.Sprintf(`addr add %[1]s:%[2]d/64 dev %[3]s nodad
route add default via %[1]s:1`, h.net6, 9+h.hosts, uplink))
	}
	return one
}
