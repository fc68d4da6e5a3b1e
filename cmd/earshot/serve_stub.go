//go:build !node

package main

import (
	"context"

	"github.com/earshot-audio/earshot/protocol"
)

func (p *program) serve(context.Context, func(readyLine) error) error {
	return &protocol.Problem{Code: protocol.CodeInternal, Message: "the node is not built yet"}
}
