package store

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	apiFile         = "api.json"
	maxAPIFileBytes = 4096
)

// access is what api.json holds: where the running node's API is, and the token
// it asks for.
type access struct {
	API   string `json:"api"`
	Token string `json:"token"`
}

// WriteAPIFile tells this home's other programs where the node's API is. They
// see the old file or the new one, whole; only its owner may read it.
func WriteAPIFile(home, api, token string) error {
	b, err := json.Marshal(access{api, token})
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(home, ".api-*.json") // mode 0600
	if err != nil {
		return unwritable(home, err)
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(home, apiFile))
	}
	if err != nil {
		os.Remove(f.Name())
		return unwritable(home, err)
	}
	return nil
}

// ReadAPIFile gives what WriteAPIFile wrote. The node may be gone by now: only
// asking it tells.
func ReadAPIFile(home string) (api, token string, err error) {
	f, err := os.Open(filepath.Join(home, apiFile))
	if err != nil {
		return "", "", noNode(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAPIFileBytes))
	if err != nil {
		return "", "", noNode(err)
	}
	var a access
	if err := json.Unmarshal(b, &a); err != nil || a.API == "" {
		return "", "", noNode(err)
	}
	return a.API, a.Token, nil
}

// RemoveAPIFile removes the file if it still says what this node wrote.
func RemoveAPIFile(home, api, token string) error {
	a, t, err := ReadAPIFile(home)
	if err != nil || a != api || t != token {
		return nil
	}
	return os.Remove(filepath.Join(home, apiFile))
}

func noNode(err error) error {
	return &protocol.Problem{
		Code:    protocol.CodeNoNode,
		Message: "no node is running here",
		Hint:    "start one with: earshot up", Cause: err,
	}
}
