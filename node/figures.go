package node

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/earshot-audio/earshot/node/web"
)

// dropped gives what this node refused from others since its start, by reason.
func (n *Node) dropped() map[string]int64 {
	out := map[string]int64{}
	add := func(why string, count uint64) {
		if count > 0 {
			out[why] += int64(count)
		}
	}
	d := n.directory.Counters()
	add("announcements malformed", d.Malformed)
	add("announcements wrongly signed", d.Forged)
	add("announcements without right", d.NoRight)
	add("announcements older than known", d.Older)
	add("announcements of another network", d.OtherNetwork)
	add("announcements of a later version", d.Later)
	add("announcements too many", d.Full+d.Hasty)
	l := n.links.Counts()
	add("links of another network", l.OtherNetwork)
	add("links of another version", l.OtherVersion)
	add("links malformed", l.Malformed)
	add("links flooding", l.Floods+l.InboxFull)
	add("links that read too slowly", l.OutboxFull)
	add("streams of sound without a link, malformed or flooding", l.FramesRefused)
	add("sound that a stream did not take in time", l.FramesDropped)
	g := n.gossip.Counters()
	add("gossip flooding", g.Flooded)
	add("gossip while this node was busy", g.Undelivered)
	add("directory requests malformed or too many", g.Refused)
	add("reach requests too many", n.reach.Counts().Refused)
	s := n.media.SocketStats()
	add("STUN requests too many", s.Refused)
	add("STUN answers of strangers", s.Strange)
	add("ICE candidates of no use", s.LeftOut)
	if m := n.sockets.meter; m != nil {
		c := m.Counts()
		add("sound beyond the upload limit", c.DroppedMedia)
		add("control beyond the upload limit", c.DroppedControl)
	}
	for _, p := range n.pairs.list() {
		if at := n.pairs.at(p); at != nil {
			s := at.media.Stats()
			add("packets malformed", s.Malformed)
			add("packets of unnamed sources", s.Unbound)
		}
	}
	return out
}

// addForwarding adds what the room's forwarder counts.
func (n *Node) addForwarding(ctx context.Context, c *carried, out *web.RoomView) {
	s, err := c.relay.Snapshot(ctx)
	if err != nil {
		return
	}
	for _, f := range s.Sources {
		of, _ := c.opened.get(f.Source)
		out.Sources = append(out.Sources, web.SourceLine{Peer: idString(of.owner), Source: uint32(f.Source), Frames: f.Frames, Lost: f.Lost, Hot: f.Hot, Level: f.Level})
	}
	for why, count := range map[string]uint64{
		"frames of sources not on the stage": s.Dropped.Unauthorised, "frames while this node was busy": s.Dropped.Inbox,
		"frames malformed": s.Dropped.Malformed, "frames beyond a source's rate": s.Dropped.TooFast, "frames too old": s.Dropped.Stale,
		"replays asked for too often":   s.Dropped.Resumes,
		"gossip that nobody could take": c.refused.Load(), "gossip of signers without right": c.unknown.Load(),
		"gossip of a later version": c.later.Load(),
	} {
		if count > 0 {
			out.Dropped[why] = int64(count)
		}
	}
}

// metrics gives the node's figures to Prometheus.
func (n *Node) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), figures{n})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// figures collects when asked.
type figures struct{ n *Node }

var (
	neighborsDesc = prometheus.NewDesc("earshot_neighbors", "Nodes connected.", nil, nil)
	roomsDesc     = prometheus.NewDesc("earshot_rooms", "Live rooms in the directory.", nil, nil)
	carriedDesc   = prometheus.NewDesc("earshot_rooms_joined", "Rooms that this node is in.", nil, nil)
	droppedDesc   = prometheus.NewDesc("earshot_dropped_total", "What was refused from others.", []string{"reason"}, nil)
	packetsDesc   = prometheus.NewDesc("earshot_media_packets_total", "Media packets between nodes.", []string{"direction"}, nil)
	bytesDesc     = prometheus.NewDesc("earshot_media_bytes_total", "Bytes of media payload between nodes.", []string{"direction"}, nil)
	lostDesc      = prometheus.NewDesc("earshot_media_lost", "Media packets lost for good on links that are up.", nil, nil)
)

// Describe lists the figures.
func (f figures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{neighborsDesc, roomsDesc, carriedDesc, droppedDesc, packetsDesc, bytesDesc, lostDesc} {
		out <- d
	}
}

// Collect reads them.
func (f figures) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	count := func(d *prometheus.Desc, v float64, label string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, label)
	}
	gauge(neighborsDesc, float64(len(f.n.host.Network().Peers())))
	gauge(roomsDesc, float64(f.n.directory.Counters().Rooms))
	gauge(carriedDesc, float64(len(f.n.carriedRooms())))
	for why, n := range f.n.dropped() {
		count(droppedDesc, float64(n), why)
	}
	var sent, received, bytesSent, bytesReceived, lost uint64
	for _, p := range f.n.pairs.list() {
		if at := f.n.pairs.at(p); at != nil {
			s := at.media.Stats()
			sent, received, bytesSent, bytesReceived, lost = sent+s.PacketsSent, received+s.PacketsReceived, bytesSent+s.BytesSent, bytesReceived+s.BytesReceived, lost+s.Lost
		}
	}
	count(packetsDesc, float64(sent), "sent")
	count(packetsDesc, float64(received), "received")
	count(bytesDesc, float64(bytesSent), "sent")
	count(bytesDesc, float64(bytesReceived), "received")
	gauge(lostDesc, float64(lost))
}
