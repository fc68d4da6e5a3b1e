package node

import (
	"crypto/sha256"

	"github.com/earshot-audio/earshot/protocol"
)

// Words for the names of nodes whose people have not chosen one.
var (
	manners = [...]string{"quiet", "early", "brisk", "amber", "gentle", "northern", "patient", "bright",
		"distant", "humble", "lively", "mellow", "nimble", "plain", "rapid", "steady",
		"silver", "sunny", "tidy", "upper", "vivid", "warm", "wild", "young",
		"brave", "calm", "clear", "deep", "evening", "fair", "golden", "hidden"}
	birds = [...]string{"heron", "finch", "owl", "wren", "plover", "swift", "lark", "crane",
		"robin", "thrush", "ibis", "kite", "tern", "dove", "egret", "falcon",
		"grebe", "gull", "hawk", "jay", "linnet", "magpie", "martin", "oriole",
		"osprey", "petrel", "pipit", "raven", "sparrow", "stork", "swallow", "warbler"}
)

// defaultName makes a name of a node's key; never of the machine's or the
// user's, which are nobody else's business.
func defaultName(p protocol.PeerID) protocol.Name {
	h := sha256.Sum256([]byte(p))
	return protocol.Name(manners[int(h[0])%len(manners)] + "-" + birds[int(h[1])%len(birds)])
}

// nameIn gives what somebody in a room is called, else the end of their ID.
func nameIn(names map[protocol.PeerID]protocol.Name, p protocol.PeerID) string {
	if n := names[p]; n != "" {
		return string(n)
	}
	id := p.String()
	return id[:min(len(id), 8)] + "…" + id[max(0, len(id)-4):]
}
