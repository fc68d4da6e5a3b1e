package main

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/node/store"
)

// meter measures what nodes send.
type meter struct {
	f     *federation
	nodes []*liveNode
	began []map[string]float64
}

// measure begins to.
func (f *federation) measure(nodes []*liveNode) *meter {
	f.Helper()
	m := &meter{f: f, nodes: nodes}
	for _, n := range nodes {
		m.began = append(m.began, n.metrics())
	}
	return m
}

// log tells what each node sent a second since.
func (m *meter) log(span time.Duration) {
	m.f.Helper()
	for i, n := range m.nodes {
		now := n.metrics()
		for _, name := range []string{`earshot_media_bytes_total{direction="sent"}`, `earshot_media_packets_total{direction="sent"}`, "process_cpu_seconds_total"} {
			m.f.Logf("%s: %s: %.4g a second", n.name, name, (now[name]-m.began[i][name])/span.Seconds())
		}
	}
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
	out := map[string]float64{}
	for s := bufio.NewScanner(response.Body); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = v
		}
	}
	return out
}
