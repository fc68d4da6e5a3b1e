package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/node/store"
)

// meter measures what nodes send: by their own figures, which hold media alone,
// and in the long run, where this may be done, by the system's counters.
type meter struct {
	f     *federation
	nodes []*liveNode
	began []map[string]float64
	table string // of nftables; "": none
}

// measure begins to.
func (f *federation) measure(nodes []*liveNode) *meter {
	f.Helper()
	m := &meter{f: f, nodes: nodes}
	if _, err := exec.LookPath("nft"); err == nil && os.Geteuid() == 0 && long() {
		m.count()
	}
	for _, n := range nodes {
		m.began = append(m.began, n.metrics())
	}
	return m
}

// silentBytes is the most that a node of a small room where nobody speaks may
// send in a second, with IP headers: a tenth of what a few voices take.
const silentBytes = 20_000

// silent tells what each node sent a second since, which must be next to nothing.
func (m *meter) silent(span time.Duration) {
	m.f.Helper()
	counted := m.counted()
	for i, n := range m.nodes {
		now := n.metrics()
		a := func(name string) float64 { return (now[name] - m.began[i][name]) / span.Seconds() }
		m.f.Logf("%s sent %.0f bytes of media a second, took %.1f %% of a core", n.name,
			a(`earshot_media_bytes_total{direction="sent"}`), 100*a("process_cpu_seconds_total"))
		if a(`earshot_media_bytes_total{direction="sent"}`) > 0 {
			m.f.Errorf("%s sent media, though nobody spoke", n.name)
		}
		if c, ok := counted[n.name]; ok {
			if c.Bytes/span.Seconds() > silentBytes {
				m.f.Errorf("%s sent more than %d bytes a second", n.name, silentBytes)
			}
			m.f.Logf("%s sent %.0f bytes a second in %.1f packets, of everything with IP headers", n.name,
				c.Bytes/span.Seconds(), c.Packets/span.Seconds())
		}
	}
}

// count has the system count what leaves the nodes' ports, but for their APIs'.
func (m *meter) count() {
	m.f.Helper()
	m.table = fmt.Sprintf("earshot_test_%d", os.Getpid())
	var rules strings.Builder
	fmt.Fprintf(&rules, "table inet %s {\n", m.table)
	chain := "chain out { type filter hook output priority 0;\n"
	for _, n := range m.nodes {
		fmt.Fprintf(&rules, "counter %s {}\n", n.name)
		for _, protocol := range []string{"udp", "tcp"} {
			if ports := n.ports(protocol); len(ports) > 0 {
				chain += fmt.Sprintf("%s sport { %s } counter name %s\n", protocol, strings.Join(ports, ", "), n.name)
			}
		}
	}
	fmt.Fprintf(&rules, "%s}\n}\n", chain)
	load := exec.Command("nft", "-f", "-")
	load.Stdin = strings.NewReader(rules.String())
	if said, err := load.CombinedOutput(); err != nil {
		m.f.Logf("nft can't count here: %v: %s", err, said)
		m.table = ""
		return
	}
	m.f.Cleanup(func() { _ = exec.Command("nft", "delete", "table", "inet", m.table).Run() })
}

// counter is what the system counted of one node.
type counter struct {
	Name           string
	Packets, Bytes float64
}

func (m *meter) counted() map[string]counter {
	m.f.Helper()
	if m.table == "" {
		return nil
	}
	said, err := exec.Command("nft", "-j", "list", "counters", "table", "inet", m.table).Output()
	m.f.must(err)
	var list struct{ Nftables []struct{ Counter *counter } }
	m.f.must(json.Unmarshal(said, &list))
	found := map[string]counter{}
	for _, one := range list.Nftables {
		if one.Counter != nil {
			found[one.Counter.Name] = *one.Counter
		}
	}
	return found
}

// ports gives the ports of the node's sockets: those of its process, of which
// Linux tells in /proc.
func (n *liveNode) ports(protocol string) (ports []string) {
	n.f.Helper()
	own := map[string]bool{}
	files := fmt.Sprintf("/proc/%d/fd/", n.cmd.Process.Pid)
	fds, err := os.ReadDir(files)
	n.f.must(err)
	for _, fd := range fds {
		target, _ := os.Readlink(files + fd.Name())
		own[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")] = true
	}
	_, api, _ := net.SplitHostPort(strings.TrimPrefix(n.API, "http://"))
	for _, table := range []string{protocol, protocol + "6"} {
		text, _ := os.ReadFile("/proc/net/" + table)
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if len(words) < 10 || !own[words[9]] {
				continue
			}
			_, hex, _ := strings.Cut(words[1], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if p := strconv.FormatUint(port, 10); err == nil && p != api && !slices.Contains(ports, p) {
				ports = append(ports, p)
			}
		}
	}
	return ports
}

// metrics reads what the node gives to Prometheus.
func (n *liveNode) metrics() map[string]float64 {
	n.f.Helper()
	api, token, err := store.ReadAPIFile(n.home)
	n.f.must(err)
	request, err := http.NewRequest(http.MethodGet, api+"/metrics", nil)
	n.f.must(err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	n.f.must(err)
	defer response.Body.Close()
	found := map[string]float64{}
	for s := bufio.NewScanner(response.Body); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			found[name] = v
		}
	}
	return found
}
