package main

import (
	"errors"

	"github.com/earshot-audio/earshot/node/store"
	"github.com/earshot-audio/earshot/node/web/client"
	"github.com/earshot-audio/earshot/protocol"
)

// caller speaks to the running node.
type caller = client.Client

// node finds the node that runs in this home.
func (p *program) node() (*caller, error) {
	api, token, err := store.ReadAPIFile(p.settings.home())
	if err != nil {
		return nil, err
	}
	c := client.New(api, token)
	p.called = append(p.called, c)
	return c, nil
}

// roomWord checks what a person gave for a ROOM, as far as that can be done
// without a node: a link proves itself.
func roomWord(word string) (string, error) {
	if word == "" {
		return "", usage("an empty ROOM names no room", "earshot rooms lists them")
	}
	if !protocol.IsLink(word) {
		return word, nil
	}
	_, err := protocol.ParseLink(word)
	switch {
	case errors.Is(err, protocol.ErrLinkCut):
		return "", &protocol.Problem{Code: protocol.CodeLinkCut, Message: "the link is cut short or mistyped (its checksum does not fit)", Hint: "ask for it again"}
	case err != nil:
		return "", &protocol.Problem{Code: protocol.CodeLinkForm, Message: "that is not an Earshot link", Hint: "one looks like earshot:room/ID/HINTS"}
	}
	return word, nil
}
