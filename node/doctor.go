package node

import (
	"context"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// Doctor examines how this node and others reach each other.
func (n *Node) Doctor(context.Context, string) (web.Diagnosis, error) {
	return web.Diagnosis{}, notBuilt("examine itself", "earshot status shows what it knows")
}

// Meet looks for other nodes.
func (n *Node) Meet(context.Context, web.MeetRequest) (web.Met, error) {
	return web.Met{}, notBuilt("look for others on demand", "start it with: earshot up --bootstrap ADDRESS")
}

func notBuilt(what, hint string) error {
	return &protocol.Problem{Code: protocol.CodeInternal, Message: "this node can't " + what + " yet", Hint: hint}
}
