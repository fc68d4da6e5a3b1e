package node

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// keptLives is how a home keeps [roster.Lives]: what has passed of bans, and is left
// of grants, in milliseconds, by their actions' hashes in hexadecimal.
type keptLives struct {
	At     int64            `json:"at"` // Unix, in milliseconds
	Served map[string]int64 `json:"served,omitempty"`
	Left   map[string]int64 `json:"left,omitempty"`
	Quiet  int64            `json:"quiet,omitempty"`
}

// encodeLives gives lives as the home keeps them, and when.
func encodeLives(l roster.Lives, at time.Time) ([]byte, error) {
	spans := func(by map[protocol.ActionHash]time.Duration) map[string]int64 {
		out := make(map[string]int64, len(by))
		for h, d := range by {
			out[h.String()] = d.Milliseconds()
		}
		return out
	}
	return json.Marshal(keptLives{at.UnixMilli(), spans(l.Served), spans(l.Left), l.Quiet.Milliseconds()})
}

// decodeLives reads what encodeLives wrote, and says how long ago it was by a clock
// that may have been set since: if back, that was just now. Set forward, it ends bans
// early; nothing else in a home says how long a node was off.
func decodeLives(raw []byte, now time.Time) (l roster.Lives, ago time.Duration, err error) {
	if raw == nil {
		return l, 0, nil
	}
	var k keptLives
	if err := json.Unmarshal(raw, &k); err != nil {
		return l, 0, err
	}
	spans := func(by map[string]int64) map[protocol.ActionHash]time.Duration {
		out := make(map[protocol.ActionHash]time.Duration, len(by))
		for text, ms := range by {
			if h, err := hex.DecodeString(text); err == nil && len(h) == len(protocol.ActionHash{}) {
				out[protocol.ActionHash(h)] = bounded(ms)
			}
		}
		return out
	}
	return roster.Lives{Served: spans(k.Served), Left: spans(k.Left), Quiet: bounded(k.Quiet)}, bounded(now.UnixMilli() - k.At), nil
}

// bounded gives milliseconds as a duration, from none to the longest life of a ban.
func bounded(ms int64) time.Duration {
	return time.Duration(min(max(0, ms), protocol.MaxBan.Milliseconds())) * time.Millisecond
}

func (n *Node) saveLives(id protocol.RoomID, l roster.Lives, at time.Time) {
	raw, err := encodeLives(l, at)
	if err == nil {
		err = n.store.SaveLives(id, raw)
	}
	if err != nil {
		n.log.Error("store what has passed of bans", "err", err)
	}
}
